"""A student's planned actions, drawn before the sitting so that no response changes them."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

from exam_harness.students.profile import InvalidRequests, Profile, random_stream

_PARTLY: Final = 0.3
"""The share of answers that are not correct which are partly right."""


class Intent(StrEnum):
    """How a student intends to answer a question."""

    CORRECT = "right"
    PARTLY = "partly right"
    WRONG = "wrong"
    BLANK = "blank"


@dataclass(frozen=True, slots=True)
class SendAnswers:
    """Sends answers in one request: (question, intent) each."""

    at: float
    answers: tuple[tuple[int, Intent], ...]


@dataclass(frozen=True, slots=True)
class SwitchDevice:
    """Logs in on a second device and resumes there; the first one then sends a stale answer."""

    at: float


@dataclass(frozen=True, slots=True)
class SendInvalidRequests:
    """Sends requests that must be rejected."""

    at: float
    kind: InvalidRequests


@dataclass(frozen=True, slots=True)
class Submit:
    """Submits; some students change an answer afterwards."""

    at: float


Action = SendAnswers | SwitchDevice | SendInvalidRequests | Submit
"""One planned action; `at` is a share of the attempt's duration."""


def plan_actions(seed: int, index: int, profile: Profile, questions: int) -> tuple[Action, ...]:
    """A student's actions for a paper with so many questions, in order of time."""
    rng = random_stream(seed, index, "plan")
    actions: list[Action] = [*_in_batches(_answers(rng, profile, questions), profile.batch)]
    if profile.second_device:
        actions.append(SwitchDevice(rng.uniform(0.4, 0.7)))
    if profile.invalid_requests:
        actions.append(SendInvalidRequests(rng.uniform(0.2, 0.8), profile.invalid_requests))
    if profile.submits:
        actions.append(Submit(rng.uniform(0.85, 0.95)))
    return tuple(sorted(actions, key=lambda action: action.at))


def plan_late_answers(seed: int, index: int, questions: int) -> tuple[tuple[int, Intent], ...]:
    """Answers to three questions that a student sends after the deadline."""
    rng = random_stream(seed, index, "late")
    numbers = rng.sample(range(questions), min(3, questions))
    return tuple((question, rng.choice([Intent.CORRECT, Intent.WRONG])) for question in numbers)


def _answers(rng: Random, profile: Profile, questions: int) -> list[tuple[float, int, Intent]]:
    """(time, question, intent), sorted by time: first answers in random order, then changes."""
    timeline: list[tuple[float, int, Intent]] = []
    order = rng.sample(range(questions), questions)
    for position, question in enumerate(order):
        at = (position + rng.random()) / questions * 0.8 + 0.02
        if rng.random() < profile.blanks:
            continue
        timeline.append((at, question, _intent(rng, profile)))
        while rng.random() < profile.changes:
            at = rng.uniform(at, 0.94)
            timeline.append((at, question, _intent(rng, profile)))
    return sorted(timeline)


def _intent(rng: Random, profile: Profile) -> Intent:
    if rng.random() < profile.blanks:
        return Intent.BLANK
    if rng.random() < profile.ability:
        return Intent.CORRECT
    return Intent.PARTLY if rng.random() < _PARTLY else Intent.WRONG


def _in_batches(timeline: list[tuple[float, int, Intent]], size: int) -> list[SendAnswers]:
    """Group consecutive answers into requests, each sent at the time of its last answer."""
    return [
        SendAnswers(at=batch[-1][0], answers=tuple((question, intent) for _, question, intent in batch))
        for batch in (timeline[start : start + size] for start in range(0, len(timeline), size))
    ]
