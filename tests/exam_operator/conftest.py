"""One platform, one real control plane and one operator for all tests of the operator; each test has a namespace."""

import json
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from exam_support.demo.people import people_of
from exam_support.demo.platform import PAPERS, Platform
from exam_support.kube.control_plane import ControlPlane
from exam_support.kube.exams import install_crd
from exam_support.kube.node import Node
from exam_support.kube.operated import Operated
from exam_support.stack.places import new_folder
from exam_support.stack.services import Service
from exam_support.stack.stack import Stack
from exam_support.waiting import eventually

LEVELS = ("year-1", "year-2")
LEASE_MS = 3_000
PATIENCE = 60


class World:
    """What a test of the operator can see and do."""

    def __init__(self, operated: Operated, service: Service, namespace: str) -> None:
        self.operated = operated
        self.control_plane = operated.control_plane
        self.stack = operated.stack
        self.operator = service
        self.namespace = namespace
        self.platform = Platform(operated.stack)

    # the resource

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl in the test's namespace."""
        return self.control_plane.kubectl("-n", self.namespace, *words, stdin=stdin)

    def written(self, text: str | None = None) -> str:
        """A Doctor writes an exam; its slug."""
        slug = f"exam-{uuid4().hex[:12]}"
        document = text or (PAPERS / "algebra-101.yaml").read_text()
        document = document.replace("exam: algebra-101\n", f"exam: {slug}\n")
        reply = self.internal("PUT", "/internal/exams", content=document.encode())
        assert reply.is_success, reply.text
        return slug

    def apply(
        self,
        name: str,
        *,
        opens_in: float = 0,
        lasts: float = 600,
        duration: str = "1h",
        exam: str | None = None,
        **spec: Any,
    ) -> dict[str, Any]:
        """Apply an Exam whose window opens so many seconds from now; the object."""
        opens_at = datetime.now(UTC) + timedelta(seconds=opens_in)
        window = {
            "opensAt": _text(opens_at),
            "closesAt": _text(opens_at + timedelta(seconds=lasts)),
            "duration": duration,
        }
        body = {
            "apiVersion": "examplatform.dev/v1alpha1",
            "kind": "Exam",
            "metadata": {"name": name},
            "spec": {"exam": exam or self.written(), "window": window, **spec},
        }
        self.kubectl("apply", "-f", "-", stdin=json.dumps(body))
        return self.get(name)

    def patch(self, name: str, spec: Mapping[str, Any]) -> None:
        """Edit an Exam's spec."""
        self.kubectl("patch", "exam", name, "--type=merge", "-p", json.dumps({"spec": dict(spec)}))

    def get(self, name: str) -> dict[str, Any]:
        """An Exam; empty when it is gone."""
        said = self.kubectl("get", "exam", name, "--ignore-not-found", "-o", "json")
        return json.loads(said) if said else {}

    def status(self, name: str) -> dict[str, Any]:
        """An Exam's status."""
        found: dict[str, Any] = self.get(name).get("status", {})
        return found

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """One of an Exam's conditions; empty while there is none."""
        conditions = self.status(name).get("conditions", ())
        return next((each for each in conditions if each["type"] == kind), {})

    def await_phase(self, name: str, *phases: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until an Exam is in one of some phases; its status."""

        def there() -> dict[str, Any] | None:
            status = self.status(name)
            return status if status.get("phase") in phases else None

        return eventually(there, f"{name} is {' or '.join(phases)}", seconds=seconds)

    def await_condition(
        self, name: str, kind: str, holds: str, reason: str | None = None, *, seconds: float = PATIENCE
    ) -> dict[str, Any]:
        """Wait until a condition holds, or does not, for a reason; the condition."""

        def there() -> dict[str, Any] | None:
            found = self.condition(name, kind)
            return found if found.get("status") == holds and reason in (None, found["reason"]) else None

        return eventually(there, f"{name}: {kind}={holds} {reason or ''}", seconds=seconds)

    def await_gone(self, name: str, *, seconds: float = PATIENCE) -> None:
        """Wait until an Exam is gone."""
        eventually(lambda: not self.get(name), f"{name} is gone", seconds=seconds)

    def events(self, name: str) -> list[tuple[str, str]]:
        """(reason, message) of an Exam's Events, oldest first."""
        said = self.kubectl("get", "events", "-o", "json", "--field-selector", f"involvedObject.name={name}")
        events = sorted(json.loads(said)["items"], key=lambda each: each["metadata"]["creationTimestamp"])
        return [(each["reason"], each["message"]) for each in events]

    # the operator's own namespace

    def owned(self, kind: str, name: str) -> dict[str, Any]:
        """An object in the operator's namespace; empty when it is not there."""
        said = self.control_plane.kubectl(
            "-n", self.operated.namespace, "get", kind, name, "--ignore-not-found", "-o", "json"
        )
        return json.loads(said) if said else {}

    def jobs(self, sitting: str) -> list[dict[str, Any]]:
        """The grading Jobs of a sitting, by its id."""
        selector = f"examplatform.dev/sitting={sitting}"
        said = self.control_plane.kubectl("-n", self.operated.namespace, "get", "jobs", "-l", selector, "-o", "json")
        jobs: list[dict[str, Any]] = json.loads(said)["items"]
        return jobs

    # PostgreSQL's side

    def sitting(self, name: str) -> dict[str, Any]:
        """What web says of an Exam's sitting."""
        return self.platform.sitting(self.status(name)["sitting"])

    def internal(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Call web's internal API as the operator does."""
        headers = {"Host": "localhost", "Authorization": f"Bearer {self.stack.secrets.service_token}"}
        return httpx.request(
            method, f"{self.stack.web.url}{path}", headers=headers, timeout=30, trust_env=False, **more
        )


@pytest.fixture(scope="session")
def operated() -> Iterator[Operated]:
    """A control plane with the Exam resource, a stack without its own clockwork, and a place for operators."""
    folder = new_folder("operator-test")
    people = people_of(8, LEVELS)
    control_plane: ControlPlane | None = None
    node: Node | None = None
    try:
        with Stack(folder / "run", lease_ttl_ms=LEASE_MS) as stack:
            try:
                stack.beat.stop()
                control_plane = ControlPlane(stack.folder)
                control_plane.start()
                Platform(stack).load_people(people)
                control_plane.await_ready()
                install_crd(control_plane)
                node = Node(control_plane)
                node.start()
                yield Operated(control_plane, stack, "exam-platform")
            finally:
                if node is not None:
                    node.stop()
                if control_plane is not None:
                    control_plane.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def running_operator(operated: Operated) -> Iterator[Service]:
    """The operator that most tests share."""
    service = operated.operator(env={"EXAM_OPERATOR_RESYNC_SECONDS": "5"})
    service.start()
    service.await_ready()
    try:
        yield service
    finally:
        service.stop()


@pytest.fixture
def world(operated: Operated, running_operator: Service, request: pytest.FixtureRequest) -> Iterator[World]:
    """A namespace of the test's own, with an operator that runs."""
    if not running_operator.process.alive:
        running_operator.start()
        running_operator.await_ready()
    name = "t-" + request.node.name.removeprefix("test_").replace("_", "-").split("[")[0][:40].rstrip("-")
    made = f"{name}-{abs(hash(request.node.nodeid)) % 10_000}"
    operated.control_plane.new_namespace(made)
    world = World(operated, running_operator, made)
    yield world
    world.platform.close()
    operated.control_plane.kubectl("delete", "namespace", made, "--wait=false")


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
