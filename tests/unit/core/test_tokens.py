"""Tokens: valid ones identify the user, all others are rejected with a Problem."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jwt import PyJWS

from exam_core.instants import SECOND
from exam_core.jws import UnknownKeyError
from exam_core.keys import PublicKeySet, SigningKeys
from exam_core.problems import Problem, ProblemKind
from exam_core.tokens import (
    Access,
    Attempt,
    Refresh,
    Role,
    TokenKind,
    kind_of,
    read_access,
    read_attempt,
    read_refresh,
    sign_access,
    sign_attempt,
    sign_refresh,
)

NOW = 1_790_000_000 * SECOND
ID = UUID("6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10")
ACCESS = Access(
    subject=17, role=Role.STUDENT, level="year-1", session=ID, token=ID, issued_at=NOW, expires_at=NOW + 600 * SECOND
)
REFRESH = Refresh(subject=17, session=ID, token=ID, issued_at=NOW, expires_at=NOW + 600 * SECOND)
ATTEMPT = Attempt(student=17, sitting=ID, started_at=NOW + 1, seed=2**63 - 1, session=ID, issued_at=NOW)
READERS: tuple[Callable[[str, PublicKeySet], object], ...] = (
    partial(read_access, now=NOW),
    partial(read_refresh, now=NOW),
    read_attempt,
)
STRANGE = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)
)


@pytest.fixture(scope="module")
def public(keys: SigningKeys) -> PublicKeySet:
    """The keys that verify the tokens."""
    return keys.public


def forged(keys: SigningKeys, kind: TokenKind, claims: Mapping[str, Any], **header: Any) -> str:
    """A token with a valid signature and arbitrary content."""
    payload = json.dumps({"iss": kind.issuer, "aud": kind.audience, **claims}).encode()
    return PyJWS().encode(
        payload, keys.private, algorithm="EdDSA", headers={"typ": kind.value, "kid": keys.kid} | header
    )


def outcomes_of(token: str, public: PublicKeySet) -> set[ProblemKind | None]:
    """The problem that each reader raises for a token; None for one that accepts it."""
    outcomes: set[ProblemKind | None] = set()
    for read in READERS:
        try:
            read(token, public)
        except Problem as problem:
            outcomes.add(problem.kind)
        except UnknownKeyError:
            outcomes.add(None)
        else:
            outcomes.add(None)
    return outcomes


def test_signed_tokens_are_read_back(keys: SigningKeys, public: PublicKeySet) -> None:
    """A student who logs in or starts an attempt is identified by the token."""
    assert read_access(sign_access(ACCESS, keys), public, now=NOW) == ACCESS
    assert read_refresh(sign_refresh(REFRESH, keys), public, now=NOW) == REFRESH
    assert read_attempt(sign_attempt(ATTEMPT, keys), public) == ATTEMPT


@given(subjects=st.lists(st.integers(0, 10**19 - 1), min_size=2, max_size=2, unique=True), session=st.uuids())
def test_all_tokens_of_a_student_begin_with_the_same_routing_key(
    keys: SigningKeys, subjects: list[int], session: UUID
) -> None:
    """My access and attempt tokens, also refreshed ones, have one payload prefix; another student's have another."""
    prefixes = [
        {
            token.split(".")[1][:36]
            for token in (
                sign_access(replace(ACCESS, subject=subject), keys),
                sign_access(replace(ACCESS, subject=subject, session=session, token=session, issued_at=NOW - 1), keys),
                sign_attempt(replace(ATTEMPT, student=subject, session=session), keys),
                sign_attempt(replace(ATTEMPT, student=subject, sitting=session, seed=0), keys),
            )
        }
        for subject in subjects
    ]
    assert [len(each) for each in prefixes] == [1, 1]
    assert prefixes[0] != prefixes[1]


def test_the_routing_key_is_exactly_the_first_claim(keys: SigningKeys) -> None:
    """A gateway that cannot parse JSON can take the key by its length: it ends at a boundary of base64."""
    for token in (sign_access(ACCESS, keys), sign_attempt(ATTEMPT, keys)):
        prefix = base64.urlsafe_b64decode(token.split(".")[1][:36])
        assert re.fullmatch(rb'\{"route":"[0-9a-f]{16}"', prefix)
        assert token.split(".")[1].startswith("eyJyb3V0ZSI6I"), "docker/nginx/gateway.conf matches this text"


def test_tokens_without_a_routing_key_are_accepted(keys: SigningKeys, public: PublicKeySet) -> None:
    """If a token was signed by an earlier release, it stays valid until it expires; any key is ignored by services."""
    for route in ({}, {"route": "0" * 16}, {"route": 7}):
        assert read_access(forged(keys, TokenKind.ACCESS, route | ACCESS.claims()), public, now=NOW) == ACCESS
        assert read_attempt(forged(keys, TokenKind.ATTEMPT, route | ATTEMPT.claims()), public) == ATTEMPT


def test_a_token_expires(keys: SigningKeys, public: PublicKeySet) -> None:
    """A token is valid until its last microsecond by the platform's clock."""
    token = sign_access(ACCESS, keys)
    assert read_access(token, public, now=ACCESS.expires_at - 1) == ACCESS
    with pytest.raises(Problem) as refused:
        read_access(token, public, now=ACCESS.expires_at)
    assert refused.value.kind is ProblemKind.TOKEN_EXPIRED
    assert refused.value.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_is_valid_only_as_its_kind(keys: SigningKeys, public: PublicKeySet) -> None:
    """Neither an attempt token nor a refresh token is accepted in place of another."""
    tokens = (sign_access(ACCESS, keys), sign_refresh(REFRESH, keys), sign_attempt(ATTEMPT, keys))
    for place, token in enumerate(tokens):
        assert kind_of(token) is list(TokenKind)[place]
        for other, read in enumerate(READERS):
            if other != place:
                with pytest.raises(Problem, match="another kind"):
                    read(token, public)


def test_an_invalid_signature_is_rejected(keys: SigningKeys, other_keys: SigningKeys, public: PublicKeySet) -> None:
    """No signature, one made with the public key as a secret, one of another key or changed text: all are rejected."""
    claims = ACCESS.claims() | {"iss": "exam-web", "aud": "exam-platform"}
    header = {"typ": TokenKind.ACCESS.value, "kid": keys.kid}
    secret = keys.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    good = sign_access(ACCESS, keys)
    head, body, signature = good.split(".")
    changed = _encoded(claims | {"sub": "18"})
    for token in (
        jwt.encode(claims, "", algorithm="none", headers=header),
        jwt.encode(claims, secret, algorithm="HS256", headers=header),
        jwt.encode(claims, other_keys.private, algorithm="EdDSA", headers=header),
        f"{head}.{changed}.{signature}",
        f"{head}.{body}.",
        f"{_encoded(header | {'alg': 'none'})}.{body}.",
        f"{_encoded(header | {'alg': 'EdDSA', 'crit': ['x']})}.{body}.{signature}",
        good[:-3],
    ):
        assert outcomes_of(token, public) == {ProblemKind.UNAUTHENTICATED}


@pytest.mark.parametrize(
    ("claims", "header"),
    [
        ({"aud": "exam-solver"}, {}),
        ({"aud": None}, {}),
        ({"iss": "exam-solver"}, {}),
        ({}, {"typ": "JWT"}),
        ({}, {"typ": None}),
        ({}, {"typ": "exam-receipt+jwt"}),
    ],
)
def test_a_token_for_another_use_is_rejected(
    keys: SigningKeys, public: PublicKeySet, claims: dict[str, Any], header: dict[str, Any]
) -> None:
    """A token that was signed for another audience or use is rejected."""
    token = forged(keys, TokenKind.ACCESS, ACCESS.claims() | claims, **header)
    assert outcomes_of(token, public) == {ProblemKind.UNAUTHENTICATED}


def test_an_unknown_key_is_named(keys: SigningKeys, other_keys: SigningKeys, public: PublicKeySet) -> None:
    """An unknown key raises UnknownKeyError, so that the key set can be reloaded; a token without one does not."""
    with pytest.raises(UnknownKeyError) as unknown:
        read_access(sign_access(ACCESS, other_keys), public, now=NOW)
    assert unknown.value.kid == other_keys.kid
    claims = ACCESS.claims() | {"iss": "exam-web", "aud": "exam-platform"}
    nameless = jwt.encode(claims, keys.private, algorithm="EdDSA", headers={"typ": "at+jwt"})
    with pytest.raises(Problem, match="names no key"):
        read_access(nameless, public, now=NOW)


CLAIMS = ("iss", "aud", "nbf", "sub", "role", "level", "sid", "jti", "iat", "exp", "sitting", "started_at", "seed")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(TokenKind),
    strange=st.dictionaries(st.sampled_from(CLAIMS), STRANGE, min_size=1, max_size=3),
    missing=st.sets(st.sampled_from(CLAIMS), max_size=2),
)
def test_random_claims_are_read_or_rejected(
    keys: SigningKeys, public: PublicKeySet, kind: TokenKind, strange: dict[str, Any], missing: set[str]
) -> None:
    """A token with a valid signature and invalid claims is rejected with a Problem."""
    whole = ACCESS.claims() | REFRESH.claims() | ATTEMPT.claims() | strange
    token = forged(keys, kind, {name: claim for name, claim in whole.items() if name not in missing})
    assert outcomes_of(token, public) <= {ProblemKind.UNAUTHENTICATED, ProblemKind.TOKEN_EXPIRED, None}


@pytest.mark.parametrize("wrong", [17, "x", "-1", "1_0", "٣", "", "1" * 20, None, True, [17], {"a": 1}])
@pytest.mark.parametrize(
    ("kind", "claims", "name"),
    [
        (TokenKind.ACCESS, ACCESS.claims(), "sub"),
        (TokenKind.REFRESH, REFRESH.claims(), "sub"),
        (TokenKind.ATTEMPT, ATTEMPT.claims(), "seed"),
        (TokenKind.ACCESS, ACCESS.claims(), "role"),
        (TokenKind.ACCESS, ACCESS.claims(), "sid"),
        (TokenKind.ATTEMPT, ATTEMPT.claims(), "sitting"),
    ],
    ids=["access-sub", "refresh-sub", "seed", "role", "sid", "sitting"],
)
def test_a_malformed_claim_is_rejected(
    keys: SigningKeys, public: PublicKeySet, kind: TokenKind, claims: dict[str, Any], name: str, wrong: Any
) -> None:
    """A claim that is nearly valid is not accepted."""
    assert outcomes_of(forged(keys, kind, claims | {name: wrong}), public) == {ProblemKind.UNAUTHENTICATED}


@pytest.mark.parametrize("wrong", ["1790000000", -1, 1.5, True, 2**53, None])
def test_malformed_instants_are_rejected(keys: SigningKeys, public: PublicKeySet, wrong: Any) -> None:
    """Times that are no whole numbers or out of range are rejected."""
    for kind, claims, name in (
        (TokenKind.ACCESS, ACCESS.claims(), "exp"),
        (TokenKind.ACCESS, ACCESS.claims(), "iat"),
        (TokenKind.ATTEMPT, ATTEMPT.claims(), "started_at"),
    ):
        assert outcomes_of(forged(keys, kind, claims | {name: wrong}), public) == {ProblemKind.UNAUTHENTICATED}


@given(
    st.text(max_size=80) | st.binary(max_size=80).map(lambda data: base64.urlsafe_b64encode(data).decode() + "..e30")
)
def test_any_text_is_rejected(public: PublicKeySet, text: str) -> None:
    """Whatever the header field contains, the response is UNAUTHENTICATED."""
    assert outcomes_of(text, public) == {ProblemKind.UNAUTHENTICATED}


def test_hostile_texts_are_rejected(public: PublicKeySet) -> None:
    """Deep nesting, wrong types and great length are rejected like any other text."""
    deep = base64.urlsafe_b64encode(b'{"typ":' + b"[" * 1_400 + b"]" * 1_400 + b"}").decode()
    for text in (
        f"{deep}.e30.AA",
        f"{_encoded({'typ': ['at+jwt'], 'alg': 'EdDSA'})}.e30.AA",
        f"{_encoded({'typ': 'at+jwt', 'alg': 'EdDSA', 'kid': 7})}.e30.AA",
        f"{_encoded({'typ': 'at+jwt', 'alg': ['EdDSA'], 'kid': 'k'})}.e30.AA",
        f"{_encoded([])}.e30.AA",
        "\ud800.e30.AA",
        "a" * 5_000,
        "",
        "..",
    ):
        assert outcomes_of(text, public) == {ProblemKind.UNAUTHENTICATED}


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
