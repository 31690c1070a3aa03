"""Probes and metrics over HTTP, on the event loop of the reconciler: an answer proves that the loop runs."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from exam_runtime.addresses import bind_tcp
from exam_runtime.health import CheckResult, health_report
from exam_runtime.metrics import CONTENT_TYPE, exposition

Check = Callable[[], CheckResult]


@asynccontextmanager
async def serve_probes(
    host: str, port: int, *, liveness: Mapping[str, Check], readiness: Mapping[str, Check], scrape: Callable[[], None]
) -> AsyncIterator[int]:
    """Serve ``/healthz``, ``/readyz`` and ``/metrics`` while the block runs; yields the port.

    Args:
        host: the address to bind; ``::`` is every one, of both families.
        port: the port to bind; 0 for any.
        liveness: the checks of ``/healthz``, by name.
        readiness: the further checks of ``/readyz``.
        scrape: called before each exposition, to set gauges.
    """

    async def healthz(_: web.Request) -> web.Response:
        return _report(liveness)

    async def readyz(_: web.Request) -> web.Response:
        return _report({**liveness, **readiness})

    async def metrics(_: web.Request) -> web.Response:
        scrape()
        return web.Response(body=exposition(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.SockSite(runner, bind_tcp(host, port))
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _report(checks: Mapping[str, Check]) -> web.Response:
    status, body = health_report({name: check() for name, check in checks.items()})
    return web.json_response(body, status=status)
