"""The end of a sitting: closed on time or by hand, sealed, graded, published, graded again; and deletion."""

import json

import pytest

from exam_harness.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def _revisions(world, name) -> list[tuple[int, str]]:
    return [(each["number"], each["state"]) for each in world.sitting(name)["revisions"]]


def test_a_sitting_closes_on_time_and_is_graded_and_published(world) -> None:
    """Without intervention, the sitting closes at its end, is sealed, graded by one Job and published."""
    world.apply("whole", opens_in=3, lasts=5, solver={"prewarm": "2s"}, grading={"publish": "Automatic"})
    status = world.await_phase("whole", "Published")
    for kind in ("Accepted", "Provisioned", "Sealed", "Graded", "Published"):
        assert world.condition("whole", kind)["status"] == "True", kind
    grading, seal = status["grading"], status["seal"]
    assert (grading["revision"], grading["graded"]) == (1, grading["chunks"])
    assert (grading["failed"], status["publishedRevision"]) == (0, 1)
    assert (seal["answers"], seal["digest"]) == (0, world.sitting("whole")["seal"]["digest"])
    [job] = world.jobs(status["sittingId"])
    assert (job["metadata"]["name"], job["metadata"]["uid"]) == (grading["jobName"], grading["jobUid"])
    assert status["window"]["endsAt"] <= seal["at"]
    phases = [reason for reason, _ in world.events("whole")]
    in_order = [each for each in ("Open", "Closing", "Grading", "Published") if each in phases]
    assert in_order == ["Open", "Closing", "Grading", "Published"]
    assert len(phases) == len(set(phases))


def test_graders_are_scaled_up_for_the_grading_only(world) -> None:
    """If a sitting is being graded, it gets as many graders as its parallelism; afterwards they are scaled down."""
    world.stack.worker.pause()
    try:
        world.apply("large", lasts=600, desiredState="StoppedAndGrade", grading={"parallelism": 3})
        world.await_job("large")
        eventually(
            lambda: world.owned("hpa", "exam-grader")["spec"]["minReplicas"] >= 3,
            "the autoscaler of the graders is raised",
        )
        ready = "graders are ready"
        eventually(lambda: world.owned("deployment", "exam-grader")["status"].get("readyReplicas", 0) >= 3, ready)
    finally:
        world.stack.worker.resume()
    world.await_phase("large", "Graded")
    eventually(lambda: world.owned("hpa", "exam-grader")["spec"]["minReplicas"] < 3, "graders are scaled down")


def test_manual_publishing_waits_until_it_is_automatic(world) -> None:
    """If publishing is manual, degrees are not published until the spec is changed to Automatic."""
    world.apply("manual", lasts=600, desiredState="StoppedAndGrade")
    status = world.await_phase("manual", "Graded")
    assert "publishedAt" not in status
    assert world.condition("manual", "Published")["status"] == "False"
    world.patch("manual", {"grading": {"publish": "Automatic"}})
    status = world.await_phase("manual", "Published")
    assert status["publishedRevision"] == 1
    assert world.sitting("manual")["published_revision"] == 1


def test_degrees_published_in_the_admin_are_observed(world) -> None:
    """If a Doctor publishes in the admin, the Exam becomes Published."""
    world.apply("byhand", lasts=600, desiredState="StoppedAndGrade")
    sitting = world.await_phase("byhand", "Graded")["sitting"]
    assert world.internal("POST", f"/internal/sittings/{sitting}/revisions/1/publish").is_success
    world.await_phase("byhand", "Published")


def test_a_stopped_sitting_is_graded_at_once(world) -> None:
    """If I stop an open sitting, it ends at once and is graded, long before its window would have closed."""
    world.apply("stopped", lasts=3600)
    world.await_phase("stopped", "Open")
    world.patch("stopped", {"desiredState": "StoppedAndGrade"})
    world.await_phase("stopped", "Graded")
    assert world.sitting("stopped")["window"]["stopped_at"] is not None
    assert _revisions(world, "stopped") == [(1, "graded")]


def test_a_paused_sitting_can_be_stopped(world) -> None:
    """If I stop a paused sitting, it is graded."""
    world.apply("halted", lasts=3600, desiredState="Paused")
    world.await_phase("halted", "Paused")
    world.patch("halted", {"desiredState": "StoppedAndGrade"})
    world.await_phase("halted", "Graded")


def test_a_cancelled_sitting_is_not_graded(world) -> None:
    """If I cancel a sitting, it is not graded."""
    world.apply("off", lasts=3600)
    sitting = world.await_phase("off", "Open")["sittingId"]
    world.patch("off", {"desiredState": "Cancelled"})
    world.await_phase("off", "Cancelled")
    assert world.sitting("off")["state"] == "cancelled"
    assert world.jobs(sitting) == []


def test_a_corrected_key_is_graded_as_another_revision(world) -> None:
    """If I correct the key and raise the revision, a second grading runs, and the first is kept."""
    slug = world.write_exam()
    grading = {"publish": "Automatic"}
    world.apply("again", lasts=600, exam=slug, desiredState="StoppedAndGrade", grading=grading)
    first = world.await_phase("again", "Published")
    world.patch("again", {"grading": {"revision": 2}})
    status = eventually(
        lambda: (found := world.status("again")).get("publishedRevision") == 2 and found, "revision 2 is published"
    )
    assert status["phase"] == "Published"
    assert status["grading"]["jobName"] != first["grading"]["jobName"]
    assert _revisions(world, "again") == [(1, "graded"), (2, "graded")]
    assert len(world.jobs(status["sittingId"])) == 2
    assert status["seal"] == first["seal"]


def test_an_edit_after_the_close_is_rejected(world) -> None:
    """If I edit the window of a sitting that is over, the Exam is not accepted, and the window stays."""
    world.apply("past", lasts=600, desiredState="StoppedAndGrade")
    world.await_phase("past", "Graded")
    before = world.sitting("past")["window"]
    world.patch("past", {"window": {"closesAt": "2099-01-01T00:00:00Z", "opensAt": "2098-12-31T00:00:00Z"}})
    rejected = world.await_condition("past", "Accepted", "False", "Closed")
    assert "its window stays" in rejected["message"]
    assert world.sitting("past")["window"] == before
    assert world.status("past")["phase"] == "Graded"


def test_an_exam_deleted_before_its_window_is_cancelled(world) -> None:
    """If I delete an Exam before it opens, its sitting is cancelled, and I can create another one of the same name."""
    slug = world.write_exam()
    world.apply("mistake", opens_in=600, exam=slug)
    world.await_condition("mistake", "Provisioned", "True")
    sitting = world.status("mistake")["sitting"]
    world.kubectl("delete", "exam", "mistake", "--timeout=30s")
    assert world.platform.sitting(sitting)["state"] == "cancelled"
    world.apply("mistake", opens_in=900, exam=slug)
    world.await_condition("mistake", "Provisioned", "True")
    assert world.status("mistake")["sitting"] != sitting


def test_deleting_an_open_exam_does_not_end_it(world) -> None:
    """If an open Exam is deleted, the sitting continues to its end and is graded before the Exam is removed."""
    world.apply("pruned", lasts=12)
    sitting = world.await_phase("pruned", "Open")["sitting"]
    world.kubectl("delete", "exam", "pruned", "--wait=false")
    eventually(lambda: "deletionTimestamp" in world.get("pruned")["metadata"], "it is being deleted")
    assert world.platform.sitting(sitting)["state"] == "scheduled"
    assert world.status("pruned")["phase"] == "Open"
    world.await_deleted("pruned")
    found = world.platform.sitting(sitting)
    assert found["state"] == "sealed"
    assert [each["state"] for each in found["revisions"]] == ["graded"]
    assert found["window"]["stopped_at"] is None


def test_deleting_a_graded_exam_keeps_seal_and_degrees(world) -> None:
    """If I delete an Exam that is graded, it is removed at once; seal and degrees are kept."""
    world.apply("done", lasts=600, desiredState="StoppedAndGrade")
    sitting = world.await_phase("done", "Graded")["sitting"]
    world.kubectl("delete", "exam", "done", "--timeout=30s")
    assert world.platform.sitting(sitting)["state"] == "sealed"


def test_an_exam_without_a_sitting_is_deleted_at_once(world) -> None:
    """If an Exam was never provisioned, its finalizer does not block the deletion."""
    world.apply("never", opens_in=600, exam="there-is-no-such-exam")
    world.await_condition("never", "Accepted", "False")
    world.kubectl("delete", "exam", "never", "--timeout=30s")


def test_a_namespace_can_be_deleted_with_an_open_exam(world) -> None:
    """If the namespace is deleted, the Exam's finalizer is removed at once, even while it is open."""
    world.control_plane.create_namespace(f"{world.namespace}-x")
    created = world.apply("open", lasts=3600)
    body = {
        **created,
        "metadata": {"name": "elsewhere"},
        "spec": {**created["spec"], "exam": world.write_exam(namespace=f"{world.namespace}-x")},
    }
    body.pop("status", None)
    world.control_plane.kubectl("-n", f"{world.namespace}-x", "apply", "-f", "-", stdin=json.dumps(body))
    eventually(
        lambda: "Open" in world.control_plane.kubectl("-n", f"{world.namespace}-x", "get", "exam", "elsewhere"),
        "it is open",
    )
    world.control_plane.kubectl("delete", "namespace", f"{world.namespace}-x", "--timeout=40s")
