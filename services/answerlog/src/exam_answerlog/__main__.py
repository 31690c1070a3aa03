"""``python -m exam_answerlog COMMAND``: manage Cassandra's schema and roles, serve the metrics of its nodes."""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Final

from cassandra import DriverException
from cassandra.cluster import NoHostAvailable

from exam_answerlog.component_roles import ComponentPasswords, create_component_roles
from exam_answerlog.exporter import serve
from exam_answerlog.log import AnswerLogUnavailableError
from exam_answerlog.roles import create_monitoring_role, replace_default_superuser
from exam_answerlog.schema import REQUEST_TIMEOUT, SchemaError, check, migrate
from exam_answerlog.session import connect_cluster, describe, make_cluster
from exam_answerlog.settings import CassandraSettings
from exam_runtime.logging import configure_logging
from exam_runtime.settings import EXIT_CONFIG, SettingsError, load_settings

RETRY_SECONDS: Final = 1.0
"""Delay between two attempts of `--wait`."""
METRICS_PORT: Final = 9142
RETRYABLE_ERRORS: Final = (NoHostAvailable, DriverException, AnswerLogUnavailableError, SchemaError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 on success, 78 when the settings are wrong, 1 on any other failure."""
    parser = argparse.ArgumentParser(
        prog="python -m exam_answerlog",
        description="Manage Cassandra's schema and roles, serve the metrics of its nodes. Settings are read from "
        "EXAM_CASSANDRA_* variables.",
    )
    parser.add_argument(
        "command",
        choices=("migrate", "check", "take-over", "roles", "monitoring-role", "metrics"),
        help="create the schema; compare it with the models; replace the default superuser of a new cluster; create "
        "the roles of web, solver and grader (EXAM_CASSANDRA_WEB_PASSWORD and so on), which need the schema; create "
        "the role that reads metrics (EXAM_CASSANDRA_MONITORING_PASSWORD); or serve metrics",
    )
    parser.add_argument("--port", type=int, default=METRICS_PORT, help="where metrics are served (%(default)s)")
    parser.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="retry for this long (default: 0)")
    options = parser.parse_args(arguments)
    deadline = time.monotonic() + options.wait
    try:
        settings = load_settings(CassandraSettings)
        if options.command == "metrics":
            configure_logging(service="cassandra-exporter", level="INFO")
            serve(settings, options.port)
            return 0
        while True:
            try:
                _run(options.command, settings)
            except RETRYABLE_ERRORS as error:
                if time.monotonic() + RETRY_SECONDS > deadline:
                    return _fail(describe(error), 1)
                _report(f"retrying: {describe(error)}")
                time.sleep(RETRY_SECONDS)
            else:
                return 0
    except SettingsError as error:
        return _fail(str(error), EXIT_CONFIG)


def _run(command: str, settings: CassandraSettings) -> None:
    if command == "take-over":
        replace_default_superuser(settings, _report)
        _report(f"Cassandra's superuser is {settings.username}")
        return
    passwords = load_settings(ComponentPasswords) if command == "roles" else None
    cluster = make_cluster(settings, request_timeout=REQUEST_TIMEOUT)
    try:
        session = connect_cluster(cluster, settings)
        if command == "migrate":
            migrate(session, settings, _report)
        elif passwords is not None:
            create_component_roles(session, settings, passwords, _report)
        elif command == "monitoring-role":
            create_monitoring_role(session, settings, _report)
        else:
            check(session, settings.keyspace)
            _report(f"keyspace {settings.keyspace} has the schema of this release")
    finally:
        cluster.shutdown()


def _report(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"{message}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
