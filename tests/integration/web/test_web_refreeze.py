"""Frozen papers: what the status reports about them, and freezing anew before the opening."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from exam_core.instants import span_to_micros
from exam_core.problems import Problem, ProblemKind
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.environments.processes.servers.cassandra import Cassandra
from exam_web.exams.models import Choice, Exam, Question
from exam_web.sittings import services
from exam_web.sittings.models import Paper, Sitting, SolverLease
from exam_web.users.models import Level

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PAPER = (REPOSITORY / "k8s/samples/papers/algebra-101.yaml").read_text()
RETITLED = PAPER.replace("title: ", "title: Corrected ", 1)
NOTICE = timedelta(seconds=30)


@pytest.fixture
def provisioned(internal, spec) -> dict[str, Any]:
    """The status of a sitting that was just provisioned and opens in an hour."""
    assert internal("PUT", "/exams", PAPER).status_code == 200
    status: dict[str, Any] = internal("PUT", "/sittings/midterm", spec()).json()
    return status


@pytest.fixture
def leased(schedule: None) -> None:
    """A solver holds a lease, for which it may use what it has read."""
    SolverLease.objects.create(holder=uuid4(), renewed_at=timezone.now(), ttl=NOTICE, drained_epoch=1)


def correct_a_key() -> Question:
    """Make another choice of the first single-choice question the correct one."""
    question = Question.objects.filter(kind="single").order_by("position").first()
    assert question is not None
    right = question.choices.get(correct=True)
    wrong = question.choices.filter(correct=False).first()
    assert wrong is not None
    Choice.objects.filter(pk=right.pk).update(correct=False)
    Choice.objects.filter(pk=wrong.pk).update(correct=True)
    return question


def opens_in(span: timedelta) -> None:
    """Let the window open after this span, as if the time until then had passed."""
    Sitting.objects.update(opens_at=timezone.now() + span)


def test_the_status_reports_what_changed_since_the_paper_was_frozen(internal, provisioned) -> None:
    """If I correct the exam after its paper was frozen, the sitting's status says since when, and what differs."""
    assert provisioned["content"] == {"change": "none", "detail": ""}
    assert provisioned["frozen_at"] <= provisioned["now"]
    question = correct_a_key()
    corrected = internal("GET", "/sittings/midterm").json()
    assert corrected["content"] == {"change": "key", "detail": f"the key of question {question.ident} changed"}
    Question.objects.filter(pk=question.pk).update(text="Something else")
    rewritten = internal("GET", "/sittings/midterm").json()
    assert rewritten["content"]["change"] == "paper"
    assert f"the text of question {question.ident} changed" in rewritten["content"]["detail"]
    assert (rewritten["paper"], rewritten["frozen_at"]) == (provisioned["paper"], provisioned["frozen_at"])


def test_an_import_names_the_sittings_that_keep_their_paper(internal, provisioned, tmp_path, capsys) -> None:
    """When I import a correction, by the API or the command, the reply names the sitting that does not use it."""
    assert internal("PUT", "/exams", RETITLED).json()["frozen_for"] == ["midterm"]
    document = tmp_path / "algebra.yaml"
    document.write_text(PAPER)
    call_command("load_exam", str(document))
    assert "sittings that keep the paper frozen for them: midterm" in capsys.readouterr().out
    internal("POST", "/sittings/midterm/cancel")
    assert internal("PUT", "/exams", RETITLED).json()["frozen_for"] == []


def test_an_exam_that_cannot_be_frozen_now_does_not_break_the_status(internal, provisioned) -> None:
    """While I am in the middle of an edit, the sitting can still be read."""
    Choice.objects.update(correct=False)
    status = internal("GET", "/sittings/midterm")
    assert (status.status_code, status.json()["content"]["change"]) == (200, "key")


def test_a_paper_is_frozen_anew_by_one_request(internal, provisioned, cassandra: Cassandra) -> None:
    """If I correct text and key before the opening and freeze anew, students get both."""
    question = correct_a_key()
    Question.objects.filter(pk=question.pk).update(text="Corrected in time")
    key = Sitting.objects.get().key_id
    frozen = internal("POST", "/sittings/midterm/refreeze")
    assert frozen.status_code == 200
    status = frozen.json()
    assert status["paper"] != provisioned["paper"]
    assert status["epoch"] > provisioned["epoch"]
    assert status["frozen_at"] > provisioned["frozen_at"]
    assert (status["content"], status["distributed"]) == ({"change": "none", "detail": ""}, True)
    assert Sitting.objects.get().key_id != key
    with cassandra.session() as session:
        stored = session.execute("SELECT data FROM exam.papers WHERE digest = %s AND part = 'paper'", [status["paper"]])
        assert b"Corrected in time" in bytes(stored.one().data)


def test_freezing_anew_takes_a_corrected_key_alone(internal, provisioned) -> None:
    """If only the key was corrected, the paper stays and the first grading uses the corrected key."""
    key = Sitting.objects.get().key_id
    correct_a_key()
    status = internal("POST", "/sittings/midterm/refreeze").json()
    assert (status["paper"], status["content"]["change"]) == (provisioned["paper"], "none")
    assert Sitting.objects.get().key_id != key


def test_freezing_anew_is_idempotent(internal, provisioned) -> None:
    """Freezing an unchanged exam anew changes nothing, however often and however late."""
    internal("PUT", "/exams", RETITLED)
    first = internal("POST", "/sittings/midterm/refreeze").json()
    again = internal("POST", "/sittings/midterm/refreeze").json()
    opens_in(timedelta(0))
    late = internal("POST", "/sittings/midterm/refreeze")
    assert late.status_code == 200
    for status in (again, late.json()):
        assert [status[name] for name in ("paper", "epoch", "frozen_at")] == [
            first[name] for name in ("paper", "epoch", "frozen_at")
        ]


def test_a_named_request_is_applied_once(internal, provisioned) -> None:
    """A request that was applied already is not applied to what was edited after it."""
    internal("PUT", "/exams", RETITLED)
    first = internal("POST", "/sittings/midterm/refreeze", {"request": "title"}).json()
    assert first["refreeze"] == "title"
    internal("PUT", "/exams", PAPER)
    again = internal("POST", "/sittings/midterm/refreeze", {"request": "title"}).json()
    assert (again["paper"], again["epoch"]) == (first["paper"], first["epoch"])
    other = internal("POST", "/sittings/midterm/refreeze", {"request": "title again"}).json()
    assert (other["paper"], other["refreeze"]) == (provisioned["paper"], "title again")


def test_provisioning_again_does_not_freeze_anew(internal, provisioned, spec) -> None:
    """If the same spec is applied again after an edit, the sitting keeps its paper."""
    internal("PUT", "/exams", RETITLED)
    window = {name: provisioned["window"][name] for name in ("opens_at", "closes_at")}
    again = internal("PUT", "/sittings/midterm", spec(**window)).json()
    assert (again["paper"], again["epoch"]) == (provisioned["paper"], provisioned["epoch"])
    assert again["content"]["change"] == "paper"


@pytest.mark.parametrize("late", [NOTICE, timedelta(0), -timedelta(minutes=1)])
def test_an_opening_or_open_sitting_keeps_its_paper(internal, provisioned, leased, late: timedelta) -> None:
    """From a lease's length before the opening, freezing anew is refused: students would get different papers."""
    opens_in(late)
    internal("PUT", "/exams", RETITLED)
    refused = internal("POST", "/sittings/midterm/refreeze")
    assert refused.status_code == 409
    assert refused.json()["type"].endswith("/paper-frozen")
    for way in ("keeps the paper that was frozen at", "can be replaced until", "cancel the sitting", "regrade"):
        assert way in refused.json()["detail"]
    status = internal("GET", "/sittings/midterm").json()
    assert (status["paper"], status["epoch"]) == (provisioned["paper"], provisioned["epoch"])


def test_before_the_notice_a_paper_can_be_frozen_anew(internal, provisioned, leased) -> None:
    """Shortly before the notice begins, freezing anew still succeeds."""
    opens_in(NOTICE + timedelta(minutes=1))
    internal("PUT", "/exams", RETITLED)
    assert internal("POST", "/sittings/midterm/refreeze").json()["paper"] != provisioned["paper"]


def test_a_closed_sitting_keeps_its_paper(internal, provisioned) -> None:
    """After the end, freezing anew is refused."""
    internal("POST", "/sittings/midterm/stop")
    internal("PUT", "/exams", RETITLED)
    assert internal("POST", "/sittings/midterm/refreeze").json()["type"].endswith("/paper-frozen")


def test_an_exam_with_faults_is_not_frozen_anew(internal, provisioned) -> None:
    """If my exam has faults, freezing anew names them and the sitting keeps its paper."""
    Choice.objects.update(correct=False)
    refused = internal("POST", "/sittings/midterm/refreeze")
    assert refused.status_code == 422
    assert refused.json()["type"].endswith("/paper-invalid")
    assert Sitting.objects.get().paper_id == provisioned["paper"]


def test_without_cassandra_the_sitting_keeps_the_former_paper(
    internal, provisioned, monkeypatch, cassandra_env
) -> None:
    """If the new paper cannot be stored for the solvers, the sitting keeps the one that they can read."""
    internal("PUT", "/exams", RETITLED)
    monkeypatch.setenv("EXAM_CASSANDRA_PORT", "1")
    failed = internal("POST", "/sittings/midterm/refreeze")
    assert (failed.status_code, failed["Retry-After"]) == (503, "2")
    assert Sitting.objects.get().paper_id == provisioned["paper"]
    monkeypatch.setenv("EXAM_CASSANDRA_PORT", cassandra_env["EXAM_CASSANDRA_PORT"])
    assert internal("POST", "/sittings/midterm/refreeze").json()["distributed"] is True


def test_the_level_is_frozen_with_the_paper(internal, provisioned, people) -> None:
    """If the exam is moved to another year before the opening, the status says so and freezing anew takes it."""
    Exam.objects.update(level=Level.objects.get(slug="year-2"))
    content = internal("GET", "/sittings/midterm").json()["content"]
    assert (content["change"], "level" in content["detail"]) == ("paper", True)
    assert internal("POST", "/sittings/midterm/refreeze").json()["content"]["change"] == "none"
    assert Sitting.objects.get().level.slug == "year-2"


def test_an_exam_of_another_size_gets_other_buckets(internal, provisioned) -> None:
    """Buckets fit the new paper: half of the questions need fewer buckets for the same candidates."""
    internal("PATCH", "/sittings/midterm", {"candidates": 10_000})
    before = Sitting.objects.get().buckets
    Question.objects.filter(position__gte=10).delete()
    internal("POST", "/sittings/midterm/refreeze")
    assert Sitting.objects.get().buckets < before


def test_earlier_content_does_not_replace_later_content(provisioned: dict[str, Any]) -> None:
    """If two requests freeze at once, the one that froze earlier content does not overwrite the later one."""
    sitting = Sitting.objects.get().id
    Exam.objects.update(title="First")
    froze, go_on = Event(), Event()

    def held(_paper: Paper) -> None:
        froze.set()
        assert go_on.wait(30)

    def early() -> Any:
        try:
            return services.sitting_refreeze(sitting=sitting, distribute=held)
        except Problem as problem:
            return problem
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(early)
        assert froze.wait(30)
        Exam.objects.update(title="Second")
        services.sitting_refreeze(sitting=sitting, distribute=lambda _paper: None)
        go_on.set()
        outcome = future.result()
    assert isinstance(outcome, Problem)
    assert outcome.kind is ProblemKind.EPOCH_CHANGED
    assert b"Second" in bytes(Sitting.objects.get().paper.body)


def test_no_lease_with_the_former_paper_outlasts_the_notice(
    internal, provisioned, solver_renew: Callable[[], Any]
) -> None:
    """A solver that read the former paper just before the change has lost its lease when the window opens."""
    opens_in(NOTICE + timedelta(minutes=1))
    before = solver_renew()
    internal("PUT", "/exams", RETITLED)
    after = internal("POST", "/sittings/midterm/refreeze").json()
    [known] = before["sittings"]
    assert known["paper"] == provisioned["paper"]
    assert after["paper"] != provisioned["paper"]
    assert before["entered_at"] + span_to_micros(NOTICE) < known["window"]["opens_at"]
    [renewed] = solver_renew()["sittings"]
    assert renewed["paper"] == after["paper"]


@pytest.fixture
def solver_renew(postgres) -> Callable[[], Any]:
    """A new solver's first renewal."""

    def _renew() -> Any:
        with psycopg.connect(postgres.dsn("exam_solver", connection.settings_dict["NAME"]), autocommit=True) as session:
            row = session.execute(
                "SELECT solver_renew(gen_random_uuid(), %s, 0, 0, 0)", [NOTICE // timedelta(milliseconds=1)]
            ).fetchone()
        assert row is not None
        return row[0]

    return _renew
