"""Reading exams."""

from collections.abc import Iterable

from django.db.models import Prefetch, QuerySet

from exam_core.paper import AuthoredChoice, AuthoredExam, AuthoredQuestion, ImageRef, QuestionKind
from exam_core.problems import Problem, ProblemKind
from exam_web.exams.models import Choice, Exam, Image, Question
from exam_web.users.models import User


def exams_visible_to(user: User) -> QuerySet[Exam]:
    """The exams a person may know of: students of their level, Doctors their own, staff all."""
    exams = Exam.objects.select_related("level", "author")
    if user.kind == User.Kind.STUDENT:
        return exams.filter(level=user.level)
    if user.kind == User.Kind.DOCTOR:
        return exams.filter(author_id=user.pk)
    return exams


def exam_shows(exam: Exam, image: Image) -> bool:
    """Whether a question or a choice of an exam has an image."""
    in_choices = Choice.objects.filter(question__exam=exam, image=image)
    return exam.questions.filter(image=image).exists() or in_choices.exists()


def exam_authored(exam: Exam) -> tuple[AuthoredExam, list[Image]]:
    """An exam as freezing takes it, with every image that it shows.

    Raises:
        Problem: PAPER_INVALID listing every question that cannot be asked.
    """
    questions = list(questions_of(exam))
    faults = [fault for question in questions for fault in question_faults(question)]
    if not questions:
        faults.append("the exam has no question")
    if faults:
        raise Problem(ProblemKind.PAPER_INVALID, f"{exam.slug}: {'; '.join(faults)}", faults=faults)
    authored = AuthoredExam(
        slug=exam.slug,
        title=exam.title,
        instructions=exam.instructions,
        questions=tuple(_authored_question(question) for question in questions),
    )
    return authored, _images(questions)


def question_faults(question: Question) -> Iterable[str]:
    """What keeps a question from being asked; the same rules as for documents (`exam_core.authoring`)."""
    name = f"question {question.ident}"
    choices = list(question.choices.all())
    if question.kind == QuestionKind.NUMERIC:
        if question.value is None:
            yield f"{name} has no key: give its value"
        if choices:
            yield f"{name} is numeric and has choices"
        return
    right = sum(choice.correct for choice in choices)
    if len(choices) < 2:  # noqa: PLR2004 - one choice is none
        yield f"{name} needs at least two choices"
    elif right == 0:
        yield f"{name} has no key: mark a choice as correct"
    if question.kind == QuestionKind.SINGLE and right > 1:
        yield f"{name} is single-choice and has {right} correct choices"
    if question.max_choices is not None and not max(1, right) <= question.max_choices <= len(choices):
        yield f"{name}: max_choices must be from {max(1, right)} to {len(choices)}"


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
