"""Provisions a sitting for a schedule, with an opening that leaves every solver the time to know it."""

import asyncio
from typing import Final

import httpx

from exam_harness.faults.schedule import DURATION_MS, WINDOW_MS
from exam_harness.oracle.instants import rfc3339
from exam_harness.oracle.windows import Window
from exam_harness.scenarios.nemesis.evidence import Provisioned
from exam_harness.scenarios.nemesis.exam import QUESTIONS, document
from exam_harness.scenarios.nemesis.platform import ROWS_PER_QUESTION, Platform
from exam_harness.students.clock import SECOND

_MS: Final = 1_000
_LEADS: Final = (1, 2, 4, 8)
"""By how much the time until the opening is multiplied, one after the other, on a machine that is too slow for it."""
_CALL_SECONDS: Final = 60
"""How long a call of web may take while there are no faults."""
_POLL_SECONDS: Final = 0.05
_CANDIDATES: Final = 2_000
"""As many as spread a few students over several buckets."""


class TooSlowError(Exception):
    """The machine is too slow for the time between provisioning and opening."""


async def provision(platform: Platform, http: httpx.AsyncClient, name: str) -> Provisioned:
    """Create an exam and a sitting of it, of which every solver knows before it opens.

    A sitting that opened earlier stays behind without students, and another one is provisioned with more time.

    Raises:
        TooSlowError: the longest time was too short.
        httpx.HTTPStatusError: web rejected the exam or the sitting.
    """
    for lead in (platform.pace.lead_seconds * each for each in _LEADS):
        sitting = await _provision(platform, http, f"{name}-{lead}", lead)
        if sitting is not None:
            return sitting
    raise TooSlowError(f"{name}: the solvers did not know of a sitting {lead} s after it was requested")


async def _provision(platform: Platform, http: httpx.AsyncClient, name: str, lead: int) -> Provisioned | None:
    """Create an exam and a sitting of it; None if it opened before every solver knew of it."""
    text = document(name)
    (await http.put("/internal/exams", content=text.encode(), timeout=_CALL_SECONDS)).raise_for_status()
    opens_at = platform.now() + lead * SECOND
    window = Window(opens_at=opens_at, closes_at=opens_at + WINDOW_MS * _MS, duration=DURATION_MS * _MS)
    body = {
        "exam": name,
        "opens_at": rfc3339(window.opens_at),
        "closes_at": rfc3339(window.closes_at),
        "duration_us": window.duration,
        "candidates": _CANDIDATES,
        "publish": "automatic",
    }
    response = await http.put(f"/internal/sittings/{name}", json=body, timeout=_CALL_SECONDS)
    while response.status_code == httpx.codes.SERVICE_UNAVAILABLE:  # a store was too slow, as on a machine under load
        if platform.now() >= opens_at:
            return None
        await asyncio.sleep(int(response.headers["Retry-After"]))
        response = await http.put(f"/internal/sittings/{name}", json=body, timeout=_CALL_SECONDS)
    status = response.raise_for_status().json()
    while min(await asyncio.to_thread(platform.epochs)) < status["epoch"]:
        if platform.now() >= opens_at:
            return None
        await asyncio.sleep(_POLL_SECONDS)
    if platform.now() >= opens_at:
        return None
    return Provisioned(
        id=status["id"], name=name, document=text, window=window, row_limit=ROWS_PER_QUESTION * QUESTIONS
    )
