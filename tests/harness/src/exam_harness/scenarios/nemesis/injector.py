"""Injects the events of a schedule into a running platform."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import redis

from exam_harness.faults.schedule import LINK_FAULTS, PROCESS_FAULTS, TASK_FAULTS, Event, Fault, Schedule
from exam_harness.faults.tcp_proxy import LinkFault
from exam_harness.scenarios.nemesis.operations import Operator
from exam_harness.scenarios.nemesis.platform import Platform
from exam_harness.students.clock import SECOND

_QUEUES: Final = ("exam:grader:chunks", "exam:grader:control")
_TASK_POLL_SECONDS: Final = 0.05
_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Injector:
    """Injects events into one sitting.

    Attributes:
        platform: the platform.
        operator: sends the operator's commands.
        opens_at: the opening, to which events are relative (µs).
        closes_at: the close as provisioned (µs).
        students: (username, id) of each student by index.
    """

    platform: Platform
    operator: Operator
    opens_at: int
    closes_at: int
    students: Sequence[tuple[str, int]]

    async def run(self, schedule: Schedule) -> None:
        """Inject all events at their times; returns when the last has ended."""
        async with asyncio.TaskGroup() as group:
            for event in schedule.events:
                group.create_task(self._inject(event), name=str(event))

    async def _inject(self, event: Event) -> None:
        at = self.opens_at + event.at * _MS
        await asyncio.sleep(max(0, at - self.platform.now()) / SECOND)
        if event.fault in PROCESS_FAULTS:
            await self._inject_process(event)
        elif event.fault in LINK_FAULTS:
            proxy = self.platform.proxies[event.target]
            proxy.inject(LinkFault(event.fault.value), delay=event.amount / 1_000)
            await _last(event)
            proxy.heal()
        elif event.fault is Fault.STEP:
            self.platform.stack.clocks[event.target].step(event.amount * _MS)
        elif event.fault in TASK_FAULTS:
            await asyncio.to_thread(self._disturb_tasks, event)
        else:
            await self._operate(event)

    async def _inject_process(self, event: Event) -> None:
        server = self.platform.processes[event.target]
        if not server.process.alive:
            return
        if event.fault is Fault.PAUSE:
            server.pause()
            await _last(event)
            if server.process.alive:
                server.resume()
            return
        self.platform.down.add(event.target)
        await asyncio.to_thread(server.kill if event.fault is Fault.KILL else server.stop)
        await _last(event)
        self.platform.down.discard(event.target)
        self.platform.start_missing()

    async def _operate(self, event: Event) -> None:
        match event.fault:
            case Fault.EXTEND:
                await self.operator.extend(self.closes_at + event.amount * _MS)
            case Fault.HOLD if await self.operator.pause():
                await _last(event)
                await self.operator.resume()
            case Fault.ACCOMMODATE:
                username, student = self.students[int(event.target)]
                await self.operator.accommodate(username, student, event.amount * _MS)
            case Fault.STOP:
                await self.operator.stop()

    def _disturb_tasks(self, event: Event) -> None:
        """Lose or repeat the queued tasks again and again while the event lasts; without the broker there are none."""
        until = time.monotonic() + event.lasts / 1_000
        repeated: set[bytes | str] = set()
        with redis.Redis.from_url(self.platform.stack.broker.url, socket_timeout=1, socket_connect_timeout=1) as client:
            while time.monotonic() < until:
                with suppress(redis.ConnectionError, redis.TimeoutError):
                    for queue in _QUEUES:
                        _lose(client, queue) if event.fault is Fault.LOSE_TASKS else _repeat(client, queue, repeated)
                time.sleep(_TASK_POLL_SECONDS)


def _lose(client: redis.Redis, queue: str) -> None:
    client.delete(queue)


def _repeat(client: redis.Redis, queue: str, repeated: set[bytes | str]) -> None:
    messages = client.lrange(queue, 0, -1)
    for message in set(messages) - repeated:
        client.lpush(queue, message)
        repeated.add(message)


async def _last(event: Event) -> None:
    await asyncio.sleep(event.lasts / 1_000)
