"""Tokens of services: each names its caller and is for one audience, and keys are rotated with an overlap."""

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exam_core import jws
from exam_core.instants import SECOND
from exam_core.keys import PublicKeySet, SigningKeys, new_signing_jwk
from exam_core.problems import Problem, ProblemKind
from exam_core.service_tokens import AUDIENCE, LIFETIME, TYPE, Caller, read_service_token, sign_service_token

NOW = 1_790_000_000 * SECOND


def new_keys() -> SigningKeys:
    """A new key."""
    return SigningKeys.from_jwks({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]})


KEYS = {caller: new_keys() for caller in Caller}
PUBLIC = {caller: keys.public for caller, keys in KEYS.items()}


def read(token: str, keys: dict[Caller, PublicKeySet] = PUBLIC, *, now: int = NOW) -> Caller:
    """The caller of a token."""
    return read_service_token(token, keys, now=now)


def rejected(token: str, keys: dict[Caller, PublicKeySet] = PUBLIC) -> str:
    """Why a token is not accepted."""
    with pytest.raises(Problem) as caught:
        read(token, keys)
    assert caught.value.kind is ProblemKind.UNAUTHENTICATED
    return caught.value.detail


@pytest.mark.parametrize("caller", Caller)
def test_a_token_names_its_caller(caller: Caller) -> None:
    """If the operator calls web, web knows that it is the operator, and for which audience the token is."""
    token = sign_service_token(caller, KEYS[caller], now=NOW)
    assert read(token) is caller
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["iss"], claims["aud"]) == (caller.value, AUDIENCE)


def test_no_caller_can_name_another_one() -> None:
    """If a solver signs a token that names the operator, it is rejected: the key decides who calls."""
    token = sign_service_token(Caller.OPERATOR, KEYS[Caller.SOLVER], now=NOW)
    assert "issuer" in rejected(token)


@pytest.mark.parametrize(
    ("typ", "claims"),
    [
        (TYPE, {"aud": "exam-platform"}),
        (TYPE, {"aud": [AUDIENCE, "exam-platform"], "iss": "exam-web"}),
        (TYPE, {"exp": None}),
        (TYPE, {"exp": "never"}),
        ("at+jwt", {}),
    ],
)
def test_tokens_for_another_use_are_rejected(typ: str, claims: dict[str, object]) -> None:
    """A token for another audience, of another kind or without an end is not accepted, although its key is known."""
    valid = {"iss": Caller.SOLVER.value, "aud": AUDIENCE, "iat": NOW // SECOND, "exp": NOW // SECOND + 60}
    keys = KEYS[Caller.SOLVER]
    assert read(jws.sign(valid, keys, typ=TYPE)) is Caller.SOLVER
    changed = {name: value for name, value in (valid | claims).items() if value is not None}
    assert rejected(jws.sign(changed, keys, typ=typ))


def test_an_expired_token_returns_the_platforms_time() -> None:
    """If a token is recorded and sent later, it is rejected, with the time that a caller with a wrong clock needs."""
    token = sign_service_token(Caller.OPERATOR, KEYS[Caller.OPERATOR], now=NOW)
    assert read(token, now=NOW + LIFETIME - SECOND) is Caller.OPERATOR
    with pytest.raises(Problem) as caught:
        read(token, now=NOW + LIFETIME)
    assert caught.value.kind is ProblemKind.TOKEN_EXPIRED
    assert caught.value.extra == {"now": "2026-09-21T14:18:20.000000Z"}


def test_a_new_key_is_accepted_beside_the_old_one() -> None:
    """If I rotate a caller's key, its requests are accepted at every moment, and afterwards the old key is rejected."""
    old, new = new_keys(), new_keys()
    both, swapped = SigningKeys([*old.keys, *new.keys]), SigningKeys([*new.keys, *old.keys])
    # In the order of docs/operations.md; pods of two steps run side by side.
    for web, caller in [(old, old), (both, old), (both, both), (swapped, both), (swapped, swapped), (new, swapped)]:
        token = sign_service_token(Caller.SOLVER, caller, now=NOW)
        assert read(token, PUBLIC | {Caller.SOLVER: web.public}) is Caller.SOLVER
    assert "a key of no caller" in rejected(
        sign_service_token(Caller.SOLVER, old, now=NOW), PUBLIC | {Caller.SOLVER: new.public}
    )
