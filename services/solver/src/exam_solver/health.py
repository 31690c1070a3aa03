"""Whether this process lives, and whether it should be sent requests."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from exam_answerlog.log import AnswerLog, AnswerLogUnavailableError
from exam_solver.lease.keeper import LeaseKeeper

PING_SECONDS: Final = 2.0


@dataclass(slots=True)
class Lifecycle:
    """Where in its life the process is. `draining`: it was told to end, and should get nothing new."""

    draining: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """The answers to the two probes: a status, and each check by name."""

    keeper: LeaseKeeper
    log: AnswerLog
    lifecycle: Lifecycle

    def live(self) -> tuple[int, dict[str, Any]]:
        """The event loop answers by answering; the loop that renews the lease must come round too."""
        return _told({"lease_loop": (self.keeper.alive, "it comes round" if self.keeper.alive else "it has stopped")})

    async def ready(self) -> tuple[int, dict[str, Any]]:
        """Whether an answer could be saved now. Redis and web may be down: attempts go on without them."""
        log_works, log_says = await self._ping()
        return _told(
            {
                "lease": (self.keeper.valid, f"renewed {self.keeper.age:.1f} s ago"),
                "answer_log": (log_works, log_says),
                "accepting": (not self.lifecycle.draining, "shutting down" if self.lifecycle.draining else "yes"),
            }
        )

    async def _ping(self) -> tuple[bool, str]:
        try:
            async with asyncio.timeout(PING_SECONDS):
                await self.log.ping()
        except (AnswerLogUnavailableError, TimeoutError) as error:
            return False, str(error) or f"no answer within {PING_SECONDS:g} s"
        return True, "it answers"


def _told(checks: dict[str, tuple[bool, str]]) -> tuple[int, dict[str, Any]]:
    well = all(ok for ok, _ in checks.values())
    return (
        200 if well else 503,
        {
            "status": "ok" if well else "failing",
            "checks": {name: {"ok": ok, "detail": detail} for name, (ok, detail) in checks.items()},
        },
    )
