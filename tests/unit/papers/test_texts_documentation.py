"""The examples of docs/texts.md."""

import re
from pathlib import Path

import pytest
import yaml

from exam_core.authored import TextFormat
from exam_papers.texts import TextError, limits, render

PAGE = (Path(__file__).parents[3] / "docs/texts.md").read_text()
EXAMPLES = re.findall(r"^```(markdown|html)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
FAULTS = re.findall(r"^\| `(.+?)` \| (.+?) \| `(.+?)` \|$", PAGE, re.MULTILINE)
IMAGES = frozenset(re.findall(r"sha256:([0-9a-f]{64})", PAGE))


def test_the_page_has_examples() -> None:
    """If the page changes its form, its examples are still found."""
    assert len(EXAMPLES) >= 7
    assert len(FAULTS) >= 8


@pytest.mark.parametrize(("text_format", "example"), EXAMPLES)
def test_examples_are_rendered(text_format, example) -> None:
    """If I copy an example of the page, it is rendered without loss."""
    rendered = render(example, TextFormat(text_format), images=IMAGES)
    assert rendered.losses == ()
    assert rendered.html.count("<math") == len(re.findall(r"(?<!\\)\\\(|\$\$(?:.|\n)*?\$\$|<math", example))


@pytest.mark.parametrize(("written", "fault", "instead"), FAULTS)
def test_faults_are_those_of_the_page(written, fault, instead) -> None:
    """If I write one of the page's mistakes, I read the fault of the page, and what it says to write is accepted."""
    with pytest.raises(TextError) as error:
        render(written, TextFormat.MARKDOWN)
    assert fault.replace("`", "") in str(error.value)
    assert "<math" in render(instead, TextFormat.MARKDOWN).html


def test_the_example_in_yaml_is_read_as_written() -> None:
    """If I write a formula in YAML as the page does, its backslashes arrive."""
    (document,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert render(yaml.safe_load(document)["text"], TextFormat.MARKDOWN).html.count("<math>") == 2


def test_limits_are_those_of_the_page() -> None:
    """If a limit changes, the page does."""
    section = PAGE.partition("## Limits")[2]
    for value in (
        limits.MAX_FORMULA,
        limits.MAX_FORMULA_DEPTH,
        limits.MAX_FORMULAS,
        limits.MAX_TAGS,
        limits.MAX_HTML_DEPTH,
        limits.MAX_UNCLOSED,
    ):
        assert f" {value} " in section.replace(",", " ")
    assert f"{limits.MAX_MARKDOWN:,} characters in Markdown" in section
    assert f"{limits.MAX_SOURCE:,} characters in HTML" in section
