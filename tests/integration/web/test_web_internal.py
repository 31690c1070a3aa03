"""The internal API on real stores: authentication, and the lifecycle of a sitting."""

from datetime import datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
import redis
from django.core.management import CommandError, call_command
from django.utils import timezone

from exam_core.instants import SECOND
from exam_core.problems import Problem
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.environments.processes.servers.cassandra import Cassandra
from exam_harness.environments.processes.servers.redis import Redis
from exam_web.common.clock import database_now
from exam_web.settings import ENVIRONMENT
from exam_web.sittings.models import Sitting, SolverLease
from exam_web.sittings.services import locking, pause_begin, pause_end, window_change

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PAPER = (REPOSITORY / "k8s/samples/papers/algebra-101.yaml").read_text()


def test_internal_paths_need_the_service_token(client, internal, log_in, people) -> None:
    """Without a token, with a wrong one and with a user's token the internal API returns 401."""
    student = log_in(people.student)
    answers = [
        client.get("/internal/sittings/x", SERVER_PORT=ENVIRONMENT.internal_port),
        internal.with_token("wrong")("GET", "/sittings/x"),
        internal.with_token("wrong-é")("GET", "/sittings/x"),
        student.client.get("/internal/sittings/x", SERVER_PORT=ENVIRONMENT.internal_port),
    ]
    assert [answer.status_code for answer in answers] == [401] * 4
    assert internal("GET", "/sittings/x").status_code == 404


def test_a_faulty_document_returns_422_with_its_lines(internal, spec) -> None:
    """A document with faults is 422 with the line and reason of each, and creates no exam."""
    faulty = PAPER.replace("kind: single", "kind: essay", 1).replace("title:", "tittle:", 1)
    answer = internal("PUT", "/exams", faulty)
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    reasons = {(fault["line"], fault["reason"].split(" ")[0]) for fault in answer.json()["faults"]}
    assert len(reasons) >= 2
    assert all(line > 0 for line, _ in reasons)
    assert internal("PUT", "/sittings/midterm", spec()).status_code == 404


def test_provisioning_distributes_the_paper_without_the_key(
    internal, cassandra: Cassandra, redis_server: Redis, spec
) -> None:
    """After provisioning, Cassandra has the paper and its two images, Redis the paper, and neither the key."""
    assert internal("PUT", "/exams", PAPER).json() == {
        "slug": "algebra-101",
        "level": "year-1",
        "questions": 20,
        "frozen_for": [],
    }
    status = internal("PUT", "/sittings/midterm", spec()).json()
    assert (status["state"], status["name"], status["seal"]) == ("scheduled", "midterm", None)
    with cassandra.session() as session:
        rows = list(session.execute("SELECT digest, part, data FROM exam.papers"))
    parts = {row.part: bytes(row.data) for row in rows if row.digest == status["paper"] or row.part != "paper"}
    sitting = Sitting.objects.get()
    assert parts["paper"] == bytes(sitting.paper.body)
    assert {image.sha256 for image in sitting.paper.images.all()} <= parts.keys()
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.get(f"paper:{status['paper']}") == parts["paper"]
        kept = b"".join(client.get(key) or b"" for key in client.keys("*") if client.type(key) == b"string")
    key = bytes(sitting.key.body)
    assert b'"answers"' in key
    for public in (kept, *parts.values()):
        assert key not in public
        assert b"tolerance" not in public
        assert b"correct" not in public


def test_the_lifecycle_of_a_sitting(internal, people, spec) -> None:
    """Extend, accommodate, pause, resume, stop: each call returns the new status."""
    internal("PUT", "/exams", PAPER)
    first = internal("PUT", "/sittings/midterm", spec()).json()
    again = internal("PUT", "/sittings/midterm", spec(**{k: first["window"][k] for k in ("opens_at", "closes_at")}))
    assert again.json()["epoch"] == first["epoch"], "provisioning is idempotent"
    later = (timezone.now() + timedelta(hours=3)).isoformat()
    moved = internal("PATCH", "/sittings/midterm/window", {"closes_at": later}).json()
    assert moved["window"]["closes_at"] > first["window"]["closes_at"]
    extra = internal("PUT", "/sittings/midterm/accommodations/sara", {"extra_us": 600_000_000}).json()
    assert extra["ends_at"] > moved["ends_at"]
    assert internal("POST", "/sittings/midterm/pause").json()["window"]["paused"] is True
    assert internal("POST", "/sittings/midterm/resume").json()["window"]["paused"] is False
    assert internal("POST", "/sittings/midterm/close").status_code == 409
    assert internal("POST", "/sittings/midterm/drain").status_code == 409, "only a closed sitting is drained"
    stopped = internal("POST", "/sittings/midterm/stop").json()
    assert (stopped["state"], stopped["drained"], stopped["waiting_for"]) == ("closing", False, [])
    drained = internal("POST", "/sittings/midterm/drain").json()
    assert (drained["state"], drained["drained"], drained["waiting_for"]) == ("closing", True, [])
    assert drained.keys() == internal("GET", "/sittings/midterm").json().keys()
    assert internal("PUT", "/sittings/midterm/revisions/1").status_code == 409, "a revision needs the seal"
    assert internal("POST", "/sittings/midterm/revisions/1/publish").status_code == 404
    assert internal("POST", "/sittings/midterm/cancel").status_code == 409
    assert internal("GET", f"/sittings/{first['id']}").json()["state"] == "closing"


def test_reading_a_sitting_changes_nothing(internal, people, spec) -> None:
    """A status can be read as often as one likes: only a drain records that the sitting has drained."""
    internal("PUT", "/exams", PAPER)
    internal("PUT", "/sittings/midterm", spec())
    internal("POST", "/sittings/midterm/stop")
    lease = SolverLease.objects.create(
        holder=uuid4(), renewed_at=timezone.now(), ttl=timedelta(seconds=10), drained_epoch=0
    )
    before = Sitting.objects.get()
    for _ in range(2):
        status = internal("GET", "/sittings/midterm").json()
        (waiting,) = status["waiting_for"]
        assert (status["drained"], waiting["holder"], waiting["acknowledged"]) == (False, str(lease.holder), 0)
        assert datetime.fromisoformat(waiting["expires_at"]) > datetime.fromisoformat(status["now"])
    assert not internal("POST", "/sittings/midterm/drain").json()["drained"]
    lease.delete()
    assert not internal("GET", "/sittings/midterm").json()["drained"]
    assert Sitting.objects.get().__dict__ | {"_state": None} == before.__dict__ | {"_state": None}
    assert [internal("POST", "/sittings/midterm/drain").json()["drained"] for _ in range(2)] == [True, True]
    assert internal("GET", "/sittings/midterm").json()["drained"]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"duration_us": 0}, "duration_us"),
        ({"candidates": 0}, "candidates"),
        ({"opens_at": "soon"}, "opens_at"),
        ({"publish": "never"}, "publish"),
        ({"closes_at": "2020-01-01T00:00:00Z"}, "close after it opens"),
        ({"duration_us": 10**19}, "duration_us"),
        ({"duration_us": 10**18}, "duration_us"),
        ({"opens_at": "0001-01-01T00:00:00Z"}, "opens_at"),
        ({"opens_at": "2026-01-15T09:00:00"}, "opens_at"),
        ({"opens_at": "2026-01-15"}, "opens_at"),
        ({"opens_at": 1_800_000_000}, "opens_at"),
        ({"opens_at": "1800000000"}, "opens_at"),
        ({"closes_at": "9999-12-31T23:59:59-12:00"}, "closes_at"),
        ({"closes_at": "2099-12-31T23:59:59Z"}, "closes_at: a window is at most 720 hours"),
        ({"closes_at": 4_000_000_000_000}, "closes_at"),
        ({"duration_us": True}, "duration_us"),
        ({"duration_us": float("nan")}, "duration_us"),
        ({"duration_us": float("inf")}, "duration_us"),
        ({"candidates": 10**12}, "candidates"),
        ({"candidates": 10**20}, "candidates"),
        ({"exam": "\ud800"}, "cannot be stored"),
    ],
)
def test_an_invalid_spec_returns_422_with_its_field(internal, changes, where: str, spec) -> None:
    """An invalid field of the spec is named, and no sitting is created."""
    internal("PUT", "/exams", PAPER)
    answer = internal("PUT", "/sittings/midterm", spec(**changes))
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert where in answer.json()["detail"]
    assert not Sitting.objects.exists()


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("window", {"closes_at": "2027-01-15T09:00:00"}, "closes_at"),
        ("window", {"closes_at": "2027-01-15"}, "closes_at"),
        ("window", {"closes_at": "9999-12-31T23:59:59-12:00"}, "closes_at"),
        ("window", {"closes_at": "2090-01-01T00:00:00Z"}, "closes_at: a window is at most 720 hours"),
        ("window", {"closes_at": 4_000_000_000}, "closes_at"),
        ("window", {"opens_at": "0001-01-01T00:00:00+14:00"}, "opens_at"),
        ("window", {"duration_us": 10**18}, "duration_us"),
        ("window", {"duration_us": 10**19}, "duration_us"),
        ("accommodations/{student}", {"extra_us": -1}, "extra_us"),
        ("accommodations/{student}", {"extra_us": 10**20}, "extra_us"),
    ],
)
def test_a_change_out_of_bounds_returns_422_with_its_field(internal, people, spec, path, body, field) -> None:
    """A change outside the bounds of instants and spans is rejected by its field's name and changes nothing."""
    internal("PUT", "/exams", PAPER)
    before = internal("PUT", "/sittings/midterm", spec()).json()
    method = "PATCH" if path == "window" else "PUT"
    answer = internal(method, f"/sittings/midterm/{path.format(student=people.student.username)}", body)
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert field in answer.json()["detail"]
    assert internal("GET", "/sittings/midterm").json()["epoch"] == before["epoch"]


def test_services_reject_values_out_of_bounds(provision) -> None:
    """Every caller of the services has the same bounds, also one that does not use the API's schemas."""
    with pytest.raises(Problem, match=r"duration: .* 24 hours"):
        provision(duration=86_401)
    with pytest.raises(Problem, match=r"closes_at: .* 2000 to 2099"):
        provision(closes=100 * 366 * 86_400)
    with pytest.raises(Problem, match=r"closes_at: a window is at most 720 hours"):
        provision(opens=3600, closes=3601 + 720 * 3600)
    with pytest.raises(Problem, match=r"candidates: .* from 1 to 1000000, not 1000001"):
        provision(candidates=1_000_001)
    for name in ("", "a" * 254, "a\nb", "a\0b", "\ud800"):
        with pytest.raises(Problem, match="name: a name has 1 to 253 printable characters"):
            provision(name)
    assert not Sitting.objects.exists()
    sitting = provision()
    with pytest.raises(Problem, match=r"closes_at: .* no UTC offset"):
        window_change(sitting=sitting.id, closes_at=sitting.closes_at.replace(tzinfo=None))


def test_a_window_may_be_as_long_as_that_of_an_exam_resource(provision) -> None:
    """A window of exactly 720 hours is accepted, and cannot be extended; that it was longer before does not matter."""
    sitting = provision(opens=3600, closes=3600 + 720 * 3600)
    with pytest.raises(Problem, match="closes_at: a window is at most 720 hours"):
        window_change(sitting=sitting.id, closes_at=sitting.closes_at + timedelta(microseconds=1))
    Sitting.objects.filter(id=sitting.id).update(closes_at=sitting.closes_at + timedelta(days=9))
    assert window_change(sitting=sitting.id, closes_at=sitting.closes_at).closes_at == sitting.closes_at


def test_a_pause_is_never_reversed_by_the_clock(open_now, monkeypatch) -> None:
    """If the platform's clock is set back during or after a pause, each pause ends after it began, in order."""
    now = database_now()
    times = iter([now, now - 10 * SECOND, now - 20 * SECOND, now - 5 * SECOND])
    monkeypatch.setattr(locking, "database_now", lambda: next(times))
    for change in (pause_begin, pause_end, pause_begin, pause_end):
        window = change(sitting=open_now.id).window
    assert [(pause.began, pause.ended) for pause in window.pauses] == [(now, now), (now, now)]


@pytest.mark.parametrize(
    ("name", "closes_at", "fault"),
    [
        ("a" * 254, "2090-01-15T11:00:00Z", "name: "),
        ("\udcff", "2090-01-15T11:00:00Z", "name: "),
        ("midterm", "2090-06-15T11:00:00Z", "closes_at: a window is at most 720 hours"),
        ("midterm", "9999-12-31T23:59:59-12:00", "--closes-at: .* 2000 to 2099"),
        ("midterm", "2090-01-15", "--closes-at: .* no UTC offset"),
    ],
)
def test_the_command_rejects_a_window_out_of_bounds(algebra, name: str, closes_at: str, fault: str) -> None:
    """The command fails with a message that names the value, and schedules nothing."""
    window = ("--opens-at", "2090-01-15T09:00:00Z", "--closes-at", closes_at, "--minutes", "30")
    with pytest.raises(CommandError, match=fault):
        call_command("schedule_sitting", name, "--exam", algebra.slug, *window)
    assert not Sitting.objects.exists()


@pytest.mark.parametrize("minutes", ["nan", "inf", "1e300", "1e9"])
def test_the_command_rejects_minutes_out_of_bounds(algebra, minutes: str) -> None:
    """The command fails with a message that names the argument, and schedules nothing."""
    window = ("--opens-at", "2090-01-15T09:00:00Z", "--closes-at", "2090-01-15T11:00:00Z")
    with pytest.raises(CommandError, match="--minutes: a duration must be positive"):
        call_command("schedule_sitting", "midterm", "--exam", algebra.slug, *window, "--minutes", minutes)
    assert not Sitting.objects.exists()


def test_provisioning_without_cassandra_can_be_retried(internal, monkeypatch, cassandra_env, spec) -> None:
    """With Cassandra down provisioning is 503 with Retry-After; the sitting is kept, and a retry completes it."""
    internal("PUT", "/exams", PAPER)
    body = spec()
    monkeypatch.setenv("EXAM_CASSANDRA_PORT", "1")
    refused = internal("PUT", "/sittings/midterm", body)
    assert (refused.status_code, "Retry-After" in refused) == (503, True)
    kept = Sitting.objects.get()
    assert internal("GET", "/sittings/midterm").json()["distributed"] is False
    monkeypatch.setenv("EXAM_CASSANDRA_PORT", cassandra_env["EXAM_CASSANDRA_PORT"])
    done = internal("PUT", "/sittings/midterm", body)
    assert (done.status_code, done.json()["id"]) == (200, str(kept.id))
    assert done.json()["distributed"] is True


def test_a_frozen_paper_can_be_distributed_later(internal, monkeypatch, cassandra, cassandra_env, spec) -> None:
    """If provisioning failed after freezing the paper, the paper can be distributed afterwards."""
    internal("PUT", "/exams", PAPER)
    monkeypatch.setenv("EXAM_CASSANDRA_PORT", "1")
    assert internal("PUT", "/sittings/midterm", spec()).status_code == 503
    assert internal("POST", "/sittings/midterm/distribute").status_code == 503
    monkeypatch.setenv("EXAM_CASSANDRA_PORT", cassandra_env["EXAM_CASSANDRA_PORT"])
    done = internal("POST", "/sittings/midterm/distribute").json()
    assert done["distributed"] is True
    with cassandra.session() as session:
        assert done["paper"] in {row.digest for row in session.execute("SELECT digest FROM exam.papers")}


def test_the_graders_role_has_least_privilege(people, algebra, postgres) -> None:
    """The grader's role reads papers and writes seals; it reads no password and changes no exam."""
    from django.db import connection  # noqa: PLC0415 - the test database's name is known only now

    dsn = postgres.dsn("exam_grader", connection.settings_dict["NAME"])
    with psycopg.connect(dsn, autocommit=True) as grader:
        assert grader.execute("SELECT count(*) FROM sittings_paperkey").fetchone() == (0,)
        for forbidden in (
            "SELECT password FROM users_user",
            "UPDATE exams_choice SET correct = true",
            "DELETE FROM sittings_sealedbucket",
            "UPDATE sittings_sitting SET opens_at = now()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                grader.execute(forbidden)
