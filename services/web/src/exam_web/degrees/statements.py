"""What web states about the degrees of a published revision, and the proof that a student's degree is among them."""

from exam_core.buckets import bucket_of
from exam_core.commitments import DegreeContent, commit_to_key, degree_member
from exam_core.inclusion import BucketRoot, InclusionProof, Member, buckets_root
from exam_core.instants import to_micros
from exam_core.numbers import decimal_text
from exam_core.problems import Problem, ProblemKind
from exam_core.statements import DegreesStatement
from exam_web.degrees.models import Degree
from exam_web.sittings.models import Revision, Sitting


def published_revision(sitting: Sitting) -> Revision:
    """The published revision of a sitting; raises Problem NOT_FOUND before the first is published."""
    revision = sitting.revisions.filter(number=sitting.published_revision).first()
    if revision is None:
        raise Problem(ProblemKind.NOT_FOUND, f"no degrees of {sitting.name} are published yet")
    return revision


def degrees_statement(revision: Revision) -> DegreesStatement:
    """What is stated about the degrees of a graded revision.

    Raises:
        Problem: NOT_FOUND when it is not graded, or a release without statements graded a part of it.
    """
    if revision.finished_at is None:
        raise Problem(ProblemKind.NOT_FOUND, f"{revision} is not graded yet")
    sitting = revision.sitting
    roots = _bucket_roots(revision)
    return DegreesStatement(
        sitting=sitting.id,
        name=sitting.name,
        revision=revision.number,
        paper=sitting.paper_id,
        key=commit_to_key(bytes(sitting.proof_secret), sitting.id, revision.key_id),
        policy=revision.policy_digest,
        seal=sitting.seal_digest,
        buckets=revision.chunks,
        degrees=sum(bucket.students for bucket in roots),
        root=buckets_root(roots),
        graded_at=to_micros(revision.finished_at),
    )


def degree_proof(revision: Revision, student: int) -> InclusionProof:
    """The proof that a student's degree is in a revision.

    Raises:
        Problem: NOT_FOUND when the student has none.
    """
    members = _bucket_members(revision, bucket_of(student, revision.chunks))
    proof = InclusionProof.of(student, members, _bucket_roots(revision))
    if proof is None:
        raise Problem(ProblemKind.NOT_FOUND, f"{revision} has no degree of yours")
    return proof


def _bucket_members(revision: Revision, bucket: int) -> list[Member]:
    """The degrees of a bucket's students, in the order of their ids."""
    students = Degree.objects.filter(revision=revision).values_list("student_id", flat=True)
    ours = [student for student in students if bucket_of(student, revision.chunks) == bucket]
    sitting = revision.sitting
    return [
        degree_member(
            bytes(sitting.proof_secret),
            sitting.id,
            revision.number,
            DegreeContent(
                student=degree.student_id,
                total=decimal_text(degree.total),
                maximum=decimal_text(degree.maximum),
                answered=degree.answered,
                points=tuple(degree.points),
            ),
        )
        for degree in Degree.objects.filter(revision=revision, student_id__in=ours).order_by("student_id")
    ]


def _bucket_roots(revision: Revision) -> list[BucketRoot]:
    rows = revision.ledger.order_by("chunk").values_list("chunk", "degrees", "tree_root")
    if not all(root for _, _, root in rows):
        raise Problem(ProblemKind.NOT_FOUND, f"{revision} was graded by a release that made no statements")
    return [BucketRoot(bucket=chunk, students=degrees, root=root) for chunk, degrees, root in rows]
