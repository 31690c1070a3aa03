"""What Aiken files mean, and each reason why one is not imported."""

import pytest

from exam_core.authored import AuthoredQuestion, TextFormat
from exam_core.credits import FULL_CREDIT
from exam_core.questions.choices import TrueFalse
from exam_core.questions.essay import Essay
from exam_papers.formats import aiken
from exam_papers.formats.model import FileQuestion, ImportFaults, LossCode

GOOD = "A good one?\n\nA. north\nB)south\n \nANSWER: B\n"


@pytest.fixture
def read(accept_image):
    """Reads an Aiken text."""
    return lambda text: aiken.read(text.encode(), file="q.txt", accept_image=accept_image)


@pytest.fixture
def faults(read):
    """Reads an Aiken text that is not imported, and returns its faults."""

    def listed(text) -> list[str]:
        with pytest.raises(ImportFaults) as error:
            read(text)
        return [str(fault) for fault in error.value.faults]

    return listed


def test_questions_are_single_choices(read) -> None:
    """If I import an Aiken file, its questions are plain single choices; blank lines mean nothing."""
    first, second = (each.question for each in read(f"{GOOD}{GOOD}").questions)
    assert (first.id, first.text, first.format, second.id) == ("q1", "A good one?", TextFormat.PLAIN, "q2")
    assert [(c.text, c.credit) for c in first.interaction.choices] == [("north", 0), ("south", FULL_CREDIT)]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("Which?\nB) x\nA) y\nANSWER: A", 2, "has choice B) where A) must be"),
        ("U.S. law is\nA) x\nB) y\nANSWER: A", 1, "begins like choice U and has no question before it"),
        ("E. coli is\nA) x\nB) y\nANSWER: A", 1, "begins like choice E and has no question before it"),
        ("Which?\nA) x\nB) y\nanswer: A", 4, "write ANSWER: in capital letters"),
        ("Which?\nA) x\nB) y\nANSWER: C", 4, "names no choice"),
        ("Which?\nA) x\nB) y\nANSWER: b", 4, "not one capital letter"),
        ("Which?\nor what?\nA) x\nB) y\nANSWER: A", 2, "is a second line of a question"),
        ("Which?\nA) x\nB) x\nANSWER: A", 3, "has choices a and b that look the same"),
        ("Which?\nA) x\nB)\nANSWER: A", 3, "has choice b with neither text nor image"),
        ("Which?", 1, "has no choices"),
        ("ANSWER: A", 1, "is an answer without a question"),
    ],
)
def test_each_fault_has_its_line(faults, text, line, reason) -> None:
    """If a record is not as Aiken requires, I get the line and what to write; good records beside it are no fault."""
    (fault,) = faults(f"{GOOD}{text}\n")
    assert fault.startswith(f"q.txt, line {line + 6}: ")
    assert reason in fault


def test_faults_are_reported_at_once(faults) -> None:
    """If several records have no usable answer, I get all of them, and the good one between them is none."""
    listed = faults(
        "Only one choice is given\nA) north\nANSWER: A\n\nNo answer line follows\nA) north\nB) south\n\nANSWER: B\n\n"
        "Letters without their space\nA)north\nB)south\nANSWER: B\n\nThe answer names no choice\nA) north\nB) south\n"
        "ANSWER: D\n\nA good one between bad ones\nA. north\nB. south\nANSWER: A\n\nThe file ends in the middle\n"
        "A) north\n"
    )
    assert [fault.split(": ")[0] for fault in listed] == [f"q.txt, line {line}" for line in (1, 19, 27)]


def authored(interaction, text="Which?", text_format=TextFormat.PLAIN):
    """A question to export."""
    return FileQuestion(question=AuthoredQuestion(id="q1", text=text, interaction=interaction, format=text_format))


def test_export_is_read_again(read) -> None:
    """If I export single choices, the file reads as they were, and the losses name what it does not state."""
    questions = read(GOOD).questions
    exported = aiken.write(questions, {})
    assert exported.data.decode() == "A good one?\nA) north\nB) south\nANSWER: B\n"
    assert read(exported.data.decode()).questions == questions
    assert {loss.code for loss in exported.losses} == {LossCode.IDENTIFIER}


def test_export_of_other_kinds(read) -> None:
    """If I export true or false it becomes two choices, and kinds that Aiken lacks are named and left out."""
    html = authored(TrueFalse(answer=False), "<p>Is 1 &lt;\n2?</p>", TextFormat.HTML)
    exported = aiken.write([html, authored(Essay()), authored(TrueFalse(answer=True), "A) is it?")], {})
    assert exported.data.decode() == "Is 1 < 2?\nA) True\nB) False\nANSWER: B\n"
    assert [loss.code for loss in exported.losses].count(LossCode.NOT_WRITTEN) == 2
    assert LossCode.KIND in {loss.code for loss in exported.losses}
