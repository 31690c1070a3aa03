"""From answers in the answer log to degrees in the database, with the processes as they are deployed."""

import json
from decimal import ROUND_HALF_UP, Decimal
from uuid import uuid4

import httpx
import pytest
from django.db import connection

from exam_core.schedule import State
from exam_harness.environments.processes.ports import free_ports
from exam_web.degrees.models import Degree
from exam_web.exams.models import Choice
from exam_web.sittings.models import Revision
from exam_web.sittings.services import revision_open, revision_regrade

pytestmark = pytest.mark.integration


def test_a_sitting_that_is_over_is_graded_by_the_workers(seeded, start, coordinate) -> None:
    """I run the coordinator: every degree equals a naive count, and is published."""
    start("worker")
    done = coordinate("--sitting", seeded.name)
    assert done.returncode == 0, done.stdout
    seeded.assert_graded_once()
    assert (seeded.row.state, seeded.row.published_revision) == (State.SEALED, 1)
    assert len(seeded.row.seal_digest) == 64


def test_a_local_coordinator_needs_no_broker_and_no_worker(seeded, coordinate) -> None:
    """With --local I need no Redis and no worker."""
    (unused_port,) = free_ports(1)
    done = coordinate("--sitting", str(seeded.sitting), "--local", EXAM_BROKER_URL=f"redis://127.0.0.1:{unused_port}/0")
    assert done.returncode == 0, done.stdout
    seeded.assert_graded_once()


def test_coordinating_a_published_sitting_changes_nothing(seeded, coordinate) -> None:
    """Running the coordinator again succeeds at once and changes nothing."""
    assert coordinate("--sitting", seeded.name, "--local").returncode == 0
    before = (seeded.row.epoch, seeded.row.published_at, seeded.degrees())
    assert coordinate("--sitting", seeded.name, "--local", "--timeout", "30").returncode == 0
    assert (seeded.row.epoch, seeded.row.published_at, seeded.degrees()) == before


def test_an_open_window_is_rejected_unless_stopped(seeded_open, coordinate) -> None:
    """I cannot grade an open sitting by mistake; with --stop I end it and grade what was answered."""
    refused = coordinate("--sitting", seeded_open.name, "--local")
    assert refused.returncode == 3
    assert "--stop" in refused.stdout
    assert seeded_open.row.state == State.SCHEDULED
    stopped = coordinate("--sitting", seeded_open.name, "--local", "--stop")
    assert stopped.returncode == 0, stopped.stdout
    seeded_open.assert_graded_once()
    assert seeded_open.row.stopped_at is not None


def test_an_unknown_sitting_is_rejected(grader_env, coordinate) -> None:
    """If I mistype the name, the error names the sitting that was not found."""
    refused = coordinate("--sitting", "no-such-sitting")
    assert refused.returncode == 3
    assert "sitting 'no-such-sitting' not found" in refused.stdout


def test_the_periodic_task_closes_grades_and_publishes(seeded, start, wait_until) -> None:
    """Without an operator, a sitting that is over ends in published degrees; two beats are safe."""
    start("worker")
    start("beat")
    start("beat")
    wait_until(lambda: seeded.row.published_revision == 1, "the degrees are published")
    seeded.assert_graded_once()


def test_nothing_is_sealed_while_a_solver_may_still_acknowledge(seeded, coordinate, as_owner) -> None:
    """While a solver's lease lives the sitting is closing and the output names the process that blocks the drain."""
    holder = uuid4()
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SELECT solver_renew(%s, 30000, 0, 0, 0)", [holder])
    waiting = coordinate("--sitting", seeded.name, "--local", "--timeout", "2")
    assert waiting.returncode == 75
    assert f"waiting for solver process {holder}" in waiting.stdout
    assert (seeded.row.state, seeded.row.sealed_buckets.count()) == (State.CLOSING, 0)
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SELECT solver_release(%s)", [holder])
    assert coordinate("--sitting", seeded.name, "--local").returncode == 0
    seeded.assert_graded_once()


def test_a_corrected_key_makes_a_new_revision_beside_the_old(seeded, coordinate) -> None:
    """I correct the key and regrade: new degrees are published, and the old revision keeps its own."""
    assert coordinate("--sitting", seeded.name, "--local").returncode == 0
    old = seeded.degrees()
    choices = Choice.objects.filter(question__exam=seeded.row.exam, question__ident="q0")
    choices.update(correct=False)
    choices.filter(ident="c2").update(correct=True)
    revision_open(sitting=seeded.sitting, number=2)
    regraded = coordinate("--sitting", seeded.name, "--local", "--revision", "2")
    assert regraded.returncode == 0, regraded.stdout
    seeded.assert_graded_once(2)
    assert seeded.degrees(1) == old
    assert seeded.degrees(2) != old
    assert seeded.row.published_revision == 2


def test_a_revision_with_adjustments_is_graded(seeded, coordinate) -> None:
    """I regrade with adjustments: each degree is what a naive count gives, and the old revision keeps its own."""
    assert coordinate("--sitting", seeded.name, "--local").returncode == 0
    old = seeded.degrees()
    adjustments = [
        {"change": "full-credit", "question": 0, "to": "all", "reason": "Two answers were right."},
        {"change": "leave-out", "question": 1, "reason": "Not part of the course."},
        {"change": "accept-number", "question": 2, "answer": "2.7500001", "credit": 0.5, "reason": "Rounded."},
        {"change": "weight", "question": 3, "weight": 3, "reason": "Announced with three points."},
    ]
    revision = revision_regrade(sitting=seeded.sitting, note="The board's decision", adjustments=adjustments)
    regraded = coordinate("--sitting", seeded.name, "--local", "--revision", "2")
    assert regraded.returncode == 0, regraded.stdout

    def adjusted(student: int) -> Decimal:
        answers = seeded.last_answers[student]
        added = Decimal("0.25") * (answers.get(0) != {"choice 1"})
        added -= Decimal("0.5") * (answers.get(1) == {"choice 1", "choice 3"})
        added += Decimal("0.375") * (answers.get(2) == "2.7500001")
        added += 2 * (answers.get(3) == {"choice 1"})
        return (old[student] + added).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)

    assert seeded.degrees(2) == {student: adjusted(student) for student in old}
    # It is compared and published by hand, though the sitting published its first degrees automatically.
    assert (seeded.degrees(1), seeded.row.published_revision) == (old, 1)
    rows = Degree.objects.filter(revision=revision)
    # 12 questions of 1/4, 2/4, … points, without one of 1/2, and with 3 points for 1.
    assert set(rows.values_list("maximum", flat=True)) == {Decimal("21.00")}
    assert {(points[0], points[1]) for points in rows.values_list("points", flat=True)} == {("0.25", None)}


def test_a_forged_message_opens_no_revision(seeded, start, coordinate, send, wait_until) -> None:
    """Write access to the broker is no way to have answers graded by another key: web alone opens a second revision."""
    assert coordinate("--sitting", seeded.name, "--local").returncode == 0
    before = seeded.degrees()
    choices = Choice.objects.filter(question__exam=seeded.row.exam, question__ident="q0")
    choices.update(correct=False)
    choices.filter(ident="c2").update(correct=True)
    worker = start("worker")
    send("exam_grader.coordinate", str(seeded.sitting), 2)
    revisions = Revision.objects.filter(sitting=seeded.sitting).values_list("number", flat=True)
    wait_until(
        lambda: '"coordination_rejected"' in worker.log.read_text() or len(revisions.all()) > 1,
        "the message was handled",
    )
    assert list(revisions.all()) == [1]
    assert (seeded.row.published_revision, seeded.degrees()) == (1, before)
    by_hand = coordinate("--sitting", seeded.name, "--revision", "2")
    assert (by_hand.returncode, "revision 2" in by_hand.stdout) == (3, True)


def test_a_worker_serves_health_and_metrics(seeded, start, coordinate, wait_until) -> None:
    """A worker is ready when it reaches all three stores, and its metrics are those of all its processes."""
    (port,) = free_ports(1)
    start("worker", EXAM_METRICS_PORT=str(port))

    def ask(path: str) -> httpx.Response | None:
        try:
            return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=10)
        except httpx.TransportError:
            return None

    wait_until(lambda: (answer := ask("/readyz")) is not None and answer.status_code == 200, "the worker is ready")
    ready = ask("/readyz")
    assert ready is not None
    assert ready.json()["status"] == "ok"
    assert ready.json()["checks"].keys() == {"broker", "database", "answerlog"}
    assert coordinate("--sitting", seeded.name).returncode == 0
    metrics = ask("/metrics")
    assert metrics is not None
    assert f'exam_grader_chunks_total{{outcome="graded"}} {len(seeded.ledger())}.0' in metrics.text
    assert 'exam_grader_queue_depth{queue="chunks"} 0.0' in metrics.text
    health = ask("/healthz")
    assert health is not None
    assert (health.json()["status"], health.json()["checks"].keys()) == ("ok", {"loop"})


def test_a_request_id_is_logged_by_every_grader(seeded, start, coordinate) -> None:
    """The events of a chunk carry the request id of the coordinator that enqueued it; Celery's are JSON too."""
    worker = start("worker")
    assert coordinate("--sitting", seeded.name, EXAM_REQUEST_ID="req-from-the-operator").returncode == 0
    graded = [line for line in worker.log.read_text().splitlines() if '"chunk_graded"' in line]
    assert len(graded) == len(seeded.ledger())
    assert all('"request_id": "req-from-the-operator"' in line for line in graded)
    events = [json.loads(line) for line in worker.log.read_text().splitlines()]
    assert {event["service"] for event in events} == {"grader"}
    assert any(event["logger"].startswith("celery.") for event in events)
