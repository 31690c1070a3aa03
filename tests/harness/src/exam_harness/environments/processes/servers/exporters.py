"""Exporters of stores' metrics for Prometheus, as child processes."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from exam_harness.environments.processes.paths import cache
from exam_harness.environments.processes.process import ChildProcess

REDIS_EXPORTER = "prometheus-redis-exporter"
"""Debian's package of redis_exporter, and the program in it."""
READY_SECONDS = 30


def redis_exporter_home() -> Path:
    """Return the folder in the cache that the Debian package is unpacked to."""
    return cache() / REDIS_EXPORTER


def find_redis_exporter() -> Path | None:
    """Return redis_exporter's program; None if it is neither installed nor in the cache."""
    unpacked = redis_exporter_home() / "usr/bin" / REDIS_EXPORTER
    if unpacked.exists():
        return unpacked
    installed = shutil.which(REDIS_EXPORTER) or shutil.which("redis_exporter")
    return Path(installed) if installed else None


@contextmanager
def exported_metrics(command: Sequence[str], env: Mapping[str, str], *, port: int, log: Path) -> Iterator[httpx.Client]:
    """Run an exporter on a port; yield a client of its ``/metrics``."""
    child = ChildProcess("exporter", list(command), log=log, env=dict(env))
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:

        def serves() -> bool:
            try:
                return client.get("/metrics").is_success
            except httpx.TransportError:
                return False

        child.start()
        try:
            child.await_ready(serves, seconds=READY_SECONDS)
            yield client
        finally:
            child.stop()
