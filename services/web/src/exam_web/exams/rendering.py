"""What students see of an author's texts: the one function that freezing, comparing and regrading render with."""

from exam_core.authored import TextFormat
from exam_core.paper import plain_text
from exam_core.questions.model import Rendered


def render_text(text: str, form: TextFormat) -> Rendered:
    """Return a text in its format as students see it."""
    return plain_text(text, form)
