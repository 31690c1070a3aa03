"""Regrades with adjustments in the admin: the form, the comparison, and what the pages list."""

import html
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from exam_web.degrees.services import DegreeRow, chunk_record
from exam_web.sittings import services
from exam_web.sittings.models import Revision, Sitting
from exam_web.sittings.selectors import is_due_for_publication
from exam_web.users.models import User

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

LIST = reverse("admin:sittings_sitting_changelist")
WRITTEN = """
- change: leave-out
  question: 0
  reason: Not part of the course <this> year
- {change: policy, multiple: proportional, reason: "As announced"}
"""
STORED = [
    {"change": "leave-out", "question": 0, "reason": "Not part of the course <this> year"},
    {"change": "policy", "multiple": "proportional", "reason": "As announced"},
]
NOTE = "Question 0 was not taught"


@pytest.fixture
def noor(client, people):
    """The exam's Doctor, logged in to the admin."""
    client.force_login(people.doctor)
    return client


def grade(revision: Revision, totals: dict[str, str]) -> Revision:
    """Grade a revision with these totals of 20."""
    names = dict(User.objects.values_list("username", "pk"))
    rows = [
        DegreeRow(
            student=names[name],
            total=Decimal(total),
            maximum=Decimal(20),
            points=[total],
            answered=1,
            started_at=None,
            submitted_at=None,
        )
        for name, total in totals.items()
    ]
    for chunk in range(revision.chunks):
        chunk_record(revision=revision, chunk=chunk, degrees=rows if chunk == 0 else [])
    return services.revision_complete(revision=revision)


@pytest.fixture
def graded(over: Sitting) -> Sitting:
    """A sitting with a published first revision."""
    Sitting.objects.filter(id=over.id).update(state="sealed")
    first = grade(services.revision_open(sitting=over.id, number=1), {"sara": "7.50", "omar": "12"})
    return services.revision_publish(revision=first)


def form_of(sitting: Sitting) -> str:
    """The address of the form."""
    return reverse("admin:sittings_sitting_regrade", args=[sitting.pk])


def changes_of(number: int) -> str:
    """The address of the comparison of a revision."""
    return reverse("admin:sittings_revision_changes", args=[Revision.objects.get(number=number).pk])


def text_of(response) -> str:
    """The text of a page that is served."""
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def test_a_doctor_regrades_with_a_form(noor, graded: Sitting) -> None:
    """The form names the numbers of the paper and an example; what I write opens a revision that the pages list."""
    page = text_of(noor.get(form_of(graded)))
    assert "- {" in page
    assert "choice 0: " in page
    assert "entry 0: [1.4092..1.4192] (1)" in page
    assert form_of(graded) in text_of(noor.get(reverse("admin:sittings_sitting_change", args=[graded.pk])))
    posted = noor.post(form_of(graded), {"note": NOTE, "adjustments": WRITTEN}, follow=True)
    assert "revision 2 is being graded" in text_of(posted)
    second = Revision.objects.get(number=2)
    assert (second.policy["adjustments"]["entries"], second.note) == (STORED, NOTE)
    assert f"revision 2</a> (grading): {NOTE}" in posted.content.decode()
    assert "revision 1</a> (graded, published): without a note" in posted.content.decode()
    page = noor.get(reverse("admin:sittings_revision_change", args=[second.pk])).content.decode()
    assert "Not part of the course &lt;this&gt; year" in page
    assert second.policy["adjustments"]["salt"] not in page


@pytest.mark.parametrize(
    ("adjustments", "note", "faults"),
    [
        ("- {change: leave-out}", NOTE, ["adjustment 1 has no 'question'"]),
        (
            "[{change: leave-out, question: 99, reason: x}, {change: weight, question: 0, weight: -1, reason: x}]",
            NOTE,
            ["adjustment 1 is of question 99", "adjustment 2 has a weight that is not from 0"],
        ),
        ("change: leave-out", NOTE, ["line 1: expected a list"]),
        ("- [", NOTE, ["line 1: not YAML"]),
        (WRITTEN, "", ["This field is required."]),
    ],
)
def test_faults_are_shown_at_their_field(noor, graded: Sitting, adjustments: str, note: str, faults: list[str]) -> None:
    """If what I write has faults, I see all of them at the field with what I wrote, and nothing is opened."""
    response = noor.post(form_of(graded), {"note": note, "adjustments": adjustments})
    errors = [error for listed in response.context["form"].errors.values() for error in listed]
    assert len(errors) == len(faults)
    assert all(fault in error for fault, error in zip(faults, errors, strict=True))
    field = "adjustments" if note else "note"
    assert list(response.context["form"].errors) == [field]
    assert adjustments.strip() in text_of(response)
    assert Revision.objects.count() == 1


def test_the_form_begins_with_the_last_adjustments(noor, graded: Sitting) -> None:
    """A list is all that a revision changes: the form has the last one, and «Grade again» warns that it drops it."""
    noor.post(form_of(graded), {"note": NOTE, "adjustments": WRITTEN})
    ungraded = text_of(noor.post(form_of(graded), {"note": NOTE, "adjustments": WRITTEN}))
    assert "revision 2 of over is not graded yet" in ungraded
    grade(Revision.objects.get(number=2), {"sara": "8"})
    initial = noor.get(form_of(graded)).context["form"].initial["adjustments"]
    noor.post(form_of(graded), {"note": NOTE, "adjustments": initial})
    third = grade(Revision.objects.get(number=3), {"sara": "8"})
    assert third.policy["adjustments"]["entries"] == STORED
    body = {"action": "grade_again", "_selected_action": str(graded.pk)}
    page = text_of(noor.post(LIST, body, follow=True))
    assert "the adjustments of revision 3 are not in revision 4" in page
    assert "adjustments" not in Revision.objects.get(number=4).policy


def test_a_doctor_compares_and_publishes(noor, graded: Sitting) -> None:
    """Beside publishing I see who moves, who passes and fails, and the distribution; then students see it."""
    noor.post(form_of(graded), {"note": NOTE, "adjustments": WRITTEN})
    assert "is not graded yet" in text_of(noor.get(changes_of(2)))
    grade(Revision.objects.get(number=2), {"sara": "10", "omar": "11.75"})
    sitting_page = reverse("admin:sittings_sitting_change", args=[graded.pk])
    link = f'<a href="{changes_of(2)}">compare and publish</a>'
    assert link in text_of(noor.get(sitting_page))
    page = text_of(noor.get(changes_of(2), {"pass_mark": "50%"}))
    assert "<td>omar</td><td>12.00</td><td>11.75</td><td>-0.25</td>" in page
    assert "<tr><th>passed</th><td>1</td><td>2</td></tr>" in page
    assert "1 students now pass: sara" in page
    assert "<tr><th>50 to 60 %</th><td>0</td><td>2</td></tr>" in page
    assert "question 0, leave-out: Not part of the course <this> year" in page
    assert "is no pass mark" in text_of(noor.get(changes_of(2), {"pass_mark": "half"}))
    assert "2 published" in text_of(noor.post(changes_of(2), follow=True))
    assert Sitting.objects.get().published_revision == 2
    assert "compare</a>" in text_of(noor.get(sitting_page))
    assert "Publish revision" not in text_of(noor.get(changes_of(2)))


def test_others_neither_regrade_nor_compare(client, people, graded: Sitting) -> None:
    """Another Doctor finds no such page, and staff who may only look can neither regrade nor publish."""
    second = services.revision_regrade(sitting=graded.id, note=NOTE, adjustments=STORED)
    grade(second, {"sara": "10"})
    viewer = User.objects.create(username="viewer", kind=User.Kind.STAFF, is_staff=True)
    viewer.user_permissions.add(*Permission.objects.filter(codename__in=["view_sitting", "view_revision"]))
    for user in (people.other_doctor, viewer, people.student):
        client.force_login(user)
        body = {"note": NOTE, "adjustments": WRITTEN}
        answers = [client.get(form_of(graded)), client.post(form_of(graded), body)]
        answers += [client.get(changes_of(2)), client.post(changes_of(2))]
        assert {answer.status_code for answer in answers} <= {302, 404}, user.username
    viewer.user_permissions.add(Permission.objects.get(codename="view_degree"))
    client.force_login(User.objects.get(pk=viewer.pk))
    assert "Publish revision" not in text_of(client.get(changes_of(2)))
    assert client.post(changes_of(2)).status_code == 404
    assert (Revision.objects.count(), Sitting.objects.get().published_revision) == (2, 1)


def test_a_regrade_waits_to_be_compared(noor, graded: Sitting) -> None:
    """Also in a sitting with automatic publishing, students see a regrade once its Doctor has published it."""
    Sitting.objects.update(publish=Sitting.Publish.AUTOMATIC)
    assert "once you have compared and published it" in text_of(noor.get(form_of(graded)))
    second = grade(services.revision_regrade(sitting=graded.id, note=NOTE, adjustments=STORED), {"sara": "10"})
    assert not is_due_for_publication(second)
    assert is_due_for_publication(grade(services.revision_open_next(sitting=graded.id), {"sara": "10"}))
