"""A student's profile: network, habits and intentions, drawn once from (seed, index in the cohort)."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final


class InvalidRequests(StrEnum):
    """The invalid requests that some students send."""

    FORGED = "forged"
    """Tokens signed with a key of their own, unsigned, or with a changed payload."""
    FOREIGN = "foreign"
    """Answers for another exam's sitting, and a start of it although it is for another level."""
    INVALID = "invalid"
    """Answers that the question does not accept, such as an unknown choice or half of an order."""


_INVALID_REQUESTS: Final = {
    7: InvalidRequests.FORGED,
    11: InvalidRequests.INVALID,
    17: InvalidRequests.FOREIGN,
}
"""Which of twenty students send which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One student's profile; times in seconds, rates from 0 to 1.

    Attributes:
        absent: never logs in.
        start_delay: time between the opening and their start; most start within the same second.
        latency: the median one-way delay of their network.
        jitter: the spread of that delay (sigma of a log-normal).
        response_loss: the share of requests whose response is lost.
        duplicates: the share of answers that their device sends twice concurrently.
        ability: the share of questions they answer correctly.
        changes: the share of answers they change later.
        blanks: the share of questions they leave out or withdraw.
        batch: how many answers their device sends in one request; 1 sends each at once.
        second_device: whether they switch to a second device half-way.
        submits: whether they submit.
        late: whether they send answers after their deadline.
        fetches_images: whether they fetch the images and the paper separately.
        invalid_requests: the invalid requests they send, if any.
    """

    absent: bool
    start_delay: float
    latency: float
    jitter: float
    response_loss: float
    duplicates: float
    ability: float
    changes: float
    blanks: float
    batch: int
    second_device: bool
    submits: bool
    late: bool
    fetches_images: bool
    invalid_requests: InvalidRequests | None


def random_stream(seed: int, index: int, purpose: str) -> Random:
    """A student's random stream for one purpose, so that the draws for one never shift those for another."""
    return Random(f"{seed}/{index}/{purpose}")


def draw_profile(seed: int, index: int) -> Profile:
    """The profile of the student at an index of the cohort.

    The intentions that a run must cover recur by index, so that even a small cohort has each of them.
    """
    rng = random_stream(seed, index, "traits")
    poor_network = rng.random() < 0.2
    return Profile(
        absent=index % 60 == 59,
        start_delay=rng.uniform(2, 8) if index % 20 == 13 else rng.uniform(0, 0.9),
        latency=rng.uniform(0.08, 0.3) if poor_network else rng.uniform(0.003, 0.06),
        jitter=0.9 if poor_network else 0.4,
        response_loss=0.08 if poor_network else 0.01,
        duplicates=0.05 if poor_network else 0.01,
        ability=rng.betavariate(5, 2.5),
        changes=rng.uniform(0.2, 0.6),
        blanks=rng.choice([0, 0, 0.05, 0.1]),
        batch=rng.randint(2, 6) if index % 5 in {1, 3} else 1,
        second_device=index % 10 == 4,
        submits=rng.random() < 0.8,
        late=index % 4 == 2,
        fetches_images=index % 6 == 0,
        invalid_requests=_INVALID_REQUESTS.get(index % 20),
    )
