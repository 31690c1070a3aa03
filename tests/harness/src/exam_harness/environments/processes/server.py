"""The base class of every server and service that runs as a child process."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import ClassVar, Self

from exam_harness.environments.processes.process import ChildProcess


class Server(ABC):
    """A server as a child process; ports, data and log survive a restart.

    ``with Redis(folder) as redis: …`` starts it, waits until it is ready and stops it.
    """

    ready_seconds: ClassVar[float] = 20

    @property
    @abstractmethod
    def process(self) -> ChildProcess:
        """The child process."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Return whether it answers a request in its own protocol."""

    def prepare(self) -> None:  # noqa: B027 - optional hook
        """Write its configuration; called before each start."""

    def start(self) -> None:
        """Start it; returns before it is ready."""
        self.prepare()
        self.process.start()

    def await_ready(self) -> None:
        """Wait until it is ready."""
        self.process.await_ready(self.is_ready, seconds=self.ready_seconds)

    def stop(self) -> None:
        """Stop it gracefully."""
        self.process.stop()

    def kill(self) -> None:
        """Kill it as a crash would (SIGKILL)."""
        self.process.kill()

    def restart(self) -> None:
        """Stop it if it is running, start it on the same port and data, and wait until it is ready."""
        self.stop()
        self.start()
        self.await_ready()

    def pause(self) -> None:
        """Suspend it (SIGSTOP): connections stay open, requests get no answer."""
        self.process.pause()

    def resume(self) -> None:
        """Resume it (SIGCONT)."""
        self.process.resume()

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(self.stop)
            self.start()
            self.await_ready()
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_together(servers: Sequence[Server]) -> None:
    """Start several servers concurrently and wait until all are ready."""
    for server in servers:
        server.start()
    for server in servers:
        server.await_ready()


def stop_together(servers: Sequence[Server]) -> None:
    """Stop several servers concurrently; all are stopped even if stopping one of them raises."""
    with ExitStack() as stops:
        for server in servers:
            stops.callback(server.stop)
            server.process.terminate()
