"""Django's management commands: ``python -m exam_web migrate`` and so on."""

import os
import sys

from django.core.management import execute_from_command_line

from exam_runtime.settings import EXIT_CONFIG, SettingsError

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exam_web.settings")
    try:
        execute_from_command_line(sys.argv)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_CONFIG)
