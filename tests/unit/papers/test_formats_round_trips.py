"""What is written to a file is read again, and each difference is among the losses."""

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from exam_papers.formats import gift
from exam_papers.formats.model import LossCode

FORMATS = {"gift": gift}


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_a_file_states_a_question_or_names_the_loss(data, questions, pictures, accept_image, name) -> None:
    """If I export questions of any kind and import the file, each question is as it was, or its loss was named."""
    written = data.draw(questions())
    exported = FORMATS[name].write(written, pictures)
    lost = {loss.question for loss in exported.losses}
    left_out = {loss.question for loss in exported.losses if loss.code is LossCode.NOT_WRITTEN}
    idents = [each.question.id for each in written if each.question.id not in left_out]
    event(f"{name}: {len(lost)} of {len(written)} with losses")
    if not idents:
        return
    again = FORMATS[name].read(exported.data, file="f", accept_image=accept_image)
    assert [each.question.id for each in again.questions] == idents
    assert [each for each in again.questions if each.question.id not in lost] == [
        each for each in written if each.question.id not in lost
    ]
