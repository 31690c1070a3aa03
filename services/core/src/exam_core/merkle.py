"""Merkle trees (RFC 6962, section 2.1): one hash that commits to a list, and short proofs that a leaf is in it."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Final

HASH_BYTES: Final = 32
_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def leaf_hash(data: bytes) -> bytes:
    """Hash the content of a leaf; the prefix keeps an inner node from being taken for a leaf."""
    return hashlib.sha256(_LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees to that of their parent."""
    return hashlib.sha256(_NODE + left + right).digest()


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over the hashes of leaves in order; that of no leaves is the hash of nothing."""
    *_, top = _levels(leaves)
    return top[0] if top else hashlib.sha256().digest()


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the hashes that lead from the leaf at an index to the root, lowest first."""
    if not 0 <= index < len(leaves):
        raise ValueError(f"no leaf {index} in a tree of {len(leaves)}")
    path = []
    for level in _levels(leaves):
        if (sibling := index ^ 1) < len(level):
            path.append(level[sibling])
        index //= 2
    return path


def root_of_path(leaf: bytes, *, index: int, size: int, path: Iterable[bytes]) -> bytes:
    """Compute the root of a tree of `size` leaves from the hash of one of them and its path.

    Raises:
        ValueError: there is no such leaf, or the path is not as long as that of this leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    hashes = iter(path)
    node = leaf
    while size > 1:
        # The last node of an odd level has no sibling and moves up as it is.
        if index ^ 1 < size:
            sibling = next(hashes, None)
            if sibling is None:
                raise ValueError("the path is too short")
            node = node_hash(sibling, node) if index % 2 else node_hash(node, sibling)
        index //= 2
        size = (size + 1) // 2
    if next(hashes, None) is not None:
        raise ValueError("the path is too long")
    return node


def _levels(leaves: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Yield the hashes of each level, from the leaves to the root.

    Pairing from the left gives the tree of RFC 6962, which splits at the largest power of two.
    """
    level = leaves
    yield level
    while len(level) > 1:
        pairs = zip_longest(level[::2], level[1::2])
        level = [left if right is None else node_hash(left, right) for left, right in pairs]
        yield level
