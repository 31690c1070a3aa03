"""Grades one chunk of a revision; idempotent. Used by the Celery task and by a coordinator that grades locally."""

import structlog

from exam_grader.answerlog import SyncAnswerLog
from exam_grader.grading.revision_inputs import read_key, read_paper, read_policy
from exam_grader.grading.score import score_bucket
from exam_grader.sealing.seal import read_verified
from exam_web.degrees.services import chunk_record
from exam_web.sittings import models

log = structlog.get_logger(__name__)


def grade_chunk(answerlog: SyncAnswerLog, revision: models.Revision, chunk: int) -> bool:
    """Grade a chunk from its seal; returns False if the ledger already has it.

    Raises:
        SealDamagedError: the seal's digest is not the recorded one; no degree was written.
        RevisionInputDamagedError: paper, key or policy differ from what the revision recorded; no degree was written.
        AnswerLogUnavailableError: the seal could not be read.
    """
    if revision.ledger.filter(chunk=chunk).exists():
        return False
    sitting = revision.sitting_id
    digest = models.SealedBucket.objects.values_list("digest", flat=True).get(sitting=sitting, bucket=chunk)
    sealed = answerlog.run(lambda answers: read_verified(answers, sitting, chunk, digest))
    degrees = score_bucket(
        read_paper(revision.sitting.paper_id), read_key(revision.key_id), read_policy(revision), sealed
    )
    graded = chunk_record(revision=revision, chunk=chunk, degrees=degrees)
    log.info("chunk_graded" if graded else "chunk_already_graded", chunk=chunk, degrees=len(degrees))
    return graded


def is_ledger_complete(revision: models.Revision) -> bool:
    """Whether all chunks of a revision are in its ledger."""
    return revision.ledger.count() == revision.chunks
