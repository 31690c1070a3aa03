"""What every command does first: read the environment, set up the logs and Django, and only then load its own modules.

Imported by `exam_grader.__main__` when the environment is as Celery and Prometheus' client want to find it.
"""

import argparse
import sys
from importlib import import_module

import django
from pydantic import ValidationError

from exam_grader.logs import configure_logs
from exam_grader.settings import read_environment
from exam_runtime.settings import SettingsError

WRONG_ENVIRONMENT = 78


def run_command(given: argparse.Namespace) -> int:
    """Run the command that was asked for; its exit code."""
    try:
        environment = read_environment()
        configure_logs(environment.log_level)
        # Models can be imported after this alone; it opens no connection.
        django.setup()
        code: int = import_module(f"exam_grader.commands.{given.command}").run(given, environment)
    except ValidationError as error:
        faults = "".join(f"{_variable(fault['loc'])}: {fault['msg']}\n" for fault in error.errors())
        sys.stderr.write(f"the environment is not as it must be:\n{faults}")
        return WRONG_ENVIRONMENT
    except SettingsError as error:
        sys.stderr.write(f"the environment is not as it must be:\n{error}\n")
        return WRONG_ENVIRONMENT
    return code


def _variable(place: tuple[int | str, ...]) -> str:
    return "_".join(("EXAM", *(str(part).upper() for part in place[:1]))) if place else "together"
