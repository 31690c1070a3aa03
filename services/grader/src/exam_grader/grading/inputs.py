"""What a revision froze, read by its digest and checked against it."""

from functools import lru_cache

from exam_core.canonical import digest
from exam_core.paper import Key, Paper
from exam_core.scoring import Policy
from exam_grader.errors import RevisionInputDamagedError
from exam_web.sittings import models


@lru_cache(maxsize=8)
def paper_named(name: str) -> Paper:
    """The paper with a digest; kept, for its bytes never change."""
    return Paper(_checked("paper", name, bytes(models.Paper.objects.values_list("body", flat=True).get(digest=name))))


@lru_cache(maxsize=8)
def key_named(name: str) -> Key:
    """The key with a digest; kept, for its bytes never change."""
    return Key(_checked("key", name, bytes(models.PaperKey.objects.values_list("body", flat=True).get(digest=name))))


def policy_of(revision: models.Revision) -> Policy:
    """The policy that a revision froze."""
    policy = Policy.from_json(revision.policy)
    if policy.digest != revision.policy_digest:
        raise RevisionInputDamagedError("policy", revision.policy_digest, policy.digest)
    return policy


def _checked(what: str, name: str, body: bytes) -> bytes:
    if digest(body) != name:
        raise RevisionInputDamagedError(what, name, digest(body))
    return body
