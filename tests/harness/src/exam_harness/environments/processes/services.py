"""The platform's own services as child processes, configured by `service_env`."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import httpx

from exam_harness.environments.processes.process import ChildProcess, HarnessError
from exam_harness.environments.processes.server import Server
from exam_harness.environments.processes.servers.clock import SteppedClock

COMMAND_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Modules:
    """The Python modules that run the solver and the grader, so that tests can run variants of them."""

    solver: str = "exam_solver"
    grader: str = "exam_grader"


MODULES = Modules()
_STEPPED = "exam_harness.environments.processes.stepped"


class Service(Server):
    """A service of the platform; it is ready when ``/readyz`` succeeds.

    Args:
        name: its name, and that of its log.
        arguments: the arguments of ``python`` on its command line.
        port: the port it listens on.
        folder: the folder that has ``logs``.
        env: its complete environment.
    """

    ready_seconds: ClassVar[float] = 60

    def __init__(self, name: str, *arguments: str, port: int, folder: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self.port = port
        self.env = dict(env)
        self._child = ChildProcess(name, [sys.executable, *arguments], log=folder / f"logs/{name}.log", env=env)

    @property
    def url(self) -> str:
        """Its own URL, without the gateway."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        """Its address as host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def process(self) -> ChildProcess:
        """The child process."""
        return self._child

    def is_ready(self) -> bool:
        """Return whether ``/readyz`` succeeds."""
        try:
            response = httpx.get(f"{self.url}/readyz", timeout=2, headers={"Host": "localhost"}, trust_env=False)
        except httpx.TransportError:
            return False
        return response.is_success


def web(
    folder: Path, *, port: int, internal_port: int, env: Mapping[str, str], clock: SteppedClock | None = None
) -> Service:
    """Return web: Django on gunicorn, with its internal API on a port of its own."""
    arguments = _run("gunicorn", "--config", "python:exam_web.gunicorn", "exam_web.wsgi:application", clock=clock)
    bound = {"EXAM_BIND": f"127.0.0.1:{port}", "EXAM_INTERNAL_BIND": f"127.0.0.1:{internal_port}"}
    return Service("web", *arguments, port=port, folder=folder, env={**env, **bound})


def solver(
    folder: Path,
    number: int,
    *,
    port: int,
    env: Mapping[str, str],
    module: str = MODULES.solver,
    clock: SteppedClock | None = None,
) -> Service:
    """Return the solver with a number, from 1 on."""
    arguments = _run(module, "--host", "127.0.0.1", "--port", str(port), clock=clock)
    return Service(f"solver-{number}", *arguments, port=port, folder=folder, env=env)


def grader(
    folder: Path,
    role: str,
    *,
    port: int,
    env: Mapping[str, str],
    module: str = MODULES.grader,
    clock: SteppedClock | None = None,
) -> Service:
    """Return a grader process, ``worker`` or ``beat``; probes and metrics share its port."""
    env = {**env, "EXAM_METRICS_PORT": str(port)}
    return Service(f"grader-{role}", *_run(module, role, clock=clock), port=port, folder=folder, env=env)


def _run(module: str, *arguments: str, clock: SteppedClock | None) -> tuple[str, ...]:
    """The arguments of ``python`` that run a module, by a clock of its own or this machine's."""
    stepped = () if clock is None else (_STEPPED, str(clock.file))
    return ("-m", *stepped, module, *arguments)


def run_python(
    arguments: list[str], env: Mapping[str, str], *, stdin: str = "", seconds: float = COMMAND_SECONDS
) -> str:
    """Run ``python`` with some arguments and return its standard output.

    Raises:
        HarnessError: its exit code is not 0; the message has its output.
    """
    completed = subprocess.run(
        [sys.executable, *arguments],
        env=dict(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if completed.returncode:
        output = completed.stdout + completed.stderr
        raise HarnessError(f"python {' '.join(arguments)} ended with code {completed.returncode}\n{output}")
    return completed.stdout
