"""What every command does first: read the environment, set up the logs and Django."""

import django

from exam_grader.environment import GraderEnvironment, read_environment
from exam_grader.logs import configure_logs


def boot(*, level: str | None = None) -> GraderEnvironment:
    """The environment, with logs and Django's models ready; opens no connection."""
    environment = read_environment()
    configure_logs(level or environment.log_level)
    django.setup()
    return environment
