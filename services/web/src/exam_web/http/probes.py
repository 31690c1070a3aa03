"""Liveness, readiness and metrics, answered before Django checks the Host header."""

from collections.abc import Callable
from functools import cache

import structlog
from django.core.cache import cache as redis
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from redis.exceptions import RedisError

from exam_runtime.health import CheckResult, health_report
from exam_runtime.metrics import CONTENT_TYPE, exposition
from exam_web.http.problems import DATABASE_ERRORS

log = structlog.get_logger(__name__)

_OWNS = """
SELECT rolsuper OR EXISTS (SELECT FROM pg_class WHERE relowner = pg_roles.oid AND relnamespace = 'public'::regnamespace)
FROM pg_roles WHERE rolname = current_user
"""


class Probes:
    """Middleware that serves `PROBES` before any middleware that checks the Host header.

    Kubernetes and Prometheus call a pod by its IP address, which ALLOWED_HOSTS cannot contain.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve a probe, or pass the request on."""
        probe = PROBES.get(request.path)
        return self.get_response(request) if probe is None else probe(request)


def healthz(request: HttpRequest) -> HttpResponse:
    """Liveness: the process serves requests."""
    del request
    return _report({})


def readyz(request: HttpRequest) -> HttpResponse:
    """Readiness: the database has this release's schema, which web's role does not own.

    The cache is reported but not required.
    """
    del request
    return _report({"database": _check_database(), "cache": _check_cache()})


def metrics_page(request: HttpRequest) -> HttpResponse:
    """Metrics in Prometheus' text format."""
    del request
    return HttpResponse(exposition(), content_type=CONTENT_TYPE)


def _report(checks: dict[str, CheckResult]) -> HttpResponse:
    status, body = health_report(checks)
    return JsonResponse(body, status=status)


def _check_database() -> CheckResult:
    try:
        missing = _migrations() - MigrationRecorder(connection).applied_migrations().keys()
        with connection.cursor() as cursor:
            cursor.execute(_OWNS)
            (owns,) = cursor.fetchone()
    except DATABASE_ERRORS as error:
        # The error names addresses, so it is logged and not shown.
        log.warning("database_unavailable", error=str(error))
        return CheckResult(ok=False, detail="not reachable")
    if missing:
        return CheckResult(ok=False, detail=f"{len(missing)} unapplied migrations")
    if owns:
        return CheckResult(ok=False, detail="web's role owns the schema: migrate with EXAM_OWNER_DATABASE_URL")
    return CheckResult(ok=True)


@cache
def _migrations() -> frozenset[tuple[str, str]]:
    """(app label, name) of this release's migrations: read once, so that probes stay cheap."""
    return frozenset(MigrationLoader(None).graph.nodes)


def _check_cache() -> CheckResult:
    try:
        redis.get("readyz")
    except RedisError as error:
        log.warning("cache_unavailable", error=str(error))
        return CheckResult(ok=False, detail="not reachable", required=False)
    return CheckResult(ok=True, required=False)


PROBES = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics_page}
"""The paths that `Probes` serves."""
