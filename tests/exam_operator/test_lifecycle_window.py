"""A sitting up to its end: provisioned, warmed up, opened, extended, paused."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import httpx
import pytest

from exam_harness.scenarios.sitting.platform_client import PAPERS
from exam_harness.waiting import eventually

OWNER = "noether"
"""A Doctor of the generated accounts."""

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def test_an_exam_is_provisioned_with_a_frozen_paper(world) -> None:
    """If I apply an Exam, its sitting exists before the window, and the status names it and its paper."""
    world.apply("midterm", opens_in=300)
    status = world.await_phase("midterm", "Warming", "Scheduled")
    sitting = world.sitting("midterm")
    assert (status["sittingId"], status["paperDigest"], status["epoch"]) == (
        sitting["id"],
        sitting["paper"],
        sitting["epoch"],
    )
    assert status["observedGeneration"] == 1
    assert "reason" not in status
    for kind, holds in (("Accepted", "True"), ("Provisioned", "True"), ("Open", "False"), ("Degraded", "False")):
        assert world.condition("midterm", kind)["status"] == holds
    assert world.get("midterm")["metadata"]["finalizers"] == ["examplatform.dev/sitting"]
    assert "Warming" in [reason for reason, _ in world.events("midterm")]


def test_an_exam_as_code_is_imported_before_it_is_frozen(world) -> None:
    """If an Exam names a Secret with its paper, the exam is imported from it; no status and no log has the paper."""
    slug = f"code-{uuid4().hex[:12]}"
    paper = (PAPERS / "geometry-201.yaml").read_text().replace("exam: geometry-201\n", f"exam: {slug}\n")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "paper"},
        "type": "examplatform.dev/paper",
        "stringData": {"paper.yaml": paper},
    }
    world.kubectl("apply", "-f", "-", stdin=json.dumps(secret))
    reference = {"secretKeyRef": {"name": "paper", "key": "paper.yaml"}}
    world.apply("coded", opens_in=300, exam=slug, owner=OWNER, paperFrom=reference)
    world.await_condition("coded", "Provisioned", "True")
    assert world.sitting("coded")["exam"] == slug
    question = next(line.partition("text:")[2].strip() for line in paper.splitlines() if "text:" in line)
    assert question
    assert question not in json.dumps(world.get("coded"))
    assert question not in world.operator.process.log.read_text()


def test_a_corrected_exam_is_frozen_anew_before_the_opening(world) -> None:
    """If I correct an exam in time, its Exam says that the sitting has the former paper; one patch freezes it anew."""
    slug = world.write_exam()
    world.apply("corrected", opens_in=600, exam=slug)
    world.await_condition("corrected", "PaperCurrent", "True")
    frozen = world.sitting("corrected")
    document = (PAPERS / "algebra-101.yaml").read_text().replace("exam: algebra-101\n", f"exam: {slug}\n")
    retitled = document.replace("title: ", "title: Corrected ", 1)
    assert world.internal("PUT", "/internal/exams", content=retitled.encode()).is_success
    changed = world.await_condition("corrected", "PaperCurrent", "False", "PaperChanged", seconds=90)
    assert "the title changed; set spec.refreeze to a new value" in changed["message"]
    assert world.sitting("corrected")["paper"] == frozen["paper"]
    world.patch("corrected", {"refreeze": "title", "candidates": 4000})
    world.await_condition("corrected", "PaperCurrent", "True")
    eventually(lambda: world.status("corrected").get("refreeze") == "title", "the request is recorded")
    sitting = world.sitting("corrected")
    assert sitting["paper"] != frozen["paper"]
    assert (sitting["distributed"], sitting["candidates"]) == (True, 4000)
    assert world.status("corrected")["paperDigest"] == sitting["paper"]
    assert world.condition("corrected", "Accepted")["status"] == "True"


def test_only_secrets_of_type_paper_are_read(world) -> None:
    """If an Exam names a Secret of another type, it is not accepted, and the message names the type."""
    world.kubectl("create", "secret", "generic", "password", "--from-literal=paper.yaml=exam: x")
    reference = {"secretKeyRef": {"name": "password", "key": "paper.yaml"}}
    world.apply("nosy", opens_in=300, paperFrom=reference)
    rejected = world.await_condition("nosy", "Accepted", "False", "PaperMissing")
    assert "examplatform.dev/paper" in rejected["message"]
    assert world.status("nosy")["reason"] == "PaperMissing"
    assert "sittingId" not in world.status("nosy")


def test_solvers_are_ready_before_the_window_opens(world) -> None:
    """If many candidates are expected, their solver pods are ready before the window opens, and fewer before that."""
    solver = {"candidatesPerReplica": 100, "prewarm": "8s", "maxReplicas": 4}
    world.apply("big", opens_in=14, lasts=60, candidates=350, solver=solver)
    world.await_phase("big", "Scheduled")
    assert world.status("big")["capacity"]["wanted"] == 4
    world.await_phase("big", "Warming")
    world.await_condition("big", "CapacityReady", "True")
    world.await_phase("big", "Warming", "Open")
    assert world.owned("hpa", "exam-solver")["spec"]["minReplicas"] >= 4
    assert world.owned("deployment", "exam-solver")["status"]["readyReplicas"] >= 4
    world.await_phase("big", "Open")
    assert world.condition("big", "CapacityReady")["status"] == "True"
    assert world.owned("pdb", "exam-solver")["spec"]["maxUnavailable"] == 0
    world.patch("big", {"desiredState": "StoppedAndGrade"})
    world.await_phase("big", "Graded")
    eventually(lambda: world.owned("hpa", "exam-solver")["spec"]["minReplicas"] < 4, "solvers are scaled down")


def test_an_open_window_may_be_extended(world) -> None:
    """If I move the close of an open sitting later, the sitting is extended."""
    created = world.apply("longer", lasts=120)
    world.await_phase("longer", "Open")
    epoch = world.status("longer")["epoch"]
    later = created["spec"]["window"]["closesAt"]
    moved = (datetime.fromisoformat(later) + timedelta(seconds=300)).isoformat(timespec="milliseconds")
    world.patch("longer", {"window": {"closesAt": moved.replace("+00:00", "Z")}})
    eventually(lambda: world.status("longer")["epoch"] > epoch, "the window is moved")
    assert world.condition("longer", "Accepted")["status"] == "True"
    assert datetime.fromisoformat(world.sitting("longer")["window"]["closes_at"]) == datetime.fromisoformat(moved)
    assert world.status("longer")["phase"] == "Open"


def test_an_open_window_is_not_shortened(world) -> None:
    """If I move the close of an open sitting earlier, the edit is rejected, and nothing changes for the students."""
    created = world.apply("shorter", lasts=600)
    world.await_phase("shorter", "Open")
    before = world.sitting("shorter")["window"]
    closes_at = created["spec"]["window"]["closesAt"]
    earlier = datetime.fromisoformat(closes_at) - timedelta(seconds=300)
    text = earlier.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    world.patch("shorter", {"window": {"closesAt": text}})
    rejected = world.await_condition("shorter", "Accepted", "False", "WindowFrozen")
    assert "not shortened" in rejected["message"]
    assert rejected["observedGeneration"] == 2
    assert world.sitting("shorter")["window"] == before
    assert world.status("shorter")["phase"] == "Open"
    assert "WindowFrozen" in [reason for reason, _ in world.events("shorter")]
    world.patch("shorter", {"window": {"closesAt": closes_at}})
    world.await_condition("shorter", "Accepted", "True")
    assert "reason" not in world.status("shorter")


def test_a_window_may_be_moved_freely_before_it_opens(world) -> None:
    """If I move a window that has not opened, earlier or later, the sitting moves with it."""
    world.apply("moved", opens_in=3600, lasts=600, solver={"prewarm": "1m"})
    world.await_phase("moved", "Scheduled")

    def status_opens_at(text: str) -> bool:
        return bool(world.status("moved")["window"]["opensAt"] == text)

    for minutes in (90, 45):
        opens_at = (datetime.now(UTC) + timedelta(minutes=minutes)).replace(microsecond=0)
        closes_at = opens_at + timedelta(minutes=5)
        window = {"opensAt": opens_at.isoformat(), "closesAt": closes_at.isoformat(), "duration": "30m"}
        world.patch("moved", {"window": window})
        text = opens_at.isoformat().replace("+00:00", "Z")
        eventually(partial(status_opens_at, text), "the window is moved")
        assert world.sitting("moved")["window"]["duration_us"] == 30 * 60 * 1_000_000


def test_a_sitting_is_paused_and_resumed(world) -> None:
    """If I pause a sitting, all deadlines are suspended until I resume it; the end moves by the same time."""
    world.apply("paused", lasts=300)
    ends_at = world.await_phase("paused", "Open")["window"]["endsAt"]
    world.patch("paused", {"desiredState": "Paused"})
    status = world.await_phase("paused", "Paused")
    assert "endsAt" not in status["window"]
    assert world.condition("paused", "Open")["reason"] == "Paused"
    world.patch("paused", {"desiredState": "Scheduled"})
    status = world.await_phase("paused", "Open")
    assert status["window"]["endsAt"] > ends_at


def test_two_exams_may_not_overlap_on_one_paper(world) -> None:
    """If two Exams use one exam at the same time, the second is rejected, and the message names the first."""
    slug = world.write_exam()
    world.apply("one", lasts=600, exam=slug)
    world.await_phase("one", "Open")
    world.apply("two", opens_in=60, lasts=600, exam=slug)
    rejected = world.await_condition("two", "Accepted", "False", "Conflict")
    assert world.status("one")["sitting"] in rejected["message"]
    assert world.status("two")["phase"] == "Pending"
    world.patch("one", {"desiredState": "Cancelled"})
    world.await_phase("one", "Cancelled")
    # Retried without an edit of the second Exam.
    world.await_condition("two", "Accepted", "True", seconds=90)


def test_provisioning_is_retried_until_the_exam_exists(world) -> None:
    """If the exam does not exist yet, the Exam is not accepted; once it exists, the sitting is created."""
    slug = f"later-{uuid4().hex[:12]}"
    world.apply("early", opens_in=600, exam=slug)
    rejected = world.await_condition("early", "Accepted", "False", "ExamNotFound")
    assert slug in rejected["message"]
    assert world.status("early")["phase"] == "Pending"
    document = (PAPERS / "algebra-101.yaml").read_text().replace("exam: algebra-101\n", f"exam: {slug}\n")
    world.platform.load_exam(document, OWNER, namespace=world.namespace)
    world.await_condition("early", "Provisioned", "True", seconds=90)
    assert "reason" not in world.status("early")


def test_provisioning_is_retried_until_the_exam_has_questions(world, people) -> None:
    """If the exam has no questions yet, nothing is frozen; once it has some, the sitting is created."""
    slug = f"empty-{uuid4().hex[:12]}"
    [doctor, *_] = people.doctors
    with httpx.Client(base_url=world.stack.web.url, headers={"Host": "localhost"}, trust_env=False) as http:
        credentials = {"username": doctor.username, "password": doctor.password}
        access = http.post("/api/auth/doctors/login", json=credentials).raise_for_status().json()["access"]
        exam = {
            "slug": slug,
            "title": "Empty",
            "level": "year-1",
            "namespaces": [world.namespace],
            "published": True,
        }
        http.post("/api/exams", json=exam, headers={"Authorization": f"Bearer {access}"}).raise_for_status()
    world.apply("empty", opens_in=600, exam=slug)
    rejected = world.await_condition("empty", "Accepted", "False", "PaperInvalid")
    assert "question" in rejected["message"]
    assert "sittingId" not in world.status("empty")
    document = (PAPERS / "geometry-201.yaml").read_text().replace("exam: geometry-201\n", f"exam: {slug}\n")
    assert world.internal("PUT", "/internal/exams", content=document.encode()).is_success
    world.await_condition("empty", "Provisioned", "True", seconds=90)
