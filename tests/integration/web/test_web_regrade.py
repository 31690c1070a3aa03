"""Regrades with adjustments: opening them, and what they change before they are published."""

from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from exam_core.adjustments.listing import Adjustments
from exam_core.commitments import adjustments_salt
from exam_core.fold import root_digest, seal_bucket
from exam_core.keys import PublicKeySet
from exam_core.scoring import Policy
from exam_core.statements import DegreesStatement, read
from exam_web.degrees.models import Degree
from exam_web.degrees.services import DegreeRow, chunk_record
from exam_web.exams.models import Exam, Question, validate_policy
from exam_web.sittings import services
from exam_web.sittings.models import PaperKey, Revision, Sitting
from exam_web.users.models import User

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

LEFT_OUT = {"change": "leave-out", "question": 0, "reason": "Not part of the course this year."}
RULES = {"change": "policy", "multiple": "proportional", "negative_total": True, "reason": "As announced."}
NOTE = "Question 0 was not part of the course."
TOTALS = {"sara": "7.50", "omar": "12.00"}


def degree(student: int, total: str, maximum: int = 20) -> DegreeRow:
    """A degree with one question's points."""
    return DegreeRow(
        student=student,
        total=Decimal(total),
        maximum=Decimal(maximum),
        points=[total, None],
        answered=1,
        started_at=None,
        submitted_at=None,
    )


def grade(revision: Revision, totals: dict[str, str]) -> Revision:
    """Grade a revision with these totals."""
    names = dict(User.objects.values_list("username", "pk"))
    for chunk in range(revision.chunks):
        rows = [degree(names[name], total) for name, total in totals.items()] if chunk == 0 else []
        chunk_record(revision=revision, chunk=chunk, degrees=rows)
    return services.revision_complete(revision=revision)


@pytest.fixture
def sealed(over: Sitting) -> Sitting:
    """A sealed sitting without answers."""
    services.sitting_close(sitting=over.id)
    services.sitting_drain(sitting=over.id)
    digests = []
    for bucket in range(over.buckets):
        seal = seal_bucket(sitting=over.id, bucket=bucket, paper=None, answers=[], starts=[], submissions=[])
        services.sealed_bucket_record(sitting=over.id, bucket=bucket, sealed=seal)
        digests.append(seal.digest)
    return services.sitting_mark_sealed(sitting=over.id, root=root_digest(over.id, digests))


@pytest.fixture
def graded(sealed: Sitting) -> Sitting:
    """The sitting with a published first revision."""
    first = grade(services.revision_open(sitting=sealed.id, number=1), TOTALS)
    return services.revision_publish(revision=first)


@pytest.fixture
def revisions(graded: Sitting) -> str:
    """The address of the revisions of the graded sitting."""
    return f"/api/sittings/{graded.name}/revisions"


def regrade(*adjustments: object, note: str = NOTE) -> dict[str, Any]:
    """The body of a request to regrade."""
    return {"note": note, "adjustments": list(adjustments)}


def test_a_doctor_regrades_with_adjustments(graded, revisions, people, log_in) -> None:
    """I send what changes and why: the next revision has it in its policy, and the earlier one stays as it was."""
    doctor = log_in(people.doctor)
    answer = doctor.send("POST", revisions, regrade(LEFT_OUT, RULES))
    assert answer.status_code == 201, answer.content
    body = answer.json()
    shown = {"number": 2, "note": NOTE, "state": "grading", "published": False, "adjustments": [LEFT_OUT, RULES]}
    assert {name: body[name] for name in shown} == shown
    assert (body["multiple"], body["negative_total"], body["graded"]) == ("all-or-nothing", False, 0)
    assert doctor.get(f"{revisions}/2").json() == body
    listed = doctor.get(revisions).json()
    assert [(each["number"], each["note"], each["adjustments"]) for each in listed] == [
        (2, NOTE, [LEFT_OUT, RULES]),
        (1, "", []),
    ]
    assert [each["published"] for each in listed] == [False, True]
    row = Revision.objects.get(number=2)
    assert row.policy["adjustments"]["entries"] == [LEFT_OUT, RULES]
    assert (Policy.from_json(row.policy).digest, row.policy["multiple"]) == (row.policy_digest, "all-or-nothing")
    assert Revision.objects.get(number=1).policy == {"format": 1, "multiple": "all-or-nothing"}


def test_the_salt_is_derived_and_never_shown(graded, revisions, people, log_in) -> None:
    """The policy's digest is public: a secret of the sitting hides an accepted answer in it, another for each time."""
    doctor = log_in(people.doctor)
    salts = []
    for number in (2, 3):
        answer = doctor.send("POST", revisions, regrade(LEFT_OUT))
        revision = Revision.objects.get(number=number)
        salts.append(revision.policy["adjustments"]["salt"])
        assert salts[-1] == adjustments_salt(bytes(graded.proof_secret), graded.id, number)
        pages = (answer, doctor.get(revisions), doctor.get(f"{revisions}/{number}"))
        assert not any(salts[-1] in page.content.decode() for page in pages)
        grade(revision, TOTALS)
    assert len(set(salts)) == 2
    for body in (regrade(LEFT_OUT | {"salt": "x"}), regrade(LEFT_OUT) | {"salt": "x"}):
        assert doctor.send("POST", revisions, body).status_code == 422


def test_every_fault_is_listed_and_nothing_is_stored(graded, revisions, people, log_in) -> None:
    """If adjustments are wrong, I get all reasons at once, and no revision is open."""
    keys = PaperKey.objects.count()
    Question.objects.filter(kind="numeric").update(tolerance=9)
    doctor = log_in(people.doctor)
    unreadable = [{"change": "leave-out", "question": 0}, {"change": "nothing"}]
    impossible = [LEFT_OUT | {"question": 99}, LEFT_OUT | {"reason": " "}]
    for adjustments, reasons in (
        (unreadable, ["adjustment 1 has no 'reason'", "adjustment 2 has 'change' 'nothing'"]),
        (impossible, ["adjustment 1 is of question 99", "adjustment 2 has no reason"]),
    ):
        answer = doctor.send("POST", revisions, regrade(*adjustments))
        problem = answer.json()
        assert (answer.status_code, problem["type"].rsplit("/", 1)[-1]) == (422, "invalid")
        faults = problem["faults"]
        assert [fault["where"] for fault in faults] == ["adjustments", "adjustments"]
        for fault, reason in zip(faults, reasons, strict=True):
            assert fault["reason"].startswith(reason)
            assert reason in problem["detail"]
    assert (Revision.objects.count(), PaperKey.objects.count()) == (1, keys)


@pytest.mark.parametrize("note", ["", "  ", "a\u0000b", "x" * 1001, None])
def test_a_regrade_needs_a_note(graded, revisions, people, log_in, note: str | None) -> None:
    """If I do not write what changed and why, nothing is regraded."""
    answer = log_in(people.doctor).send("POST", revisions, regrade(LEFT_OUT) | {"note": note})
    assert answer.status_code == 422
    assert "note" in answer.json()["detail"]
    assert Revision.objects.count() == 1


def test_a_regrade_without_adjustments_has_the_policy_of_the_sitting(graded, revisions, people, log_in) -> None:
    """If only the key changed, the policy has its usual form and digest, and adjustments of before are gone."""
    doctor = log_in(people.doctor)
    doctor.send("POST", revisions, regrade(LEFT_OUT))
    grade(Revision.objects.get(number=2), TOTALS)
    assert doctor.send("POST", revisions, {"note": "Another key\nof question 3"}).status_code == 201
    third = Revision.objects.get(number=3)
    assert (third.policy, third.policy_digest) == (graded.policy, graded.scoring.digest)
    assert third.note == "Another key\nof question 3"


def test_a_revision_of_an_exam_resource_is_as_before(graded, internal) -> None:
    """A revision that the operator opens has no note and no adjustments."""
    assert internal("PUT", f"/sittings/{graded.name}/revisions/2").status_code == 200
    second = Revision.objects.get(number=2)
    assert (second.policy, second.note, second.key_id) == (graded.policy, "", graded.key_id)


def test_only_the_last_graded_revision_is_followed(sealed, people, log_in) -> None:
    """While a revision is being graded, another one is refused: a second click opens no second revision."""
    doctor, path = log_in(people.doctor), f"/api/sittings/{sealed.id}/revisions"
    assert doctor.send("POST", path, regrade(LEFT_OUT)).status_code == 409
    grade(services.revision_open(sitting=sealed.id, number=1), {})
    assert [doctor.send("POST", path, regrade(LEFT_OUT)).status_code for _ in range(2)] == [201, 409]
    assert Revision.objects.count() == 2


def test_a_sitting_that_is_not_sealed_is_not_regraded(over, people, log_in) -> None:
    """Before the seal there is nothing to regrade."""
    answer = log_in(people.doctor).send("POST", f"/api/sittings/{over.name}/revisions", regrade(LEFT_OUT))
    assert (answer.status_code, Revision.objects.count()) == (409, 0)


def test_revisions_are_for_the_author_alone(graded, revisions, people, log_in) -> None:
    """A student may neither regrade nor see why; another Doctor does not learn of the sitting."""
    log_in(people.doctor).send("POST", revisions, regrade(LEFT_OUT))
    grade(Revision.objects.get(number=2), TOTALS)
    requests = [("POST", revisions), ("POST", f"{revisions}/2/publish")]
    requests += [("GET", revisions + path) for path in ("", "/2", "/2/changes")]
    for user, status in ((people.student, 403), (people.other_doctor, 404)):
        api = log_in(user)
        answers = [api.send(method, path, regrade(LEFT_OUT)) for method, path in requests]
        assert [answer.status_code for answer in answers] == [status] * len(requests), user.username
        assert not any("course" in answer.content.decode() for answer in answers)
    assert Client().get(revisions).status_code == 401
    doctor = log_in(people.doctor)
    assert doctor.get(f"{revisions}/9").status_code == 404
    assert doctor.get("/api/sittings/none/revisions").status_code == 404
    assert (Revision.objects.count(), Sitting.objects.get().published_revision) == (2, 1)


def test_a_regrade_is_published_by_hand(graded, revisions, people, log_in) -> None:
    """I publish a graded revision once I have compared it, twice if I click twice; an earlier one no more."""
    doctor = log_in(people.doctor)
    doctor.send("POST", revisions, regrade(LEFT_OUT))
    assert doctor.send("POST", f"{revisions}/2/publish", {}).status_code == 409
    grade(Revision.objects.get(number=2), TOTALS)
    assert not doctor.get(f"{revisions}/2").json()["published"]
    for _ in range(2):
        answer = doctor.send("POST", f"{revisions}/2/publish", {})
        assert (answer.status_code, answer.json()["published"]) == (200, True)
    assert doctor.send("POST", f"{revisions}/1/publish", {}).status_code == 409
    assert doctor.send("POST", f"{revisions}/3/publish", {}).status_code == 404
    assert Sitting.objects.get().published_revision == 2


def test_the_changes_before_they_are_published(graded, revisions, people, log_in) -> None:
    """Before I publish, I see who moves and by how much, who passes and fails, and both distributions."""
    doctor = log_in(people.doctor)
    doctor.send("POST", revisions, regrade(LEFT_OUT))
    early = doctor.get(f"{revisions}/2/changes")
    assert (early.status_code, "is not graded yet" in early.json()["detail"]) == (409, True)
    grade(Revision.objects.get(number=2), {"sara": "10", "omar": "11.75"})
    body = doctor.get(f"{revisions}/2/changes", pass_mark="50%", bins=4).json()
    assert body["moved"] == {
        "count": 2,
        "next": None,
        "results": [
            {"student": "omar", "before": "12.00", "after": "11.75", "difference": "-0.25"},
            {"student": "sara", "before": "7.50", "after": "10.00", "difference": "2.50"},
        ],
    }
    assert (body["unchanged"], body["maximum_changed"]) == (0, 0)
    assert (body["passed"]["results"], body["failed"]["results"]) == (["sara"], [])
    assert body["before"] == {
        "revision": 1,
        "students": 2,
        "below_zero": 0,
        "bins": [0, 1, 1, 0],
        "mean": "9.75",
        "median": "9.75",
        "passed": 1,
    }
    # The mean of 10 and 11.75 is 10.875.
    after = body["after"]
    assert (after["revision"], after["bins"], after["mean"], after["passed"]) == (2, [0, 0, 2, 0], "10.88", 2)
    by_points = doctor.get(f"{revisions}/2/changes", pass_mark="11.8").json()
    assert (by_points["passed"]["results"], by_points["failed"]["results"]) == ([], ["omar"])
    assert doctor.get(f"{revisions}/2/changes").json()["after"]["passed"] is None
    assert Sitting.objects.get().published_revision == 1


def test_a_page_of_the_changes(graded, revisions, people, log_in) -> None:
    """If many students move, I read them page by page, the greatest loss first."""
    doctor = log_in(people.doctor)
    doctor.send("POST", revisions, regrade(LEFT_OUT))
    grade(Revision.objects.get(number=2), {"sara": "10", "omar": "11.75"})
    first, last = (doctor.get(f"{revisions}/2/changes", limit=1, offset=n).json()["moved"] for n in (0, 1))
    assert (first["count"], first["next"], [each["student"] for each in first["results"]]) == (2, 1, ["omar"])
    assert (last["count"], last["next"], [each["student"] for each in last["results"]]) == (2, None, ["sara"])


def test_what_a_revision_is_compared_with(graded, revisions, people, log_in) -> None:
    """A revision is compared with the published one, or with the one that I name; the first one with none."""
    doctor = log_in(people.doctor)
    for number, total in ((2, "8"), (3, "9")):
        doctor.send("POST", revisions, regrade(LEFT_OUT))
        grade(Revision.objects.get(number=number), {"sara": total})

    def compared(number: int, **query: object) -> Any:
        return doctor.get(f"{revisions}/{number}/changes", **query)

    body = compared(3).json()
    assert (body["before"]["revision"], body["moved"]["results"][0]["before"]) == (1, "7.50")
    assert body["removed"]["results"] == ["omar"]
    assert compared(3, against=2).json()["moved"]["results"][0]["before"] == "8.00"
    assert compared(2, against=3).json()["moved"]["results"][0]["difference"] == "-1.00"
    services.revision_publish(revision=Revision.objects.get(number=3))
    assert compared(3).json()["before"]["revision"] == 2
    assert compared(1).status_code == 404
    assert compared(3, against=3).status_code == 422
    assert compared(3, against=9).status_code == 404
    for wrong in ({"pass_mark": "half"}, {"pass_mark": "200%"}, {"bins": 0}, {"against": 0}):
        assert compared(3, **wrong).status_code == 422, wrong


def test_degrees_are_compared_in_one_query(graded, revisions, people, log_in) -> None:
    """However many students there are, their degrees are read by one query, without rows of the ORM."""
    doctor = log_in(people.doctor)
    doctor.send("POST", revisions, regrade(LEFT_OUT))
    grade(Revision.objects.get(number=2), TOTALS)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert doctor.get(f"{revisions}/2/changes").json()["unchanged"] == 2
    read_degrees = [query["sql"] for query in queries if "degrees_degree" in query["sql"]]
    assert len(read_degrees) == 1
    assert "points" not in read_degrees[0]


def test_the_policy_of_an_exam_has_no_adjustments(people) -> None:
    """An exam's own policy cannot carry adjustments: they are of one paper, and of one revision."""
    policy = {"format": 1, "multiple": "all-or-nothing"}
    validate_policy(policy)
    with pytest.raises(ValidationError, match="belong to a grading revision"):
        validate_policy(policy | {"adjustments": {"entries": [LEFT_OUT]}})
    exam = Exam(slug="a", title="A", level=people.year_1, policy=policy | {"adjustments": {"entries": [LEFT_OUT]}})
    with pytest.raises(ValidationError, match="belong to a grading revision"):
        exam.full_clean()


def test_the_statement_names_the_policy_with_its_adjustments(graded, revisions, people, log_in) -> None:
    """The signed statement has the digest of the whole policy, from which no accepted answer can be guessed."""
    log_in(people.doctor).send("POST", revisions, regrade(LEFT_OUT))
    second = grade(Revision.objects.get(number=2), TOTALS)
    services.revision_publish(revision=second)
    keys = PublicKeySet.from_jwks(Client().get("/api/keys").json())
    signed = Client().get(f"/api/sittings/{graded.name}/degrees").json()["statement"]
    statement = read(DegreesStatement, signed, keys)
    assert (statement.revision, statement.policy) == (2, second.policy_digest)
    without_salt = second.policy | {"adjustments": {"entries": [LEFT_OUT]}}
    assert statement.policy not in (graded.scoring.digest, Policy.from_json(without_salt).digest)


def test_points_that_do_not_add_up_are_explained(graded, people, log_in) -> None:
    """If rounded points do not add up to my total, a sentence says why; while points are withheld, there is none."""
    Degree.objects.filter(student=people.student).update(points=["0.33", "0.33", "0.33"], total=1)
    student, doctor = log_in(people.student), log_in(people.doctor)
    for api in (student, doctor):
        rows = {row["student"]: row for row in api.get("/api/degrees").json()["results"]}
        assert rows["sara"]["points_note"].startswith(
            "The points above add up to 0.99, the total is 1: they are rounded"
        )
    assert rows["omar"]["points_note"] is None
    Degree.objects.filter(student=people.student).update(points=["-0.50", None], total=0)
    [own] = student.get("/api/degrees").json()["results"]
    assert own["points_note"] == "The points above add up to -0.5, the total is 0: a total is at least 0."
    Exam.objects.update(review="degree")
    [own] = student.get("/api/degrees").json()["results"]
    assert (own["points"], own["points_note"]) == (None, None)


def test_a_review_explains_points_that_do_not_add_up(graded, people, log_in) -> None:
    """The review has the sentence too, where it shows points."""
    Degree.objects.filter(student=people.student).update(points=["0.33", "0.33", "0.33"], total=1)
    student, path = log_in(people.student), f"/api/sittings/{graded.name}/review"
    for review, shown in (("points", True), ("degree", False)):
        Exam.objects.update(review=review)
        note = student.get(path).json()["points_note"]
        assert (note is not None and note.startswith("The points above add up to 0.99")) == shown


def test_the_api_describes_regrades(people) -> None:
    """The description of the API has the operations, with an example of adjustments."""
    schema = Client().get("/api/openapi.json").json()
    path = "/api/sittings/{name}/revisions"
    assert set(schema["paths"][path]) == {"get", "post"}
    assert {"get"} == set(schema["paths"][f"{path}/{{number}}/changes"])
    [example] = schema["components"]["schemas"]["RevisionNew"]["properties"]["adjustments"]["examples"]
    assert {each["change"] for each in example} == {"accept-number", "leave-out", "policy"}
    assert Adjustments.from_json({"entries": example}).to_json() == {"entries": example}
