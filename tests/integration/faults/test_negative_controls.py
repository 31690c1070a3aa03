"""Each rule of the protocol is needed: without it, a sitting under faults breaks a promise, and that is found."""

import pytest

from exam_harness.faults.schedule import Schedule
from exam_harness.scenarios.nemesis.controls import CONTROLS

pytestmark = [pytest.mark.controls, pytest.mark.timeout(600)]

RUNS = 2
"""How often a schedule is tried: what students do is random."""


@pytest.mark.parametrize("name", CONTROLS)
async def test_a_missing_rule_is_found(controlled, name: str) -> None:
    """With a rule switched off, a schedule that is aimed at it shows what the rule prevents."""
    platform, judged = controlled
    control = CONTROLS[name]
    await platform.switch(name)
    found: set[str] = set()
    for seed, events in enumerate(control.schedules * RUNS):
        found |= {kind for kind, _ in await judged.mismatches(Schedule(seed=seed, events=events))}
        if control.kind in found:
            return
    pytest.fail(f"{name}: all schedules found {found or 'nothing'}, expected {control.kind}")


@pytest.mark.parametrize("name", CONTROLS)
async def test_with_the_rule_nothing_is_found(controlled, name: str) -> None:
    """The same schedule on a platform with the rule breaks no promise: it is the rule that matters."""
    platform, judged = controlled
    control = CONTROLS[name]
    await platform.switch(control.correct)
    assert await judged.mismatches(Schedule(seed=0, events=control.schedules[0])) == []
