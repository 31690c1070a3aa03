"""Solver processes on real stores: start, kill, graceful shutdown."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection

from exam_answerlog.cassandra import CassandraAnswerLog
from exam_answerlog.log import PaperPart, Rows
from exam_answerlog.settings import CassandraSettings
from exam_answerlog.testing.settings import settings_from
from exam_core import receipts
from exam_core.buckets import bucket_of
from exam_core.fold import fold_answers
from exam_core.instants import SECOND
from exam_core.keys import PublicKeySet, SigningKeys, new_signing_jwk
from exam_core.tokens import Access, Role, sign_access
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.process import ChildProcess
from exam_harness.environments.processes.servers.cassandra import Cassandra
from exam_harness.environments.processes.servers.redis import Redis
from exam_solver.papers.loader import PAPER_PART
from exam_web.common.clock import database_now
from exam_web.sittings.models import Sitting, SolverLease
from exam_web.users.models import Student

pytestmark = pytest.mark.integration

READY_SECONDS = 60


class Platform:
    """The dependencies of solver processes: stores, keys, and a web that publishes only its key set."""

    def __init__(
        self, folder: Path, cassandra: Cassandra, env: dict[str, str], sitting: Sitting, student: Student
    ) -> None:
        self.folder = folder
        self.env = env
        self.sitting = sitting
        self.student = student
        self.keys = SigningKeys.from_jwks({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]})
        keys_file = folder / "solver-keys.json"
        keys_file.write_text(json.dumps({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]}))
        self.solver_keys: PublicKeySet = SigningKeys.from_jwks(json.loads(keys_file.read_text())).public
        self.web = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        Thread(target=self.web.serve_forever, daemon=True).start()
        self.env |= {
            "PATH": os.environ["PATH"],
            "EXAM_SOLVER_KEYS_FILE": str(keys_file),
            "EXAM_SOLVER_SERVICE_KEYS_FILE": str(keys_file),
            "EXAM_WEB_URL": f"http://127.0.0.1:{self.web.server_port}",
            "EXAM_WEB_INTERNAL_URL": f"http://127.0.0.1:{self.web.server_port}",
        }
        self.solvers: list[Solver] = []
        asyncio.run(self._distribute(settings_from(cassandra.ring.variables("web"))))

    def start(self, *arguments: str, **env: str) -> "Solver":
        """Start a solver process and wait until it is ready."""
        solver = Solver(self, len(self.solvers), arguments, env)
        self.solvers.append(solver)
        return solver

    def close(self) -> None:
        """Kill the remaining processes and stop web."""
        for solver in self.solvers:
            solver.client.close()
            solver.child.kill()
        self.web.shutdown()
        self.web.server_close()

    def token(self) -> str:
        """The student's access token."""
        now = database_now()
        access = Access(
            subject=self.student.pk,
            role=Role.STUDENT,
            level="year-1",
            session=uuid4(),
            token=uuid4(),
            issued_at=now,
            expires_at=now + 600 * SECOND,
        )
        return sign_access(access, self.keys)

    def rows(self) -> Rows:
        """The student's rows in Cassandra."""
        return asyncio.run(self._read())

    async def _read(self) -> Rows:
        log = CassandraAnswerLog.connect(settings_from(self.env))
        try:
            bucket = bucket_of(self.student.pk, self.sitting.buckets)
            return await log.read_student(self.sitting.id, bucket, self.student.pk)
        finally:
            await log.close()

    async def _distribute(self, settings: CassandraSettings) -> None:
        """Store the paper, as web does."""
        log = CassandraAnswerLog.connect(settings)
        try:
            body = bytes(self.sitting.paper.body)
            part = PaperPart(content_type="application/json", data=body)
            await log.put_paper_part(self.sitting.paper_id, PAPER_PART, part)
        finally:
            await log.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        published = json.dumps(self.keys.public.to_jwks()).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(HTTPStatus.OK)
                self.end_headers()
                self.wfile.write(published)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        return Handler


class Solver:
    """One process and its HTTP client."""

    def __init__(self, platform: Platform, number: int, arguments: Sequence[str], env: dict[str, str]) -> None:
        (port,) = free_ports(1)
        self.port = port
        self.platform = platform
        self.log = platform.folder / f"solver-{number}.log"
        self.child = ChildProcess(
            f"solver-{number}",
            [sys.executable, "-m", "exam_solver", "--port", str(port), *arguments],
            log=self.log,
            env=platform.env | env,
        )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)
        self.child.start()
        self.child.await_ready(self._ready, seconds=READY_SECONDS)

    def start_attempt(self) -> httpx.Response:
        """Start or resume the student's attempt."""
        token = self.platform.token()
        return self.client.post(self._path("attempt"), headers={"Authorization": f"Bearer {token}"})

    def put(self, attempt: str, seq: int, choice: int) -> httpx.Response:
        """Answer the one question."""
        return self.client.put(
            self._path("answers/0"),
            headers={"Authorization": f"Bearer {attempt}"},
            json={"seq": seq, "choices": [choice]},
        )

    def lines(self) -> list[dict[str, object]]:
        """Its log, parsed: every line must be JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def _path(self, rest: str) -> str:
        return f"/v1/sittings/{self.platform.sitting.id}/{rest}"

    def _ready(self) -> bool:
        try:
            return self.client.get("/readyz").is_success
        except httpx.TransportError:
            return False


@pytest.fixture
def platform(
    tmp_path: Path,
    cassandra: Cassandra,
    cassandra_env: dict[str, str],
    redis_server: Redis,
    lease_database_url: str,
    sitting: Sitting,
    student: Student,
) -> Iterator[Platform]:
    """The dependencies of solver processes."""
    env = (
        cassandra_env
        | cassandra.ring.variables("solver")
        | {"EXAM_LEASE_DATABASE_URL": lease_database_url, "EXAM_REDIS_URL": redis_server.url_of("solver")}
    )
    platform = Platform(tmp_path, cassandra, env, sitting, student)
    yield platform
    platform.close()


def test_another_process_has_the_answers_that_a_killed_one_acknowledged(platform: Platform) -> None:
    """My solver is killed: the next one has my answers, and accepts further ones."""
    first = platform.start()
    started = first.start_attempt()
    assert started.status_code == 201
    attempt = started.json()["attempt_token"]
    response = first.put(attempt, 1, 2)
    assert response.status_code == 200
    receipt = receipts.read(response.json()["receipt"], platform.solver_keys)
    first.child.kill()
    assert SolverLease.objects.count() == 1  # it was not released, so a close has to wait until it expires
    second = platform.start()
    resumed = second.start_attempt()
    assert resumed.status_code == 200
    assert resumed.json()["answers"] == [{"question": 0, "seq": 1, "choices": [2]}]
    again = second.put(attempt, 1, 2)
    assert again.json()["receipt"] is not None
    assert receipts.read(again.json()["receipt"], platform.solver_keys) == receipt
    assert second.put(attempt, 2, 0).status_code == 200
    [counted] = fold_answers(platform.rows().answers).values()
    assert (counted.seq, counted.answer.choice) == (2, 0b1)


def test_sigterm_loses_no_acknowledged_answer(platform: Platform) -> None:
    """A rollout during the exam: every receipt holds, the process exits with 0 and releases its lease."""
    solver = platform.start()
    attempt = solver.start_attempt().json()["attempt_token"]
    assert SolverLease.objects.count() == 1

    def answer(seq: int) -> int | None:
        try:
            response = solver.put(attempt, seq, seq % 4)
        except httpx.TransportError:
            return None
        assert response.status_code in {200, 503, 429, 409}, response.text
        return seq if response.status_code == 200 else None

    with ThreadPoolExecutor(8) as clients:
        waiting = [clients.submit(answer, seq) for seq in range(1, 24)]
        code = solver.child.stop()
        acknowledged = {seq for future in waiting if (seq := future.result())}
    assert code == 0
    assert SolverLease.objects.count() == 0
    assert acknowledged <= {row.seq for row in platform.rows().answers}
    events = [line["event"] for line in solver.lines()]
    assert "lease_released" in events
    assert not {"request_failed", "work_in_flight_failed", "lease_loop_crashed"} & set(events)


def test_a_sitting_that_cannot_be_read_is_unavailable_and_the_solver_ready(platform: Platform, as_owner) -> None:
    """A sitting is in a state of a newer release: its students get 503 and retry, those of another one are served."""
    unreadable = Sitting.objects.get(id=platform.sitting.id)
    unreadable.pk, unreadable.name = uuid4(), "newer"
    unreadable.save(force_insert=True)
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE sittings_sitting DROP CONSTRAINT sitting_state_known")
    try:
        Sitting.objects.filter(pk=unreadable.pk).update(state="postponed")
        solver = platform.start()
        headers = {"Authorization": f"Bearer {platform.token()}"}
        refused = solver.client.post(f"/v1/sittings/{unreadable.pk}/attempt", headers=headers)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert "cannot read the sitting" in refused.json()["detail"]
        started = solver.start_attempt()
        assert started.status_code == 201
        assert solver.put(started.json()["attempt_token"], 1, 0).status_code == 200
        assert solver.client.get("/readyz").status_code == 200
        assert "exam_solver_lease_sittings_skipped 1.0" in solver.client.get("/metrics").text
    finally:
        Sitting.objects.filter(pk=unreadable.pk).delete()
        with as_owner(), connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE sittings_sitting ADD CONSTRAINT sitting_state_known"
                " CHECK (state IN ('scheduled', 'closing', 'sealed', 'cancelled'))"
            )


def test_a_solver_starts_and_serves_without_redis(platform: Platform) -> None:
    """Redis is down: papers are read from Cassandra."""
    solver = platform.start(EXAM_REDIS_URL="redis://127.0.0.1:1/0")
    started = solver.start_attempt()
    assert started.status_code == 201
    assert solver.put(started.json()["attempt_token"], 1, 0).status_code == 200


def test_a_solver_listens_on_both_families(platform: Platform) -> None:
    """If a solver listens on `::`, as its pods do, IPv4 and IPv6 clients are answered; by default IPv6 ones are not."""
    both = platform.start("--host", "::")
    for address in ("127.0.0.1", "[::1]"):
        assert httpx.get(f"http://{address}:{both.port}/readyz", trust_env=False).is_success
    one = platform.start()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://[::1]:{one.port}/readyz", trust_env=False)
