"""Whether a worker's loop still turns and still takes tasks, and the steps that tie this into Celery's worker."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from celery import Celery, Task, bootsteps
from celery.worker.request import Request

from exam_grader.health.probes import CheckFailedError, ProbeServer

SILENCE_SECONDS = 60.0


class Confirmed(Protocol):
    """A task's message: the connection it came from, and whether the broker was told that it is done."""

    @property
    def channel(self) -> object:
        """The connection that it came from."""

    @property
    def acknowledged(self) -> bool:
        """Whether its confirmation was sent."""


@dataclass
class Pulse:
    """When the loop last turned, and whether it can be expected to.

    While a worker looks for its broker the loop stands still on purpose: to restart it would not help.

    Attributes:
        turning: whether the loop should turn.
        last: when it last did.
        channel: the connection to the broker that tasks come from now; None while there is none.
        deaf: whether something was lost on that connection that only another connection mends.
        awaited: confirmations made since the loop last turned; Celery sends them a little later, from the loop.
        overdue: those made before that; by now they have been sent or are lost.
    """

    turning: bool = False
    last: float = field(default_factory=time.monotonic)
    channel: object = None
    deaf: bool = False
    awaited: list[Confirmed] = field(default_factory=list)
    overdue: list[Confirmed] = field(default_factory=list)

    def beat(self) -> None:
        """The loop turned."""
        self.last = time.monotonic()
        if any(message.channel is self.channel and not message.acknowledged for message in self.overdue):
            self.deaf = True
        self.overdue, self.awaited = self.awaited, []

    def connected(self, channel: object) -> None:
        """Tasks come from this connection now, and from no other."""
        self.channel, self.deaf, self.turning = channel, False, True
        self.last = time.monotonic()

    def disconnected(self) -> None:
        """Tasks come from nowhere."""
        self.channel, self.turning = None, False

    def note_confirmation(self, message: Confirmed) -> None:
        """A task is being confirmed on the connection that it came from."""
        self.awaited.append(message)

    def check(self) -> None:
        """Raise when the loop should turn and does not."""
        silence = time.monotonic() - self.last
        if self.turning and silence > SILENCE_SECONDS:
            raise CheckFailedError(f"the main loop has not turned for {silence:.0f} s")


def attend_to_confirmations(app: Celery, pulse: Pulse) -> None:
    """Have the pulse told of confirmations that did not reach the broker.

    Celery logs such a failure and goes on counting the task as taken. With as many lost ones as a worker has processes
    it takes nothing any more, and does not even listen: it would stay deaf when the broker is back.
    """

    class AttentiveRequest(Request):
        def acknowledge(self) -> None:
            """Confirm the task; noticed when that fails."""
            super().acknowledge()
            pulse.note_confirmation(self.message)

        def reject(self, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - Celery's own
            """Give the task back; noticed when that fails."""
            super().reject(requeue)
            pulse.note_confirmation(self.message)

    class AttentiveTask(Task[Any, Any]):
        abstract = True

    AttentiveTask.Request = AttentiveRequest  # type: ignore[assignment]  # a class or its name
    app.task_cls = AttentiveTask  # type: ignore[assignment]  # a class or its name


def pulse_step(pulse: Pulse) -> type[bootsteps.StartStopStep]:
    """A step of Celery's consumer that beats while the consumer is connected, and has it reconnect when it is deaf."""

    class PulseStep(bootsteps.StartStopStep):
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def __init__(self, consumer: Any, **options: Any) -> None:  # noqa: ANN401 - Celery's own
            self._timer: Any = None
            super().__init__(consumer, **options)

        def start(self, consumer: Any) -> None:  # noqa: ANN401 - Celery's own
            pulse.connected(consumer.task_consumer.channel)
            self._timer = consumer.timer.call_repeatedly(1.0, _turn)

        def stop(self, _consumer: Any) -> None:  # noqa: ANN401 - Celery's own
            pulse.disconnected()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _turn() -> None:
        pulse.beat()
        if pulse.deaf:
            # A connection error in the loop is what makes Celery connect anew.
            raise ConnectionError("a task's confirmation was lost with the connection it came from")

    return PulseStep


def probe_step(serve: Callable[[], ProbeServer]) -> type[bootsteps.StartStopStep]:
    """A step of Celery's worker that serves probes once its children are forked, broker or no broker."""

    class ProbeStep(bootsteps.StartStopStep):
        requires = ("celery.worker.components:Pool",)

        def __init__(self, worker: Any, **options: Any) -> None:  # noqa: ANN401 - Celery's own
            self._server: ProbeServer | None = None
            super().__init__(worker, **options)

        def start(self, _worker: Any) -> None:  # noqa: ANN401 - Celery's own
            self._server = serve()

        def stop(self, _worker: Any) -> None:  # noqa: ANN401 - Celery's own
            if self._server is not None:
                self._server.close()
                self._server = None

        def terminate(self, worker: Any) -> None:  # noqa: ANN401 - Celery's own
            self.stop(worker)

    return ProbeStep
