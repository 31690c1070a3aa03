"""One attempt per student and exam, on the whole platform: two sittings of one exam, open at the same time."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

pytestmark = pytest.mark.integration

SECOND = 1_000_000


def make_up(platform: Any, sitting: Any) -> Any:
    """A second sitting of the same exam, which is open at the same time, and known to every solver.

    Web refuses windows that overlap; a pause can make the first one last into the second. Here the window is moved
    directly.
    """
    now = platform.postgres.now()
    name = f"{sitting.name}-make-up"
    made = platform.client.provision(
        name,
        exam=sitting.name,
        opens_at=now + 2_000 * SECOND,
        closes_at=now + 4_000 * SECOND,
        duration=900 * SECOND,
        candidates=100,
        multiple="all-or-nothing",
    )
    with psycopg.connect(platform.stack.postgres.dsn()) as connection:
        connection.execute(
            "UPDATE sittings_sitting SET opens_at = clock_timestamp() - interval '1 minute' WHERE id = %s", [made]
        )
        row = connection.execute("UPDATE sittings_schedule SET epoch = epoch + 1 RETURNING epoch").fetchone()
    assert row is not None

    def know() -> bool:
        epochs = [platform.metric(solver, "exam_solver_lease_epoch") for solver in platform.stack.solvers]
        return min(epochs) >= row[0]

    platform.eventually(f"the solvers know {name}", know)
    return type(sitting)(name, made, sitting.document)


def start(platform: Any, solver: Any, sitting: Any, access: str) -> Any:
    """Start at a solver, without the gateway, which would send both starts to one."""
    return platform.call("POST", f"{sitting.path}/attempt", token=access, base=solver.url)


def test_a_student_takes_an_exam_in_one_of_its_sittings(platform) -> None:
    """I sat the exam; the make-up refuses me, with the time of my attempt, and lets in who missed it."""
    sitting = platform.sitting()
    attempt = platform.start(sitting)
    other = make_up(platform, sitting)
    for solver in platform.stack.solvers:
        refused = start(platform, solver, other, attempt.tokens["access"])
        body = platform.assert_problem(refused, 409, "already-attempted")
        assert (body["sitting"], body["started_at"]) == (sitting.id, attempt.body["started_at"])
    assert attempt.resume()["started_at"] == attempt.body["started_at"]
    platform.start(other)


def test_concurrent_starts_in_two_sittings_are_one_attempt(platform) -> None:
    """A dozen students start in both sittings at once, at two solvers: each has one attempt, and can resume that."""
    sitting = platform.sitting()
    other = make_up(platform, sitting)
    first, second = platform.stack.solvers[:2]
    accounts = [platform.student() for _ in range(12)]
    tokens = [platform.log_in(account)["access"] for account in accounts]
    with ThreadPoolExecutor(24) as pool:
        pairs = [
            (pool.submit(start, platform, first, sitting, access), pool.submit(start, platform, second, other, access))
            for access in tokens
        ]
        outcomes = [(one.result(), two.result()) for one, two in pairs]
    for access, responses in zip(tokens, outcomes, strict=True):
        statuses = sorted(response.status_code for response in responses)
        assert statuses == [201, 409], [response.text for response in responses]
        for where, response in zip((sitting, other), responses, strict=True):
            again = start(platform, second, where, access)
            assert again.status_code == (200 if response.status_code == 201 else 409)
    winners = [next(place for place, response in enumerate(pair) if response.status_code == 201) for pair in outcomes]
    assert len(winners) == len(accounts)
