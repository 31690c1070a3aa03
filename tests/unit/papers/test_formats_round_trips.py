"""What is written to a file is read again, and each difference is among the losses."""

from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from exam_papers.formats import aiken, gift, moodle_xml
from exam_papers.formats.model import LossCode

FORMATS = {"aiken": aiken, "gift": gift, "moodle-xml": moodle_xml}
ID_DROPPED = "the id is dropped"


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_a_file_states_a_question_or_names_the_loss(data, questions, pictures, accept_image, name) -> None:
    """If I export questions of any kind and import the file, each question is as it was, or its loss was named."""
    written = data.draw(questions())
    exported = FORMATS[name].write(written, pictures)
    left_out = {loss.question for loss in exported.losses if loss.code is LossCode.NOT_WRITTEN}
    stated = [each for each in written if each.question.id not in left_out]
    if not stated:
        return
    again = FORMATS[name].read(exported.data, file="f", accept_image=accept_image).questions
    assert len(again) == len(stated)
    for before, after in zip(stated, again, strict=True):
        lost = {loss.feature for loss in exported.losses if loss.question == before.question.id}
        event(f"{name}, losses: {sorted(lost)}")
        if lost <= {ID_DROPPED}:
            ident = after.question.id if lost else before.question.id
            assert after == replace(before, question=replace(before.question, id=ident))
