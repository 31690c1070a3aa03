"""Reading exams."""

from collections.abc import Iterable, Iterator

from django.db import transaction
from django.db.models import Prefetch, QuerySet

from exam_core.paper import (
    MAX_CHOICES,
    MAX_QUESTIONS,
    AuthoredChoice,
    AuthoredExam,
    AuthoredQuestion,
    ImageRef,
    QuestionKind,
)
from exam_core.problems import Problem, ProblemKind
from exam_web.exams.models import Choice, Exam, Image, Question
from exam_web.users.models import User

MIN_CHOICES = 2
"""One choice is none."""


def exams_visible_to(user: User) -> QuerySet[Exam]:
    """The exams a person may know of: students of their level, Doctors their own, staff by permission."""
    exams = Exam.objects.select_related("level", "author")
    if user.kind == User.Kind.STUDENT:
        return exams.filter(level=user.level)
    if user.kind == User.Kind.DOCTOR:
        return exams.filter(author_id=user.pk)
    return exams if user.has_perm("exams.view_exam") else exams.none()


def paper_shown_to(user: User, exam: Exam) -> str | None:
    """The digest of the paper of an exam's latest sitting that is over for a person.

    While a sitting is open, only the solver shows its paper, to students whose deadline is running: shown elsewhere it
    would give them reading time that does not count.
    """
    return exam.sittings.visible_to(user).over().order_by("-opens_at").values_list("paper_id", flat=True).first()


def exam_shows(exam: Exam, image: Image) -> bool:
    """Whether a question or a choice of an exam has an image."""
    in_choices = Choice.objects.filter(question__exam=exam, image=image)
    return exam.questions.filter(image=image).exists() or in_choices.exists()


def exam_authored(exam: Exam) -> tuple[AuthoredExam, list[Image]]:
    """An exam as freezing takes it, with every image that it shows: all of it at one moment, edits wait.

    Raises:
        Problem: PAPER_INVALID listing every question that cannot be asked.
    """
    with transaction.atomic():
        Exam.objects.select_for_update(of=("self",)).get(pk=exam.pk)
        questions = list(questions_of(exam))
    faults = faults_among(questions)
    if faults:
        raise Problem(ProblemKind.PAPER_INVALID, f"{exam.slug}: {'; '.join(faults)}", faults=faults)
    authored = AuthoredExam(
        slug=exam.slug,
        title=exam.title,
        instructions=exam.instructions,
        questions=tuple(_authored_question(question) for question in questions),
    )
    return authored, _images(questions)


def exam_faults(exam: Exam) -> list[str]:
    """Everything that keeps an exam from being asked."""
    return faults_among(list(questions_of(exam)))


def faults_among(questions: list[Question]) -> list[str]:
    """Everything that keeps an exam of some questions from being asked."""
    faults = [fault for question in questions for fault in question_faults(question)]
    if not 1 <= len(questions) <= MAX_QUESTIONS:
        faults.append(f"the exam needs 1 to {MAX_QUESTIONS} questions and has {len(questions)}")
    return faults


def question_faults(question: Question) -> Iterator[str]:
    """What keeps a question from being asked.

    The rules are those of documents (`exam_core.authoring`); a test holds the two together, for a document's faults
    have lines and these have names.
    """
    name = f"question {question.ident}"
    if not question.text.strip():
        yield f"{name} has no text"
    numeric = question.kind == QuestionKind.NUMERIC
    reasons = _numeric_faults(question) if numeric else _choice_faults(question)
    yield from (f"{name} {reason}" for reason in reasons)


def _numeric_faults(question: Question) -> Iterator[str]:
    if question.value is None:
        yield "has no key: give its value"
    if question.choices.all():
        yield "is numeric and has choices"
    if question.max_choices is not None:
        yield "is numeric and has max_choices"


def _choice_faults(question: Question) -> Iterator[str]:
    choices = list(question.choices.all())
    right = sum(choice.correct for choice in choices)
    if not MIN_CHOICES <= len(choices) <= MAX_CHOICES:
        yield f"needs {MIN_CHOICES} to {MAX_CHOICES} choices and has {len(choices)}"
    elif right == 0:
        yield "has no key: mark a choice as correct"
    if question.value is not None:
        yield f"is {question.kind}-choice and has a value"
    if question.kind == QuestionKind.SINGLE:
        if right > 1:
            yield f"is single-choice and has {right} correct choices"
        if question.max_choices is not None:
            yield "is single-choice and has max_choices"
    elif question.max_choices is not None and not max(1, right) <= question.max_choices <= len(choices):
        yield f"has max_choices {question.max_choices}: it must be from {max(1, right)} to {len(choices)}"
    yield from _face_faults(choices)


def _face_faults(choices: Iterable[Choice]) -> Iterator[str]:
    faces: dict[tuple[str, str | None], str] = {}
    for choice in choices:
        face = (choice.text.strip(), choice.image_id)
        if face == ("", None):
            yield f"has choice {choice.ident} with neither text nor image"
        elif face in faces:
            yield f"has choices {faces[face]} and {choice.ident} that look the same"
        faces.setdefault(face, choice.ident)


def questions_of(exam: Exam) -> QuerySet[Question]:
    """An exam's questions in order, with everything that hangs on them."""
    choices = Prefetch("choices", Choice.objects.select_related("image"))
    return exam.questions.select_related("image").prefetch_related(choices).order_by("position")


def _authored_question(question: Question) -> AuthoredQuestion:
    return AuthoredQuestion(
        kind=QuestionKind(question.kind),
        text=question.text,
        weight=question.weight,
        image=_ref(question.image),
        choices=tuple(
            AuthoredChoice(text=choice.text, correct=choice.correct, image=_ref(choice.image))
            for choice in question.choices.all()
        ),
        max_choices=question.max_choices,
        value=question.value,
        tolerance=question.tolerance,
    )


def _images(questions: Iterable[Question]) -> list[Image]:
    shown = (image for q in questions for image in (q.image, *(choice.image for choice in q.choices.all())) if image)
    return list({image.sha256: image for image in shown}.values())


def _ref(image: Image | None) -> ImageRef | None:
    if image is None:
        return None
    return ImageRef(sha256=image.sha256, type=image.content_type, width=image.width, height=image.height)
