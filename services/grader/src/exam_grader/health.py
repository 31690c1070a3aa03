"""What a worker's and a beat's /healthz is about: whether the loop of the parent process still turns."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from celery import bootsteps

from exam_grader.probe import NotSoError, ProbeServer

SILENCE_SECONDS = 60.0


@dataclass
class Pulse:
    """When the loop last turned, and whether it can be expected to.

    While a worker looks for its broker the loop stands still on purpose: to restart it would not help.
    """

    turning: bool = False
    last: float = field(default_factory=time.monotonic)

    def beat(self) -> None:
        """The loop turned."""
        self.last = time.monotonic()

    def check(self) -> None:
        """Raise when the loop should turn and does not."""
        silence = time.monotonic() - self.last
        if self.turning and silence > SILENCE_SECONDS:
            raise NotSoError(f"the main loop has not turned for {silence:.0f} s")


def pulse_step(pulse: Pulse) -> type[bootsteps.StartStopStep]:
    """A step of Celery's consumer that beats while the consumer is connected."""

    class PulseStep(bootsteps.StartStopStep):
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def __init__(self, consumer: Any, **options: Any) -> None:  # noqa: ANN401 - Celery's own
            self._timer: Any = None
            super().__init__(consumer, **options)

        def start(self, consumer: Any) -> None:  # noqa: ANN401 - Celery's own
            pulse.beat()
            pulse.turning = True
            self._timer = consumer.timer.call_repeatedly(1.0, pulse.beat)

        def stop(self, _consumer: Any) -> None:  # noqa: ANN401 - Celery's own
            pulse.turning = False
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

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
