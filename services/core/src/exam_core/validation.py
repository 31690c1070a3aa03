"""Rules that an exam must satisfy before it can be frozen.

YAML import, admin and API all apply these rules. Their reasons tell nothing of the key. Lengths and formats of single
members are checked where a member is parsed, against `exam_core.limits`.
"""

from collections.abc import Iterator

from exam_core.authored import AuthoredQuestion
from exam_core.paper import MAX_QUESTIONS
from exam_core.questions.model import Fault


def count_fault(questions: int) -> str | None:
    """Return the reason why an exam cannot have this many questions, or None."""
    if 1 <= questions <= MAX_QUESTIONS:
        return None
    return f"the exam needs 1 to {MAX_QUESTIONS} questions and has {questions}"


def question_faults(question: AuthoredQuestion) -> Iterator[Fault]:
    """Yield every rule that a question violates."""
    if not question.text.strip():
        yield Fault("has no text", "text")
    yield from question.interaction.faults()
