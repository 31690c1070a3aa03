"""Changes of a sitting that were decided on an earlier look: only while it is still as it was looked at."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from exam_harness.environments.processes.paths import REPOSITORY
from exam_web.exams.models import Exam
from exam_web.sittings.models import Revision, Sitting

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PAPER = (REPOSITORY / "k8s/samples/papers/algebra-101.yaml").read_text()
LATER = (timezone.now() + timedelta(days=1)).isoformat()
CHANGES: dict[str, tuple[str, str, Any]] = {
    "window": ("PATCH", "/window", {"closes_at": LATER}),
    "pause": ("POST", "/pause", None),
    "resume": ("POST", "/resume", None),
    "stop": ("POST", "/stop", None),
    "cancel": ("POST", "/cancel", None),
    "accommodation": ("PUT", "/accommodations/sara", {"extra_us": 60_000_000}),
}

Change = Callable[..., Any]


@pytest.fixture
def epoch(internal, spec) -> int:
    """The epoch of a sitting that was just provisioned."""
    internal("PUT", "/exams", PAPER)
    return int(internal("PUT", "/sittings/midterm", spec()).json()["epoch"])


@pytest.fixture
def change(internal) -> Change:
    """Make one of the changes, decided on an epoch."""

    def _change(name: str, if_match: str) -> Any:
        method, path, body = CHANGES[name]
        return internal(method, f"/sittings/midterm{path}", body, **{"If-Match": if_match})

    return _change


def row() -> dict[str, Any]:
    """The sitting in PostgreSQL."""
    return Sitting.objects.values().get()


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_decided_on_the_present_epoch_is_made(change: Change, epoch: int, name: str) -> None:
    """If nothing has changed since I looked, my change is made."""
    answer = change(name, f'"{epoch}"')
    assert answer.status_code == 200
    changes_nothing = name == "resume"
    assert (answer.json()["epoch"] == epoch) == changes_nothing


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_decided_on_an_older_epoch_is_refused(change: Change, internal, epoch: int, name: str) -> None:
    """If the sitting has changed since I looked, my change is refused with the present epoch, and nothing happens."""
    now = internal("PATCH", "/sittings/midterm/window", {"duration_us": 60_000_000}).json()["epoch"]
    before = row()
    answer = change(name, f'"{epoch}"')
    assert (answer.status_code, answer["Content-Type"]) == (412, "application/problem+json")
    problem = answer.json()
    assert problem["type"].endswith("/epoch-changed")
    assert problem["epoch"] == now
    assert f"at epoch {now}, not {epoch}" in problem["detail"]
    assert row() == before


@pytest.mark.parametrize("text", ["7", 'W/"7"', '"seven"', '"-1"', '""', '"1", "2"', f'"{"9" * 19}"'])
def test_a_condition_that_cannot_be_read_is_no_condition_met(change: Change, epoch: int, text: str) -> None:
    """If my If-Match is not an epoch in quotes, I am told so, and nothing happens."""
    before = row()
    answer = change("cancel", text)
    assert answer.status_code == 400
    assert 'the epoch of the sitting in double quotes, like "7"' in answer.json()["detail"]
    assert row() == before
    assert epoch == before["epoch"]


def test_any_epoch_is_taken_by_who_asks_for_that(change: Change, epoch: int) -> None:
    """If I say that any epoch will do, it does."""
    assert change("pause", "*").json()["epoch"] > epoch


def test_of_two_changes_decided_on_one_epoch_one_is_made(change: Change, epoch: int) -> None:
    """If two who looked at the same time change the sitting at the same time, one of them is told to look again."""
    together = Barrier(2)

    def run(name: str) -> int:
        try:
            together.wait(20)
            return int(change(name, f'"{epoch}"').status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(run, ("pause", "window"))) == [200, 412]


def test_who_found_no_sitting_changes_none(internal, epoch: int, spec) -> None:
    """If I provision what I found missing and somebody was faster, theirs stays as it is, and I am told to look."""
    before = row()
    refused = internal("PUT", "/sittings/midterm", spec(duration_us=60_000_000), **{"If-None-Match": "*"})
    assert (refused.status_code, refused.json()["epoch"]) == (412, epoch)
    assert row() == before
    assert internal("PUT", "/sittings/midterm", spec(), **{"If-None-Match": '"1"'}).status_code == 400
    later = {"opens_at": "2098-01-01T09:00:00Z", "closes_at": "2098-01-01T10:00:00Z"}
    assert internal("PUT", "/sittings/other", spec(**later), **{"If-None-Match": "*"}).status_code == 200


def test_a_document_of_another_exam_is_refused(internal, people) -> None:
    """If I write one exam and the document is of another, I am told both names, and neither is written."""
    refused = internal("PUT", "/exams?slug=geometry-201", PAPER)
    assert refused.status_code == 422
    assert "'algebra-101', expected 'geometry-201'" in refused.json()["detail"]
    assert not Exam.objects.exists()
    assert internal("PUT", "/exams?slug=algebra-101", PAPER).status_code == 200


def test_a_paper_that_is_written_anew_changes_no_scheduled_sitting(internal, epoch: int, spec) -> None:
    """If an exam is written anew while a sitting is scheduled, it keeps its paper; a later one has the new."""
    before = row()
    rewritten = PAPER.replace("title: ", "title: Another ", 1).replace("weight: 2", "weight: 3", 1)
    assert rewritten != PAPER
    assert internal("PUT", "/exams?slug=algebra-101", rewritten).status_code == 200
    assert row() == before
    assert internal("GET", "/sittings/midterm").json()["epoch"] == epoch
    day = timedelta(days=2)
    later = spec(opens_at=(timezone.now() + day).isoformat(), closes_at=(timezone.now() + 2 * day).isoformat())
    assert internal("PUT", "/sittings/second", later).json()["paper"] != before["paper_id"]


def test_a_look_costs_the_same_however_much_there_is_to_see(internal, over: Sitting) -> None:
    """If a sitting has many revisions, looking at it asks PostgreSQL no more often than with one."""

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert internal("GET", f"/sittings/{over.name}").status_code == 200
        return len(asked)

    Revision.objects.create(sitting=over, number=1, key=over.key, policy={}, state="grading", chunks=0)
    one = queries()
    for number in range(2, 8):
        Revision.objects.create(sitting=over, number=number, key=over.key, policy={}, state="grading", chunks=0)
    assert queries() == one
