"""Fixtures: the lease functions that web's migrations create, and an open sitting."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from exam_harness.environments.processes.servers.postgres import Postgres
from exam_solver.lease.postgres import PostgresLeaseStore
from exam_web.exams.models import Choice, Exam, Question
from exam_web.sittings.models import Schedule, Sitting
from exam_web.sittings.services import SittingSpec, sitting_provision
from exam_web.users.models import Level, Student, User


@pytest.fixture
def sitting(transactional_db: None) -> Sitting:
    """An open sitting of an exam with one question, for an hour."""
    Schedule.objects.get_or_create(id=1)
    level, _ = Level.objects.get_or_create(slug="year-1", defaults={"name": "Year 1"})
    exam = Exam.objects.create(slug=f"exam-{uuid4().hex[:8]}", title="Algebra", level=level, published=True)
    question = Question.objects.create(
        exam=exam, ident="q", position=0, kind="single", text="Which?", weight=Decimal(1)
    )
    Choice.objects.bulk_create(
        Choice(question=question, ident=f"c{n}", position=n, text=f"choice {n}", correct=n == 0) for n in range(4)
    )
    now = timezone.now()
    spec = SittingSpec(
        exam=exam.slug,
        opens_at=now - timedelta(minutes=1),
        closes_at=now + timedelta(hours=1),
        duration=timedelta(minutes=30),
        candidates=100,
    )
    return sitting_provision(name=f"{exam.slug}-1", spec=spec, permute=range)


@pytest.fixture
def student(sitting: Sitting) -> Student:
    """A student of the sitting's level."""
    row = User.objects.create(
        username=f"s-{uuid4().hex[:8]}", password="!", kind=User.Kind.STUDENT, level=sitting.level
    )
    return Student.objects.get(pk=row.pk)


@pytest.fixture
def lease_database_url(sitting: Sitting, postgres: Postgres) -> str:
    """The URL of the test database for the solver's role."""
    return postgres.dsn("exam_solver", connection.settings_dict["NAME"])


@pytest.fixture
async def store(lease_database_url: str) -> AsyncIterator[PostgresLeaseStore]:
    """A lease store on the test database."""
    store = PostgresLeaseStore(lease_database_url, timeout=5)
    yield store
    await store.close()
