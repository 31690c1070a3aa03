"""What a solver is made of: what is brought from outside, and what is built of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

import httpx

from exam_answerlog.log import AnswerLog
from exam_core.keys import SigningKeys
from exam_solver.attempts.answers import AnswerService
from exam_solver.attempts.cache import Attempts
from exam_solver.attempts.start import StartService
from exam_solver.auth.authenticator import Authenticator
from exam_solver.auth.web_client import Web
from exam_solver.health import Health, Lifecycle
from exam_solver.lease.clock import BootClock, boot_clock
from exam_solver.lease.keeper import LeaseKeeper
from exam_solver.lease.revocations import Revocations
from exam_solver.lease.store import LeaseStore
from exam_solver.metrics import Metrics
from exam_solver.papers.cache import PaperCache
from exam_solver.papers.loader import PaperShelf
from exam_solver.settings import SolverSettings


async def nothing_to_close() -> None:
    """For answer logs that hold nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What is brought from outside: stores, keys, a clock. Tests bring others."""

    log: AnswerLog
    lease_store: LeaseStore
    paper_cache: PaperCache
    http: httpx.AsyncClient
    keys: SigningKeys
    clock: BootClock = boot_clock
    close_log: Callable[[], Awaitable[None]] = nothing_to_close


@dataclass(frozen=True, slots=True, kw_only=True)
class Solver:
    """A wired solver."""

    keeper: LeaseKeeper
    authenticator: Authenticator
    papers: PaperShelf
    starts: StartService
    answers: AnswerService
    health: Health
    metrics: Metrics
    lifecycle: Lifecycle
    web: Web
    keys: SigningKeys
    shutdown_grace: float
    close_log: Callable[[], Awaitable[None]]

    @classmethod
    def of(cls, settings: SolverSettings, parts: Parts) -> Self:
        """Wire the parts."""
        metrics, lifecycle, revocations = Metrics(), Lifecycle(), Revocations()
        keeper = LeaseKeeper(
            parts.lease_store, ttl_ms=settings.lease_ttl_ms, clock=parts.clock, revocations=revocations
        )
        metrics.watch(keeper)
        web = Web(parts.http, clock=parts.clock)
        papers = PaperShelf(cache=parts.paper_cache, log=parts.log, image_bytes=settings.images_in_memory_bytes)
        attempts = Attempts(keeper=keeper, log=parts.log, capacity=settings.attempts_in_memory)
        return cls(
            keeper=keeper,
            authenticator=Authenticator(keeper=keeper, revocations=revocations, own=parts.keys.public, web=web),
            papers=papers,
            starts=StartService(keeper=keeper, log=parts.log, papers=papers, attempts=attempts),
            answers=AnswerService(
                keeper=keeper,
                log=parts.log,
                papers=papers,
                attempts=attempts,
                tally=metrics,
                rows_per_question=settings.rows_per_question,
            ),
            health=Health(keeper, parts.log, lifecycle),
            metrics=metrics,
            lifecycle=lifecycle,
            web=web,
            keys=parts.keys,
            shutdown_grace=settings.shutdown_grace_ms / 1_000,
            close_log=parts.close_log,
        )

    async def close(self) -> None:
        """Finish what is in flight, give the lease back, and only then let go of the stores."""
        self.lifecycle.draining = True
        await self.keeper.stop(grace=self.shutdown_grace)
        await self.papers.close()
        await self.web.close()
        await self.close_log()
