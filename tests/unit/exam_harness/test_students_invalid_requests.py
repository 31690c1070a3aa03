"""Forged tokens: the platform's own verification rejects each of them."""

from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exam_core.jws import UnknownKeyError
from exam_core.keys import SigningKeys, new_signing_jwk
from exam_core.problems import Problem
from exam_core.tokens import Attempt, read_attempt, sign_attempt
from exam_harness.students.invalid_requests import forged_tokens

KEYS = SigningKeys.from_jwks({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]})
TOKEN = sign_attempt(
    Attempt(
        student=3,
        sitting=UUID("6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10"),
        started_at=1,
        seed=1,
        session=UUID("11111111-1111-4111-8111-111111111111"),
        issued_at=1_000_000,
    ),
    KEYS,
)


def test_the_original_token_is_valid() -> None:
    """Control: the token that the forgeries start from is accepted."""
    assert read_attempt(TOKEN, KEYS.public).student == 3


@pytest.mark.parametrize(("description", "token"), list(forged_tokens(TOKEN, 4)))
def test_every_forged_token_is_rejected(description: str, token: str) -> None:
    """A token that a student made is rejected by the real verification."""
    assert token != TOKEN, description
    with pytest.raises((Problem, UnknownKeyError)):
        read_attempt(token, KEYS.public)
