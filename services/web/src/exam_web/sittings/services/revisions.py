"""Grading revisions: open, complete, publish."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from exam_core.adjustments.faults import adjustment_faults
from exam_core.adjustments.listing import Adjustments, AdjustmentsError
from exam_core.adjustments.written import as_stored
from exam_core.authored import AuthoredExam
from exam_core.commitments import adjustments_salt
from exam_core.paper import Key
from exam_core.paper import Paper as CorePaper
from exam_core.problems import Problem, ProblemKind
from exam_core.questions.wire import unstorable
from exam_core.rekey import NotTheSamePaperError, rekey
from exam_core.schedule import State
from exam_core.scoring import Policy
from exam_web.exams.rendering import render_text
from exam_web.exams.selectors import exam_authored
from exam_web.sittings import selectors
from exam_web.sittings.models import MAX_NOTE, Paper, PaperKey, Revision, Sitting
from exam_web.sittings.services.locking import require_state


def revision_open(*, sitting: UUID, number: int) -> Revision:
    """Open a grading revision, which freezes key and policy; returns an existing one unchanged.

    The first revision uses the key that was frozen with the paper, each later one the exam's present key.

    Raises:
        Problem: STATE_CONFLICT before the seal or when `number` leaves a gap.
    """
    with transaction.atomic():
        row = Sitting.objects.select_for_update(of=("self",)).get(id=sitting)
        require_state(row, State.SEALED)
        existing = row.revisions.filter(number=number).first()
        if existing is not None:
            return existing
        last = row.revisions.order_by("-number").values_list("number", flat=True).first() or 0
        if number != last + 1:
            raise Problem(ProblemKind.STATE_CONFLICT, f"the next revision of {row.name} is {last + 1}, not {number}")
        return _create(row, number, key=row.key if number == 1 else key_current(row), policy=row.scoring)


def revision_regrade(*, sitting: UUID, note: str, adjustments: Sequence[object] = ()) -> Revision:
    """Open the revision after the last one with adjustments, which are all that it changes of the exam's present key.

    They replace those of the revision before. Of two concurrent calls, one opens it. It is published by hand, whatever
    the sitting does by itself.

    Args:
        sitting: its id.
        note: what changed and why.
        adjustments: each as `exam_core.adjustments` stores it, or in another spelling of it.

    Raises:
        Problem: INVALID with every fault of the adjustments, STATE_CONFLICT unless the last revision is graded,
            PAPER_CHANGED as `key_current`. Nothing is stored then.
    """
    note = _checked_note(note)
    with transaction.atomic():
        row = Sitting.objects.select_for_update(of=("self",)).get(id=sitting)
        require_state(row, State.SEALED)
        number = _require_graded(row).number + 1
        key = key_current(row)
        policy = replace(row.scoring, adjustments=_adjustments(row, number, key, adjustments))
        return _create(row, number, key=key, policy=policy, note=note)


def _create(row: Sitting, number: int, *, key: PaperKey, policy: Policy, note: str = "") -> Revision:
    return Revision.objects.create(
        sitting=row,
        number=number,
        key=key,
        policy=policy.to_json(),
        policy_digest=policy.digest,
        note=note,
        chunks=row.buckets,
    )


def _adjustments(row: Sitting, number: int, key: PaperKey, entries: Sequence[object]) -> Adjustments:
    salt = adjustments_salt(bytes(row.proof_secret), row.id, number)
    try:
        adjustments = Adjustments.from_json({"entries": [as_stored(entry) for entry in entries], "salt": salt})
    except AdjustmentsError as error:
        raise _faulty(error.reasons) from error
    if faults := adjustment_faults(adjustments, CorePaper(bytes(row.paper.body)), Key(bytes(key.body))):
        raise _faulty(faults)
    return adjustments


def _faulty(reasons: Sequence[str]) -> Problem:
    faults = [{"where": "adjustments", "reason": reason} for reason in reasons]
    return Problem(ProblemKind.INVALID, f"adjustments: {'; '.join(reasons)}", faults=faults)


def _checked_note(note: str) -> str:
    text = note.strip()
    if not text:
        raise Problem(ProblemKind.INVALID, "note: is empty; write what the revision changes and why")
    if len(text) > MAX_NOTE:
        raise Problem(ProblemKind.INVALID, f"note: has {len(text)} characters; at most {MAX_NOTE} are accepted")
    # Line ends are control characters too, and may be stored.
    if (code := unstorable("".join(text.split()))) is not None:
        raise Problem(ProblemKind.INVALID, f"note: has the character U+{code:04X}, which cannot be stored")
    return text


def _require_graded(row: Sitting) -> Revision:
    """Return the last revision; raises `Problem` STATE_CONFLICT unless it is graded."""
    last = row.revisions.order_by("-number").first()
    if last is None or last.state != Revision.State.GRADED:
        number = 1 if last is None else last.number
        raise Problem(ProblemKind.STATE_CONFLICT, f"revision {number} of {row.name} is not graded yet: wait for it")
    return last


def revision_open_next(*, sitting: UUID) -> Revision:
    """Open the revision after the last one, once that is graded; raises as `revision_open`.

    Two concurrent calls open the same one.
    """
    last = _require_graded(Sitting.objects.get(id=sitting))
    return revision_open(sitting=sitting, number=last.number + 1)


def key_current(sitting: Sitting) -> PaperKey:
    """The key of a sitting's paper by the exam's present content.

    Raises:
        Problem: PAPER_CHANGED when the exam no longer has what the paper lists.
    """
    authored, _ = exam_authored(sitting.exam)
    return key_for(sitting.paper, selectors.key_latest(sitting), authored)


def key_for(paper: Paper, former: PaperKey, authored: AuthoredExam) -> PaperKey:
    """Store and return the key of a frozen paper by an exam's content, in the numbering of a former key of it.

    Raises as `key_current`.
    """
    try:
        key = rekey(CorePaper(bytes(paper.body)), Key(bytes(former.body)), authored, render_text)
    except NotTheSamePaperError as error:
        raise Problem(
            ProblemKind.PAPER_CHANGED,
            f"exam {authored.slug} no longer matches the paper that students answered: {error}. A regrade takes the "
            "present key of the questions, choices, stems and items of the paper: restore the rest of the exam and "
            "open the revision again",
        ) from error
    return key_store(paper, key)


def key_store(paper: Paper, key: Key) -> PaperKey:
    """Store a key to a frozen paper; storing it again changes nothing."""
    row, _ = PaperKey.objects.get_or_create(digest=key.digest, defaults={"paper": paper, "body": key.body})
    return row


def revision_complete(*, revision: Revision) -> Revision:
    """Mark a revision as graded; idempotent.

    Raises:
        Problem: STATE_CONFLICT while chunks are missing in its ledger.
    """
    missing = selectors.missing_chunks(revision)
    if missing:
        raise Problem(ProblemKind.STATE_CONFLICT, f"{revision}: {len(missing)} of {revision.chunks} chunks not graded")
    Revision.objects.filter(pk=revision.pk, state=Revision.State.GRADING).update(
        state=Revision.State.GRADED, finished_at=Now()
    )
    revision.refresh_from_db()
    return revision


def revision_publish(*, revision: Revision) -> Sitting:
    """Publish a graded revision's degrees to the students; idempotent.

    Raises:
        Problem: STATE_CONFLICT when it is not graded, CONFLICT when a later revision is published.
    """
    with transaction.atomic():
        revision.refresh_from_db()
        if revision.state != Revision.State.GRADED:
            raise Problem(ProblemKind.STATE_CONFLICT, f"{revision} is not graded yet")
        Sitting.objects.filter(id=revision.sitting_id, published_revision__lt=revision.number).update(
            published_revision=revision.number, published_at=Now()
        )
        row = Sitting.objects.get(id=revision.sitting_id)
        if row.published_revision != revision.number:
            raise Problem(ProblemKind.CONFLICT, f"{row.name}: the later revision {row.published_revision} is published")
    return row
