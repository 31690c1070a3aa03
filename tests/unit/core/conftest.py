"""Fixtures of the core's tests: Hypothesis without deadlines (CI machines are slow), keys, and a small paper."""

from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import settings

from exam_core.keys import SigningKeys, new_signing_jwk
from exam_core.paper import AuthoredChoice, AuthoredExam, AuthoredQuestion, Key, Paper, QuestionKind, freeze

# In CI the parent is Hypothesis's own profile for it, which is deterministic.
settings.register_profile("no-deadline", settings(), deadline=None)
settings.load_profile("no-deadline")


def _keys(seed: int) -> SigningKeys:
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return SigningKeys.from_jwks({"keys": [new_signing_jwk(private)]})


@pytest.fixture(scope="session")
def keys() -> SigningKeys:
    """Signing keys."""
    return _keys(1)


@pytest.fixture(scope="session")
def other_keys() -> SigningKeys:
    """Other signing keys."""
    return _keys(2)


@pytest.fixture(scope="session")
def frozen() -> tuple[Paper, Key]:
    """A paper of one question of each kind, its choices in the author's order, and its key."""
    choices = tuple(AuthoredChoice(id=text, text=text, correct=text in "ac") for text in "abcd")
    exam = AuthoredExam(
        slug="small",
        title="Small",
        instructions="",
        questions=(
            AuthoredQuestion(
                id="single", kind=QuestionKind.SINGLE, text="single", weight=Decimal(1), choices=choices[:2]
            ),
            AuthoredQuestion(
                id="multiple",
                kind=QuestionKind.MULTIPLE,
                text="multiple",
                weight=Decimal(2),
                choices=choices,
                max_choices=3,
            ),
            AuthoredQuestion(
                id="numeric", kind=QuestionKind.NUMERIC, text="numeric", weight=Decimal("0.5"), value=Decimal("3.14")
            ),
        ),
    )
    return freeze(exam, range)


@pytest.fixture(scope="session")
def paper(frozen: tuple[Paper, Key]) -> Paper:
    """The students' half of the small paper."""
    return frozen[0]
