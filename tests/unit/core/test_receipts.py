"""Receipts: what a student holds, and what is none."""

import json
from base64 import urlsafe_b64decode
from dataclasses import replace
from typing import Any
from uuid import UUID

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwt import PyJWS

from exam_core.answers import Answer, AnswerValue, answer_id_of
from exam_core.keys import PublicKeySet, SigningKeys
from exam_core.receipts import TYPE, BadReceiptError, Receipt, read, sign
from exam_core.tokens import Attempt, sign_attempt

SITTING = UUID("6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10")
SAID = AnswerValue(choice=0b101)
ANSWER = Answer(
    student=17,
    question=3,
    seq=2,
    answer_id=answer_id_of(sitting=SITTING, student=17, question=3, seq=2, answer=SAID),
    received_at=1_790_000_000_000_000,
    deadline_at=1_790_000_600_000_000,
    solver=UUID(int=1),
    epoch=7,
    answer=SAID,
)
RECEIPT = Receipt.of(SITTING, ANSWER)
STRANGE = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers())


@pytest.fixture(scope="module")
def public(keys: SigningKeys) -> PublicKeySet:
    """What checks the receipts."""
    return keys.public


def test_a_receipt_reads_back_as_what_was_acknowledged(keys: SigningKeys, public: PublicKeySet) -> None:
    """What I hold says which answer of mine was saved, when, and until when I had time."""
    assert read(sign(RECEIPT, keys), public) == RECEIPT
    assert RECEIPT.answer == SAID.digest
    assert (RECEIPT.received_at, RECEIPT.deadline_at) == (ANSWER.received_at, ANSWER.deadline_at)


def test_a_receipt_can_be_checked_with_any_jose_library(keys: SigningKeys) -> None:
    """Three parts, a header that names the key, and members that a person can read."""
    header, body, _ = sign(RECEIPT, keys).split(".")
    assert _decoded(header) == {"typ": TYPE, "alg": "EdDSA", "kid": keys.kid}
    assert _decoded(body) == {
        "iss": "exam-solver",
        "sitting": str(SITTING),
        "student": 17,
        "question": 3,
        "seq": 2,
        "request": str(ANSWER.answer_id),
        "received_at": 1_790_000_000_000_000,
        "deadline_at": 1_790_000_600_000_000,
        "answer": SAID.digest,
    }


@given(st.integers(0, 2**32), st.sampled_from("AZaz09-_"))
def test_a_changed_receipt_is_none(keys: SigningKeys, public: PublicKeySet, place: int, letter: str) -> None:
    """Nobody can make a receipt out of another one by changing a letter."""
    text = sign(RECEIPT, keys)
    place %= len(text) - 1  # the last letter holds bits that say nothing
    changed = text[:place] + letter + text[place + 1 :]
    if changed != text:
        with pytest.raises(BadReceiptError):
            read(changed, public)


def test_a_receipt_of_another_signer_is_none(other_keys: SigningKeys, keys: SigningKeys, public: PublicKeySet) -> None:
    """Only the platform's keys make receipts, also when somebody borrows a key's name."""
    with pytest.raises(BadReceiptError, match="no key"):
        read(sign(RECEIPT, other_keys), public)
    borrowed = jwt.encode(
        RECEIPT.claims(), other_keys.private, algorithm="EdDSA", headers={"typ": TYPE, "kid": keys.kid}
    )
    with pytest.raises(BadReceiptError, match="Signature verification failed"):
        read(borrowed, public)


def test_a_token_is_no_receipt(keys: SigningKeys, public: PublicKeySet) -> None:
    """What lets me answer does not prove that I did."""
    attempt = Attempt(student=17, sitting=SITTING, started_at=1, seed=1, session=SITTING, issued_at=0)
    with pytest.raises(BadReceiptError, match="not of type"):
        read(sign_attempt(attempt, keys), public)


@given(
    strange=st.dictionaries(st.sampled_from(sorted(RECEIPT.claims())), STRANGE, max_size=3),
    missing=st.sets(st.sampled_from(sorted(RECEIPT.claims())), max_size=2),
    more=st.dictionaries(st.sampled_from(["exp", "nbf", "iat", "aud", "sub"]), STRANGE, max_size=2),
)
def test_mangled_members_are_no_receipt_and_never_a_crash(
    keys: SigningKeys, public: PublicKeySet, strange: dict[str, Any], missing: set[str], more: dict[str, Any]
) -> None:
    """Whatever is signed in place of a receipt, it is read in order or refused in order."""
    claims = {n: c for n, c in (RECEIPT.claims() | strange | more).items() if n not in missing}
    text = _signed(json.dumps(claims).encode(), keys)
    try:
        receipt = read(text, public)
    except BadReceiptError:
        return
    assert receipt.claims() == {name: claims[name] for name in RECEIPT.claims()}


@pytest.mark.parametrize("payload", [b"", b"[]", b"1", b"{", b"\xff", b"[" * 1_500 + b"]" * 1_500])
def test_a_signature_over_anything_else_is_no_receipt(keys: SigningKeys, public: PublicKeySet, payload: bytes) -> None:
    """Even our own signature makes no receipt of what is none."""
    with pytest.raises(BadReceiptError):
        read(_signed(payload, keys), public)


@given(st.text(max_size=60))
def test_any_text_is_refused_in_order(public: PublicKeySet, text: str) -> None:
    """Whatever a student pastes, the answer is that it is no receipt."""
    with pytest.raises(BadReceiptError):
        read(text, public)


@pytest.mark.parametrize("text", ["", "..", "a" * 5_000, "\ud800.e30.AA", "e30.e30.AA"])
def test_no_text_is_too_wicked(public: PublicKeySet, text: str) -> None:
    """Neither length nor letters that cannot be written crash the check."""
    with pytest.raises(BadReceiptError):
        read(text, public)


def test_another_answer_gives_another_receipt() -> None:
    """A receipt for «a» cannot be shown for «b»."""
    other = replace(ANSWER, answer=AnswerValue(choice=0b100))
    assert Receipt.of(SITTING, other).answer != RECEIPT.answer


def _signed(payload: bytes, keys: SigningKeys) -> str:
    return PyJWS().encode(payload, keys.private, algorithm="EdDSA", headers={"typ": TYPE, "kid": keys.kid})


def _decoded(part: str) -> Any:
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
