"""What the demo hands to the oracle, and which answers were the killed solver's."""

from uuid import UUID

from exam_harness.faults.solver_crash import Killed
from exam_harness.oracle.checker import LoggedAnswer
from exam_harness.oracle.document import Document
from exam_harness.oracle.history import Acknowledged, Book, Said
from exam_harness.oracle.seal import Seal
from exam_harness.scenarios.sitting.checks import Evidence, Scheduled, acknowledged_by, degree_of
from exam_harness.scenarios.sitting.store_readers import SealRecord

KILLED, OTHER = UUID(int=1), UUID(int=2)


def _evidence(log: dict[LoggedAnswer, UUID]) -> Evidence:
    document = Document(exam="e", level="l", questions=())
    scheduled = Scheduled(
        id="s", name="n", document=document, opens_at=0, closes_at=1, duration=1, multiple="all-or-nothing", extra={}
    )
    return Evidence(scheduled=scheduled, record=SealRecord(1, "", None, 5, None), seal=Seal("s"), log=log, degrees=())


def test_an_answer_is_the_killed_solvers_when_it_wrote_the_very_row_that_was_acknowledged() -> None:
    """A retry that another solver acknowledged is not counted for the one that died."""
    book = Book()
    for seq, received_at in ((1, 10), (2, 20), (3, 30)):
        book.acknowledge(Acknowledged(Said("s", 7, 0, seq, None), received_at, "receipt"))
    log = {
        LoggedAnswer(7, 0, 1, 10): KILLED,
        LoggedAnswer(7, 0, 2, 19): KILLED,
        LoggedAnswer(7, 0, 2, 20): OTHER,
        LoggedAnswer(7, 0, 3, 30): OTHER,
    }
    assert acknowledged_by(book, [_evidence(log)], Killed(KILLED, 15, 40)) == 1


def test_a_degree_keeps_the_texts_that_were_shown() -> None:
    """Numbers are compared as they were shown: as text, nothing rounded on the way."""
    row = {"student": "ann", "total": "3.10", "maximum": "4", "points": ["1", None], "answered": 1}
    degree = degree_of("doctor", row, {"ann": 7})
    assert (degree.student, degree.total, degree.points) == (7, "3.10", ("1", None))


def test_only_what_happened_is_an_event() -> None:
    """A sitting that is drained but not sealed has one event."""
    assert SealRecord(1, "", None, 5, None).events == {"drained": 5}
