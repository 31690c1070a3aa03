"""A whole platform around solvers, in memory, for tests: papers, people, web, and as many processes as wanted."""

from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Self
from uuid import UUID, uuid4

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from exam_answerlog.log import PaperPart
from exam_answerlog.memory import MemoryAnswerLog
from exam_core.canonical import digest
from exam_core.instants import MINUTE, SECOND
from exam_core.keys import PublicKeySet, SigningKeys, new_signing_jwk
from exam_core.paper import AuthoredChoice, AuthoredExam, AuthoredQuestion, ImageRef, Paper, QuestionKind, freeze
from exam_core.problems import BASE
from exam_core.schedule import ScheduledSitting, State
from exam_core.tokens import Access, Role, read_access, sign_access
from exam_core.windows import Window
from exam_solver.app import create_app
from exam_solver.memory import ManualClock, MemoryLeaseStore, MemoryPaperCache, MemorySchedule
from exam_solver.papers import PAPER_PART
from exam_solver.parts import Parts, Solver
from exam_solver.settings import SolverSettings

STUDENT: Final = 17
LEVEL: Final = "year-1"
IMAGE: Final = b"\x89PNG an image"
IMAGE_SHA256: Final = digest(IMAGE)
SINGLE, MULTIPLE, NUMERIC, COIN = range(4)
"""The paper's questions: one of four, at most two of four, a number, one of two."""


def new_keys() -> SigningKeys:
    """A fresh signing key."""
    return SigningKeys.from_jwks({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]})


def make_paper(image_sha256: str) -> Paper:
    """A paper with a question of each kind."""
    four = tuple(AuthoredChoice(text=text, correct=text == "a") for text in "abcd")
    one = Decimal(1)
    questions = (
        AuthoredQuestion(
            kind=QuestionKind.SINGLE,
            text="Which?",
            weight=one,
            choices=four,
            image=ImageRef(sha256=image_sha256, type="image/png", width=1, height=1),
        ),
        AuthoredQuestion(kind=QuestionKind.MULTIPLE, text="Which two?", weight=one, choices=four, max_choices=2),
        AuthoredQuestion(kind=QuestionKind.NUMERIC, text="How much?", weight=one, value=Decimal("3.14")),
        AuthoredQuestion(kind=QuestionKind.SINGLE, text="Heads?", weight=one, choices=four[:2]),
    )
    exam = AuthoredExam(slug="algebra-101", title="Algebra", instructions="", questions=questions)
    return freeze(exam, range)[0]


class MemoryWeb:
    """Web as a solver sees it: a key set and introspection, either of which may be down."""

    def __init__(self, keys: SigningKeys) -> None:
        self.keys = keys
        self.published: PublicKeySet = keys.public
        self.down = False
        self.nonsense = False
        self.asked: list[str] = []
        self.request_ids: list[str | None] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Serve one request."""
        self.asked.append(request.url.path)
        self.request_ids.append(request.headers.get("x-request-id"))
        if self.down:
            raise httpx.ConnectError("web is down", request=request)
        if self.nonsense:
            return httpx.Response(200, json={"active": True})
        if request.url.path == "/.well-known/jwks.json":
            return httpx.Response(200, json=self.published.to_jwks())
        token = httpx.Response(200, content=request.content).json()["token"]
        return httpx.Response(200, json=self._introspect(token))

    def _introspect(self, token: str) -> Mapping[str, Any]:
        try:
            return {"active": True, **read_access(token, self.keys.public, now=0).claims()}
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is not active
            return {"active": False}


@dataclass
class Process:
    """One solver process and a way to speak to it."""

    app: FastAPI
    solver: Solver
    store: MemoryLeaseStore
    http: httpx.AsyncClient

    async def renew(self) -> None:
        """Let the lease loop come round once."""
        await self.solver.keeper.renew()

    async def ask(
        self,
        method: str,
        path: str,
        token: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        content: bytes | AsyncIterable[bytes] | None = None,
    ) -> httpx.Response:
        """One request."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        return await self.http.request(method, path, headers=sent, json=json, content=content)


@dataclass
class World:
    """Everything around the solvers. One sitting is open; its times are the schedule's clock's."""

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
    async def make(cls, log: MemoryAnswerLog | None = None) -> Self:
        """A platform with one open sitting of an hour; attempts last 30 minutes. `log`: one with its own ideas."""
        clock = ManualClock()
        schedule = MemorySchedule(clock)
        world = cls(
            clock=clock,
            schedule=schedule,
            log=log or MemoryAnswerLog(),
            cache=MemoryPaperCache(),
            web=MemoryWeb(new_keys()),
            solver_keys=new_keys(),
            paper=make_paper(IMAGE_SHA256),
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
        """The sitting's window as it is now."""
        return self.schedule.sittings[self.sitting].window

    def assemble(self, **settings: object) -> Process:
        """A solver process that has not renewed yet."""
        store = MemoryLeaseStore(self.schedule)
        given: dict[str, object] = {
            "lease_database_url": "postgresql://solver@db/exam",
            "redis_url": "redis://redis",
            "web_url": "http://web",
            "solver_keys_file": "keys.json",
        }
        app = create_app(
            SolverSettings.model_validate(given | settings),
            Parts(
                log=self.log,
                lease_store=store,
                paper_cache=self.cache,
                http=httpx.AsyncClient(base_url="http://web", transport=httpx.MockTransport(self.web.answer)),
                keys=self.solver_keys,
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
        """A solver process that holds a lease."""
        process = self.assemble(**settings)
        await process.renew()
        return process

    async def close(self) -> None:
        """Give up every process."""
        for process in self.processes:
            await process.http.aclose()
            await process.solver.close()

    def access(
        self,
        *,
        student: int = STUDENT,
        role: Role = Role.STUDENT,
        level: str | None = LEVEL,
        session: UUID | None = None,
        lasts: int = 600 * SECOND,
        keys: SigningKeys | None = None,
    ) -> str:
        """An access token, issued now by web unless `keys` are another's."""
        access = Access(
            subject=student,
            role=role,
            level=level,
            session=session or uuid4(),
            token=uuid4(),
            issued_at=self.schedule.now,
            expires_at=self.schedule.now + lasts,
        )
        return sign_access(access, keys or self.web.keys)

    def rotate_solver_keys(self) -> None:
        """Processes from now on sign with a new key and honour the old one too."""
        self.solver_keys = SigningKeys([*new_keys().keys, *self.solver_keys.keys])

    def path(self, rest: str, sitting: UUID | None = None) -> str:
        """An address below the sitting."""
        return f"/v1/sittings/{sitting or self.sitting}/{rest}"

    async def begin(self, process: Process, token: str | None = None) -> str:
        """Start the student's attempt; its token."""
        answer = await process.ask("POST", self.path("attempt"), token or self.access())
        answer.raise_for_status()
        return str(answer.json()["attempt_token"])

    async def put(self, process: Process, token: str, question: int, seq: int, **content: object) -> httpx.Response:
        """Save one answer."""
        return await process.ask("PUT", self.path(f"answers/{question}"), token, json={"seq": seq, **content})


def slug(answer: httpx.Response) -> str:
    """Which problem an answer is; its body and header are checked on the way."""
    if answer.headers["content-type"] != "application/problem+json":
        raise AssertionError(f"no problem: {answer.status_code} {answer.text}")
    body = answer.json()
    if body["status"] != answer.status_code or not body["type"].startswith(BASE) or not body["detail"]:
        raise AssertionError(f"a problem that says little: {body}")
    return str(body["type"].removeprefix(BASE))
