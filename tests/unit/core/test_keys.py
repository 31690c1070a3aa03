"""Keys as JSON Web Keys."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from exam_core.canonical import canonical
from exam_core.keys import PublicKeySet, SigningKeys, new_signing_jwk

RFC_8037_SEED = urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
RFC_8037_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
JWKS = st.fixed_dictionaries(
    {},
    optional={
        "keys": ANYTHING
        | st.lists(
            st.fixed_dictionaries(
                {"kty": st.just("OKP"), "crv": st.just("Ed25519")},
                optional={"kid": ANYTHING, "x": ANYTHING, "d": ANYTHING},
            ),
            max_size=2,
        )
    },
)


def test_a_key_has_the_form_of_rfc_8037() -> None:
    """Every JOSE library reads the keys: the example of the RFC is reproduced."""
    jwk = new_signing_jwk(Ed25519PrivateKey.from_private_bytes(RFC_8037_SEED))
    thumbprint = hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{RFC_8037_X}"}}'.encode()).hexdigest()
    assert jwk == {
        "kty": "OKP",
        "crv": "Ed25519",
        "use": "sig",
        "alg": "EdDSA",
        "kid": thumbprint[:16],
        "x": RFC_8037_X,
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    }


def test_a_derived_secret_is_that_of_hkdf() -> None:
    """A secret derived for a purpose is the same in every release, another one for another key or purpose."""
    keys, other = (SigningKeys([("k", Ed25519PrivateKey.from_private_bytes(s))]) for s in (RFC_8037_SEED, bytes(32)))
    # RFC 5869: extract with a salt of zeros, expand by one block.
    pseudorandom = hmac.digest(bytes(32), RFC_8037_SEED, "sha256")
    assert keys.derived("exam-shuffle") == hmac.digest(pseudorandom, b"exam-shuffle\x01", "sha256")
    assert len({keys.derived("exam-shuffle"), keys.derived("other"), other.derived("exam-shuffle")}) == 3


def test_a_public_set_contains_no_private_member(keys: SigningKeys) -> None:
    """The published set has no private member, and reads back as the same keys."""
    published = keys.public.to_jwks()
    assert all("d" not in jwk for jwk in json.loads(canonical(published))["keys"])
    assert PublicKeySet.from_jwks(published).keys.keys() == {keys.kid}


def test_the_first_key_signs_and_all_verify(keys: SigningKeys, other_keys: SigningKeys) -> None:
    """A rotation puts the new key first and keeps the old one for verification."""
    both = SigningKeys([*other_keys.keys, *keys.keys])
    assert both.kid == other_keys.kid
    assert set(both.public.keys) == {keys.kid, other_keys.kid}


def test_keys_of_other_kinds_are_skipped(keys: SigningKeys) -> None:
    """A key set with a key of an unknown kind still works."""
    mine = keys.public.to_jwks()["keys"]
    others: list[dict[str, Any]] = [
        {"kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB"},
        {"kty": "OKP", "crv": "X25519", "kid": "x", "x": RFC_8037_X},
        {"kty": "EC", "crv": "Ed25519", "kid": "e", "x": RFC_8037_X},
        {"kty": "OKP", "crv": "Ed25519", "x": RFC_8037_X},
        {"kty": "OKP", "crv": "Ed25519", "kid": "short", "x": "AQAB"},
    ]
    assert set(PublicKeySet.from_jwks({"keys": [*others, *mine]}).keys) == {keys.kid}  # type: ignore[misc]


@given(JWKS | ANYTHING)
def test_a_malformed_key_set_is_an_error(jwks: Any) -> None:
    """Whatever is fetched or mounted as a key set, a malformed one raises ValueError."""
    for read in (PublicKeySet.from_jwks, SigningKeys.from_jwks):
        try:
            read(jwks)
        except ValueError as error:
            assert "key" in str(error)  # noqa: PT017 - a valid set raises nothing


def test_errors_do_not_contain_the_private_key() -> None:
    """The error for an unreadable private key contains no part of it."""
    with pytest.raises(ValueError, match="Ed25519 private keys") as error:
        SigningKeys.from_jwks({"keys": [{"kid": "k", "d": "c2VjcmV0"}]})
    assert "c2VjcmV0" not in str(error.value)
    assert error.value.__cause__ is None
    with pytest.raises(ValueError, match="at least one"):
        SigningKeys([])


def test_a_key_file_may_be_pem(keys: SigningKeys, other_keys: SigningKeys) -> None:
    """If my key file is PEM, the first key signs, all verify, and their ids are those of a JWK set."""
    text = "".join(_pem(private) for _, private in (*keys.keys, *other_keys.keys))
    read = SigningKeys.read(text)
    assert [kid for kid, _ in read.keys] == [keys.kid, other_keys.kid]
    assert read.private.private_bytes_raw() == keys.private.private_bytes_raw()


def test_a_key_file_may_be_a_jwk_set(keys: SigningKeys) -> None:
    """If my key file is a JWK set, it is read as such."""
    read = SigningKeys.read(json.dumps({"keys": [new_signing_jwk(keys.private)]}))
    assert read.kid == keys.kid


@pytest.mark.parametrize("content", ["other", "cut", "empty", "text"])
def test_another_key_file_is_rejected(keys: SigningKeys, content: str) -> None:
    """If my key file has no Ed25519 key, the error says so and contains no part of the file."""
    pem = _pem(keys.private)
    texts = {
        "other": _pem(ec.generate_private_key(ec.SECP256R1())),
        "cut": pem[: len(pem) // 2],
        "empty": "",
        "text": "secret",
    }
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - checked below: the message leaks nothing
        SigningKeys.read(texts[content])
    assert "secret" not in str(refused.value)


def _pem(private: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> str:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
