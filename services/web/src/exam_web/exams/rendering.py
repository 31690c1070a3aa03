"""What students see of an author's texts: the one function that freezing, comparing and regrading render with."""

from functools import lru_cache
from html import escape

from exam_core.authored import TextFormat
from exam_core.paper import plain_text
from exam_core.questions.model import Rendered
from exam_papers import texts

_REMEMBERED = 4_000
"""Texts whose rendering is kept: an exam's page compares all of them with the frozen paper each time."""


@lru_cache(maxsize=_REMEMBERED)
def render_text(text: str, form: TextFormat) -> Rendered:
    """Return a text in its format as students see it; HTML is left out where it says no more than the plain text.

    Raises:
        TextError: the text has formulas with faults.
    """
    if form is TextFormat.PLAIN or not text.strip():
        return plain_text(text, form)
    rendered = texts.render(text, form)
    unmarked = f"<p>{escape(rendered.text, quote=False)}</p>"
    return Rendered(text=rendered.text, html=None if rendered.html.strip() == unmarked else rendered.html)
