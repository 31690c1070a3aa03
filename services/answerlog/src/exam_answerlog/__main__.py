"""`python -m exam_answerlog migrate | check | take-over`: Cassandra's schema, and its superuser."""

import argparse
import os
import sys
import time
from collections.abc import Sequence

from cassandra import DriverException
from cassandra.cluster import NoHostAvailable

from exam_answerlog.log import AnswerLogUnavailableError
from exam_answerlog.roles import replace_default_superuser
from exam_answerlog.schema import REQUEST_TIMEOUT, SchemaError, check, migrate
from exam_answerlog.session import connect_cluster, describe, make_cluster
from exam_answerlog.settings import CassandraSettings, SettingsError

PAUSE = 1.0
"""Seconds between two tries of `--wait`."""
TRY_AGAIN = (NoHostAvailable, DriverException, AnswerLogUnavailableError, SchemaError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when the schema is as it should be."""
    parser = argparse.ArgumentParser(
        prog="python -m exam_answerlog",
        description="Cassandra's schema and superuser. Settings come from EXAM_CASSANDRA_* in the environment.",
    )
    parser.add_argument(
        "command",
        choices=("migrate", "check", "take-over"),
        help="make the schema, compare it with the models, or replace the superuser that a new cluster is born with",
    )
    parser.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="keep trying for so long")
    given = parser.parse_args(arguments)
    try:
        settings = CassandraSettings.from_env(os.environ)
    except SettingsError as error:
        return _failed(error)
    deadline = time.monotonic() + given.wait
    while True:
        try:
            _run(given.command, settings)
        except SettingsError as error:
            return _failed(error)
        except TRY_AGAIN as error:
            if time.monotonic() + PAUSE > deadline:
                return _failed(error)
            _say(f"not yet: {describe(error)}")
            time.sleep(PAUSE)
        else:
            return 0


def _run(command: str, settings: CassandraSettings) -> None:
    if command == "take-over":
        replace_default_superuser(settings, _say)
        _say(f"Cassandra's superuser is {settings.username}")
        return
    cluster = make_cluster(settings, request_timeout=REQUEST_TIMEOUT)
    try:
        session = connect_cluster(cluster, settings)
        if command == "migrate":
            migrate(session, settings, _say)
        else:
            check(session, settings.keyspace)
            _say(f"keyspace {settings.keyspace} is as this release needs it")
    finally:
        cluster.shutdown()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _failed(error: Exception) -> int:
    sys.stderr.write(f"{describe(error)}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
