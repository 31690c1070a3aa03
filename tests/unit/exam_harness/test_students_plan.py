"""Simulated students: profiles and plans depend on the seed and the index only."""

from collections import Counter

from exam_harness.students.plan import (
    Intent,
    SendAnswers,
    SendInvalidRequests,
    Submit,
    SwitchDevice,
    plan_actions,
    plan_late_answers,
)
from exam_harness.students.profile import InvalidRequests, draw_profile


def _plans(seed: int) -> list[object]:
    return [
        (draw_profile(seed, index), plan_actions(seed, index, draw_profile(seed, index), 20)) for index in range(60)
    ]


def test_a_seed_determines_profiles_and_plans() -> None:
    """A run can be repeated: the same seed gives every student the same profile and actions."""
    assert _plans(7) == _plans(7)
    assert _plans(7) != _plans(8)


def test_a_small_cohort_has_every_kind_of_student() -> None:
    """Among twenty students some send forged tokens, foreign, invalid or late answers, batches, or switch devices."""
    profiles = [draw_profile(1, index) for index in range(20)]
    assert {profile.invalid_requests for profile in profiles} == {None, *InvalidRequests}
    assert any(profile.late for profile in profiles)
    assert any(profile.second_device for profile in profiles)
    assert any(profile.batch > 1 for profile in profiles)
    assert any(profile.batch == 1 for profile in profiles)


def test_most_students_start_within_the_first_second() -> None:
    """Nearly all start within a second of the opening, on networks that differ."""
    profiles = [draw_profile(1, index) for index in range(300)]
    assert sum(profile.start_delay < 1 for profile in profiles) > 270
    assert max(profile.latency for profile in profiles) > 10 * min(profile.latency for profile in profiles)


def test_actions_are_ordered_and_end_before_the_deadline() -> None:
    """The planned actions are in order of time and within the attempt."""
    for index in range(300):
        times = [action.at for action in plan_actions(3, index, draw_profile(3, index), 20)]
        assert times == sorted(times)
        assert times[0] > 0
        assert times[-1] < 0.97


def test_plans_contain_every_kind_of_action() -> None:
    """A cohort sends one to two and a half answers per question, with every kind of action and intent."""
    actions = [action for index in range(100) for action in plan_actions(5, index, draw_profile(5, index), 20)]
    requests = [action for action in actions if isinstance(action, SendAnswers)]
    answers = sum(len(request.answers) for request in requests)
    assert 100 * 20 < answers < 100 * 20 * 2.5
    assert len(requests) < answers
    assert {type(action) for action in actions} == {SendAnswers, SwitchDevice, SendInvalidRequests, Submit}
    intents = Counter(intent for request in requests for _, intent in request.answers)
    assert set(intents) == set(Intent)


def test_late_answers_are_for_different_questions() -> None:
    """Late answers are for questions of the paper, each at most once."""
    questions = [question for question, _ in plan_late_answers(1, 2, 20)]
    assert len(set(questions)) == len(questions) == 3
    assert set(questions) <= set(range(20))
