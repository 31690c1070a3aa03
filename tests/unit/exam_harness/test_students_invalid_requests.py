"""Forged tokens: every one of them is a real forgery, refused by the real check."""

from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exam_core.keys import SigningKeys, new_signing_jwk
from exam_core.problems import Problem
from exam_core.tokens import Attempt, UnknownKeyError, read_attempt, sign_attempt
from exam_harness.students.invalid_requests import forgeries

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


def test_the_token_they_start_from_is_good() -> None:
    """The control: the token that is forged from would be accepted."""
    assert read_attempt(TOKEN, KEYS.public).student == 3


@pytest.mark.parametrize(("how", "token"), list(forgeries(TOKEN, 4)))
def test_no_forgery_passes_the_check(how: str, token: str) -> None:
    """Nobody gets in with a token they made themselves."""
    assert token != TOKEN, how
    with pytest.raises((Problem, UnknownKeyError)):
        read_attempt(token, KEYS.public)
