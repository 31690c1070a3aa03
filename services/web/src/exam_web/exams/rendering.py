"""What students see of an author's texts: the one function that freezing, comparing and regrading render with.

The grader imports web's services too, and renders nothing: its image has no parsers of texts, which are therefore
imported when the first text is rendered.
"""

from collections.abc import Iterator
from functools import lru_cache
from html import escape

from exam_core.authored import AuthoredQuestion, TextFormat
from exam_core.paper import plain_text
from exam_core.questions.model import Rendered

_REMEMBERED = 4_000
"""Texts whose rendering is kept: an exam's page compares all of them with the frozen paper each time."""


def text_faults(question: AuthoredQuestion) -> Iterator[str]:
    """Yield what is wrong with a question's texts; each reason continues a sentence that begins with the question."""
    for name, text in (("text", question.text), *((f"{item.id!r}", item.text) for item in question.interaction.items)):
        for reason in faults_of(text, question.format):
            yield f"has a fault in {name}: {reason}"


def faults_of(text: str, form: TextFormat) -> tuple[str, ...]:
    """Return what is wrong with a text, by its lines."""
    return _rendered(text, form)[1]


def render_text(text: str, form: TextFormat) -> Rendered:
    """Return a text in its format as students see it; HTML is left out where it says no more than the plain text.

    A text with faults is shown as it was written: an exam with such a text cannot be frozen, but is compared with its
    frozen paper.
    """
    return _rendered(text, form)[0]


@lru_cache(maxsize=_REMEMBERED)
def _rendered(text: str, form: TextFormat) -> tuple[Rendered, tuple[str, ...]]:
    """Return what students see of a text, and what is wrong with it."""
    from exam_papers import texts  # noqa: PLC0415 - see the module's docstring

    try:
        rendered = texts.render(text, form)
    except texts.TextError as error:
        return plain_text(text, form), tuple(str(fault) for fault in error.faults)
    if form is TextFormat.PLAIN or not text.strip():
        return plain_text(text, form), ()
    unmarked = f"<p>{escape(rendered.text, quote=False)}</p>"
    html = None if rendered.html.strip() == unmarked else rendered.html
    return Rendered(text=rendered.text, html=html), ()
