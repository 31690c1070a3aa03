"""The examples of the page on formats are read, and its kinds, columns and percentages are those of the code."""

import re

import pytest

from exam_core.credits import FILE_CREDITS, percent_text
from exam_core.questions.model import KindName
from exam_harness.environments.processes.paths import REPOSITORY
from exam_papers.formats import FORMATS, detect
from exam_papers.formats.sheets.columns import COLUMNS

PAGE = (REPOSITORY / "docs" / "formats.md").read_text()
EXAMPLES = {name: text for name, text in re.findall(r"```([a-z-]+)\n(.*?)```", PAGE, re.DOTALL) if name in FORMATS}
COUNTS = {"gift": 3, "aiken": 1, "moodle-xml": 1, "csv": 5}


@pytest.mark.parametrize("name", COUNTS)
def test_examples_are_imported(name, accept_image) -> None:
    """If I copy an example of the page into a file, its format is found and it is imported without a loss."""
    data = EXAMPLES[name].encode()
    imported = detect("example", data).read(data, file="example", accept_image=accept_image)
    assert len(imported.questions) == COUNTS[name]
    assert imported.losses == ()
    exported = FORMATS[name].write(imported.questions, {})
    assert FORMATS[name].read(exported.data, file="again", accept_image=accept_image).questions == imported.questions


def test_page_names_what_the_code_has() -> None:
    """If I look for a column, a kind or a percentage, the page has all that are read."""
    named = set(re.findall(r"`([a-z_-]+)`", PAGE))
    assert {column for column in COLUMNS if not column.startswith("choice_")} <= named
    assert set(KindName) <= named
    (listed,) = re.findall(r"Percentages are Moodle's: (.*?), and", PAGE, re.DOTALL)
    assert set(listed.split(", ")) == {percent_text(credit) for credit in FILE_CREDITS}
