"""Receipts: signing and verification."""

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

from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer, answer_id_of
from exam_core.keys import PublicKeySet, SigningKeys
from exam_core.receipts import TYPE, BadReceiptError, Receipt, read, sign
from exam_core.tokens import Attempt, sign_attempt

SITTING = UUID("6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10")
VALUE = AnswerValue(choice=0b101)
ANSWER = Answer(
    student=17,
    question=3,
    seq=2,
    answer_id=answer_id_of(sitting=SITTING, student=17, question=3, seq=2, answer=VALUE),
    received_at=1_790_000_000_000_000,
    deadline_at=1_790_000_600_000_000,
    solver=UUID(int=1),
    epoch=7,
    answer=VALUE,
)
RECEIPT = Receipt.of(SITTING, ANSWER)
STRANGE = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers())


@pytest.fixture(scope="module")
def public(keys: SigningKeys) -> PublicKeySet:
    """The keys that verify the receipts."""
    return keys.public


def test_a_receipt_contains_the_acknowledged_answer(keys: SigningKeys, public: PublicKeySet) -> None:
    """My receipt states which answer was saved, when, and until when I had time."""
    assert read(sign(RECEIPT, keys), public) == RECEIPT
    assert RECEIPT.answer == VALUE.digest
    assert (RECEIPT.received_at, RECEIPT.deadline_at) == (ANSWER.received_at, ANSWER.deadline_at)


def test_a_receipt_can_be_verified_with_any_jose_library(keys: SigningKeys) -> None:
    """Three parts, a header that names the key, and readable members."""
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
        "answer": VALUE.digest,
    }


@given(st.integers(0, 2**32), st.sampled_from("AZaz09-_"))
def test_a_changed_receipt_is_invalid(keys: SigningKeys, public: PublicKeySet, place: int, letter: str) -> None:
    """A receipt cannot be made from another one by changing a letter."""
    text = sign(RECEIPT, keys)
    place %= len(text) - 1  # the last letter has unused bits
    changed = text[:place] + letter + text[place + 1 :]
    if changed != text:
        with pytest.raises(BadReceiptError):
            read(changed, public)


def test_another_signers_receipt_is_invalid(other_keys: SigningKeys, keys: SigningKeys, public: PublicKeySet) -> None:
    """Only the platform's keys sign receipts, also when another key uses the same id."""
    with pytest.raises(BadReceiptError, match="no key"):
        read(sign(RECEIPT, other_keys), public)
    borrowed = jwt.encode(
        RECEIPT.claims(), other_keys.private, algorithm="EdDSA", headers={"typ": TYPE, "kid": keys.kid}
    )
    with pytest.raises(BadReceiptError, match="Signature verification failed"):
        read(borrowed, public)


def test_a_token_is_not_a_receipt(keys: SigningKeys, public: PublicKeySet) -> None:
    """The token that permits answering does not prove an answer."""
    attempt = Attempt(student=17, sitting=SITTING, started_at=1, seed=1, session=SITTING, issued_at=0)
    with pytest.raises(BadReceiptError, match="not of type"):
        read(sign_attempt(attempt, keys), public)


@given(
    strange=st.dictionaries(st.sampled_from(sorted(RECEIPT.claims())), STRANGE, max_size=3),
    missing=st.sets(st.sampled_from(sorted(RECEIPT.claims())), max_size=2),
    more=st.dictionaries(st.sampled_from(["exp", "nbf", "iat", "aud", "sub"]), STRANGE, max_size=2),
)
def test_random_claims_are_read_or_rejected(
    keys: SigningKeys, public: PublicKeySet, strange: dict[str, Any], missing: set[str], more: dict[str, Any]
) -> None:
    """Whatever is signed in place of a receipt is read or rejected with BadReceiptError."""
    claims = {n: c for n, c in (RECEIPT.claims() | strange | more).items() if n not in missing}
    text = _signed(json.dumps(claims).encode(), keys)
    try:
        receipt = read(text, public)
    except BadReceiptError:
        return
    assert receipt.claims() == {name: claims[name] for name in RECEIPT.claims()}


@pytest.mark.parametrize("payload", [b"", b"[]", b"1", b"{", b"\xff", b"[" * 1_500 + b"]" * 1_500])
def test_other_signed_content_is_not_a_receipt(keys: SigningKeys, public: PublicKeySet, payload: bytes) -> None:
    """Other content is not a receipt, even with the platform's signature."""
    with pytest.raises(BadReceiptError):
        read(_signed(payload, keys), public)


@given(st.text(max_size=60))
def test_any_text_is_rejected(public: PublicKeySet, text: str) -> None:
    """Whatever text I paste, it is rejected with BadReceiptError."""
    with pytest.raises(BadReceiptError):
        read(text, public)


@pytest.mark.parametrize("text", ["", "..", "a" * 5_000, "\ud800.e30.AA", "e30.e30.AA"])
def test_hostile_texts_are_rejected(public: PublicKeySet, text: str) -> None:
    """Neither length nor unencodable characters crash the verification."""
    with pytest.raises(BadReceiptError):
        read(text, public)


def test_another_answer_gives_another_receipt() -> None:
    """A receipt for one answer cannot be used for another."""
    other = replace(ANSWER, answer=AnswerValue(choice=0b100))
    assert Receipt.of(SITTING, other).answer != RECEIPT.answer


def _signed(payload: bytes, keys: SigningKeys) -> str:
    return PyJWS().encode(payload, keys.private, algorithm="EdDSA", headers={"typ": TYPE, "kid": keys.kid})


def _decoded(part: str) -> Any:
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
