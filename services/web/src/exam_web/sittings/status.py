"""The status of a sitting for operator and tools."""

from django.db.models import Count, Sum

from exam_core.instants import from_micros, span_to_micros
from exam_core.problems import Problem
from exam_core.schedule import State
from exam_core.statements import sign
from exam_web.common.clock import database_now
from exam_web.sittings.models import Sitting
from exam_web.sittings.schemas import (
    ContentStatus,
    EntryStatus,
    LiveLease,
    RevisionStatus,
    SealStatus,
    SittingStatus,
    WindowStatus,
)
from exam_web.sittings.selectors import content_comparison, sitting_ends_at
from exam_web.sittings.services.leases import LEASES
from exam_web.sittings.statements import seal_statement, statement_keys


def sitting_status(sitting: Sitting) -> SittingStatus:
    """The status of a sitting, from its current row; it changes nothing."""
    sitting = (
        Sitting.objects.select_related("exam__level", "paper", "key", "level")
        .prefetch_related("pauses")
        .get(id=sitting.id)
    )
    window = sitting.window
    policy = sitting.scoring
    now = database_now()
    end = sitting_ends_at(sitting)
    draining = sitting.state == State.CLOSING.value and sitting.drained_at is None
    content = content_comparison(sitting)
    sealed = sitting.sealed_buckets.aggregate(answers=Sum("answers"), students=Sum("students"))
    return SittingStatus(
        id=str(sitting.id),
        name=sitting.name,
        exam=sitting.exam.slug,
        state=sitting.state,
        epoch=sitting.epoch,
        now=from_micros(now),
        window=WindowStatus(
            opens_at=sitting.opens_at,
            closes_at=sitting.closes_at,
            duration_us=span_to_micros(sitting.duration),
            paused=window.paused,
            stopped_at=sitting.stopped_at,
        ),
        ends_at=None if end is None else from_micros(end),
        paper=sitting.paper_id,
        frozen_at=sitting.frozen_at,
        refreeze=sitting.refreeze,
        content=ContentStatus(change=content.change.value, detail=content.detail),
        distributed=sitting.paper.distributed_at is not None,
        candidates=sitting.candidates,
        extra_past_close=sitting.extra_past_close,
        multiple=policy.multiple.value,
        negative_total=policy.negative_total,
        entry=EntryStatus(
            students=sitting.named_students.count() if sitting.named_only else None,
            code=bool(sitting.access_code),
            networks=sitting.networks,
        ),
        drained=sitting.drained_at is not None,
        waiting_for=[
            LiveLease(holder=str(w.holder), acknowledged=w.acknowledged, expires_at=from_micros(now + w.expires_in))
            for w in (LEASES.blockers(sitting.epoch) if draining else ())
        ],
        seal=None
        if sitting.sealed_at is None
        else SealStatus(
            at=sitting.sealed_at,
            answers=sealed["answers"] or 0,
            students=sealed["students"] or 0,
            digest=sitting.seal_digest,
            statement=_statement(sitting),
        ),
        revisions=[
            RevisionStatus(
                number=revision.number,
                state=revision.state,
                chunks=revision.chunks,
                graded=revision.graded,
                started_at=revision.started_at,
                finished_at=revision.finished_at,
            )
            for revision in sitting.revisions.annotate(graded=Count("ledger")).order_by("number")
        ],
        publish=sitting.publish,
        published_revision=sitting.published_revision,
        published_at=sitting.published_at,
    )


def _statement(sitting: Sitting) -> str | None:
    try:
        return sign(seal_statement(sitting), statement_keys())
    except Problem:
        return None
