"""Commands of other people's programs: their output, or an error that has its end."""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence

from exam_harness.environments.processes.process import HarnessError

TAIL_LINES = 25
COMMAND_SECONDS = 900


def run(
    words: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    seconds: float = COMMAND_SECONDS,
) -> str:
    """Run a command to its end; its standard output.

    Raises:
        HarnessError: it ended with another code than 0, or took longer than `seconds`; with the end of what it printed.
    """
    try:
        done = subprocess.run(
            list(words),
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        raise HarnessError(f"{words[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise HarnessError(f"after {seconds:.0f} s this had not ended: {shlex.join(words)}") from None
    if done.returncode:
        end = "\n".join((done.stdout + done.stderr).splitlines()[-TAIL_LINES:])
        raise HarnessError(f"this ended with code {done.returncode}: {shlex.join(words)}\n{end}")
    return done.stdout


def succeeds(words: Sequence[str], *, env: Mapping[str, str] | None = None, seconds: float = 60) -> bool:
    """Whether a command ends with code 0."""
    try:
        run(words, env=env, seconds=seconds)
    except HarnessError:
        return False
    return True
