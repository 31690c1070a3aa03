"""Verifies receipts against a signed seal, and degrees against signed degrees, from published data alone."""

from dataclasses import dataclass
from enum import StrEnum

from exam_core.commitments import DegreeContent
from exam_core.fold import CountedAnswer, SealedAttempt
from exam_core.inclusion import InclusionProof, InvalidProofError
from exam_core.receipts import Receipt
from exam_core.statements import DegreesStatement, SealStatement


class Outcome(StrEnum):
    """What became of an acknowledged answer."""

    COUNTED = "counted"
    SUPERSEDED = "superseded"
    """A later answer of the same student to the same question counts."""
    NOT_COUNTED = "not counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome for a receipt, and the answer to its question that counts, if any does."""

    outcome: Outcome
    counted: CountedAnswer | None


def verify_receipt(receipt: Receipt, statement: SealStatement, proof: InclusionProof) -> Verdict:
    """Find what became of an acknowledged answer in a sealed sitting.

    Raises:
        InvalidProofError: statement or proof are of another sitting or student, or the proof does not hold.
    """
    if receipt.sitting != statement.sitting:
        raise InvalidProofError(f"the receipt is of sitting {receipt.sitting}, the statement of {statement.sitting}")
    proof.verify(student=receipt.student, root=statement.root, buckets=statement.buckets)
    counted = next((a for a in _attempt(proof).answers if a.question == receipt.question), None)
    return Verdict(outcome=_outcome(receipt, counted), counted=counted)


def verify_degree(statement: DegreesStatement, proof: InclusionProof) -> DegreeContent:
    """Return the degree that a proof shows to be in a revision.

    Raises:
        InvalidProofError: the proof does not hold.
    """
    proof.verify(student=proof.member.student, root=statement.root, buckets=statement.buckets)
    try:
        return DegreeContent.from_json(proof.member.content)
    except (KeyError, TypeError) as error:
        raise InvalidProofError(f"the proof is not of a degree: {error!r}") from error


def _attempt(proof: InclusionProof) -> SealedAttempt:
    try:
        return SealedAttempt.from_json(proof.member.content)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidProofError(f"the proof is not of a sealed attempt: {error!r}") from error


def _outcome(receipt: Receipt, counted: CountedAnswer | None) -> Outcome:
    if counted is None:
        return Outcome.NOT_COUNTED
    # A retry of the same content has the same id whichever solver took it, and may be stored more than once.
    if counted.answer_id == receipt.answer_id:
        same = counted.seq == receipt.seq and counted.answer.digest == receipt.answer
        return Outcome.COUNTED if same else Outcome.NOT_COUNTED
    rank = (counted.seq, counted.received_at, counted.answer_id)
    later = rank > (receipt.seq, receipt.received_at, receipt.answer_id)
    return Outcome.SUPERSEDED if later else Outcome.NOT_COUNTED
