"""What every server and service of the stack can do."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import ClassVar, Self

from exam_harness.environments.processes.process import ChildProcess


class Server(ABC):
    """A child process that is ready when its own protocol says so; ports, data and log stay over restarts.

    ``with Redis(folder) as redis: …`` starts it, waits for it and stops it.
    """

    ready_seconds: ClassVar[float] = 20

    @property
    @abstractmethod
    def process(self) -> ChildProcess:
        """The process, for its id, its log and its signals."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it serves now, asked in its own protocol."""

    def prepare(self) -> None:  # noqa: B027 - most have nothing to write
        """Write what it reads when it starts; done again before each start."""

    def start(self) -> None:
        """Start it; returns before it is ready."""
        self.prepare()
        self.process.start()

    def await_ready(self) -> None:
        """Wait until it serves."""
        self.process.await_ready(self.is_ready, seconds=self.ready_seconds)

    def stop(self) -> None:
        """End it in good order."""
        self.process.stop()

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()

    def restart(self) -> None:
        """Stop it if it runs, and start it on the same port and data."""
        self.stop()
        self.start()
        self.await_ready()

    def pause(self) -> None:
        """Freeze it: connections stay, answers do not come."""
        self.process.pause()

    def resume(self) -> None:
        """Let a frozen one go on."""
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
    """Start several at once and wait for all."""
    for server in servers:
        server.start()
    for server in servers:
        server.await_ready()


def stop_together(servers: Sequence[Server]) -> None:
    """Stop several at once; a fault of one leaves none of the others running."""
    with ExitStack() as ends:
        for server in servers:
            ends.callback(server.stop)
            server.process.terminate()
