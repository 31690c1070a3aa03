"""A rebuilt cluster: an Exam that is applied again operates the sitting that was scheduled before."""

import json
from typing import Any

import pytest

from exam_harness.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def _lose(world, name: str) -> dict[str, Any]:
    """Delete an Exam without its operator, as a lost cluster does; returns its manifest."""
    body = world.get(name)
    world.operator.stop()
    world.kubectl("patch", "exam", name, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    world.kubectl("delete", "exam", name)
    return {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "metadata": {"name": name},
        "spec": body["spec"],
    }


def _rebuild(world, manifest: dict[str, Any]) -> None:
    world.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    world.operator.start()
    world.operator.await_ready()


def test_a_scheduled_sitting_is_adopted_by_the_exam_that_is_applied_again(world, student) -> None:
    """If my cluster is rebuilt before a window, the Exam has its sitting, its solvers are ready, and it is graded."""
    solver = {"candidatesPerReplica": 100, "maxReplicas": 3}
    world.apply("rebuilt", opens_in=25, lasts=20, candidates=300, solver=solver, grading={"publish": "Automatic"})
    world.await_condition("rebuilt", "Provisioned", "True")
    before = world.sitting("rebuilt")
    manifest = _lose(world, "rebuilt")
    manifest["spec"]["solver"]["minReplicas"] = 2
    _rebuild(world, manifest)
    world.await_condition("rebuilt", "Accepted", "True")
    status = world.await_condition("rebuilt", "Provisioned", "True") and world.status("rebuilt")
    after = world.sitting("rebuilt")
    assert (status["sittingId"], status["paperDigest"]) == (before["id"], before["paper"])
    assert after["name"] != before["name"]
    eventually(
        lambda: world.owned("hpa", "exam-solver")["spec"]["minReplicas"] >= 3, "the sitting's capacity is counted"
    )
    attempt = student.start(after)
    assert attempt.answer(0, {"seq": 1, "choices": [0]}).status_code == 200
    status = world.await_phase("rebuilt", "Published", seconds=90)
    assert status["seal"]["answers"] == 1
    assert "Conflict" not in [reason for reason, _ in world.events("rebuilt")]


def test_an_edit_between_loss_and_rebuilding_is_applied(world) -> None:
    """If I moved the window in my manifest before I applied it again, the adopted sitting moves with it."""
    world.apply("edited", opens_in=3600, lasts=600)
    world.await_condition("edited", "Provisioned", "True")
    sitting = world.sitting("edited")["id"]
    manifest = _lose(world, "edited")
    manifest["spec"]["window"]["duration"] = "20m"
    manifest["spec"]["candidates"] = 4000
    _rebuild(world, manifest)
    world.await_condition("edited", "Provisioned", "True")

    def applied() -> bool:
        now = world.sitting("edited")
        return (now["window"]["duration_us"], now["candidates"]) == (20 * 60_000_000, 4000)

    eventually(applied, "the edit is applied")
    assert world.status("edited")["sittingId"] == sitting


def test_an_exam_that_was_deleted_in_time_gets_a_new_sitting(world) -> None:
    """If I delete an Exam before its window, its sitting is cancelled; applied again, it gets another one."""
    created = world.apply("again", opens_in=3600, lasts=600)
    world.await_condition("again", "Provisioned", "True")
    sitting = world.status("again")["sittingId"]
    world.kubectl("delete", "exam", "again")
    world.await_deleted("again")
    manifest = {key: created[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": "again"}}
    world.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    world.await_condition("again", "Provisioned", "True")
    assert world.status("again")["sittingId"] != sitting
