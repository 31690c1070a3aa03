"""Conditional changes of a sitting: If-Match with its epoch, If-None-Match."""

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
    "entry": ("PATCH", "/entry", {"students": ["sara"]}),
}

Change = Callable[..., Any]


@pytest.fixture
def epoch(internal, spec) -> int:
    """The epoch of a sitting that was just provisioned."""
    internal("PUT", "/exams", PAPER)
    return int(internal("PUT", "/sittings/midterm", spec()).json()["epoch"])


@pytest.fixture
def change(internal) -> Change:
    """Make one of the changes with If-Match."""

    def _change(name: str, if_match: str) -> Any:
        method, path, body = CHANGES[name]
        return internal(method, f"/sittings/midterm{path}", body, **{"If-Match": if_match})

    return _change


def row() -> dict[str, Any]:
    """The sitting's row in PostgreSQL."""
    return dict(Sitting.objects.values().get())


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_with_the_current_epoch_succeeds(change: Change, epoch: int, name: str) -> None:
    """If nothing has changed since I read the sitting, my change succeeds."""
    answer = change(name, f'"{epoch}"')
    assert answer.status_code == 200
    idempotent = name == "resume"
    assert (answer.json()["epoch"] == epoch) == idempotent


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_with_an_old_epoch_returns_412(change: Change, internal, epoch: int, name: str) -> None:
    """If the sitting has changed since I read it, my change fails with the current epoch and has no effect."""
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
def test_a_malformed_if_match_returns_400(change: Change, epoch: int, text: str) -> None:
    """If my If-Match is not a quoted epoch, the request fails and has no effect."""
    before = row()
    answer = change("cancel", text)
    assert answer.status_code == 400
    assert 'the epoch of the sitting in double quotes, like "7"' in answer.json()["detail"]
    assert row() == before
    assert epoch == before["epoch"]


def test_if_match_star_accepts_any_epoch(change: Change, epoch: int) -> None:
    """With If-Match: * a change succeeds at any epoch."""
    assert change("pause", "*").json()["epoch"] > epoch


def test_of_two_changes_with_one_epoch_one_succeeds(change: Change, epoch: int) -> None:
    """If two clients change a sitting concurrently with the same epoch, one of them gets 412."""
    together = Barrier(2)

    def run(name: str) -> int:
        try:
            together.wait(20)
            return int(change(name, f'"{epoch}"').status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(run, ("pause", "window"))) == [200, 412]


def test_if_none_match_rejects_an_existing_sitting(internal, epoch: int, spec) -> None:
    """If I provision a sitting as new and it was created meanwhile, it stays unchanged and I get 412."""
    before = row()
    refused = internal("PUT", "/sittings/midterm", spec(duration_us=60_000_000), **{"If-None-Match": "*"})
    assert (refused.status_code, refused.json()["epoch"]) == (412, epoch)
    assert row() == before
    assert internal("PUT", "/sittings/midterm", spec(), **{"If-None-Match": '"1"'}).status_code == 400
    later = {"opens_at": "2098-01-01T09:00:00Z", "closes_at": "2098-01-01T10:00:00Z"}
    assert internal("PUT", "/sittings/other", spec(**later), **{"If-None-Match": "*"}).status_code == 200


def test_a_document_with_another_slug_returns_422(internal, people) -> None:
    """If the document is of another exam than the URL, the error names both and no exam is written."""
    refused = internal("PUT", "/exams?slug=geometry-201", PAPER)
    assert refused.status_code == 422
    assert "'algebra-101', expected 'geometry-201'" in refused.json()["detail"]
    assert not Exam.objects.exists()
    assert internal("PUT", "/exams?slug=algebra-101", PAPER).status_code == 200


def test_rewriting_an_exam_keeps_scheduled_papers(internal, epoch: int, spec) -> None:
    """If an exam is rewritten, a scheduled sitting keeps its paper, and a later one gets the new paper."""
    before = row()
    rewritten = PAPER.replace("title: ", "title: Another ", 1).replace("weight: 2", "weight: 3", 1)
    assert rewritten != PAPER
    assert internal("PUT", "/exams?slug=algebra-101", rewritten).status_code == 200
    assert row() == before
    assert internal("GET", "/sittings/midterm").json()["epoch"] == epoch
    day = timedelta(days=2)
    later = spec(opens_at=(timezone.now() + day).isoformat(), closes_at=(timezone.now() + 2 * day).isoformat())
    assert internal("PUT", "/sittings/second", later).json()["paper"] != before["paper_id"]


def test_reading_a_sitting_takes_constant_queries(internal, over: Sitting) -> None:
    """Reading a sitting with many revisions takes as many queries as with one."""

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert internal("GET", f"/sittings/{over.name}").status_code == 200
        return len(captured)

    Revision.objects.create(sitting=over, number=1, key=over.key, policy={}, state="grading", chunks=0)
    one = queries()
    for number in range(2, 8):
        Revision.objects.create(sitting=over, number=number, key=over.key, policy={}, state="grading", chunks=0)
    assert queries() == one
