"""What is written to a file is read again, and each difference is among the losses."""

from dataclasses import replace

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from exam_core.authored import TextFormat
from exam_core.credits import FILE_CREDITS, FULL_CREDIT
from exam_core.questions.model import KindName
from exam_papers.formats import FORMATS
from exam_papers.formats.model import LossCode

ID_DROPPED = "the id is dropped"


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60)
@given(data=st.data())
def test_a_file_states_a_question_or_names_the_loss(data, questions, pictures, accept_image, name) -> None:
    """If I export questions of any kind and import the file, each question is as it was, or its loss was named."""
    written = data.draw(questions())
    exported = FORMATS[name].write(written, pictures)
    left_out = {loss.question for loss in exported.losses if loss.code is LossCode.NOT_WRITTEN}
    stated = [each for each in written if each.question.id not in left_out]
    if not stated:
        return
    imported = FORMATS[name].read(exported.data, file="f", accept_image=accept_image)
    assert {loss.code for loss in imported.losses} <= {LossCode.MARKUP, LossCode.DIFFERS_FROM_MOODLE}
    again = imported.questions
    assert len(again) == len(stated)
    for before, after in zip(stated, again, strict=True):
        lost = {loss.feature for loss in exported.losses if loss.question == before.question.id}
        event(f"{name}, losses: {sorted(lost)}")
        if lost <= {ID_DROPPED}:
            ident = after.question.id if lost else before.question.id
            assert after == replace(before, question=replace(before.question, id=ident))


LINES = (
    st.text(st.sampled_from("aBc 0{}=~#:\\%[]/-\n<&*_$!é1.,;\"'+"), min_size=1, max_size=10).map(str.strip).filter(bool)
)
LEGAL = st.sampled_from([sign * credit for credit in FILE_CREDITS for sign in (1, -1)])
OTHER_KINDS = tuple(kind for kind in KindName if kind is not KindName.MATCHING)
MOODLE = {"texts": LINES, "credits": LEGAL, "best": st.just(FULL_CREDIT), "rules": False}
CARRIED = {
    "gift, any text": ("gift", MOODLE | {"images": False, "kinds": OTHER_KINDS}),
    "gift, plain": ("gift", MOODLE | {"images": False, "formats": (TextFormat.PLAIN,)}),
    "moodle-xml, images": (
        "moodle-xml",
        MOODLE | {"kinds": OTHER_KINDS, "ranges": False, "formats": (TextFormat.HTML, TextFormat.MARKDOWN)},
    ),
    "moodle-xml, plain": (
        "moodle-xml",
        MOODLE | {"images": False, "ranges": False, "formats": (TextFormat.PLAIN,)},
    ),
    "csv": ("csv", {}),
    "xlsx": ("xlsx", {}),
}
"""What each format states without a loss."""
NAMES: set[str] = {LossCode.LABELS, LossCode.IDENTIFIER, LossCode.WHITE_SPACE}


@pytest.mark.parametrize("case", CARRIED)
@settings(max_examples=40)
@given(data=st.data())
def test_what_a_format_carries_is_not_lost(data, questions, pictures, case) -> None:
    """If a question has only what the format carries, its export loses nothing; sheets carry everything but names."""
    name, shape = CARRIED[case]
    exported = FORMATS[name].write(data.draw(questions(**shape)), pictures)
    allowed = NAMES if name in {"csv", "xlsx"} else set()
    assert [loss for loss in exported.losses if loss.code not in allowed] == []


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=10)
@given(data=st.data())
def test_equal_questions_give_equal_files(data, questions, pictures, name) -> None:
    """If I export the same questions twice, the files are the same bytes."""
    written = data.draw(questions())
    assert FORMATS[name].write(written, pictures) == FORMATS[name].write(written, pictures)
