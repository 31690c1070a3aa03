"""The composition root: settings and parts become an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from exam_answerlog.cassandra import CassandraAnswerLog
from exam_answerlog.log import AnswerLogUnavailableError
from exam_answerlog.settings import CassandraSettings
from exam_core.keys import SigningKeys
from exam_core.problems import Problem
from exam_solver.container import Parts, Solver
from exam_solver.http.authentication import OPENAPI, Authentication
from exam_solver.http.errors import on_http_exception, on_problem, on_store_down, on_validation_error
from exam_solver.http.limits import BodyLimit, InFlightLimit
from exam_solver.http.openapi import describe
from exam_solver.http.request_context import RequestContext
from exam_solver.http.routes import router
from exam_solver.lease.postgres import PostgresLeaseStore
from exam_solver.papers.redis import RedisPaperCache
from exam_solver.settings import SolverSettings

WEB_SECONDS = 2.0
"""How long web may take: a student waits for it."""


def create_app(settings: SolverSettings, parts: Parts) -> FastAPI:
    """The application; its lifespan keeps the lease and closes the parts."""
    solver = Solver.of(settings, parts)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        solver.keeper.start()
        try:
            yield
        finally:
            await solver.close()

    app = FastAPI(
        title="Exam solver",
        summary="Start an attempt, read the paper, save answers, submit.",
        version="1",
        lifespan=lifespan,
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # FastAPI's documented way to extend it
    app.state.solver = solver
    app.include_router(router)
    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(AnswerLogUnavailableError, on_store_down)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes)
    app.add_middleware(Authentication, authenticator=solver.authenticator)
    app.add_middleware(InFlightLimit, limit=settings.max_in_flight, gauge=solver.metrics.in_flight)
    app.add_middleware(RequestContext, metrics=solver.metrics, lifecycle=solver.lifecycle)
    return app


def connect(settings: SolverSettings, cassandra: CassandraSettings, keys: SigningKeys) -> Parts:
    """The real parts. Nothing waits for a store here: each connects by itself, and again when it was away."""
    log = CassandraAnswerLog.connect(cassandra)
    return Parts(
        log=log,
        lease_store=PostgresLeaseStore(str(settings.lease_database_url)),
        paper_cache=RedisPaperCache(str(settings.redis_url)),
        http=httpx.AsyncClient(base_url=str(settings.web_url), timeout=WEB_SECONDS, trust_env=False),
        keys=keys,
        close_log=log.close,
    )
