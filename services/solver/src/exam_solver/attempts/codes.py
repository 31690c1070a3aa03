"""Access codes at the start of an attempt, with a limit of wrong ones for each student."""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from exam_core.entry import code_matches, normal_code
from exam_core.instants import SECOND
from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import ScheduledSitting
from exam_runtime.boot_clock import BootClock
from exam_solver.caching.lru import Lru

TRIES: Final = 10
"""Wrong codes of a student within `INTERVAL`, at each solver process."""
INTERVAL: Final = 60 * SECOND
REMEMBERED: Final = 10_000
"""Of so many students the wrong codes are counted; those of others are forgotten."""


@dataclass(slots=True)
class _Tries:
    since: int
    count: int = 0


class CodeChecker:
    """Checks access codes.

    A code is stored as a slow hash, and the students of a sitting have the same one: once it was right, its fast hash
    is known until the code is changed.

    Args:
        clock: the boot clock.
    """

    def __init__(self, clock: BootClock) -> None:
        self._clock = clock
        self._right: Lru[UUID, tuple[str, bytes]] = Lru(256)
        self._tries: Lru[tuple[UUID, int], _Tries] = Lru(REMEMBERED)

    async def check(self, sitting: ScheduledSitting, *, student: int, code: str | None) -> None:
        """Check the code that a student sent.

        Raises:
            Problem: ACCESS_CODE_REQUIRED without one, ACCESS_CODE_WRONG, TOO_MANY_REQUESTS after too many wrong ones.
        """
        stored = sitting.entry.code
        if stored is None:
            return
        if code is None:
            raise Problem(
                ProblemKind.ACCESS_CODE_REQUIRED,
                'this sitting has an access code, which is announced there: send {"access_code": "…"}',
            )
        # Also before a right code: otherwise a program could go on guessing.
        tries = self._counted(sitting.id, student)
        fast = hashlib.sha256(normal_code(code).encode()).digest()
        if self._right.get(sitting.id) != (stored, fast):
            if not await asyncio.to_thread(code_matches, stored, code):
                raise Problem(
                    ProblemKind.ACCESS_CODE_WRONG,
                    f"the access code is wrong; {max(0, TRIES - tries.count)} more tries in this minute",
                )
            self._right.put(sitting.id, (stored, fast))
        self._tries.drop((sitting.id, student))

    def _counted(self, sitting: UUID, student: int) -> _Tries:
        """Count a try before the code is compared, so that many at once are limited too."""
        now = self._clock()
        tries = self._tries.get((sitting, student))
        if tries is None or now - tries.since >= INTERVAL:
            tries = _Tries(since=now)
            self._tries.put((sitting, student), tries)
        if tries.count >= TRIES:
            wait = -(-(tries.since + INTERVAL - now) // SECOND)
            raise Problem(
                ProblemKind.TOO_MANY_REQUESTS,
                f"{TRIES} wrong access codes in a minute: ask for the right one, and try again in {wait} s",
                retry_after=wait,
            )
        tries.count += 1
        return tries
