"""Killed processes, lost tasks and modified seals: degrees are correct, or nothing is graded."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from django.db import connection, connections

from exam_core.canonical import digest
from exam_grader.broker.celery_app import GRADE_CHUNK
from exam_grader.broker.redis_broker import CHUNKS, PREFIX
from exam_harness.environments.processes.process import ChildProcess
from exam_harness.environments.processes.servers.cassandra import Cassandra
from exam_harness.environments.processes.servers.postgres import Postgres
from exam_web.degrees.models import Degree
from exam_web.sittings.models import SealedBucket

pytestmark = pytest.mark.integration

COORDINATE = ("coordinate", "--timeout", "120", "--sitting")


def _children(process: ChildProcess) -> list[int]:
    """The processes that a process forked."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


@contextmanager
def _bucket_blocked(postgres: Postgres, sitting: UUID, bucket: int) -> Iterator[None]:
    """Block the recording of this bucket by an uncommitted row of the same key."""
    with psycopg.connect(postgres.dsn("exam_web", connection.settings_dict["NAME"])) as blocker:
        blocker.execute(
            "INSERT INTO sittings_sealedbucket (sitting_id, bucket, answers, students, digest)"
            " VALUES (%s, %s, 0, 0, '')",
            [sitting, bucket],
        )
        yield
        blocker.rollback()


def _tamper(cassandra: Cassandra, sitting: UUID, bucket: int) -> None:
    """Change a submission time in a stored seal, and its stored digest accordingly."""
    with cassandra.session() as session:
        key = (sitting, bucket)
        (data,) = session.execute("SELECT data FROM exam.sealed WHERE sitting = %s AND bucket = %s", key).one()
        forged = bytes(data).replace(b'"submitted_at":null', b'"submitted_at":1', 1)
        assert forged != bytes(data)
        session.execute(
            "UPDATE exam.sealed SET data = %s, digest = %s WHERE sitting = %s AND bucket = %s",
            (forged, bytes.fromhex(digest(forged)), *key),
        )


def test_chunks_of_a_killed_worker_are_graded_by_another(
    seeded, start, wait_until, graders_blocked, graders_waiting
) -> None:
    """Kill a worker while it writes degrees, start another: every degree is right and every chunk graded once."""
    worker = start("worker")
    start(*COORDINATE, seeded.name)
    wait_until(lambda: graders_waiting() == 2, "two chunks are in the middle of their transactions")
    worker.kill()
    start("worker")
    graders_blocked.rollback()
    wait_until(seeded.is_graded, "the revision is graded")
    seeded.assert_graded_once()


def test_chunks_of_a_killed_pool_process_are_graded_again(
    seeded, start, wait_until, graders_blocked, graders_waiting
) -> None:
    """When the kernel kills one process of a worker, the worker keeps running and the chunk is graded again."""
    worker = start("worker")
    start(*COORDINATE, seeded.name)
    wait_until(lambda: graders_waiting() == 2, "two chunks are in the middle of their transactions")
    os.kill(_children(worker)[0], signal.SIGKILL)
    graders_blocked.rollback()
    wait_until(seeded.is_graded, "the revision is graded")
    seeded.assert_graded_once()


def test_a_stopped_worker_returns_its_chunks(
    seeded, start, wait_until, graders_blocked, graders_waiting, broker, tmp_path
) -> None:
    """A rollout stops a busy worker: its chunks are back in the queue at once."""
    worker = start("worker")
    start(*COORDINATE, seeded.name, EXAM_GRADER_STALL_SECONDS="600")
    wait_until(lambda: graders_waiting() == 2, "two chunks are in the middle of their transactions")
    assert worker.stop() == 0
    assert list(tmp_path.glob("exam-grader-*")) == []
    assert broker.llen(PREFIX + CHUNKS) == seeded.row.buckets
    graders_blocked.rollback()
    start("worker")
    wait_until(seeded.is_graded, "the revision is graded")
    seeded.assert_graded_once()


def test_chunks_lost_by_the_broker_are_enqueued_again(
    seeded, start, wait_until, graders_blocked, graders_waiting, broker
) -> None:
    """Redis loses every task: the chunks that the ledger misses are enqueued again."""
    start("worker")
    coordinator = start(*COORDINATE, seeded.name)
    wait_until(lambda: graders_waiting() == 2, "two chunks are in the middle of their transactions")
    broker.flushall()
    graders_blocked.rollback()
    wait_until(seeded.is_graded, "the revision is graded")
    seeded.assert_graded_once()
    assert coordinator.log.read_text().count('"chunks_enqueued"') >= 2


def test_a_chunk_delivered_again_changes_nothing(seeded, start, coordinate, wait_until, send) -> None:
    """A task that is delivered twice writes no degree twice."""
    worker = start("worker")
    assert coordinate("--sitting", seeded.name).returncode == 0
    before = list(Degree.objects.order_by("id").values())
    for chunk in seeded.ledger():
        send(GRADE_CHUNK, str(seeded.sitting), 1, chunk)
    ended = "Task exam_grader.grade_chunk"
    wait_until(
        lambda: (
            sum(ended in line and "succeeded" in line for line in worker.log.read_text().splitlines())
            >= 2 * len(seeded.ledger())
        ),
        "every chunk was delivered twice",
    )
    assert list(Degree.objects.order_by("id").values()) == before
    seeded.assert_graded_once()


def test_a_tampered_seal_is_not_graded(seeded, start, coordinate, wait_until, cassandra) -> None:
    """A seal changed in Cassandra is not graded, and the error names its bucket."""
    assert coordinate("--sitting", seeded.name, "--timeout", "1").returncode == 75
    victim = SealedBucket.objects.filter(sitting=seeded.sitting, answers__gt=0).first()
    assert victim is not None
    _tamper(cassandra, seeded.sitting, victim.bucket)
    worker = start("worker")
    refused = coordinate("--sitting", seeded.name)
    assert refused.returncode == 4
    assert f"bucket {victim.bucket} is damaged" in refused.stdout
    wait_until(lambda: len(seeded.ledger()) == seeded.row.buckets - 1, "all other chunks are graded")
    assert victim.bucket not in seeded.ledger()
    assert not seeded.is_graded()
    assert Degree.objects.filter(revision=seeded.revision()).count() == len(seeded.expected()) - victim.students
    assert f"bucket {victim.bucket} is damaged" in worker.log.read_text()


def test_a_stopped_coordinator_exits_as_resumable(seeded, start, wait_until) -> None:
    """When its pod is evicted, the coordinator exits soon with the code for «run again»."""
    coordinator = start(*COORDINATE, seeded.name)
    wait_until(lambda: "chunks_enqueued" in coordinator.log.read_text(), "it waits for graders")
    assert coordinator.stop() == 75
    assert "the command is resumable" in coordinator.log.read_text()


def test_concurrent_coordinators_grade_once(seeded, start, wait_until) -> None:
    """Kubernetes may start a Job's program twice: both succeed, and every chunk is graded once."""
    start("worker")
    both = [start(*COORDINATE, seeded.name) for _ in range(2)]
    wait_until(lambda: not any(child.alive for child in both), "both coordinators ended")
    assert [child._running().returncode for child in both] == [0, 0]
    seeded.assert_graded_once()


def test_concurrent_coordinators_are_safe_without_the_lock(seeded, make_grader) -> None:
    """The lock only saves work: two coordinators without it still write one set of degrees."""
    ends: list[str] = []

    def go() -> None:
        grader = make_grader()
        try:
            coordinator = grader.coordinator(
                seeded.sitting, 1, on_report=lambda _report: None, local=True, parallelism=2
            )
            ends.append(coordinator.advance().phase.value)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == ["done", "done"]
    seeded.assert_graded_once()


def test_a_coordinator_killed_while_sealing_is_taken_over(seeded, start, coordinate, wait_until, postgres) -> None:
    """The coordinator dies with some buckets sealed: the next one seals the rest and the degrees are right."""
    with _bucket_blocked(postgres, seeded.sitting, 5):
        first = start("coordinate", "--sitting", seeded.name, "--parallelism", "1", "--local")
        wait_until(lambda: SealedBucket.objects.filter(sitting=seeded.sitting).count() == 5, "five buckets are sealed")
        first.kill()
    done = coordinate("--sitting", seeded.name, "--local")
    assert done.returncode == 0, done.stdout
    details = [json.loads(line)["detail"] for line in done.stdout.splitlines() if '"sealing"' in line]
    assert details[0].endswith(f"5 of {seeded.row.buckets} buckets sealed")
    seeded.assert_graded_once()
