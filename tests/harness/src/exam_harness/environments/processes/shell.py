"""Run external commands: return their output, or raise with the end of it."""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence

from exam_harness.environments.processes.process import HarnessError

TAIL_LINES = 25
COMMAND_SECONDS = 900


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    seconds: float = COMMAND_SECONDS,
) -> str:
    """Run a command and return its standard output.

    Raises:
        HarnessError: its exit code is not 0, or it took longer than `seconds`; the message has the end of its output.
    """
    try:
        completed = subprocess.run(
            list(command),
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        raise HarnessError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise HarnessError(f"timed out after {seconds:.0f} s: {shlex.join(command)}") from None
    if completed.returncode:
        tail = "\n".join((completed.stdout + completed.stderr).splitlines()[-TAIL_LINES:])
        raise HarnessError(f"exit code {completed.returncode}: {shlex.join(command)}\n{tail}")
    return completed.stdout


def succeeds(command: Sequence[str], *, env: Mapping[str, str] | None = None, seconds: float = 60) -> bool:
    """Return whether a command exits with code 0."""
    try:
        run(command, env=env, seconds=seconds)
    except HarnessError:
        return False
    return True
