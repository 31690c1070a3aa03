"""What web states about a seal, and the proof that a student's attempt is in it."""

from functools import cache

from exam_core.buckets import bucket_of
from exam_core.inclusion import BucketRoot, InclusionProof, buckets_root
from exam_core.instants import to_micros
from exam_core.keys import SigningKeys
from exam_core.problems import Problem, ProblemKind
from exam_core.statements import SealStatement
from exam_web.common.keys import read_signing_keys
from exam_web.settings import ENVIRONMENT
from exam_web.sittings.models import Sitting
from exam_web.sittings.seals import sealed_members
from exam_web.sittings.selectors import sitting_named


@cache
def statement_keys() -> SigningKeys:
    """The keys that sign statements, read once; raises as `read_signing_keys`."""
    return read_signing_keys("EXAM_STATEMENT_KEYS_FILE", ENVIRONMENT.statement_keys_file)


def sealed_sitting(name: str) -> Sitting:
    """The sealed sitting with a name or an id.

    Raises:
        Problem: NOT_FOUND, the same for one that is not sealed: the names of future sittings are not public.
    """
    missing = Problem(ProblemKind.NOT_FOUND, f"no sealed sitting {name!r}")
    try:
        sitting = sitting_named(name)
    except Problem as problem:
        raise missing from problem
    if sitting.sealed_at is None:
        raise missing
    return sitting


def seal_statement(sitting: Sitting) -> SealStatement:
    """What is stated about a sealed sitting.

    Raises:
        Problem: NOT_FOUND before it is sealed, or when a release without statements sealed it.
    """
    if sitting.closed_at is None or sitting.drained_at is None or sitting.sealed_at is None:
        raise Problem(ProblemKind.NOT_FOUND, f"{sitting.name} is not sealed yet")
    rows = list(sitting.sealed_buckets.order_by("bucket"))
    return SealStatement(
        sitting=sitting.id,
        name=sitting.name,
        paper=sitting.paper_id,
        buckets=sitting.buckets,
        students=sum(row.students for row in rows),
        answers=sum(row.answers for row in rows),
        root=buckets_root(_bucket_roots(sitting)),
        seal=sitting.seal_digest,
        closed_at=to_micros(sitting.closed_at),
        drained_at=to_micros(sitting.drained_at),
        sealed_at=to_micros(sitting.sealed_at),
    )


def seal_proof(sitting: Sitting, student: int) -> InclusionProof:
    """The proof that a student's attempt is in a seal, about which a statement can be made.

    Raises:
        Problem: NOT_FOUND when the seal has no attempt of the student, UNAVAILABLE as `sealed_members`.
    """
    members = sealed_members(sitting, bucket_of(student, sitting.buckets))
    proof = InclusionProof.of(student, members, _bucket_roots(sitting))
    if proof is None:
        raise Problem(ProblemKind.NOT_FOUND, f"the seal of {sitting.name} has no attempt of yours")
    return proof


def _bucket_roots(sitting: Sitting) -> list[BucketRoot]:
    rows = sitting.sealed_buckets.order_by("bucket").values_list("bucket", "students", "tree_root")
    if not all(root for _, _, root in rows):
        raise Problem(ProblemKind.NOT_FOUND, f"{sitting.name} was sealed by a release that made no statements")
    return [BucketRoot(bucket=bucket, students=students, root=root) for bucket, students, root in rows]
