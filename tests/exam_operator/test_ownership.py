"""Which Exams may command an exam, and to whom an exam belongs that came by a resource."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from exam_harness.scenarios.sitting.accounts import Accounts
from exam_harness.scenarios.sitting.platform_client import PAPERS
from exam_harness.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

REFERENCE = {"secretKeyRef": {"name": "paper", "key": "paper.yaml"}}


def as_seen_by(world, people: Accounts, doctor: int, slug: str) -> dict[str, Any] | None:
    """An exam as the API shows it to a Doctor; None if it does not."""
    who = people.doctors[doctor]
    with httpx.Client(base_url=world.stack.web.url, headers={"Host": "localhost"}, trust_env=False) as http:
        credentials = {"username": who.username, "password": who.password}
        token = http.post("/api/auth/doctors/login", json=credentials).raise_for_status().json()["access"]
        answer = http.get(f"/api/exams/{slug}", headers={"Authorization": f"Bearer {token}"})
        return dict(answer.json()) if answer.is_success else None


def put_paper(world, slug: str, title: str) -> None:
    """Create the Secret with a paper of an exam."""
    paper = (PAPERS / "geometry-201.yaml").read_text().replace("exam: geometry-201\n", f"exam: {slug}\n")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "paper"},
        "type": "examplatform.dev/paper",
        "stringData": {"paper.yaml": paper.replace("title: ", f"title: {title} ", 1)},
    }
    world.kubectl("apply", "-f", "-", stdin=json.dumps(secret))


def test_an_exam_is_held_from_the_namespaces_that_it_names_only(world) -> None:
    """If my exam names another namespace, an Exam here is not accepted; once my exam names this one, it is held."""
    slug = world.write_exam(namespace="elsewhere")
    world.apply("final", opens_in=300, exam=slug)
    rejected = world.await_condition("final", "Accepted", "False", "NamespaceNotAllowed")
    assert slug in rejected["message"]
    assert world.namespace in rejected["message"]
    assert "Namespaces in the admin" in rejected["message"]
    assert world.status("final")["reason"] == "NamespaceNotAllowed"
    assert "sittingId" not in world.status("final")
    paper = (PAPERS / "algebra-101.yaml").read_text().replace("exam: algebra-101\n", f"exam: {slug}\n")
    world.platform.load_exam(paper, "noether", namespace=world.namespace)
    world.await_condition("final", "Provisioned", "True")
    world.await_condition("final", "Accepted", "True")


def test_a_paper_does_not_overwrite_the_exam_of_another_namespace(world, people: Accounts) -> None:
    """If an Exam anywhere brings a paper with my exam's slug, it is not accepted, and my exam stays as it is."""
    slug = world.write_exam(namespace="elsewhere")
    before = as_seen_by(world, people, 0, slug)
    assert before is not None
    put_paper(world, slug, "Forged")
    world.apply("forged", opens_in=300, exam=slug, owner=people.doctors[0].username, paperFrom=REFERENCE)
    world.await_condition("forged", "Accepted", "False", "NamespaceNotAllowed")
    assert as_seen_by(world, people, 0, slug) == before


def test_an_exam_as_code_belongs_to_its_owner(world, people: Accounts) -> None:
    """If an Exam brings its paper, it names a Doctor, who sees the exam and its sitting; the others do not."""
    slug = f"code-{uuid4().hex[:12]}"
    put_paper(world, slug, "Own")
    world.apply("coded", opens_in=300, exam=slug, paperFrom=REFERENCE)
    rejected = world.await_condition("coded", "Accepted", "False", "OwnerRequired")
    assert "spec.owner" in rejected["message"]
    world.patch("coded", {"owner": "unknown"})
    eventually(lambda: "'unknown'" in world.condition("coded", "Accepted")["message"], "the message names the owner")
    world.patch("coded", {"owner": people.doctors[1].username})
    world.await_condition("coded", "Provisioned", "True")
    seen = as_seen_by(world, people, 1, slug)
    assert seen is not None
    assert seen["namespaces"] == [world.namespace]
    assert [each["name"] for each in seen["sittings"]] == [world.status("coded")["sitting"]]
    assert as_seen_by(world, people, 0, slug) is None
