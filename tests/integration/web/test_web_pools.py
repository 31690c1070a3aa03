"""What students see through web of a paper with a pool: the questions drawn for each, and no other one."""

import asyncio
import base64
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from PIL import Image

from exam_answerlog.cassandra import CassandraAnswerLog
from exam_answerlog.testing.settings import settings_from
from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer, Start, answer_id_of
from exam_core.buckets import bucket_of
from exam_core.fold import root_digest, seal_bucket
from exam_core.instants import to_micros
from exam_core.paper import Paper
from exam_core.shuffle import drawn
from exam_harness.environments.processes.servers.cassandra import Cassandra
from exam_web.degrees.services import DegreeRow, chunk_record
from exam_web.exams.models import Question
from exam_web.sittings import seals, services
from exam_web.sittings.models import Sitting

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

EXAM = "/api/exams/pools"
SEED = 7
OPTIONS = ("one", "two", "three")


def png(shade: int) -> bytes:
    """A picture of one shade."""
    data = io.BytesIO()
    Image.new("L", (2, 2), shade).save(data, "PNG")
    return data.getvalue()


def document() -> str:
    """An exam with one question for all, and two of four; each question of the pool has a text and an image."""
    lines = [
        "exam: pools",
        "title: Pools",
        "level: year-1",
        "review: key",
        "sections:",
        "  - id: all",
        "    questions:",
    ]
    lines += ['      - {id: common, kind: essay, text: "For all"}', "  - id: pool", "    draw: 2", "    questions:"]
    for number in range(4):
        image = base64.b64encode(png(number)).decode()
        choices = ", ".join(f'{{id: c{n}, text: "{each} of {number}"}}' for n, each in enumerate(OPTIONS))
        correct = choices.replace("}", ", correct: true}", 1)
        lines += [f'      - {{id: q{number}, kind: single, text: "Secret {number}", image: "{image}",']
        lines += [f"         choices: [{correct}]}}"]
    return "\n".join(lines)


@pytest.fixture(autouse=True)
def reader() -> Iterator[None]:
    """A reader of seals for this test's settings."""
    yield
    if seals.seal_reader.cache_info().currsize:
        seals.seal_reader().close()
    seals.seal_reader.cache_clear()


@pytest.fixture
def sitting(internal, people, provision) -> Sitting:
    """A sitting of an exam that was imported over the internal API; its last deadline passed a minute ago."""
    imported = internal("PUT", "/exams", document())
    assert (imported.status_code, imported.json()["questions"]) == (200, 5), imported.content
    sitting = provision("pools", exam="pools")
    now = timezone.now()
    Sitting.objects.filter(id=sitting.id).update(
        opens_at=now - timedelta(minutes=30), closes_at=now - timedelta(minutes=1)
    )
    return Sitting.objects.get(id=sitting.id)


def publish(sitting: Sitting, student: int, cassandra: Cassandra, *, stated: bool = True) -> tuple[int, ...]:
    """Seal a start and answers of one student to all that was drawn, and publish a degree; return what was drawn.

    If it is not `stated`, the seal is that of a release without draws.
    """
    paper = Paper(bytes(sitting.paper.body))
    got = drawn(paper, SEED)
    services.sitting_close(sitting=sitting.id)
    services.sitting_drain(sitting=sitting.id)
    at, solver = to_micros(sitting.opens_at), UUID(int=1)
    value = AnswerValue(choice=1)
    answers = [
        Answer(
            student=student,
            question=question,
            seq=1,
            answer_id=answer_id_of(sitting=sitting.id, student=student, question=question, seq=1, answer=value),
            received_at=at + 1,
            deadline_at=to_micros(sitting.closes_at),
            solver=solver,
            epoch=1,
            answer=value,
        )
        for question in got
        if question != 0
    ]
    start = Start(student=student, started_at=at, solver=solver, epoch=1, seed=SEED)
    buckets = [
        seal_bucket(
            sitting=sitting.id,
            bucket=number,
            paper=paper if stated else None,
            answers=answers if number == bucket_of(student, sitting.buckets) else [],
            starts=[start] if number == bucket_of(student, sitting.buckets) else [],
            submissions=[],
        )
        for number in range(sitting.buckets)
    ]

    async def store() -> None:
        log = CassandraAnswerLog.connect(settings_from(cassandra.ring.variables("grader")))
        try:
            for number, bucket in enumerate(buckets):
                await log.seal(sitting.id, number, bucket)
        finally:
            await log.close()

    asyncio.run(store())
    for number, bucket in enumerate(buckets):
        services.sealed_bucket_record(sitting=sitting.id, bucket=number, sealed=bucket)
    services.sitting_mark_sealed(sitting=sitting.id, root=root_digest(sitting.id, [each.digest for each in buckets]))
    revision = services.revision_open(sitting=sitting.id, number=1)
    degree = DegreeRow(
        student=student,
        total=Decimal(1),
        maximum=Decimal(3),
        points=["1.00" if n in got else None for n in range(5)],
        answered=2,
        started_at=None,
        submitted_at=None,
    )
    for chunk in range(revision.chunks):
        chunk_record(
            revision=revision, chunk=chunk, degrees=[degree] if chunk == bucket_of(student, revision.chunks) else []
        )
    services.revision_complete(revision=revision)
    services.revision_publish(revision=revision)
    return got


def secrets_of(paper: Paper, numbers: Any) -> list[str]:
    """The texts and image digests of questions."""
    found = []
    for number in numbers:
        question = paper.content["questions"][number]
        found += [question["text"], *(choice["text"] for choice in question["choices"]), question["image"]["sha256"]]
    return found


def test_a_student_reviews_what_was_drawn(sitting: Sitting, people, log_in, cassandra: Cassandra) -> None:
    """If I review my attempt with its key, I see the questions that I got, and null for each other one."""
    got = publish(sitting, people.student.pk, cassandra)
    assert len(got) == 3
    paper = Paper(bytes(sitting.paper.body))
    answer = log_in(people.student).get(f"/api/sittings/{sitting.name}/review")
    body = answer.json()
    assert [n for n, question in enumerate(body["paper"]["questions"]) if question] == list(got)
    assert [n for n, entry in enumerate(body["key"]) if entry] == list(got)
    assert [each["question"] for each in body["answers"]] == list(got[1:])
    assert (body["total"], body["maximum"]) == ("1.00", "3.00")
    text = json.dumps(body, ensure_ascii=False)
    assert [secret for secret in secrets_of(paper, got[1:]) if secret not in text] == []
    assert [secret for secret in secrets_of(paper, {1, 2, 3, 4} - {*got}) if secret in text] == []


def test_no_other_page_shows_a_question_of_a_pool(sitting: Sitting, people, log_in, cassandra: Cassandra) -> None:
    """Before and after the sitting, no list, exam, degree or proof of mine has a text of a pool, and no image is sent.

    The exam's page shows no paper of it, and images of its author's exam are for the author.
    """
    student, doctor = log_in(people.student), log_in(people.doctor)
    paper = Paper(bytes(sitting.paper.body))
    images = list(Question.objects.filter(exam=sitting.exam, image__isnull=False).values_list("image_id", flat=True))
    assert len(images) == 4
    places = [
        *("/api/exams", EXAM, "/api/sittings", "/api/degrees", "/api/me"),
        *(f"/api/sittings/{sitting.name}/{part}" for part in ("seal", "seal/proof", "degrees", "degrees/proof")),
        *(f"{EXAM}/{part}" for part in ("questions", "questions/q0")),
    ]

    def check() -> None:
        for place in places:
            text = student.get(place).content.decode()
            assert [secret for secret in secrets_of(paper, range(1, 5)) if secret in text] == [], place
        assert [student.get(f"{EXAM}/images/{image}").status_code for image in images] == [403] * 4

    check()
    publish(sitting, people.student.pk, cassandra)
    check()
    exam = student.get(EXAM).json()
    assert (exam["paper"], exam["questions"]) == (None, 3)
    sitting.exam.author_id = people.doctor.pk
    sitting.exam.save()
    assert [doctor.get(f"{EXAM}/images/{image}").status_code for image in images] == [200] * 4


def test_a_seal_that_states_no_draw_shows_no_question(sitting: Sitting, people, log_in, cassandra: Cassandra) -> None:
    """If a release without draws sealed a paper with pools, my review has no question of it, rather than all."""
    publish(sitting, people.student.pk, cassandra, stated=False)
    body = log_in(people.student).get(f"/api/sittings/{sitting.name}/review").json()
    assert body["paper"]["questions"] == body["key"] == [None] * 5
