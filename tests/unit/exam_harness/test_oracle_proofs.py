"""The oracle's verification of statements and proofs, against what the platform's own code makes."""

import json
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from exam_core import statements
from exam_core.answers import Start
from exam_core.buckets import bucket_of
from exam_core.commitments import DegreeContent, attempt_member, degree_member
from exam_core.fold import SealedBucket, root_digest, seal_bucket
from exam_core.inclusion import BucketRoot, InclusionProof, Member, buckets_root
from exam_core.keys import SigningKeys, new_signing_jwk
from exam_core.statements import DegreesStatement, SealStatement
from exam_harness.oracle.proofs import Published, check_degree_proofs, check_seal_proofs
from exam_harness.oracle.receipts import parse_keys
from exam_harness.oracle.seal import RawBucket, Seal, parse_seal

SITTING = UUID("6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10")
SECRET = bytes(32)
WEB, OTHER = (
    SigningKeys.from_jwks({"keys": [new_signing_jwk(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))]})
    for seed in (1, 2)
)
KEYS = parse_keys(WEB.public.to_jwks())


def sealed_buckets(students: list[int], buckets: int) -> list[SealedBucket]:
    """A seal in which each of these students only started."""
    return [
        seal_bucket(
            sitting=SITTING,
            bucket=number,
            paper=None,
            answers=[],
            starts=[
                Start(student=student, started_at=student, solver=UUID(int=1), epoch=1, seed=1)
                for student in students
                if bucket_of(student, buckets) == number
            ],
            submissions=[],
        )
        for number in range(buckets)
    ]


def published(students: list[int], buckets: int, keys: SigningKeys = WEB) -> tuple[Seal, Published, Published]:
    """The seal as stored, and what the platform publishes of it and of its degrees."""
    sealed = sealed_buckets(students, buckets)
    root = root_digest(SITTING, [bucket.digest for bucket in sealed])
    rows = [RawBucket(number, bucket.digest, bucket.data) for number, bucket in enumerate(sealed)]
    attempts = [[attempt_member(SECRET, SITTING, a) for a in bucket.students] for bucket in sealed]
    degrees = [[degree_member(SECRET, SITTING, 1, degree(a.student)) for a in bucket.students] for bucket in sealed]
    seal = SealStatement(
        sitting=SITTING,
        name="n",
        paper="p",
        buckets=buckets,
        students=len(students),
        answers=0,
        root=buckets_root(roots(attempts)),
        seal=root,
        closed_at=1,
        drained_at=2,
        sealed_at=3,
    )
    graded = DegreesStatement(
        sitting=SITTING,
        name="n",
        revision=1,
        paper="p",
        key="k",
        policy="p",
        seal=root,
        buckets=buckets,
        degrees=len(students),
        root=buckets_root(roots(degrees)),
        graded_at=4,
    )
    return (
        parse_seal(str(SITTING), rows, buckets=buckets, root=root),
        Published(statements.sign(seal, keys), proofs(attempts)),
        Published(statements.sign(graded, keys), proofs(degrees)),
    )


def degree(student: int) -> DegreeContent:
    """A degree without an answer."""
    return DegreeContent(student=student, total="0", maximum="1", answered=0, points=(None,))


def roots(members: list[list[Member]]) -> list[BucketRoot]:
    """The roots of buckets."""
    return [BucketRoot.of(number, group) for number, group in enumerate(members)]


def proofs(members: list[list[Member]]) -> dict[int, Any]:
    """The proofs of all students, as they arrive."""
    found = {m.student: InclusionProof.of(m.student, group, roots(members)) for group in members for m in group}
    return {student: json.loads(json.dumps(proof.to_json())) for student, proof in found.items() if proof}


@settings(deadline=None)
@given(st.sets(st.integers(1, 200), min_size=1, max_size=30), st.integers(1, 4))
def test_what_the_platform_publishes_is_verified(students: set[int], buckets: int) -> None:
    """The oracle's own code accepts every statement and proof of a correct platform."""
    seal, attempts, degrees = published(sorted(students), buckets)
    assert list(check_seal_proofs(seal, attempts, KEYS, present=sorted(students))) == []
    assert list(check_degree_proofs(seal, degrees, KEYS, present=sorted(students))) == []


STUDENTS = list(range(1, 20))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("salt", "00" * 32),
        ("index", 99),
        ("students", 3),
        ("bucket", 7),
        ("path", []),
        ("path", ["00" * 32] * 9),
        ("bucket_path", ["00" * 32]),
        ("content", {"student": 1, "started_at": 7, "submitted_at": None, "answers": []}),
    ],
)
def test_a_changed_proof_is_reported(name: str, value: Any) -> None:
    """If one member of my proof is changed, the oracle reports it (negative control)."""
    seal, attempts, degrees = published(STUDENTS, 2)
    for check, part in ((check_seal_proofs, attempts), (check_degree_proofs, degrees)):
        changed = Published(part.statement, {**part.proofs, 1: {**part.proofs[1], name: value}})
        assert any("student 1" in fault for fault in check(seal, changed, KEYS, present=STUDENTS))


def test_a_missing_proof_is_reported() -> None:
    """If I was present and get no proof, the oracle reports it."""
    seal, attempts, degrees = published(STUDENTS, 2)
    for check, part in ((check_seal_proofs, attempts), (check_degree_proofs, degrees)):
        fewer = Published(part.statement, {s: p for s, p in part.proofs.items() if s != 5})
        assert list(check(seal, fewer, KEYS, present=STUDENTS)) == ["student 5 was present and has no proof"]


def test_a_statement_of_another_seal_or_key_is_reported() -> None:
    """If the statement is not about the stored seal, or web did not sign it, the oracle reports it."""
    seal, attempts, degrees = published(STUDENTS, 2)
    _, fewer, fewer_degrees = published(STUDENTS[1:], 2)
    assert any("are stated as" in fault for fault in check_seal_proofs(seal, fewer, KEYS, present=[]))
    assert any("are stated as" in fault for fault in check_degree_proofs(seal, fewer_degrees, KEYS, present=[]))
    _, forged, forged_degrees = published(STUDENTS, 2, OTHER)
    assert any("the key set lacks" in fault for fault in check_seal_proofs(seal, forged, KEYS, present=[]))
    assert any("the key set lacks" in fault for fault in check_degree_proofs(seal, forged_degrees, KEYS, present=[]))
    assert any("expected is" in fault for fault in check_seal_proofs(seal, degrees, KEYS, present=[]))
    assert any("expected is" in fault for fault in check_degree_proofs(seal, attempts, KEYS, present=[]))
