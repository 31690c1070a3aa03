"""Messages that a writer of the broker makes up: no task name and no argument changes a degree or publishes one."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery, signature
from django.db import connection

from exam_core.schedule import State
from exam_grader.broker.celery_app import CLOSE_DUE, COORDINATE, GRADE_CHUNK, create_app
from exam_grader.broker.redis_broker import CHUNKS, CONTROL, PREFIX
from exam_grader.settings import GraderSettings
from exam_web.exams.models import Choice
from exam_web.sittings.models import Revision, Sitting
from exam_web.sittings.services import revision_open

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

INVENTED = ("publish", "exam_grader.publish", "exam_grader.open_revision", "exam_web.sittings.services.publish")
Message = tuple[str, tuple[Any, ...], dict[str, Any]]


@pytest.fixture
def app(in_process: GraderSettings) -> Iterator[Celery]:
    """An app of the writer's own on the platform's broker."""
    app = create_app(in_process)
    yield app
    app.close()


def arguments(sitting: str) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Arguments for any task: other revisions, chunks that do not exist, options of the coordinator's command."""
    for number in (0, -1, 1, 2, 3, 1.5, "2", None):
        yield (sitting, number), {}
        for chunk in (0, -1, 10**6, "0"):
            yield (sitting, number, chunk), {}
    for options in ({"stop": True}, {"local": True}, {"publish": True}, {"revision": 2}):
        yield (), {"sitting": sitting, "number": 2, **options}
    yield (), {}


def forged(app: Celery, sitting: str) -> Iterator[Message]:
    """Every task that a worker knows, Celery's own among them, and some that it does not, with forged arguments."""
    builtin = [name for name in app.tasks if name.startswith("celery.")]
    assert {"celery.map", "celery.starmap", "celery.group"} <= set(builtin)
    for name in (COORDINATE, GRADE_CHUNK, *INVENTED):
        for args, kwargs in arguments(sitting):
            yield name, args, kwargs
    yield CLOSE_DUE, (), {}
    yield CLOSE_DUE, (sitting, 2), {}
    for name in builtin:
        for task, items in ((COORDINATE, [[sitting, 2]]), (GRADE_CHUNK, [[sitting, 2, 0], [sitting, 1, 0]])):
            one = dict(signature(task, args=items[0], app=app))
            yield name, (one, items), {}
            yield name, ([one], None, "group", ()), {}
            yield name, (), {"task": one, "it": items}


def state(sittings: list[Any]) -> list[Any]:
    """What students see, and what it is derived from."""
    rows = Sitting.objects.filter(id__in=[each.sitting for each in sittings]).order_by("name")
    shown = list(rows.values_list("name", "state", "epoch", "published_revision", "published_at", "seal_digest"))
    revisions = Revision.objects.filter(sitting__in=rows).order_by("sitting__name", "number")
    with connection.cursor() as cursor:
        cursor.execute("SELECT md5(string_agg(d::text, '' ORDER BY d.id)), count(*) FROM degrees_degree d")
        degrees = cursor.fetchone()
    return [shown, list(revisions.values_list("sitting__name", "number", "state", "key_id", "policy_digest")), degrees]


def test_no_forged_message_changes_or_publishes_a_degree(
    make_seeded: Callable[..., Any],
    app: Celery,
    broker: Any,
    start: Callable[..., Any],
    coordinate: Callable[..., Any],
    wait_until: Callable[..., None],
) -> None:
    """If an attacker may write to Redis, they can send every task: degrees stay as they are, and none is published.

    One sitting is published, one graded and not to be published by a grader, one still open. The keys were corrected
    since.
    """
    published, manual, opened = make_seeded(), make_seeded(publish=Sitting.Publish.MANUAL), make_seeded(over=False)
    sittings = [published, manual, opened]
    for each in (published, manual):
        assert coordinate("--sitting", each.name, "--local").returncode == 0
    for each in sittings:
        choices = Choice.objects.filter(question__exam=each.row.exam, question__ident="q0")
        choices.update(correct=False)
        choices.filter(ident="c2").update(correct=True)
    before = state(sittings)
    assert [each.row.published_revision for each in sittings] == [1, 0, 0]
    assert opened.row.state == State.SCHEDULED

    worker = start("worker")
    sent = 0
    for each in sittings:
        for name, args, kwargs in forged(app, str(each.sitting)):
            for queue in (CHUNKS, CONTROL):
                app.send_task(name, args, kwargs, queue=queue)
                sent += 1
        follow_up = signature(COORDINATE, args=(str(each.sitting), 2), app=app)
        app.send_task(CLOSE_DUE, (), link=follow_up, link_error=follow_up)
        app.send_task(CLOSE_DUE, ("malformed",), link=follow_up, link_error=follow_up)

    def handled() -> bool:
        waiting = sum(int(broker.llen(PREFIX + queue)) for queue in (CHUNKS, CONTROL))
        return not waiting and not broker.hlen(f"{PREFIX}unacked")

    assert sent > 500
    wait_until(handled, "the worker has handled every message", seconds=240)
    log = worker.log.read_text()
    assert "coordination_rejected" in log
    assert worker.alive
    assert state(sittings) == before

    # The same message, of a revision that web has opened, does what it says: the worker acts on this broker.
    revision_open(sitting=published.sitting, number=2)
    app.send_task(COORDINATE, (str(published.sitting), 2))
    wait_until(lambda: published.row.published_revision == 2, "the revision that web opened is graded and published")
    assert published.degrees(2) != published.degrees(1)
    assert [row[3] for row in state(sittings)[0] if row[0] == manual.name] == [0]
