"""Reads the paper, key and policy of a revision and verifies them against their recorded digests."""

from functools import lru_cache

from exam_core.canonical import digest
from exam_core.paper import Key, Paper
from exam_core.scoring import Policy
from exam_grader.errors import RevisionInputDamagedError
from exam_web.sittings import models


@lru_cache(maxsize=8)
def read_paper(paper_digest: str) -> Paper:
    """The paper with a digest; cached because it is immutable."""
    body = models.Paper.objects.values_list("body", flat=True).get(digest=paper_digest)
    return Paper(_verified("paper", paper_digest, bytes(body)))


@lru_cache(maxsize=8)
def read_key(key_digest: str) -> Key:
    """The key with a digest; cached because it is immutable."""
    body = models.PaperKey.objects.values_list("body", flat=True).get(digest=key_digest)
    return Key(_verified("key", key_digest, bytes(body)))


def read_policy(revision: models.Revision) -> Policy:
    """The policy that a revision recorded."""
    policy = Policy.from_json(revision.policy)
    if policy.digest != revision.policy_digest:
        raise RevisionInputDamagedError("policy", revision.policy_digest, policy.digest)
    return policy


def _verified(kind: str, expected: str, body: bytes) -> bytes:
    actual = digest(body)
    if actual != expected:
        raise RevisionInputDamagedError(kind, expected, actual)
    return body
