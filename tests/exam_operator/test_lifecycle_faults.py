"""Faults during a sitting are reported in the status, lose nothing, and recover without intervention."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from exam_harness.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@contextmanager
def _paused(server) -> Iterator[None]:
    server.pause()
    try:
        yield
    finally:
        server.resume()


def _grading(world, name) -> dict:
    """Start a grading that cannot finish, because the graders are paused; returns the Exam's status."""
    world.apply(name, lasts=600, desiredState="StoppedAndGrade")
    return world.await_job(name)


def test_web_unavailable_at_the_close_delays_the_grading_only(world) -> None:
    """If web is down when the window closes, the Exam is degraded, and it is graded once web is back."""
    world.apply("unseen", lasts=6)
    world.await_phase("unseen", "Open")
    world.stack.web.stop()
    try:
        world.await_condition("unseen", "Degraded", "True", "WebUnavailable")
        assert world.status("unseen")["reason"] == "WebUnavailable"
        assert world.status("unseen")["phase"] == "Open"
    finally:
        world.stack.web.start()
        world.stack.web.await_ready()
    world.await_phase("unseen", "Graded")
    assert world.condition("unseen", "Degraded")["status"] == "False"
    assert "reason" not in world.status("unseen")


def test_an_undistributed_paper_is_distributed(world) -> None:
    """If provisioning was interrupted before the paper was distributed, the operator distributes it."""
    world.apply("halfway", opens_in=300)
    world.await_condition("halfway", "Provisioned", "True")
    with psycopg.connect(world.stack.postgres.dsn(), autocommit=True) as connection:
        digest = [world.status("halfway")["paperDigest"]]
        connection.execute("UPDATE sittings_paper SET distributed_at = NULL WHERE digest = %s", digest)
    assert world.sitting("halfway")["distributed"] is False
    eventually(lambda: world.sitting("halfway")["distributed"], "the paper is distributed")


def test_a_failed_job_is_replaced(world) -> None:
    """If the grading Job fails, another Job replaces it, and the sitting is graded once."""
    with _paused(world.stack.worker):
        status = _grading(world, "failing")
        [job] = world.jobs(status["sittingId"])
        deadline = json.dumps({"spec": {"activeDeadlineSeconds": 1}})
        world.control_plane.kubectl(
            "-n", world.operated.namespace, "patch", "job", job["metadata"]["name"], "--type=merge", "-p", deadline
        )
        eventually(
            lambda: [each["metadata"]["uid"] for each in world.jobs(status["sittingId"])] != [job["metadata"]["uid"]],
            "another Job is created",
        )
    status = world.await_phase("failing", "Graded")
    assert status["grading"]["jobUid"] != job["metadata"]["uid"]
    assert len(world.sitting("failing")["revisions"]) == 1


def test_a_job_that_was_deleted_by_hand_is_created_again(world) -> None:
    """If the grading Job is deleted by hand, another one is created, and the sitting is graded."""
    with _paused(world.stack.worker):
        status = _grading(world, "gone")
        [job] = world.jobs(status["sittingId"])
        world.control_plane.kubectl("-n", world.operated.namespace, "delete", "job", job["metadata"]["name"])
        eventually(lambda: world.jobs(status["sittingId"]), "another Job is created")
    status = world.await_phase("gone", "Graded")
    assert status["grading"]["jobUid"] != job["metadata"]["uid"]


def test_an_evicted_pod_does_not_fail_the_job(world) -> None:
    """If the Job's pod is evicted, the same Job continues in another pod."""
    with _paused(world.stack.worker):
        status = _grading(world, "evicted")
        [job] = world.jobs(status["sittingId"])
        selector = f"job-name={job['metadata']['name']}"
        own = ("-n", world.operated.namespace)

        def pods() -> list[str]:
            output = world.control_plane.kubectl(*own, "get", "pods", "-l", selector, "-o", "json")
            return [each["metadata"]["name"] for each in json.loads(output)["items"]]

        [pod] = pods()
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
        path = f"/api/v1/namespaces/{world.operated.namespace}/pods/{pod}/eviction"
        world.control_plane.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
        eventually(lambda: (found := pods()) and pod not in found, "another pod is created")
    status = world.await_phase("evicted", "Graded")
    assert status["grading"]["jobUid"] == job["metadata"]["uid"]


def test_a_finished_job_may_be_deleted(world) -> None:
    """If the Job of a graded sitting is deleted, nothing is graded again, because the ledger is complete."""
    world.apply("ledger", lasts=600, desiredState="StoppedAndGrade")
    status = world.await_phase("ledger", "Graded")
    name = status["grading"]["jobName"]
    world.control_plane.kubectl("-n", world.operated.namespace, "delete", "job", name)
    world.patch("ledger", {"grading": {"publish": "Automatic"}})
    world.await_phase("ledger", "Published")
    assert world.jobs(status["sittingId"]) == []


def test_a_deleted_or_edited_autoscaler_is_restored(world) -> None:
    """If the solver's autoscaler is deleted or edited by hand, it is restored."""
    own = ("-n", world.operated.namespace)
    eventually(lambda: world.owned("hpa", "exam-solver"), "the autoscaler exists")
    before = world.owned("hpa", "exam-solver")
    world.control_plane.kubectl(*own, "delete", "hpa", "exam-solver")
    again = eventually(lambda: world.owned("hpa", "exam-solver"), "the autoscaler is created again")
    assert again["metadata"]["uid"] != before["metadata"]["uid"]
    edit = json.dumps({"spec": {"maxReplicas": 99}})
    world.control_plane.kubectl(*own, "patch", "hpa", "exam-solver", "--type=merge", "-p", edit)
    eventually(lambda: world.owned("hpa", "exam-solver")["spec"]["maxReplicas"] != 99, "the edit is undone")


def test_a_status_that_was_edited_by_hand_is_restored(world) -> None:
    """If the status is overwritten by hand, it has no effect on the sitting and is restored."""
    world.apply("edited", lasts=600)
    before = world.await_phase("edited", "Open")
    forged = {"phase": "Published", "epoch": 1, "publishedRevision": 7, "grading": {"revision": 7, "jobUid": "none"}}
    world.kubectl(
        "patch", "exam", "edited", "--subresource=status", "--type=merge", "-p", json.dumps({"status": forged})
    )
    world.await_phase("edited", "Open")
    eventually(lambda: world.status("edited").get("epoch") == before["epoch"], "the status is restored")
    assert "publishedRevision" not in world.status("edited")
    assert world.sitting("edited")["state"] == "scheduled"


def test_a_finalizer_that_was_removed_by_hand_is_added_again(world) -> None:
    """If the finalizer is removed by hand, it is added again, so that a live sitting is not forgotten."""
    world.apply("unheld", lasts=600)
    world.await_phase("unheld", "Open")
    world.kubectl("patch", "exam", "unheld", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    eventually(lambda: world.get("unheld")["metadata"].get("finalizers"), "the finalizer is added again")
