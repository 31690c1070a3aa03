"""One platform, one real control plane and one operator for all tests of the operator; each test has its namespace."""

import json
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import uuid4

import httpx
import pytest
from kubernetes import client

from exam_harness.environments.control_plane.api_access import REQUEST_SECONDS
from exam_harness.environments.control_plane.exam_crd import exam_cluster
from exam_harness.environments.control_plane.operator_namespace import OperatorNamespace
from exam_harness.environments.processes.paths import new_run_folder
from exam_harness.environments.processes.services import Service
from exam_harness.environments.processes.stack import Stack
from exam_harness.faults.apiserver_proxy import FaultProxy
from exam_harness.scenarios.sitting.accounts import Accounts, new_accounts
from exam_harness.scenarios.sitting.platform_client import PAPERS, PlatformClient
from exam_harness.students.student import Account
from exam_harness.waiting import eventually

LEVELS = ("year-1", "year-2")
OWNER = "noether"
"""A Doctor of the generated accounts."""
LEASE_MS = 3_000
WAIT_SECONDS = 60
OWNED = {
    "hpa": ("autoscaling/v2", "horizontalpodautoscalers"),
    "pdb": ("policy/v1", "poddisruptionbudgets"),
    "deployment": ("apps/v1", "deployments"),
    "lease": ("coordination.k8s.io/v1", "leases"),
}
"""API version and plural of the objects that the operator owns."""


class World:
    """The Exams of one test, and everything behind them."""

    def __init__(self, operated: OperatorNamespace, service: Service, namespace: str, api: client.ApiClient) -> None:
        self.operated = operated
        self._api = api
        self.control_plane = operated.control_plane
        self.stack = operated.stack
        self.operator = service
        self.namespace = namespace
        self.platform = PlatformClient(operated.stack)

    # Exams

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl in the test's namespace."""
        return self.control_plane.kubectl("-n", self.namespace, *words, stdin=stdin)

    def write_exam(self, text: str | None = None, *, namespace: str | None = None) -> str:
        """Create an exam of the platform's first Doctor, held from a namespace, the test's by default; its slug."""
        slug = f"exam-{uuid4().hex[:12]}"
        document = text or (PAPERS / "algebra-101.yaml").read_text()
        document = document.replace("exam: algebra-101\n", f"exam: {slug}\n")
        held = {"Exam-Namespace": namespace or self.namespace}
        reply = self.internal("PUT", f"/internal/exams?owner={OWNER}", content=document.encode(), headers=held)
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
        """Apply an Exam whose window opens `opens_in` seconds from now; returns the object."""
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
            "spec": {"exam": exam or self.write_exam(), "window": window, **spec},
        }
        self.kubectl("apply", "-f", "-", stdin=json.dumps(body))
        return self.get(name)

    def patch(self, name: str, spec: Mapping[str, Any]) -> None:
        """Edit an Exam's spec."""
        self.kubectl("patch", "exam", name, "--type=merge", "-p", json.dumps({"spec": dict(spec)}))

    def get(self, name: str) -> dict[str, Any]:
        """An Exam; empty when it does not exist."""
        return self._read(f"/apis/examplatform.dev/v1alpha1/namespaces/{self.namespace}/exams/{name}")

    def status(self, name: str) -> dict[str, Any]:
        """An Exam's status."""
        found: dict[str, Any] = self.get(name).get("status", {})
        return found

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """A condition of an Exam; empty when it is absent."""
        conditions = self.status(name).get("conditions", ())
        return next((each for each in conditions if each["type"] == kind), {})

    def await_phase(self, name: str, *phases: str, seconds: float = WAIT_SECONDS) -> dict[str, Any]:
        """Wait until an Exam is in one of some phases; returns its status."""

        def there() -> dict[str, Any] | None:
            status = self.status(name)
            return status if status.get("phase") in phases else None

        return eventually(there, f"{name} is {' or '.join(phases)}", seconds=seconds)

    def await_condition(
        self, name: str, kind: str, holds: str, reason: str | None = None, *, seconds: float = WAIT_SECONDS
    ) -> dict[str, Any]:
        """Wait until a condition has a status, and a reason if one is given; returns the condition."""

        def there() -> dict[str, Any] | None:
            found = self.condition(name, kind)
            return found if found.get("status") == holds and reason in (None, found["reason"]) else None

        return eventually(there, f"{name}: {kind}={holds} {reason or ''}", seconds=seconds)

    def await_job(self, name: str, *, seconds: float = WAIT_SECONDS) -> dict[str, Any]:
        """Wait until an Exam's grading Job runs; returns the Exam's status."""

        def running() -> dict[str, Any] | None:
            status = self.status(name)
            jobs = self.jobs(status["sittingId"]) if "sittingId" in status else []
            return status if jobs and jobs[0].get("status", {}).get("active") else None

        return eventually(running, f"the Job of {name} runs", seconds=seconds)

    def await_deleted(self, name: str, *, seconds: float = WAIT_SECONDS) -> None:
        """Wait until an Exam no longer exists."""
        eventually(lambda: not self.get(name), f"{name} is deleted", seconds=seconds)

    def events(self, name: str) -> list[tuple[str, str]]:
        """(reason, message) of an Exam's Events, oldest first."""
        output = self.kubectl("get", "events", "-o", "json", "--field-selector", f"involvedObject.name={name}")
        events = sorted(json.loads(output)["items"], key=lambda each: each["metadata"]["creationTimestamp"])
        return [(each["reason"], each["message"]) for each in events]

    # The operator's namespace

    def owned(self, kind: str, name: str) -> dict[str, Any]:
        """An object in the operator's namespace; empty when it does not exist."""
        return self._read(f"/apis/{OWNED[kind][0]}/namespaces/{self.operated.namespace}/{OWNED[kind][1]}/{name}")

    def jobs(self, sitting: str) -> list[dict[str, Any]]:
        """The grading Jobs of a sitting, by its id."""
        query = f"labelSelector=examplatform.dev%2Fsitting%3D{sitting}"
        path = f"/apis/batch/v1/namespaces/{self.operated.namespace}/jobs?{query}"
        jobs: list[dict[str, Any]] = self._read(path)["items"]
        return jobs

    def evict(self, pod: str) -> int:
        """Try to evict a pod of the operator's namespace, as a node drain does; returns the status code."""
        path = f"/api/v1/namespaces/{self.operated.namespace}/pods/{pod}/eviction"
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
        url = f"{self.control_plane.url}{path}"
        answer: Any = self._api.call_api("POST", url, body=body, _request_timeout=REQUEST_SECONDS)
        answer.read()
        return int(answer.status)

    def _read(self, path: str) -> dict[str, Any]:
        """GET a path of the API server; empty when it returns 404."""
        answer: Any = self._api.call_api("GET", f"{self.control_plane.url}{path}", _request_timeout=REQUEST_SECONDS)
        body: dict[str, Any] = json.loads(answer.read())
        if answer.status == httpx.codes.NOT_FOUND:
            return {}
        assert answer.status == httpx.codes.OK, body
        return body

    def probe(self, service: Service, path: str) -> httpx.Response:
        """GET a probe or the metrics of an operator."""
        return httpx.get(f"{service.url}/{path}", trust_env=False, timeout=5)

    # Sittings

    def sitting(self, name: str) -> dict[str, Any]:
        """An Exam's sitting as web returns it."""
        return self.platform.sitting(self.status(name)["sitting"])

    def internal(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Call web's internal API with the service token."""
        own = {"Host": "localhost", "Authorization": f"Bearer {self.stack.service_token}"}
        headers = own | more.pop("headers", {})
        return httpx.request(
            method, f"{self.stack.internal_url}{path}", headers=headers, timeout=30, trust_env=False, **more
        )


class Student:
    """A student of the level that the sample exam is for."""

    def __init__(self, stack: Stack, account: Account) -> None:
        self._web = f"{stack.web.url}/api/auth/students/login"
        self._solver = stack.solvers[0].url
        self._account = account
        self._http = httpx.Client(timeout=30, trust_env=False)
        self._access = ""
        self._sitting = ""
        self._token = ""

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def start(self, sitting: Mapping[str, Any]) -> Self:
        """Log in and start an attempt as soon as the sitting opens."""
        credentials = {"username": self._account.username, "password": self._account.password}
        reply = self._http.post(self._web, json=credentials, headers={"Host": "localhost"})
        self._access = reply.raise_for_status().json()["access"]
        self._sitting = f"{self._solver}/v1/sittings/{sitting['id']}"

        def started() -> str | None:
            headers = {"Host": "solver.localhost", "Authorization": f"Bearer {self._access}"}
            reply = self._http.post(f"{self._sitting}/attempt", headers=headers)
            return str(reply.json()["attempt_token"]) if reply.is_success else None

        self._token = eventually(started, "the sitting is open to students")
        return self

    def answer(self, question: int, body: Mapping[str, Any]) -> httpx.Response:
        """Send an answer, retrying while the solver returns 503."""
        headers = {"Host": "solver.localhost", "Authorization": f"Bearer {self._token}"}

        def answered() -> httpx.Response | None:
            reply = self._http.put(f"{self._sitting}/answers/{question}", json=dict(body), headers=headers)
            return None if reply.status_code == httpx.codes.SERVICE_UNAVAILABLE else reply

        return eventually(answered, "the solver responds")

    def wait_until_closed(self, sitting: Mapping[str, Any]) -> None:
        """Wait until every deadline of a sitting has passed."""
        closes_at = datetime.fromisoformat(sitting["ends_at"])
        eventually(lambda: datetime.now(UTC) > closes_at + timedelta(seconds=1), "every deadline has passed")


@pytest.fixture(scope="session")
def people() -> Accounts:
    """Enough students for every test that needs one, including all faults."""
    return new_accounts(160, LEVELS)


@pytest.fixture(scope="session")
def accounts(people: Accounts) -> Iterator[Account]:
    """Accounts that no test has used."""
    return iter([account for account in people.students if account.level == LEVELS[0]])


@pytest.fixture
def student(operated: OperatorNamespace, accounts: Iterator[Account]) -> Iterator[Student]:
    """A student with an unused account."""
    created = Student(operated.stack, next(accounts))
    yield created
    created.close()


@pytest.fixture(scope="session")
def operated(people: Accounts) -> Iterator[OperatorNamespace]:
    """A control plane with the CRD, a stack without Celery beat, and a namespace for operators."""
    folder = new_run_folder("operator-test")
    try:
        stack = Stack(folder / "run", lease_ttl_ms=LEASE_MS, beat=False)

        def meanwhile() -> None:
            PlatformClient(stack).load_accounts(people)

        with stack, exam_cluster(stack.folder, while_starting=meanwhile) as control_plane:
            yield OperatorNamespace(control_plane, stack, "exam-platform")
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def running_operator(operated: OperatorNamespace) -> Iterator[Service]:
    """The operator that tests share."""
    service = operated.operator(env={"EXAM_OPERATOR_RESYNC_SECONDS": "5"})
    service.start()
    service.await_ready()
    try:
        yield service
    finally:
        service.stop()


@pytest.fixture
def world(operated: OperatorNamespace, running_operator: Service, request: pytest.FixtureRequest) -> Iterator[World]:
    """A namespace for the test, with a running operator."""
    if not running_operator.process.alive:
        running_operator.start()
        running_operator.await_ready()
    name = "t-" + request.node.name.removeprefix("test_").replace("_", "-").split("[")[0][:40].rstrip("-")
    namespace = f"{name}-{abs(hash(request.node.nodeid)) % 10_000}"
    operated.control_plane.create_namespace(namespace)
    with operated.control_plane.api() as api:
        world = World(operated, running_operator, namespace, api)
        yield world
        world.platform.close()
    operated.control_plane.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
def proxy(world: World) -> Iterator[FaultProxy]:
    """A fault proxy to the API server; the shared operator is stopped meanwhile."""
    world.operator.stop()
    with FaultProxy(world.control_plane) as created:
        yield created
    world.operator.start()
    world.operator.await_ready()


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
