"""A double of the shared paper cache, and a paper with an image."""

from fractions import Fraction
from typing import Final

from exam_core.authored import AuthoredExam, AuthoredQuestion
from exam_core.canonical import digest
from exam_core.images import ImageRef
from exam_core.paper import Paper, freeze, plain_text
from exam_core.questions.choices import Choice, MultipleChoice, SingleChoice
from exam_core.questions.numeric import Near, Numeric

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
    """A paper whose questions the tests answer."""
    four = tuple(Choice(id=text, text=text, credit=Fraction(text == "a")) for text in "abcd")
    pi = Near(value=Fraction("3.14"))
    questions = (
        AuthoredQuestion(
            id="single",
            text="Which?",
            image=ImageRef(sha256=IMAGE_SHA256, type="image/png", width=1, height=1),
            interaction=SingleChoice(choices=four),
        ),
        AuthoredQuestion(id="multiple", text="Which two?", interaction=MultipleChoice(choices=four, max_choices=2)),
        AuthoredQuestion(id="numeric", text="How much?", interaction=Numeric(accepted=(pi,))),
        AuthoredQuestion(id="heads", text="Heads?", interaction=SingleChoice(choices=four[:2])),
    )
    exam = AuthoredExam(slug="algebra-101", title="Algebra", instructions="", questions=questions)
    return freeze(exam, range, plain_text)[0]
