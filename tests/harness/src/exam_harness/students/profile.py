"""Who a student is: their network, habits and intentions, drawn once from (seed, place in the crowd)."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Mischief(StrEnum):
    """What some try that must not work."""

    FORGED = "forged"
    """Tokens signed with a key of their own, with none, or with a changed payload."""
    FOREIGN = "foreign"
    """Answers for another exam's sitting, and a start of it although it is for another level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """One student's character; spans in seconds, shares from 0 to 1.

    Attributes:
        absent: does not come at all.
        starts_after: how long after the opening they start; most within the same second.
        latency: the median of one way through their network.
        jitter: how uneven that is (sigma of a log-normal).
        loss: the share of requests whose response never reaches them.
        duplicates: the share of answers that their device sends twice at once.
        ability: the share of questions they know.
        changes: the share of answers they change later.
        blanks: the share of questions they leave out or take back.
        batch: how many answers their device gathers into one request; 1 sends each at once.
        second_device: whether they log in elsewhere half-way and go on there.
        submits: whether they say that they are done.
        late: whether they go on answering after their deadline.
        looks: whether they fetch images and the paper by themselves.
    """

    absent: bool
    starts_after: float
    latency: float
    jitter: float
    loss: float
    duplicates: float
    ability: float
    changes: float
    blanks: float
    batch: int
    second_device: bool
    submits: bool
    late: bool
    looks: bool
    mischief: Mischief | None


def chance_of(seed: int, index: int, what: str) -> Random:
    """A stream of chance of a student's own, so that one habit's draws never shift another's."""
    return Random(f"{seed}/{index}/{what}")


def traits_of(seed: int, index: int) -> Traits:
    """The character of the student at a place of the crowd.

    The intentions that the demo needs to see recur by place, so that even a small crowd has each of them.
    """
    chance = chance_of(seed, index, "traits")
    poor = chance.random() < 0.2
    return Traits(
        absent=index % 60 == 59,
        starts_after=chance.uniform(2, 8) if index % 20 == 13 else chance.uniform(0, 0.9),
        latency=chance.uniform(0.08, 0.3) if poor else chance.uniform(0.003, 0.06),
        jitter=0.9 if poor else 0.4,
        loss=0.08 if poor else 0.01,
        duplicates=0.05 if poor else 0.01,
        ability=chance.betavariate(5, 2.5),
        changes=chance.uniform(0.2, 0.6),
        blanks=chance.choice([0, 0, 0.05, 0.1]),
        batch=chance.randint(2, 6) if index % 5 in {1, 3} else 1,
        second_device=index % 10 == 4,
        submits=chance.random() < 0.8,
        late=index % 4 == 2,
        looks=index % 6 == 0,
        mischief={7: Mischief.FORGED, 17: Mischief.FOREIGN}.get(index % 20),
    )
