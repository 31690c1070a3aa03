"""Whatever a file contains, it is imported or refused with its faults."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exam_papers.formats import FORMATS, ImportFaults, UnknownFormatError, detect
from exam_papers.formats.archives import pack

PIECES = {
    "gift": "::|{|}|=|~|#|####|%50%|%-33.33333%|->|>2 |\\|\\n|//|[id:a]|[html]|T|..|1.5|:|\n|\n\n|a|$CATEGORY: |*",
    "aiken": "Which?|A)|B. x|ANSWER: |A|\n|answer:|U.S.|é",
    "moodle-xml": (
        '<question type="multichoice">|<question type="numerical">|<question type="matching">|</question>|<answer>'
        '|<answer fraction="50">|</answer>|<text>|</text>|a|1.5|<subquestion>|</subquestion>'
        '|<questiontext format="html">|</questiontext>|<img src="@@PLUGINFILE@@/a">|<![CDATA[|]]>|&lt;|&amp;'
    ),
    "csv": "single|numeric|matching|essay|,|,,|,,,|\n|\nx|a|A|1..5|±|%|\"|'=|TRUE|1/3|;",
}
PREFIXES = {"moodle-xml": "<quiz>", "csv": "id,kind,text,choice_a,choice_b,key,credit,choice,tolerance\n"}


@pytest.mark.parametrize("name", PIECES)
@settings(max_examples=150)
@given(data=st.data())
def test_any_text_is_imported_or_refused(data, accept_image, name) -> None:
    """If a file is made of pieces of its format in any order, it is imported, or refused with places and reasons."""
    pieces = data.draw(st.lists(st.sampled_from(PIECES[name].split("|")), max_size=25))
    text = PREFIXES.get(name, "") + "".join(pieces) + ("</quiz>" if name == "moodle-xml" else "")
    imported = attempt(name, text, accept_image)
    if imported is not None:
        assert imported.questions
        assert all(not list(each.question.interaction.faults()) for each in imported.questions)
        exported = FORMATS[name].write(imported.questions, imported.images)
        assert exported.data or exported.losses


def attempt(name, text, accept_image):
    """What is imported of a text; None if it is refused, with places."""
    try:
        return FORMATS[name].read(text.encode(), file="f", accept_image=accept_image)
    except ImportFaults as error:
        if not error.faults or any(fault.place.line < 1 for fault in error.faults):
            raise AssertionError("a file is refused without a place") from error
        return None


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=50)
@given(data=st.binary(max_size=200) | st.binary(max_size=50).map(lambda data: pack({"xl/workbook.xml": data})))
def test_any_bytes_are_imported_or_refused(accept_image, data, name) -> None:
    """If a file is any bytes, it is refused with a reason, and so it is where its format is looked for."""
    with pytest.raises(ImportFaults):
        FORMATS[name].read(b"\n" + data if name in {"gift", "aiken"} else data, file="f", accept_image=accept_image)
    with contextlib.suppress(UnknownFormatError):
        assert detect("f", data).name in FORMATS


REPEATED = {
    "gift": ["\\\\(", "{", "{=a", "<img ", "// [id:", "::", "~%50%a", "![", "a\n\n", "=a->b"],
    "aiken": ["Which?\n", "A) x\n", "ANSWER: A\n"],
    "moodle-xml": ["<!-- a -->", "<img ", "&lt;img ", "<question/>"],
    "csv": ["essay,a\n", ",", "x;", '"', "."],
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("name", "piece"), [(name, piece) for name, pieces in REPEATED.items() for piece in pieces])
def test_repetitions_take_little_time(accept_image, name, piece) -> None:
    """If a file repeats one piece a hundred thousand times, reading it takes seconds and not minutes."""
    text = piece * (100_000 // len(piece))
    frames = {
        "moodle-xml": f'<quiz><question type="essay"><questiontext>{text}</questiontext></question></quiz>',
        "csv": f"kind,text\n{text}",
        "gift": f"[markdown]{text} {{=[html]a ~b}}",
    }
    with contextlib.suppress(UnknownFormatError):
        detect("f", text.encode())
    attempt(name, frames.get(name, text), accept_image)
