"""Each rule of the protocol is needed: without it, a sitting under faults breaks a promise, and that is found."""

import pytest

from exam_harness.scenarios.nemesis.controls import CONTROLS, UNCHANGED

pytestmark = [pytest.mark.controls, pytest.mark.timeout(300)]

SEEDS = (1, 2, 3)


@pytest.mark.parametrize("name", CONTROLS)
async def test_a_missing_rule_is_found(controlled, name: str) -> None:
    """With a rule switched off, a schedule that is aimed at it shows what the rule prevents."""
    platform, judged = controlled
    await platform.switch(name)
    found: set[str] = set()
    for seed in SEEDS:
        found |= {kind for kind, _ in await judged.mismatches(CONTROLS[name].schedule(seed))}
        if CONTROLS[name].kind in found:
            return
    pytest.fail(f"{name}: {len(SEEDS)} schedules found {found or 'nothing'}, expected {CONTROLS[name].kind}")


@pytest.mark.parametrize("name", CONTROLS)
async def test_with_the_rule_nothing_is_found(controlled, name: str) -> None:
    """The same schedule on the platform as it is breaks no promise: it is the rule that matters."""
    platform, judged = controlled
    await platform.switch(UNCHANGED)
    assert await judged.mismatches(CONTROLS[name].schedule(SEEDS[0])) == []
