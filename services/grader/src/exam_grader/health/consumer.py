"""Liveness of a worker's consumer, and the boot steps that connect monitor and probe server to Celery's worker."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from celery import Celery, Task, bootsteps
from celery.worker.request import Request

from exam_grader.health.loop import LoopMonitor
from exam_grader.health.server import ProbeServer


class Message(Protocol):
    """The message of a task: the channel that delivered it, and whether its acknowledgement was sent."""

    @property
    def channel(self) -> object:
        """The channel that delivered it."""

    @property
    def acknowledged(self) -> bool:
        """Whether its acknowledgement was sent."""


@dataclass
class ConsumerMonitor(LoopMonitor):
    """Monitors the loop of a worker's consumer and the acknowledgements that it sends.

    Attributes:
        channel: the channel that tasks come from; None while there is no connection.
        consumer_lost: whether an acknowledgement was lost on this channel; only a new connection helps.
        pending: messages acknowledged since the last iteration; Celery sends acknowledgements from the loop, later.
        overdue: messages acknowledged before that; their acknowledgements have been sent or are lost.
    """

    channel: object = None
    consumer_lost: bool = False
    pending: list[Message] = field(default_factory=list)
    overdue: list[Message] = field(default_factory=list)

    def record_iteration(self) -> None:
        """Record that the loop ran, and look for lost acknowledgements."""
        super().record_iteration()
        if any(message.channel is self.channel and not message.acknowledged for message in self.overdue):
            self.consumer_lost = True
        self.overdue, self.pending = self.pending, []

    def connected(self, channel: object) -> None:
        """Record that tasks now come from this channel and no other."""
        self.channel, self.consumer_lost, self.expected = channel, False, True
        super().record_iteration()

    def disconnected(self) -> None:
        """Record that there is no connection."""
        self.channel, self.expected = None, False

    def track(self, message: Message) -> None:
        """Track the acknowledgement of a message."""
        self.pending.append(message)


def track_acknowledgements(app: Celery, monitor: ConsumerMonitor) -> None:
    """Report every acknowledgement to the monitor.

    Celery logs a failure to acknowledge and goes on counting the task as reserved. With as many failures as a worker
    has processes it reserves nothing any more and stops reading the socket: it would not even notice that the broker
    is back.
    """

    class TrackedRequest(Request):
        def acknowledge(self) -> None:
            """Acknowledge the task."""
            super().acknowledge()
            monitor.track(self.message)

        def reject(self, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - Celery's signature
            """Return the task to the queue."""
            super().reject(requeue)
            monitor.track(self.message)

    class TrackedTask(Task[Any, Any]):
        abstract = True

    TrackedTask.Request = TrackedRequest  # type: ignore[assignment]  # a class or its name
    app.task_cls = TrackedTask  # type: ignore[assignment]  # a class or its name


def consumer_monitor_step(monitor: ConsumerMonitor) -> type[bootsteps.StartStopStep]:
    """A boot step of Celery's consumer that records its iterations and reconnects when the consumer is lost."""

    class ConsumerMonitorStep(bootsteps.StartStopStep):
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def __init__(self, consumer: Any, **options: Any) -> None:  # noqa: ANN401 - Celery's signature
            self._timer: Any = None
            super().__init__(consumer, **options)

        def start(self, consumer: Any) -> None:  # noqa: ANN401 - Celery's signature
            monitor.connected(consumer.task_consumer.channel)
            self._timer = consumer.timer.call_repeatedly(1.0, _record_iteration)

        def stop(self, _consumer: Any) -> None:  # noqa: ANN401 - Celery's signature
            monitor.disconnected()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _record_iteration() -> None:
        monitor.record_iteration()
        if monitor.consumer_lost:
            # Celery reconnects on a connection error in its loop.
            raise ConnectionError("an acknowledgement was lost with the connection of its task")

    return ConsumerMonitorStep


def probe_server_step(serve: Callable[[], ProbeServer]) -> type[bootsteps.StartStopStep]:
    """A boot step of Celery's worker that starts the probe server after its children are forked, broker or not."""

    class ProbeServerStep(bootsteps.StartStopStep):
        requires = ("celery.worker.components:Pool",)

        def __init__(self, worker: Any, **options: Any) -> None:  # noqa: ANN401 - Celery's signature
            self._server: ProbeServer | None = None
            super().__init__(worker, **options)

        def start(self, _worker: Any) -> None:  # noqa: ANN401 - Celery's signature
            self._server = serve()

        def stop(self, _worker: Any) -> None:  # noqa: ANN401 - Celery's signature
            if self._server is not None:
                self._server.close()
                self._server = None

        def terminate(self, worker: Any) -> None:  # noqa: ANN401 - Celery's signature
            self.stop(worker)

    return ProbeServerStep
