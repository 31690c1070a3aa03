"""Signed statements and inclusion proofs, verified as a student's own tool would: with published keys and SHA-256.

Follows RFC 6962 and, for paths, the algorithm of RFC 9162, section 2.1.3.2.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exam_harness.oracle.history import canonical_json
from exam_harness.oracle.receipts import InvalidReceiptError, Keys, verify_jws
from exam_harness.oracle.seal import Seal

SEAL_TYPE = "exam-seal+jwt"
DEGREES_TYPE = "exam-degrees+jwt"


class InvalidProofError(Exception):
    """A statement or a proof does not hold."""


@dataclass(frozen=True, slots=True)
class Published:
    """What the API publishes of one part of a sitting: the statement, and each student's proof."""

    statement: str
    proofs: Mapping[int, Mapping[str, Any]]


def check_seal_proofs(seal: Seal, published: Published, keys: Keys, *, present: Sequence[int]) -> Iterator[str]:
    """The statement is about this seal, and every student who was present has a proof of what is sealed of them."""
    try:
        claims = verify_statement(published.statement, SEAL_TYPE, keys, seal.sitting)
    except InvalidProofError as error:
        yield str(error)
        return
    stated = (claims["students"], claims["answers"], claims["seal"])
    if stated != (len(seal.students), seal.answer_count, seal.root):
        yield f"(students, answers, seal) are stated as {stated}"
    for student in present:
        proof = published.proofs.get(student)
        if proof is None:
            yield f"student {student} was present and has no proof"
        elif proof["content"] != seal.raw.get(student):
            yield f"the proof of student {student} shows {proof['content']}, sealed is {seal.raw.get(student)}"
    yield from _invalid_proofs(published, claims)


def check_degree_proofs(seal: Seal, published: Published, keys: Keys, *, present: Sequence[int]) -> Iterator[str]:
    """The statement is about a grading of this seal, and every student who was present has a proof."""
    try:
        claims = verify_statement(published.statement, DEGREES_TYPE, keys, seal.sitting)
    except InvalidProofError as error:
        yield str(error)
        return
    stated = (claims["degrees"], claims["seal"])
    if stated != (len(seal.students), seal.root):
        yield f"(degrees, seal) are stated as {stated}"
    yield from (
        f"student {student} was present and has no proof" for student in present if student not in published.proofs
    )
    yield from _invalid_proofs(published, claims)


def verify_statement(text: str, kind: str, keys: Keys, sitting: str) -> dict[str, Any]:
    """Verify a statement's signature and subject, and return its claims; raises InvalidProofError."""
    try:
        claims = verify_jws(text, keys, typ=kind)
    except InvalidReceiptError as error:
        raise InvalidProofError(f"the statement {kind}: {error}") from error
    if (claims["iss"], claims["sitting"]) != ("exam-web", sitting):
        raise InvalidProofError(f"the statement {kind} is of {claims['iss']} about {claims['sitting']}, not {sitting}")
    return claims


def verify_proof(proof: Mapping[str, Any], student: int, claims: Mapping[str, Any]) -> None:
    """Verify that a proof leads from a student's content to the stated root; raises InvalidProofError."""
    bucket = int.from_bytes(hashlib.sha256(f"exam-bucket\0{student}".encode()).digest()[:8]) % claims["buckets"]
    if (proof["content"]["student"], proof["bucket"]) != (student, bucket):
        raise InvalidProofError(f"it is about student {proof['content']['student']} in bucket {proof['bucket']}")
    leaf = _leaf(canonical_json({"content": proof["content"], "salt": proof["salt"]}))
    students = _root(leaf, proof["index"], proof["students"], proof["path"])
    upper = _leaf(canonical_json([bucket, proof["students"], students.hex()]))
    root = _root(upper, bucket, claims["buckets"], proof["bucket_path"])
    if root.hex() != claims["root"]:
        raise InvalidProofError(f"it leads to {root.hex()}, stated is {claims['root']}")


def _invalid_proofs(published: Published, claims: Mapping[str, Any]) -> Iterator[str]:
    for student, proof in sorted(published.proofs.items()):
        try:
            verify_proof(proof, student, claims)
        except InvalidProofError as error:
            yield f"the proof of student {student}: {error}"


def _root(leaf: bytes, index: int, size: int, path: Sequence[str]) -> bytes:
    node, place, last = leaf, index, size - 1
    for text in path:
        sibling = bytes.fromhex(text)
        if last == 0:
            raise InvalidProofError("its path is too long")
        if place % 2 or place == last:
            node = _node(sibling, node)
            while place % 2 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            node = _node(node, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise InvalidProofError("its path is too short")
    return node


def _leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()
