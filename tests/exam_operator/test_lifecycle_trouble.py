"""What goes wrong on the way: it is named in the status, nothing is lost, and all comes right by itself."""

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
    """A sitting whose Job runs and cannot finish, for the graders take no chunks; its status."""
    world.apply(name, lasts=600, desiredState="StoppedAndGrade")
    return world.await_job(name)


def test_web_away_over_the_close_only_delays_the_grading(world) -> None:
    """If web is down when the window closes, the Exam says so, and all is done once it is back."""
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


def test_a_paper_that_never_reached_the_solvers_is_carried_there(world) -> None:
    """If provisioning was ended halfway, nobody could read the paper: the operator sees to it."""
    world.apply("halfway", opens_in=300)
    world.await_condition("halfway", "Provisioned", "True")
    with psycopg.connect(world.stack.postgres.dsn(), autocommit=True) as connection:
        digest = [world.status("halfway")["paperDigest"]]
        connection.execute("UPDATE sittings_paper SET distributed_at = NULL WHERE digest = %s", digest)
    assert world.sitting("halfway")["distributed"] is False
    eventually(lambda: world.sitting("halfway")["distributed"], "the paper is where solvers read it")


def test_a_job_that_fails_is_made_anew(world) -> None:
    """If the grading Job fails, the Exam says so, another Job takes its place, and one grading comes out."""
    with _paused(world.stack.worker):
        status = _grading(world, "failing")
        [job] = world.jobs(status["sittingId"])
        deadline = json.dumps({"spec": {"activeDeadlineSeconds": 1}})
        world.control_plane.kubectl(
            "-n", world.operated.namespace, "patch", "job", job["metadata"]["name"], "--type=merge", "-p", deadline
        )
        eventually(
            lambda: [each["metadata"]["uid"] for each in world.jobs(status["sittingId"])] != [job["metadata"]["uid"]],
            "another Job is made",
        )
    status = world.await_phase("failing", "Graded")
    assert status["grading"]["jobUid"] != job["metadata"]["uid"]
    assert len(world.sitting("failing")["revisions"]) == 1


def test_a_job_that_is_deleted_by_hand_is_made_anew(world) -> None:
    """If somebody deletes the grading Job, another one is made, and the grading is not lost."""
    with _paused(world.stack.worker):
        status = _grading(world, "gone")
        [job] = world.jobs(status["sittingId"])
        world.control_plane.kubectl("-n", world.operated.namespace, "delete", "job", job["metadata"]["name"])
        eventually(lambda: world.jobs(status["sittingId"]), "another Job is made")
    status = world.await_phase("gone", "Graded")
    assert status["grading"]["jobUid"] != job["metadata"]["uid"]


def test_a_graders_pod_that_is_evicted_is_nobodys_failure(world) -> None:
    """If the Job's pod is evicted, the same Job goes on in another pod."""
    with _paused(world.stack.worker):
        status = _grading(world, "evicted")
        [job] = world.jobs(status["sittingId"])
        selector = f"job-name={job['metadata']['name']}"
        own = ("-n", world.operated.namespace)

        def pods() -> list[str]:
            said = world.control_plane.kubectl(*own, "get", "pods", "-l", selector, "-o", "json")
            return [each["metadata"]["name"] for each in json.loads(said)["items"]]

        [pod] = pods()
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
        path = f"/api/v1/namespaces/{world.operated.namespace}/pods/{pod}/eviction"
        world.control_plane.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
        eventually(lambda: (found := pods()) and pod not in found, "another pod is made")
    status = world.await_phase("evicted", "Graded")
    assert status["grading"]["jobUid"] == job["metadata"]["uid"]


def test_a_finished_job_may_be_deleted(world) -> None:
    """If the Job of a graded sitting is deleted, nothing is graded again: the ledger is what counts."""
    world.apply("ledger", lasts=600, desiredState="StoppedAndGrade")
    status = world.await_phase("ledger", "Graded")
    name = status["grading"]["jobName"]
    world.control_plane.kubectl("-n", world.operated.namespace, "delete", "job", name)
    world.patch("ledger", {"grading": {"publish": "Automatic"}})
    world.await_phase("ledger", "Published")
    assert world.jobs(status["sittingId"]) == []


def test_an_autoscaler_that_is_deleted_or_edited_comes_back(world) -> None:
    """If somebody deletes or edits the solver's autoscaler, it is as it was a moment later."""
    own = ("-n", world.operated.namespace)
    eventually(lambda: world.owned("hpa", "exam-solver"), "the autoscaler is there")
    before = world.owned("hpa", "exam-solver")
    world.control_plane.kubectl(*own, "delete", "hpa", "exam-solver")
    again = eventually(lambda: world.owned("hpa", "exam-solver"), "the autoscaler is made anew")
    assert again["metadata"]["uid"] != before["metadata"]["uid"]
    edit = json.dumps({"spec": {"maxReplicas": 99}})
    world.control_plane.kubectl(*own, "patch", "hpa", "exam-solver", "--type=merge", "-p", edit)
    eventually(lambda: world.owned("hpa", "exam-solver")["spec"]["maxReplicas"] != 99, "the edit is undone")


def test_a_status_that_was_edited_by_hand_is_put_right(world) -> None:
    """If somebody writes nonsense into the status, nothing follows from it, and it is right a moment later."""
    world.apply("edited", lasts=600)
    before = world.await_phase("edited", "Open")
    lie = {"phase": "Published", "epoch": 1, "publishedRevision": 7, "grading": {"revision": 7, "jobUid": "nobody"}}
    world.kubectl("patch", "exam", "edited", "--subresource=status", "--type=merge", "-p", json.dumps({"status": lie}))
    world.await_phase("edited", "Open")
    eventually(lambda: world.status("edited").get("epoch") == before["epoch"], "the status is right again")
    assert "publishedRevision" not in world.status("edited")
    assert world.sitting("edited")["state"] == "scheduled"


def test_a_finalizer_that_was_removed_by_hand_is_put_back(world) -> None:
    """If somebody removes the finalizer, it is back a moment later, so that a live sitting is not forgotten."""
    world.apply("unheld", lasts=600)
    world.await_phase("unheld", "Open")
    world.kubectl("patch", "exam", "unheld", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    eventually(lambda: world.get("unheld")["metadata"].get("finalizers"), "the finalizer is back")
