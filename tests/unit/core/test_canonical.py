"""Canonical JSON and digests."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.canonical import canonical, digest, digest_of

NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_the_canonical_form_is_json(value: Any) -> None:
    """A value can be parsed from its canonical form."""
    data = canonical(value)
    assert json.loads(data) == value
    assert canonical(json.loads(data)) == data


@given(st.dictionaries(TEXTS, NUMBERS, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_members_does_not_matter(members: dict[str, int], random: Any) -> None:
    """Two programs that build the same object get the same bytes."""
    items = list(members.items())
    random.shuffle(items)
    assert canonical(dict(items)) == canonical(members)


def test_the_form_is_that_of_rfc_8785() -> None:
    """No spaces, members in the order of their UTF-16 units, texts as short as JSON allows."""
    assert canonical({"b": [1, True, None], "a": "ä\n", "\U0001f600": "", "\ufb33": 0}) == (
        '{"a":"ä\\n","b":[1,true,null],"\U0001f600":"","\ufb33":0}'.encode()
    )


def test_a_digest_is_the_sha_256_of_the_form() -> None:
    """A digest can be computed with two standard functions."""
    assert digest_of({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest() == digest(b'{"a":1}')


@pytest.mark.parametrize("value", [2**53, -(2**53), "\ud800", {"\ud800": 1}])
def test_ambiguous_values_are_rejected(value: Any) -> None:
    """Numbers that other readers round and texts that they cannot read are never signed."""
    with pytest.raises(ValueError, match=r"."):
        canonical(value)
