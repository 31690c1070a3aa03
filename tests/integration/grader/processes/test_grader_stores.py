"""The grader's lock in PostgreSQL, its marks in Redis, and the revisions that its periodic task finds."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from exam_grader.broker.redis_broker import CHUNKS, CONTROL, RedisBroker
from exam_grader.coordination.lock import SittingLock
from exam_harness.environments.processes.servers.redis import Redis
from exam_web.sittings.models import Revision, Sitting
from exam_web.sittings.selectors import is_due_for_publication, revisions_unfinished
from exam_web.sittings.services import revision_open

pytestmark = pytest.mark.integration


@pytest.fixture
def dsn(postgres, database) -> str:
    """The test database as the grader reaches it."""
    return postgres.dsn("exam_grader", connection.settings_dict["NAME"])


def test_one_coordinator_per_sitting_holds_the_lock(dsn, wait_until) -> None:
    """Two coordinators of one sitting take turns; those of two sittings do not wait for each other."""
    sitting = uuid4()
    with SittingLock(dsn, sitting) as first, SittingLock(dsn, sitting) as second, SittingLock(dsn, uuid4()) as other:
        assert first.acquire()
        assert not second.acquire()
        assert other.acquire()
        assert first.acquire()
        first.release()
        wait_until(second.acquire, "PostgreSQL noticed that the connection is closed")
        assert not first.acquire()


def test_the_lock_of_a_coordinator_that_died_is_free(dsn, postgres, wait_until) -> None:
    """The next coordinator need not wait for a killed one; one that lost its connection must acquire the lock again."""
    sitting = UUID(int=2**127 + 5)
    with SittingLock(dsn, sitting) as lock, SittingLock(dsn, sitting) as next_one:
        assert lock.acquire()
        with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%lock'")
        wait_until(next_one.acquire, "PostgreSQL ended the connection")
        with pytest.raises(psycopg.OperationalError):
            lock.acquire()
        assert not lock.acquire()


def test_the_mark_of_enqueued_chunks_expires(broker, in_process, wait_until) -> None:
    """The mark that chunks were enqueued expires by itself, and is lost with the broker's memory."""
    marks = RedisBroker(str(in_process.broker_url))
    assert not marks.is_marked_enqueued(7)
    marks.mark_enqueued(7, 600)
    assert (marks.is_marked_enqueued(7), marks.is_marked_enqueued(8)) == (True, False)
    broker.flushall()
    assert not marks.is_marked_enqueued(7)
    marks.mark_enqueued(7, 0.05)
    wait_until(lambda: not marks.is_marked_enqueued(7), "the mark expired")


def test_the_queue_depth_counts_waiting_tasks(broker, in_process, send) -> None:
    """I see how many chunks wait, apart from control tasks."""
    marks = RedisBroker(str(in_process.broker_url))
    send("exam_grader.grade_chunk", str(uuid4()), 1, 0)
    send("exam_grader.grade_chunk", str(uuid4()), 1, 1)
    send("exam_grader.close_due")
    assert (marks.queue_depth(CHUNKS), marks.queue_depth(CONTROL)) == (2, 1)
    assert {key.decode().split(":")[0] for key in broker.keys("*")} == {"exam"}


def test_a_revision_that_a_dead_coordinator_left_unpublished_is_published(seeded, make_grader) -> None:
    """Graded and to be published automatically, but the coordinator died in between: the periodic task finds it."""
    grader = make_grader()
    for number in (1, 2):
        if number > 1:
            revision_open(sitting=seeded.sitting, number=number)
        coordinator = grader.coordinator(seeded.sitting, number, on_report=lambda _report: None, local=True)
        coordinator.sitting.publish_revision = lambda: (_ for _ in ()).throw(KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            coordinator.advance()
        assert seeded.row.published_revision == number - 1
        assert (seeded.sitting, number) in set(grader.close_due())
        assert grader.coordinate(seeded.sitting, number).phase.value == "done"
        assert seeded.row.published_revision == number
        assert list(grader.close_due()) == []


def test_a_revision_is_due_for_publication_while_no_later_one_is_published(seeded, make_grader) -> None:
    """Only sittings that publish automatically are published, and an old revision never replaces a new one."""
    Sitting.objects.update(publish=Sitting.Publish.MANUAL)
    coordinator = make_grader().coordinator(seeded.sitting, 1, on_report=lambda _report: None, local=True)
    assert coordinator.advance().text.endswith("revision 1 is graded, not published")
    for publish, published, due in (("manual", 0, False), ("automatic", 0, True), ("automatic", 1, False)):
        Sitting.objects.update(publish=publish, published_revision=published)
        assert is_due_for_publication(seeded.revision()) is due
        assert list(revisions_unfinished()) == [(seeded.sitting, 1)] * due
    Sitting.objects.update(publish="automatic", published_revision=0)
    Revision.objects.update(note="Question 3 was not part of the course.")
    assert not is_due_for_publication(seeded.revision()), "a regrade is compared and published by hand"
    assert list(revisions_unfinished()) == []


def test_the_periodic_task_skips_open_sittings(seeded_open, make_grader) -> None:
    """The periodic task changes no sitting that is not over."""
    assert list(make_grader().close_due()) == []
    assert (seeded_open.row.state, Revision.objects.count()) == ("scheduled", 0)
    assert seeded_open.row.closes_at > timezone.now() + timedelta(minutes=30)


def test_grading_resumes_when_the_broker_returns(
    seeded, start, wait_until, graders_blocked, graders_waiting, stores_folder, tmp_path: Path
) -> None:
    """The broker restarts in the middle: workers, beat and coordinator reconnect, and every degree is right."""
    (tmp_path / "logs").mkdir()
    server = Redis(tmp_path, "broker")
    server.start()
    try:
        server.await_ready()
        env = {"EXAM_BROKER_URL": server.url_of("grader")}
        start("worker", **env)
        beat = start("beat", **env)
        coordinator = start("coordinate", "--sitting", seeded.name, **env)
        wait_until(lambda: graders_waiting() == 2, "two chunks are in the middle of their transactions")
        wait_until(lambda: "Sending due task" in beat.log.read_text(), "the beat has begun")
        server.stop()
        wait_until(lambda: "the broker is unavailable" in beat.log.read_text(), "the beat noticed")
        graders_blocked.rollback()
        wait_until(lambda: '"unavailable"' in coordinator.log.read_text(), "the coordinator noticed")
        server.start()
        server.await_ready()
        wait_until(seeded.is_graded, "the revision is graded")
        wait_until(lambda: not coordinator.alive, "the coordinator ended")
        assert beat.alive
        seeded.assert_graded_once()
    finally:
        server.stop()
