"""Liveness and readiness of this process."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from exam_answerlog.log import AnswerLog, AnswerLogUnavailableError
from exam_runtime.health import CheckResult, health_report
from exam_solver.lease.keeper import LeaseKeeper

PING_SECONDS: Final = 2.0


@dataclass(slots=True)
class Lifecycle:
    """The process's phase. `draining`: it received SIGTERM and should get no new requests."""

    draining: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """The checks behind the two probes."""

    keeper: LeaseKeeper
    log: AnswerLog
    lifecycle: Lifecycle

    def live(self) -> tuple[int, dict[str, Any]]:
        """Liveness: a response proves that the event loop runs; the loop that renews the lease must run too."""
        alive = self.keeper.alive
        return health_report({"lease_loop": CheckResult(alive, "running" if alive else "stopped or stuck")})

    async def ready(self) -> tuple[int, dict[str, Any]]:
        """Readiness: whether an answer could be saved now. Redis and web are not needed for running attempts."""
        draining = self.lifecycle.draining
        return health_report(
            {
                "lease": CheckResult(self.keeper.valid, self._lease_detail()),
                "answer_log": await self._ping(),
                "accepting": CheckResult(not draining, "shutting down" if draining else "ok"),
            }
        )

    def _lease_detail(self) -> str:
        return "not acquired yet" if self.keeper.lease is None else f"renewed {self.keeper.age:.1f} s ago"

    async def _ping(self) -> CheckResult:
        try:
            async with asyncio.timeout(PING_SECONDS):
                await self.log.ping()
        except (AnswerLogUnavailableError, TimeoutError) as error:
            return CheckResult(ok=False, detail=str(error) or f"no response within {PING_SECONDS:g} s")
        return CheckResult(ok=True)
