"""The database rejects what no solver or grader could read, also from other programs than web."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.test import RequestFactory

from exam_core.bounds import MAX_BUCKETS, MAX_CANDIDATES, MAX_INSTANT, MAX_SPAN, MIN_INSTANT
from exam_web.api import internal_api
from exam_web.degrees.models import Degree
from exam_web.exams.models import Question, Section
from exam_web.sittings.models import Accommodation, Revision, Sitting, SittingPause
from exam_web.users.models import Revocation

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

VIOLATIONS = [
    ("UPDATE sittings_sitting SET opens_at = '1999-12-31 23:59:59.999999Z'", "sitting_opens_at_bounded"),
    ("UPDATE sittings_sitting SET opens_at = '-infinity'", "sitting_opens_at_bounded"),
    ("UPDATE sittings_sitting SET closes_at = '2100-01-01 00:00:00Z'", "sitting_closes_at_bounded"),
    ("UPDATE sittings_sitting SET closes_at = 'infinity'", "sitting_closes_at_bounded"),
    ("UPDATE sittings_sitting SET closes_at = opens_at", "sitting_closes_after_opening"),
    ("UPDATE sittings_sitting SET stopped_at = 'infinity'", "sitting_stopped_at_bounded"),
    ("UPDATE sittings_sitting SET duration = interval '0'", "sitting_duration_bounded"),
    ("UPDATE sittings_sitting SET duration = interval '24 h 1 us'", "sitting_duration_bounded"),
    ("UPDATE sittings_sitting SET duration = interval '115740741 days'", "sitting_duration_bounded"),
    ("UPDATE sittings_sitting SET state = 'postponed'", "sitting_state_known"),
    ("UPDATE sittings_sitting SET candidates = 0", "sitting_candidates_bounded"),
    ("UPDATE sittings_sitting SET candidates = 1000001", "sitting_candidates_bounded"),
    ("UPDATE sittings_sitting SET buckets = 0", "sitting_buckets_bounded"),
    ("UPDATE sittings_sitting SET buckets = 1000001", "sitting_buckets_bounded"),
    ("UPDATE sittings_sittingpause SET began_at = '-infinity'", "pause_began_at_bounded"),
    ("UPDATE sittings_sittingpause SET ended_at = 'infinity'", "pause_ended_at_bounded"),
    ("UPDATE sittings_sittingpause SET began_at = ended_at + interval '1 us'", "pause_ends_after_it_began"),
    ("UPDATE sittings_accommodation SET extra = interval '-1 us'", "accommodation_extra_bounded"),
    ("UPDATE sittings_accommodation SET extra = interval '24 h 1 us'", "accommodation_extra_bounded"),
    ("UPDATE sittings_revision SET chunks = 1000001", "revision_chunks_bounded"),
    ("UPDATE users_revocation SET before = 'infinity'", "revocation_before_bounded"),
    ("UPDATE users_revocation SET expires_at = 'infinity'", "revocation_expires_at_bounded"),
    ("UPDATE exams_question SET weight = 'NaN'", "question_weight_bounded"),
    ("UPDATE exams_question SET weight = 1000.01", "question_weight_bounded"),
    ("UPDATE exams_question SET tolerance = 'NaN'", "question_tolerance_bounded"),
    ("UPDATE exams_question SET value = 'NaN'", "question_value_bounded"),
    ("UPDATE exams_question SET kind = 'oral'", "question_kind_known"),
    ("UPDATE exams_question SET format = 'rtf'", "question_format_known"),
    ("UPDATE exams_exam SET format = 'rtf'", "exam_format_known"),
    ("UPDATE exams_question SET settings = '[]'", "question_settings_object"),
    ("UPDATE exams_choice SET credit = ''", "choice_credit_not_empty"),
    ("UPDATE exams_section SET draw = 0", "section_draw_positive"),
    ("UPDATE degrees_degree SET total = maximum + 0.01", "degree_total_bounded"),
    ("UPDATE degrees_degree SET total = -maximum - 0.01", "degree_total_bounded"),
    ("UPDATE degrees_degree SET maximum = 'NaN'", "degree_maximum_bounded"),
]


@pytest.fixture(scope="module", autouse=True)
def owner(as_owner: Any) -> Iterator[None]:
    """These tests migrate in their transactions: they connect as the owner, as any program that bypasses web may."""
    with as_owner():
        yield


@pytest.fixture
def rows(provision: Any, people: Any) -> Sitting:
    """A row in each table, with values at their bounds."""
    sitting = provision(candidates=MAX_CANDIDATES, duration=MAX_SPAN.total_seconds())
    Sitting.objects.filter(id=sitting.id).update(
        opens_at=MIN_INSTANT, closes_at=MAX_INSTANT - timedelta(microseconds=1), buckets=MAX_BUCKETS
    )
    SittingPause.objects.create(sitting=sitting, began_at=MIN_INSTANT, ended_at=MIN_INSTANT)
    Accommodation.objects.create(sitting=sitting, student_id=people.student.pk, extra=MAX_SPAN)
    revision = Revision.objects.create(sitting=sitting, number=1, key=sitting.key, policy={}, chunks=MAX_BUCKETS)
    Degree.objects.create(revision=revision, student_id=people.student.pk, total=20, maximum=20, points=[], answered=0)
    Revocation.objects.create(kind="subject", value="1", before=MIN_INSTANT, expires_at=MIN_INSTANT)
    Section.objects.create(exam=sitting.exam, ident="all", position=0)
    return sitting


@pytest.mark.parametrize(("statement", "constraint"), VIOLATIONS)
def test_the_database_rejects_a_value_out_of_bounds(rows: Sitting, statement: str, constraint: str) -> None:
    """Whatever program writes it, a row that could not be read is rejected by a constraint with a name."""
    with pytest.raises(IntegrityError, match=f'"{constraint}"'), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_degree_may_be_below_zero(rows: Sitting) -> None:
    """If the policy of a sitting says so, wrong answers may cost all points."""
    assert Degree.objects.update(total=-20) == 1


def test_a_violated_constraint_is_an_invalid_value(rows: Sitting) -> None:
    """If a request reaches a constraint, the response is 422 with its name, and not 409 as for a concurrent change."""
    with pytest.raises(IntegrityError) as raised, transaction.atomic():
        Sitting.objects.update(candidates=0)
    answer = internal_api.on_exception(RequestFactory().get("/internal/sittings/x"), raised.value)
    assert answer.status_code == 422
    assert "sitting_candidates_bounded" in json.loads(answer.content)["detail"]


@pytest.mark.parametrize(
    ("app", "statement", "shown"),
    [
        ("sittings", "UPDATE sittings_sitting SET duration = interval '115740741 days'", "duration = 115740741 days"),
        ("sittings", "UPDATE sittings_sitting SET closes_at = 'infinity'", "closes_at = infinity"),
        ("sittings", "UPDATE sittings_sittingpause SET ended_at = 'infinity'", "ended_at = infinity"),
        ("users", "UPDATE users_revocation SET before = 'infinity'", "before = infinity"),
        ("exams", "UPDATE exams_question SET weight = 'NaN' WHERE position = 0", "weight = NaN"),
        ("degrees", "UPDATE degrees_degree SET maximum = 'NaN'", "maximum = NaN"),
    ],
)
def test_a_migration_names_the_rows_that_are_out_of_bounds(rows: Sitting, app: str, statement: str, shown: str) -> None:
    """If a row is out of bounds, the upgrade ends with its table, id, columns and the remedy, and changes nothing."""
    with connection.cursor() as cursor:
        migrate_back(app)
        cursor.execute(f"{statement} RETURNING id::text")
        [(damaged,)] = cursor.fetchall()
    with pytest.raises(CommandError) as raised:
        call_command("migrate", app, verbosity=0)
    message = str(raised.value)
    table = statement.split(" ")[1]
    assert f"{table} id {damaged}: {shown} (" in message
    assert "Correct each value or delete the row" in message


def test_a_long_list_of_rows_is_shortened(rows: Sitting) -> None:
    """If many rows are out of bounds, ten are listed for each constraint and the others are counted."""
    with connection.cursor() as cursor:
        migrate_back("exams")
        cursor.execute("UPDATE exams_question SET kind = 'drawing' RETURNING id")
        more = len(cursor.fetchall()) - 10
    assert more > 1
    with pytest.raises(CommandError, match=rf"exams_question: {more} more \(question_kind_known\)") as raised:
        call_command("migrate", "exams", verbosity=0)
    assert str(raised.value).count("exams_question id ") == 10


def migrate_back(app: str) -> None:
    """Undo an app's migration that adds the constraints, in the test's transaction, for the kinds known then."""
    Question.objects.exclude(kind__in=["single", "multiple", "numeric"]).delete()
    loader = MigrationLoader(connection)
    (bounds,) = [key for key in loader.graph.nodes if key[0] == app and key[1].endswith("_bounds")]
    [(_, before)] = loader.get_migration(*bounds).dependencies
    with connection.cursor() as cursor:
        # A table with pending checks of foreign keys cannot be altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    call_command("migrate", app, before, verbosity=0)
