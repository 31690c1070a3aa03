"""An in-memory platform around solvers, for tests: papers, tokens, web, and any number of solver processes."""

from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI

from exam_answerlog.log import PaperPart
from exam_answerlog.testing.memory import MemoryAnswerLog
from exam_core.fold import seal_bucket
from exam_core.instants import MINUTE, SECOND
from exam_core.keys import SigningKeys
from exam_core.paper import Paper
from exam_core.problems import BASE
from exam_core.schedule import ScheduledSitting, State
from exam_core.tokens import Access, Role, sign_access
from exam_core.windows import Window
from exam_solver.app import create_app
from exam_solver.container import Dependencies, Solver
from exam_solver.papers.loader import PAPER_PART
from exam_solver.settings import SolverSettings
from exam_solver.testing.lease import ManualClock, MemoryLeaseStore, MemorySchedule
from exam_solver.testing.papers import IMAGE, IMAGE_SHA256, MemoryPaperCache, make_paper
from exam_solver.testing.web import INTERNAL_URL, MemoryWeb, new_keys

STUDENT: Final = 17
LEVEL: Final = "year-1"


@dataclass
class Process:
    """One solver process and its HTTP client."""

    app: FastAPI
    solver: Solver
    store: MemoryLeaseStore
    http: httpx.AsyncClient

    async def renew(self) -> None:
        """Renew the lease once."""
        await self.solver.keeper.renew()

    async def request(
        self,
        method: str,
        path: str,
        token: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        content: bytes | AsyncIterable[bytes] | None = None,
    ) -> httpx.Response:
        """Send one request."""
        all_headers = dict(headers or {})
        if token is not None:
            all_headers["Authorization"] = f"Bearer {token}"
        return await self.http.request(method, path, headers=all_headers, json=json, content=content)


@dataclass
class World:
    """The platform around the solvers. One sitting is open; its times are by the schedule's clock."""

    clock: ManualClock
    schedule: MemorySchedule
    log: MemoryAnswerLog
    cache: MemoryPaperCache
    web: MemoryWeb
    solver_keys: SigningKeys
    paper: Paper
    sitting: UUID
    processes: list[Process] = field(default_factory=list)

    @classmethod
    async def create(cls, log: MemoryAnswerLog | None = None, paper: Paper | None = None) -> Self:
        """Create a platform with one open sitting of an hour, whose attempts last 30 minutes."""
        clock = ManualClock()
        schedule = MemorySchedule(clock)
        world = cls(
            clock=clock,
            schedule=schedule,
            log=log or MemoryAnswerLog(),
            cache=MemoryPaperCache(),
            web=MemoryWeb(new_keys()),
            solver_keys=new_keys(),
            paper=paper or make_paper(),
            sitting=uuid4(),
        )
        opened = schedule.now - MINUTE
        window = Window(opens_at=opened, closes_at=opened + 60 * MINUTE, duration=30 * MINUTE)
        world.add_sitting(world.sitting, window)
        world.cache.papers[world.paper.digest] = world.paper.body
        await world.log.put_paper_part(
            world.paper.digest, PAPER_PART, PaperPart(content_type="application/json", data=world.paper.body)
        )
        await world.log.put_paper_part(
            world.paper.digest, IMAGE_SHA256, PaperPart(content_type="image/png", data=IMAGE)
        )
        return world

    def add_sitting(self, sitting: UUID, window: Window, *, level: str = LEVEL) -> None:
        """Add a sitting of the paper."""
        self.schedule.put(
            ScheduledSitting(
                id=sitting,
                state=State.SCHEDULED,
                epoch=0,
                level=level,
                window=window,
                paper=self.paper.digest,
                buckets=3,
                accommodations={},
            )
        )

    @property
    def window(self) -> Window:
        """The sitting's current window."""
        return self.schedule.sittings[self.sitting].window

    def build_process(self, **settings: object) -> Process:
        """Build a solver process that has no lease yet."""
        store = MemoryLeaseStore(self.schedule)
        required: dict[str, object] = {
            "lease_database_url": "postgresql://solver@db/exam",
            "redis_url": "redis://redis",
            "web_url": "http://web",
            "web_internal_url": INTERNAL_URL,
            "solver_keys_file": "keys.json",
            "solver_service_keys_file": "keys.json",
        }
        app = create_app(
            SolverSettings.model_validate(required | settings),
            Dependencies(
                log=self.log,
                lease_store=store,
                paper_cache=self.cache,
                http=httpx.AsyncClient(base_url="http://web", transport=httpx.MockTransport(self.web.handle)),
                keys=self.solver_keys,
                service_keys=self.web.solver_keys,
                clock=self.clock,
            ),
        )
        http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://solver.localhost", headers={"Accept-Encoding": ""}
        )
        process = Process(app, app.state.solver, store, http)
        self.processes.append(process)
        return process

    async def start_process(self, **settings: object) -> Process:
        """Build a solver process and acquire its lease."""
        process = self.build_process(**settings)
        await process.renew()
        return process

    async def close(self) -> None:
        """Close every process."""
        for process in self.processes:
            await process.http.aclose()
            await process.solver.close()

    def access_token(
        self,
        *,
        student: int = STUDENT,
        role: Role = Role.STUDENT,
        level: str | None = LEVEL,
        session: UUID | None = None,
        lifetime: int = 600 * SECOND,
        keys: SigningKeys | None = None,
    ) -> str:
        """An access token issued now, signed by web unless other keys are given."""
        access = Access(
            subject=student,
            role=role,
            level=level,
            session=session or uuid4(),
            token=uuid4(),
            issued_at=self.schedule.now,
            expires_at=self.schedule.now + lifetime,
        )
        return sign_access(access, keys or self.web.keys)

    def rotate_solver_keys(self) -> None:
        """Let processes built from now on sign with a new key and accept the old one too."""
        self.solver_keys = SigningKeys([*new_keys().keys, *self.solver_keys.keys])

    def path(self, rest: str, sitting: UUID | None = None) -> str:
        """A path below the sitting's."""
        return f"/v1/sittings/{sitting or self.sitting}/{rest}"

    async def start_attempt(self, process: Process, token: str | None = None) -> str:
        """Start the student's attempt and return its token."""
        response = await process.request("POST", self.path("attempt"), token or self.access_token())
        response.raise_for_status()
        return str(response.json()["attempt_token"])

    async def seal(self) -> None:
        """Seal every bucket of the sitting as a grader does, whether or not it is drained."""
        for bucket in range(self.schedule.sittings[self.sitting].buckets):
            rows = await self.log.read_bucket(self.sitting, bucket)
            sealed = seal_bucket(
                sitting=self.sitting,
                bucket=bucket,
                paper=self.paper,
                answers=rows.answers,
                starts=rows.starts,
                submissions=rows.submissions,
            )
            await self.log.seal(self.sitting, bucket, sealed)

    async def put_answer(
        self, process: Process, token: str, question: int, seq: int, **content: object
    ) -> httpx.Response:
        """Save one answer."""
        return await process.request("PUT", self.path(f"answers/{question}"), token, json={"seq": seq, **content})


def slug_of(response: httpx.Response) -> str:
    """The slug of the problem in a response, which must be a valid problem document."""
    if response.headers["content-type"] != "application/problem+json":
        raise AssertionError(f"not a problem: {response.status_code} {response.text}")
    body = response.json()
    if body["status"] != response.status_code or not body["type"].startswith(BASE) or not body["detail"]:
        raise AssertionError(f"an incomplete problem document: {body}")
    return str(body["type"].removeprefix(BASE))
