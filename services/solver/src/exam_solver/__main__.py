"""``python -m exam_solver --host 0.0.0.0 --port 8000``: one solver process."""

import argparse
import math
import sys
from pathlib import Path

import uvicorn
from pydantic import ValidationError

from exam_answerlog.settings import CassandraSettings
from exam_core.keys import SigningKeys
from exam_runtime.logging import configure_logging
from exam_runtime.settings import SettingsError, load_settings
from exam_solver.app import connect, create_app
from exam_solver.http.server import Server
from exam_solver.settings import SolverSettings

KEEP_ALIVE_SECONDS = 75
"""Longer than proxies keep theirs, so that it is never us who close a connection they are just using."""
USAGE_ERROR = 2


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(prog="python -m exam_solver", description="One solver process.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args(arguments)
    try:
        settings = SolverSettings()  # type: ignore[call-arg]  # pydantic fills it from the environment
        cassandra = load_settings(CassandraSettings)
        keys = read_keys(settings.solver_keys_file)
    except ValidationError as error:
        return _failed("\n".join(f"EXAM_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors()))
    except SettingsError as error:
        return _failed(str(error))
    configure_logging(service="solver", level=settings.log_level)
    app = create_app(settings, connect(settings, cassandra, keys))
    config = uvicorn.Config(
        app,
        host=given.host,
        port=given.port,
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
    Server(config, lifecycle=app.state.solver.lifecycle, drain=settings.shutdown_drain_ms / 1_000).run()
    return 0


def read_keys(path: Path) -> SigningKeys:
    """The keys of attempt tokens and receipts.

    Raises:
        SettingsError: the file is not there or has no signing keys.
    """
    try:
        return SigningKeys.read(path.read_text())
    except (OSError, ValueError) as error:
        raise SettingsError(f"EXAM_SOLVER_KEYS_FILE: {path} has no signing keys: {error!r}") from error


def _failed(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return USAGE_ERROR


if __name__ == "__main__":
    sys.exit(main())
