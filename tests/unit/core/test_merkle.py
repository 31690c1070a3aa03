"""Merkle trees: compared with the definition in RFC 6962."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.merkle import inclusion_path, leaf_hash, node_hash, root_of_path, tree_root

LEAVES = st.lists(st.binary(max_size=8).map(leaf_hash), min_size=1, max_size=40)


def reference_root(leaves: list[bytes]) -> bytes:
    """The definition, word by word: split at the largest power of two below n."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + reference_root(leaves[:split]) + reference_root(leaves[split:])).digest()


def reference_path(leaves: list[bytes], index: int) -> list[bytes]:
    """The definition of the audit path."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*reference_path(leaves[:split], index), reference_root(leaves[split:])]
    return [*reference_path(leaves[split:], index - split), reference_root(leaves[:split])]


@given(st.lists(st.binary(max_size=8).map(leaf_hash), max_size=70))
def test_the_root_is_that_of_rfc_6962(leaves: list[bytes]) -> None:
    """Any implementation of RFC 6962 computes the same root."""
    assert tree_root(leaves) == reference_root(leaves)


def test_leaves_and_nodes_are_hashed_apart() -> None:
    """An inner node cannot be presented as a leaf."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(b"") == hashlib.sha256(b"\x00").digest()
    assert leaf_hash(left + right) != node_hash(left, right)


@given(LEAVES, st.data())
def test_a_path_leads_to_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    """The path of every leaf is the one of RFC 6962, at most log2 n long, and leads to the root."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = inclusion_path(leaves, index)
    assert path == reference_path(leaves, index)
    assert len(path) <= (len(leaves) - 1).bit_length()
    assert root_of_path(leaves[index], index=index, size=len(leaves), path=path) == tree_root(leaves)


@given(LEAVES, st.data())
def test_a_changed_proof_does_not_lead_to_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    """Another leaf, a changed, missing or additional hash, or another place of another leaf prove nothing."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = inclusion_path(leaves, index)
    other = leaf_hash(data.draw(st.binary(min_size=9, max_size=9)))
    changed = [(other, index, path), (leaves[index], index, [*path, other])]
    if path:
        place = data.draw(st.integers(0, len(path) - 1))
        changed.append((leaves[index], index, [*path[:place], other, *path[place + 1 :]]))
        changed.append((leaves[index], index, path[:-1]))
    elsewhere = data.draw(st.integers(0, len(leaves)))
    if elsewhere == len(leaves) or leaves[elsewhere] != leaves[index]:
        changed.append((leaves[index], elsewhere, path))
    for leaf, place, hashes in changed:
        try:
            root = root_of_path(leaf, index=place, size=len(leaves), path=hashes)
        except ValueError:
            continue
        assert root != tree_root(leaves)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_a_leaf_outside_the_tree_is_rejected(index: int, size: int) -> None:
    """A place that the tree does not have is an error."""
    with pytest.raises(ValueError, match="no leaf"):
        root_of_path(leaf_hash(b""), index=index, size=size, path=[])
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_path([leaf_hash(b"")] * size, index)
