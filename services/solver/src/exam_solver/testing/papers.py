"""A double of the shared paper cache, and a paper with an image."""

from decimal import Decimal
from typing import Final

from exam_core.canonical import digest
from exam_core.images import ImageRef
from exam_core.paper import AuthoredChoice, AuthoredExam, AuthoredQuestion, Paper, QuestionKind, freeze

IMAGE: Final = b"\x89PNG an image"
IMAGE_SHA256: Final = digest(IMAGE)
SINGLE, MULTIPLE, NUMERIC, COIN = range(4)
"""The paper's questions: one of four, at most two of four, a number, one of two."""


class MemoryPaperCache:
    """The shared paper cache, in memory."""

    def __init__(self) -> None:
        self.papers: dict[str, bytes] = {}
        self.reads = 0

    async def get(self, digest: str) -> bytes | None:
        """A paper's body, or None."""
        self.reads += 1
        return self.papers.get(digest)

    async def close(self) -> None:
        """Do nothing."""


def make_paper() -> Paper:
    """A paper with a question of each kind."""
    four = tuple(AuthoredChoice(id=text, text=text, correct=text == "a") for text in "abcd")
    one = Decimal(1)
    questions = (
        AuthoredQuestion(
            id="single",
            kind=QuestionKind.SINGLE,
            text="Which?",
            weight=one,
            choices=four,
            image=ImageRef(sha256=IMAGE_SHA256, type="image/png", width=1, height=1),
        ),
        AuthoredQuestion(
            id="multiple", kind=QuestionKind.MULTIPLE, text="Which two?", weight=one, choices=four, max_choices=2
        ),
        AuthoredQuestion(id="numeric", kind=QuestionKind.NUMERIC, text="How much?", weight=one, value=Decimal("3.14")),
        AuthoredQuestion(id="heads", kind=QuestionKind.SINGLE, text="Heads?", weight=one, choices=four[:2]),
    )
    exam = AuthoredExam(slug="algebra-101", title="Algebra", instructions="", questions=questions)
    return freeze(exam, range)[0]
