"""Runs one sitting under a schedule of faults and returns its transcript."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from random import Random
from typing import Any, Final

import httpx

from exam_harness.faults.schedule import Schedule
from exam_harness.oracle.facts import CLOCK_TOLERANCE
from exam_harness.oracle.transcript import Transcript
from exam_harness.scenarios.nemesis.client import GATEWAY, Client, Login, Recorder
from exam_harness.scenarios.nemesis.evidence import collect
from exam_harness.scenarios.nemesis.injector import Injector
from exam_harness.scenarios.nemesis.operations import Operator, operator_client
from exam_harness.scenarios.nemesis.platform import Platform
from exam_harness.scenarios.nemesis.provisioning import provision
from exam_harness.scenarios.nemesis.publication import fetch_publication
from exam_harness.scenarios.nemesis.student import refresh, sit
from exam_harness.students.clock import SECOND
from exam_harness.students.http import Connections

_MS: Final = 1_000
_LONGEST_US: Final = 9 * SECOND
"""How long after the close as provisioned students go on at most, whatever was granted."""
_PUBLISHED_SECONDS: Final = 60
_STEP_FOLLOWED_MS: Final = 5_000
_POLL_SECONDS: Final = 0.2


class Sittings:
    """Runs sittings on one platform, one after the other, with the same students."""

    def __init__(self, platform: Platform, logins: Mapping[str, Login], ids: Mapping[str, int]) -> None:
        self._platform = platform
        self._logins = logins
        self._students = [(username, ids[username]) for username in logins]
        self._number = 0
        self._keys: Mapping[str, Any] = {}

    async def run(self, schedule: Schedule) -> Transcript:
        """Run a sitting under a schedule and return what happened, with the platform repaired."""
        self._number += 1
        name = f"nemesis-{schedule.seed}-{self._number}"
        stack = self._platform.stack
        routes = {
            name: Connections("127.0.0.1", port, seconds=self._platform.pace.client_seconds)
            for name, port in ((GATEWAY, stack.gateway_port), *((each.name, each.port) for each in stack.solvers))
        }
        try:
            async with operator_client(stack.internal_url, stack.service_token) as http:
                return await self._run(schedule, name, http, routes)
        finally:
            for connections in routes.values():
                await connections.close()

    async def _run(
        self, schedule: Schedule, name: str, http: httpx.AsyncClient, routes: Mapping[str, Connections]
    ) -> Transcript:
        sitting = await provision(self._platform, http, name)
        stack = self._platform.stack
        window, operator = sitting.window, Operator(http, sitting.name, self._platform.now)
        injector = Injector(
            platform=self._platform,
            operator=operator,
            opens_at=window.opens_at,
            closes_at=window.closes_at,
            students=self._students,
        )
        recorder = Recorder(self._platform.now)
        async with asyncio.TaskGroup() as group:
            supervisor = group.create_task(self._supervise())
            injecting = group.create_task(injector.run(schedule))
            students = [
                group.create_task(
                    sit(
                        self._client(username, student, sitting.id, routes, recorder, schedule.seed),
                        Random(f"{schedule.seed}/{index}"),
                        opens_at=window.opens_at,
                        ends_at=window.closes_at + _LONGEST_US,
                        tail=int(self._platform.pace.tail_seconds * SECOND),
                        now=self._platform.now,
                    )
                )
                for index, (username, student) in enumerate(self._students)
            ]
            await asyncio.wait(students)
            if schedule.events:
                ends_at = max(event.at + event.lasts for event in schedule.events)
                await asyncio.sleep(max(0, window.opens_at + ends_at * _MS - self._platform.now()) / SECOND)
            supervisor.cancel()
            await self._platform.repair()
            await injecting
        await self._await_published(http, sitting.name, recorder)
        logins = {student: self._logins[username] for username, student in self._students}
        return await asyncio.to_thread(
            collect,
            self._platform,
            sitting,
            recorder,
            operator.operations,
            await self._receipt_keys(),
            await fetch_publication(stack.web_url, sitting.id, logins),
            schedule,
        )

    async def refresh_logins(self) -> None:
        """Refresh all logins between two sittings, so that no access token expires within one."""
        connections = Connections(
            "127.0.0.1", self._platform.stack.gateway_port, seconds=self._platform.pace.client_seconds
        )
        try:
            for username, login in self._logins.items():
                await refresh(
                    Client(0, "", login, {GATEWAY: connections}, Recorder(self._platform.now), Random(username))
                )
        finally:
            await connections.close()

    def _client(
        self,
        username: str,
        student: int,
        sitting: str,
        routes: Mapping[str, Connections],
        recorder: Recorder,
        seed: int,
    ) -> Client:
        return Client(student, sitting, self._logins[username], routes, recorder, Random(f"{seed}/{username}/routes"))

    async def _supervise(self) -> None:
        """Start processes that end by themselves, as an orchestrator does."""
        while True:
            self._platform.start_missing()
            await asyncio.sleep(_POLL_SECONDS)

    async def _await_published(self, http: httpx.AsyncClient, name: str, recorder: Recorder) -> None:
        status: Mapping[str, Any] = {}
        with suppress(TimeoutError):
            async with asyncio.timeout(_PUBLISHED_SECONDS):
                while not _published(status):
                    await asyncio.sleep(_POLL_SECONDS)
                    with suppress(httpx.TransportError):
                        response = await http.get(f"/internal/sittings/{name}")
                        status = response.json() if response.is_success else {}
        if not _published(status):
            recorder.remarks.append(f"not published {_PUBLISHED_SECONDS} s after all faults ended: {status}")

    async def _receipt_keys(self) -> Mapping[str, Any]:
        """The keys of receipts, which no fault changes."""
        if not self._keys:
            async with httpx.AsyncClient(trust_env=False) as http:
                response = await http.get(f"{self._platform.stack.solver_urls[0]}/v1/keys")
            self._keys = response.raise_for_status().json()
        return self._keys


def tolerance(schedule: Schedule) -> int:
    """How far times may differ under a schedule (µs): a solver follows a step of the clock within a few renewals."""
    return (schedule.stepped + _STEP_FOLLOWED_MS) * _MS if schedule.stepped else CLOCK_TOLERANCE


def _published(status: Mapping[str, Any]) -> bool:
    return bool(status.get("published_revision"))
