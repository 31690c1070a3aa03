"""Limits of texts and formulas, so that rendering takes a bounded time and its result has a bounded size."""

from typing import Final

from exam_core.limits import MAX_TEXT

MAX_SOURCE: Final = 10 * MAX_TEXT
"""Characters of a text in HTML, or of a plain one. Above `MAX_TEXT`, because MathML is long."""
MAX_MARKDOWN: Final = MAX_TEXT
"""Characters of a text in Markdown, whose parser takes quadratic time for brackets that are not closed."""
MAX_FORMULA: Final = 2000
"""Characters of one formula in TeX."""
MAX_FORMULAS: Final = 500
"""Formulas in one text."""
MAX_FORMULA_DEPTH: Final = 60
"""Levels of elements in one formula's MathML; a fraction in a fraction has about four."""
MAX_HTML_DEPTH: Final = 60
"""Levels of elements in the HTML of one text."""
MAX_TAGS: Final = 3000
"""Tags in the HTML of one text."""
MAX_UNCLOSED: Final = 10
"""Elements such as `b` that are not closed; parsers repeat them in each block that follows."""
