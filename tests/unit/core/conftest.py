"""Fixtures of the core's tests: Hypothesis without deadlines (CI machines are slow), keys, and a small paper."""

from decimal import Decimal
from fractions import Fraction

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import settings

from exam_core.authored import AuthoredExam, AuthoredQuestion
from exam_core.keys import SigningKeys, new_signing_jwk
from exam_core.paper import Key, Paper, freeze, plain_text
from exam_core.questions.choices import Choice, MultipleChoice, SingleChoice
from exam_core.questions.numeric import Near, Numeric

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
    choices = tuple(Choice(id=text, text=text, credit=Fraction(text in "ac")) for text in "abcd")
    exam = AuthoredExam(
        slug="small",
        title="Small",
        instructions="",
        questions=(
            AuthoredQuestion(id="single", text="single", interaction=SingleChoice(choices=choices[:2])),
            AuthoredQuestion(
                id="multiple",
                text="multiple",
                weight=Decimal(2),
                interaction=MultipleChoice(choices=choices, max_choices=3),
            ),
            AuthoredQuestion(
                id="numeric",
                text="numeric",
                weight=Decimal("0.5"),
                interaction=Numeric(accepted=(Near(value=Fraction("3.14")),)),
            ),
        ),
    )
    return freeze(exam, range, plain_text)


@pytest.fixture(scope="session")
def paper(frozen: tuple[Paper, Key]) -> Paper:
    """The students' half of the small paper."""
    return frozen[0]
