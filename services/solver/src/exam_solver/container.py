"""The container: the external dependencies of a solver, and the services built on them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

import httpx

from exam_answerlog.log import AnswerLog
from exam_core.keys import SigningKeys
from exam_runtime.boot_clock import BootClock, boot_clock
from exam_solver.attempts.answers import AnswerService
from exam_solver.attempts.cache import AttemptCache
from exam_solver.attempts.codes import CodeChecker
from exam_solver.attempts.start import StartService
from exam_solver.auth.authenticator import Authenticator
from exam_solver.auth.web_client import WebClient
from exam_solver.health import Health, Lifecycle
from exam_solver.lease.keeper import LeaseKeeper
from exam_solver.lease.revocations import Revocations
from exam_solver.lease.store import LeaseStore
from exam_solver.metrics import Metrics
from exam_solver.papers.cache import PaperCache
from exam_solver.papers.loader import PaperLoader
from exam_solver.settings import SolverSettings


async def close_nothing() -> None:
    """The default for answer logs that hold no resources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """The external dependencies: stores, keys, a clock. Tests pass doubles."""

    log: AnswerLog
    lease_store: LeaseStore
    paper_cache: PaperCache
    http: httpx.AsyncClient
    keys: SigningKeys
    service_keys: SigningKeys
    clock: BootClock = boot_clock
    close_log: Callable[[], Awaitable[None]] = close_nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Solver:
    """The services of one solver process."""

    keeper: LeaseKeeper
    authenticator: Authenticator
    papers: PaperLoader
    starts: StartService
    answers: AnswerService
    health: Health
    metrics: Metrics
    lifecycle: Lifecycle
    web: WebClient
    keys: SigningKeys
    shutdown_grace: float
    close_log: Callable[[], Awaitable[None]]

    @classmethod
    def build(cls, settings: SolverSettings, dependencies: Dependencies) -> Self:
        """Build the services."""
        metrics, lifecycle, revocations = Metrics(), Lifecycle(), Revocations()
        log, clock = dependencies.log, dependencies.clock
        keeper = LeaseKeeper(
            dependencies.lease_store, ttl_ms=settings.lease_ttl_ms, clock=clock, revocations=revocations
        )
        metrics.watch_lease(keeper)
        web = WebClient(
            dependencies.http,
            internal_url=str(settings.web_internal_url),
            keys=dependencies.service_keys,
            clock=clock,
        )
        papers = PaperLoader(cache=dependencies.paper_cache, log=log, image_bytes=settings.images_in_memory_bytes)
        attempts = AttemptCache(keeper=keeper, log=log, capacity=settings.attempts_in_memory)
        return cls(
            keeper=keeper,
            authenticator=Authenticator(
                keeper=keeper, revocations=revocations, attempt_keys=dependencies.keys.public, web=web
            ),
            papers=papers,
            starts=StartService(
                keeper=keeper,
                log=log,
                papers=papers,
                attempts=attempts,
                codes=CodeChecker(clock),
                seed_secret=dependencies.keys.derived("exam-shuffle"),
            ),
            answers=AnswerService(
                keeper=keeper,
                log=log,
                papers=papers,
                attempts=attempts,
                metrics=metrics,
                rows_per_question=settings.rows_per_question,
            ),
            health=Health(keeper, log, lifecycle),
            metrics=metrics,
            lifecycle=lifecycle,
            web=web,
            keys=dependencies.keys,
            shutdown_grace=settings.shutdown_grace_ms / 1_000,
            close_log=dependencies.close_log,
        )

    async def close(self) -> None:
        """Finish the work in flight, release the lease, then close the stores."""
        self.lifecycle.draining = True
        await self.keeper.stop(grace=self.shutdown_grace)
        await self.papers.close()
        await self.web.close()
        await self.close_log()
