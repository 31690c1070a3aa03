"""Start-up of every command: load settings, configure logging and Django, then import and run the command.

`exam_grader.__main__` imports this module after it has set the environment variables that Celery and Prometheus' client
read on import.
"""

import argparse
import sys
from importlib import import_module

import django

from exam_answerlog.settings import CassandraSettings
from exam_grader.settings import SERVICE, GraderSettings
from exam_runtime.logging import configure_logging
from exam_runtime.settings import EXIT_CONFIG, SettingsError, load_settings


def run_command(arguments: argparse.Namespace) -> int:
    """Run a command and return its exit code."""
    try:
        settings, cassandra = load_settings(GraderSettings, CassandraSettings)
        configure_logging(service=SERVICE, level=settings.log_level)
        django.setup()  # makes models importable; opens no connection
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    code: int = import_module(f"exam_grader.commands.{arguments.command}").run(arguments, settings, cassandra)
    return code
