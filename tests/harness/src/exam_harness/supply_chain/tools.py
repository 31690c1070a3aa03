"""The locked programs of this package, in an environment of their own, and the running of commands."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[5]
WORK = ROOT / "build/supply-chain"
UV = ROOT / ".venv/bin/uv"


def install(requirements: Path, environment: Path) -> Path:
    """Install locked requirements, and nothing else, into an environment; returns its folder of programs."""
    run([UV, "venv", "--quiet", "--clear", "--python", ROOT / ".venv/bin/python", environment])
    python = environment / "bin/python"
    run([UV, "pip", "sync", "--quiet", "--require-hashes", "--python", python, requirements])
    return environment / "bin"


def install_tools(folder: Path = WORK) -> Path:
    """Install the programs of ``requirements/audit.txt``; returns their folder."""
    return install(ROOT / "requirements/audit.txt", folder / "tools")


def run(command: Sequence[str | Path], *, cwd: Path = ROOT) -> None:
    """Run a command; its messages go to the caller's terminal.

    Raises:
        CalledProcessError: it failed.
    """
    subprocess.run([str(word) for word in command], cwd=cwd, check=True)
