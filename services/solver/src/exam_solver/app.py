"""The composition root: builds the ASGI application from settings and dependencies."""

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
from exam_solver.container import Dependencies, Solver
from exam_solver.http.authentication import OPENAPI, AuthenticationMiddleware
from exam_solver.http.errors import on_answer_log_unavailable, on_http_exception, on_problem, on_validation_error
from exam_solver.http.limits import BodyLimitMiddleware, InFlightLimitMiddleware, StudentLimitMiddleware
from exam_solver.http.openapi import openapi_document
from exam_solver.http.request_context import RequestContextMiddleware
from exam_solver.http.routes import router
from exam_solver.lease.postgres import PostgresLeaseStore
from exam_solver.papers.redis import RedisPaperCache
from exam_solver.settings import SolverSettings

WEB_TIMEOUT = 2.0
"""Seconds for a request to web, while a student waits."""


def create_app(settings: SolverSettings, dependencies: Dependencies) -> FastAPI:
    """Create the application; its lifespan keeps the lease and closes the dependencies."""
    solver = Solver.build(settings, dependencies)

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
    app.openapi = lambda: openapi_document(app)  # type: ignore[method-assign]  # FastAPI's documented way to extend it
    app.state.solver = solver
    app.include_router(router)
    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(AnswerLogUnavailableError, on_answer_log_unavailable)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    # The last one added is the outermost.
    app.add_middleware(BodyLimitMiddleware, limit=settings.max_body_bytes)
    app.add_middleware(StudentLimitMiddleware, limit=settings.max_in_flight_per_student)
    app.add_middleware(AuthenticationMiddleware, authenticator=solver.authenticator)
    app.add_middleware(InFlightLimitMiddleware, limit=settings.max_in_flight, on_change=solver.metrics.set_in_flight)
    app.add_middleware(RequestContextMiddleware, metrics=solver.metrics, lifecycle=solver.lifecycle)
    return app


def connect(
    settings: SolverSettings, cassandra: CassandraSettings, *, keys: SigningKeys, service_keys: SigningKeys
) -> Dependencies:
    """Create the production dependencies. None blocks here: each connects, and reconnects, on its own."""
    log = CassandraAnswerLog.connect(cassandra)
    return Dependencies(
        log=log,
        lease_store=PostgresLeaseStore(str(settings.lease_database_url)),
        paper_cache=RedisPaperCache(settings.verified_redis_url),
        http=httpx.AsyncClient(base_url=str(settings.web_url), timeout=WEB_TIMEOUT, trust_env=False),
        keys=keys,
        service_keys=service_keys,
        close_log=log.close,
    )
