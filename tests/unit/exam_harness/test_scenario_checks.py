"""The evidence given to the oracle, and the answers attributed to the killed solver."""

from uuid import UUID

from exam_harness.faults.solver_crash import Killed
from exam_harness.oracle.checker import LoggedAnswer
from exam_harness.oracle.document import Document
from exam_harness.oracle.history import Acknowledgement, History, SentAnswer
from exam_harness.oracle.seal import Seal
from exam_harness.scenarios.sitting.checks import (
    ScheduledSitting,
    SittingEvidence,
    count_acknowledged_by,
    observed_degree,
)
from exam_harness.scenarios.sitting.store_readers import SealRecord

KILLED, OTHER = UUID(int=1), UUID(int=2)


def _evidence(log: dict[LoggedAnswer, UUID]) -> SittingEvidence:
    document = Document(exam="e", level="l", questions=())
    scheduled = ScheduledSitting(id="s", name="n", document=document, opens_at=0, closes_at=1, duration=1)
    return SittingEvidence(
        scheduled=scheduled, record=SealRecord(1, "", None, 5, None), seal=Seal("s"), log=log, degrees=()
    )


def test_an_answer_counts_for_the_solver_that_wrote_the_acknowledged_row() -> None:
    """A retry that another solver acknowledged is not counted for the killed one."""
    history = History()
    for seq, received_at in ((1, 10), (2, 20), (3, 30)):
        history.record_acknowledgement(Acknowledgement(SentAnswer("s", 7, 0, seq, None), received_at, "receipt"))
    log = {
        LoggedAnswer(7, 0, 1, 10): KILLED,
        LoggedAnswer(7, 0, 2, 19): KILLED,
        LoggedAnswer(7, 0, 2, 20): OTHER,
        LoggedAnswer(7, 0, 3, 30): OTHER,
    }
    assert count_acknowledged_by(history, [_evidence(log)], Killed(KILLED, 15, 40)) == 1


def test_a_degree_keeps_numbers_as_text() -> None:
    """Numbers are compared as the API shows them, without conversion."""
    row = {"student": "ann", "total": "3.10", "maximum": "4", "points": ["1", None], "answered": 1}
    degree = observed_degree("doctor", row, {"ann": 7})
    assert (degree.student, degree.total, degree.points) == (7, "3.10", ("1", None))


def test_events_are_only_past_transitions() -> None:
    """A sitting that is drained but not sealed has one event."""
    assert SealRecord(1, "", None, 5, None).events == {"drained": 5}
