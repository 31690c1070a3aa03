"""Whether web lives, is ready, and what it counts."""

from collections.abc import Callable
from functools import cache

import structlog
from django.core.cache import cache as redis
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.exceptions import RedisError

from exam_web.http.problems import STORE_DOWN

log = structlog.get_logger(__name__)


class Probes:
    """Middleware before everything that looks at the Host header.

    Kubernetes and Prometheus dial a pod by its address, which no list of allowed hosts can name.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a probe, or pass the request on."""
        probe = PROBES.get(request.path)
        return self.get_response(request) if probe is None else probe(request)


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    del request
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """The database answers and has the schema of this release; the cache is told of but not needed."""
    del request
    checks = {"database": _database(), "cache": _cache()}
    ready = checks["database"] == "ok"
    return JsonResponse({"ready": ready, "checks": checks}, status=200 if ready else 503)


def metrics_page(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format."""
    del request
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _database() -> str:
    try:
        waiting = _migrations() - MigrationRecorder(connection).applied_migrations().keys()
    except STORE_DOWN as error:
        # The reason has addresses in it, which are nobody's business outside.
        log.warning("not ready: the database does not answer", error=str(error))
        return "does not answer"
    return f"{len(waiting)} migrations are not applied" if waiting else "ok"


@cache
def _migrations() -> frozenset[tuple[str, str]]:
    """(application, name) of this release's migrations: read once, so that a probe costs a busy web little."""
    return frozenset(MigrationLoader(None).graph.nodes)


def _cache() -> str:
    try:
        redis.get("readyz")
    except RedisError as error:
        log.warning("the cache does not answer", error=str(error))
        return "does not answer"
    return "ok"


PROBES = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics_page}
"""The addresses that `Probes` answers."""
