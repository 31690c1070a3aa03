"""Our own services as child processes, on the environments that `environment` makes."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import httpx

from exam_harness.environments.processes.process import ChildProcess, HarnessError
from exam_harness.environments.processes.server import Server

COMMAND_SECONDS = 120


class Service(Server):
    """One of our services: a child that is ready when its /readyz says so.

    Args:
        name: what it and its log are called.
        words: what follows ``python`` on its command line.
        port: where it serves.
        folder: the stack's, whose logs it joins.
        env: its whole environment.
    """

    ready_seconds: ClassVar[float] = 60

    def __init__(self, name: str, *words: str, port: int, folder: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self.port = port
        self.env = dict(env)
        self._child = ChildProcess(name, [sys.executable, *words], log=folder / f"logs/{name}.log", env=env)

    @property
    def url(self) -> str:
        """Its own address, behind the gateway."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        """The same as host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def process(self) -> ChildProcess:
        """The service's process."""
        return self._child

    def is_ready(self) -> bool:
        """Whether it says that it is ready."""
        try:
            answer = httpx.get(f"{self.url}/readyz", timeout=2, headers={"Host": "localhost"}, trust_env=False)
        except httpx.TransportError:
            return False
        return answer.is_success


def web(folder: Path, *, port: int, env: Mapping[str, str]) -> Service:
    """Django behind gunicorn."""
    words = ("-m", "gunicorn", "--config", "python:exam_web.gunicorn", "exam_web.wsgi:application")
    return Service("web", *words, port=port, folder=folder, env={**env, "EXAM_BIND": f"127.0.0.1:{port}"})


def solver(folder: Path, number: int, *, port: int, env: Mapping[str, str]) -> Service:
    """One solver process of several, numbered from 1."""
    words = ("-m", "exam_solver", "--host", "127.0.0.1", "--port", str(port))
    return Service(f"solver-{number}", *words, port=port, folder=folder, env=env)


def grader(folder: Path, role: str, *, port: int, env: Mapping[str, str]) -> Service:
    """A grader process: ``worker`` or ``beat``; its probes are where its metrics are."""
    env = {**env, "EXAM_METRICS_PORT": str(port)}
    return Service(f"grader-{role}", "-m", "exam_grader", role, port=port, folder=folder, env=env)


def run_python(words: list[str], env: Mapping[str, str], *, stdin: str = "", seconds: float = COMMAND_SECONDS) -> str:
    """Run one of our commands to its end; a code other than 0 is an error with its output."""
    done = subprocess.run(
        [sys.executable, *words],
        env=dict(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        raise HarnessError(f"python {' '.join(words)} ended with code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
