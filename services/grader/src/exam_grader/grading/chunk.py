"""Grading one chunk of a revision, whoever asks and however often: a Celery task or a coordinator by itself."""

import structlog

from exam_grader.answerlog import Store
from exam_grader.grading.inputs import key_named, paper_named, policy_of
from exam_grader.grading.score import grade_bucket
from exam_grader.sealing.seal import read_verified
from exam_web.degrees.services import chunk_record
from exam_web.sittings import models

log = structlog.get_logger(__name__)


def grade_chunk(store: Store, revision: models.Revision, chunk: int) -> bool:
    """Grade a chunk from its seal alone; False when the ledger had it already.

    Raises:
        SealDamagedError: the seal's bytes are not what PostgreSQL recorded; no degree was written.
        RevisionInputDamagedError: paper, key or policy are not what the revision froze; no degree was written.
        AnswerLogUnavailableError: the seal could not be read now.
    """
    if revision.ledger.filter(chunk=chunk).exists():
        return False
    sitting = revision.sitting_id
    digest = models.SealedBucket.objects.values_list("digest", flat=True).get(sitting=sitting, bucket=chunk)
    sealed = store.run(lambda answers: read_verified(answers, sitting, chunk, digest))
    degrees = grade_bucket(
        paper_named(revision.sitting.paper_id), key_named(revision.key_id), policy_of(revision), sealed
    )
    graded = chunk_record(revision=revision, chunk=chunk, degrees=degrees)
    log.info("chunk graded" if graded else "chunk was graded meanwhile", chunk=chunk, degrees=len(degrees))
    return graded


def ledger_full(revision: models.Revision) -> bool:
    """Whether no chunk of a revision is missing."""
    return revision.ledger.count() == revision.chunks
