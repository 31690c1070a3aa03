"""What a student means to do and when: a timeline drawn before the sitting, so that no reply shifts it."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from exam_harness.students.profile import Mischief, Traits, chance_of


class Wish(StrEnum):
    """How a student wants a question answered."""

    RIGHT = "right"
    WRONG = "wrong"
    BLANK = "blank"


@dataclass(frozen=True, slots=True)
class Writes:
    """Answers sent in one request: (question, wish) each."""

    at: float
    answers: tuple[tuple[int, Wish], ...]


@dataclass(frozen=True, slots=True)
class ChangesDevice:
    """Logs in on another device and goes on there; once more from the old one with its old count."""

    at: float


@dataclass(frozen=True, slots=True)
class Misbehaves:
    """Tries what must not work."""

    at: float
    mischief: Mischief


@dataclass(frozen=True, slots=True)
class Submits:
    """Says that they are done; some change an answer afterwards all the same."""

    at: float


Act = Writes | ChangesDevice | Misbehaves | Submits
"""One thing to do; `at` is a share of the time the student has."""


def plan_of(seed: int, index: int, traits: Traits, questions: int) -> tuple[Act, ...]:
    """A student's timeline over a paper with so many questions, in order of time."""
    chance = chance_of(seed, index, "plan")
    acts: list[Act] = [*_gathered(_answers(chance, traits, questions), traits.batch)]
    if traits.second_device:
        acts.append(ChangesDevice(chance.uniform(0.4, 0.7)))
    if traits.mischief:
        acts.append(Misbehaves(chance.uniform(0.2, 0.8), traits.mischief))
    if traits.submits:
        acts.append(Submits(chance.uniform(0.85, 0.95)))
    return tuple(sorted(acts, key=lambda act: act.at))


def late_wishes(seed: int, index: int, questions: int) -> tuple[tuple[int, Wish], ...]:
    """What a student who cannot stop answers after the deadline: three questions, each otherwise than before."""
    chance = chance_of(seed, index, "late")
    asked = chance.sample(range(questions), min(3, questions))
    return tuple((question, chance.choice([Wish.RIGHT, Wish.WRONG])) for question in asked)


def _answers(chance: Random, traits: Traits, questions: int) -> list[tuple[float, int, Wish]]:
    """(time, question, wish), sorted by time: first answers in some order, changes of mind after them."""
    timeline: list[tuple[float, int, Wish]] = []
    order = chance.sample(range(questions), questions)
    for place, question in enumerate(order):
        first = (place + chance.random()) / questions * 0.8 + 0.02
        if chance.random() < traits.blanks:
            continue
        timeline.append((first, question, _wish(chance, traits)))
        while chance.random() < traits.changes:
            first = chance.uniform(first, 0.94)
            timeline.append((first, question, _wish(chance, traits)))
    return sorted(timeline)


def _wish(chance: Random, traits: Traits) -> Wish:
    if chance.random() < traits.blanks:
        return Wish.BLANK
    return Wish.RIGHT if chance.random() < traits.ability else Wish.WRONG


def _gathered(timeline: list[tuple[float, int, Wish]], size: int) -> list[Writes]:
    """Consecutive answers in one request, sent when the last of them is made."""
    return [
        Writes(at=part[-1][0], answers=tuple((question, wish) for _, question, wish in part))
        for part in (timeline[start : start + size] for start in range(0, len(timeline), size))
    ]
