"""``python -m exam_solver --host :: --port 8000``: run one solver process, for IPv4 and IPv6."""

import argparse
import math
import sys
from pathlib import Path

import uvicorn

from exam_answerlog.settings import CassandraSettings
from exam_core.keys import SigningKeys
from exam_runtime.addresses import bind_tcp
from exam_runtime.logging import configure_logging
from exam_runtime.settings import EXIT_CONFIG, SettingsError, load_settings
from exam_solver.app import connect, create_app
from exam_solver.http.server import Server
from exam_solver.settings import SolverSettings

KEEP_ALIVE_SECONDS = 75
"""Longer than the timeout of proxies, so that no connection is closed here while a proxy sends a request on it."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m exam_solver", description="Run one solver process.")
    parser.add_argument("--host", default="127.0.0.1", help="the address to serve at; ::, all of both families")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(arguments)
    try:
        settings, cassandra = load_settings(SolverSettings, CassandraSettings)
        keys = read_keys("EXAM_SOLVER_KEYS_FILE", settings.solver_keys_file)
        service_keys = read_keys("EXAM_SOLVER_SERVICE_KEYS_FILE", settings.solver_service_keys_file)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    configure_logging(service="solver", level=settings.log_level)
    app = create_app(settings, connect(settings, cassandra, keys=keys, service_keys=service_keys))
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(settings.shutdown_grace_ms / 1_000),
    )
    server = Server(config, lifecycle=app.state.solver.lifecycle, drain=settings.shutdown_drain_ms / 1_000)
    # Bound here: of `::`, uvicorn would serve IPv6 alone.
    server.run(sockets=[bind_tcp(options.host, options.port)])
    return 0


def read_keys(variable: str, path: Path) -> SigningKeys:
    """Read the keys in the file that an environment variable names.

    Raises:
        SettingsError: the file does not exist or contains no signing keys.
    """
    try:
        return SigningKeys.read(path.read_text())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{variable}: {path} has no signing keys: {error!r}") from error


if __name__ == "__main__":
    sys.exit(main())
