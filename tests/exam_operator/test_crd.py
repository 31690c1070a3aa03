"""Validation of an Exam by the API server, with its messages; no operator runs here."""

import json
import shutil
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from uuid import uuid4

import pytest
import yaml
from kubernetes import client

from exam_core.canonical import JsonObject
from exam_core.schedule import State
from exam_core.scoring import Policy
from exam_harness.environments.control_plane.api_access import REQUEST_SECONDS
from exam_harness.environments.control_plane.control_plane import ControlPlane
from exam_harness.environments.control_plane.exam_crd import CRD, install_crd
from exam_harness.environments.processes.paths import REPOSITORY, new_run_folder
from exam_operator.decide.status import status_of
from exam_operator.model.exam import Exam
from exam_operator.model.observed import (
    Change,
    Content,
    Job,
    JobState,
    ObservedState,
    Revision,
    Seal,
    Sitting,
    SolverCapacity,
)
from exam_operator.model.status import Phase

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

NAMESPACE = "exams"
WINDOW = {"opensAt": "2027-01-15T09:00:00Z", "closesAt": "2027-01-15T11:00:00Z", "duration": "90m"}
STATES = ("Scheduled", "Paused", "StoppedAndGrade", "Cancelled")


class Api:
    """The API server for users who write Exams; field validation is strict by default."""

    def __init__(self, control_plane: ControlPlane, api: client.ApiClient) -> None:
        self.control_plane = control_plane
        self._api = api
        self._url = f"{control_plane.url}/apis/examplatform.dev/v1alpha1/namespaces/{NAMESPACE}/exams"

    def create(self, spec: JsonObject, *, strict: bool = True, **more: Any) -> tuple[int, dict[str, Any]]:
        """(HTTP status, body) of creating an Exam under a name of its own."""
        metadata = {"name": f"exam-{uuid4().hex[:12]}"} | more.pop("metadata", {})
        body = {"apiVersion": "examplatform.dev/v1alpha1", "kind": "Exam", "metadata": metadata, "spec": spec, **more}
        return self._call("POST", f"?fieldValidation={'Strict' if strict else 'Ignore'}", body)

    def created(self, spec: JsonObject, **more: Any) -> dict[str, Any]:
        """Create an Exam that has to be valid."""
        status, body = self.create(spec, **more)
        assert status == 201, body["message"]
        return body

    def replace(self, exam: JsonObject, *, part: str = "") -> tuple[int, dict[str, Any]]:
        """(HTTP status, body) of replacing an Exam, or its status."""
        return self._call("PUT", f"/{exam['metadata']['name']}{part}", exam)

    def edit(self, exam: JsonObject, changes: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """(HTTP status, body) of writing another spec for an Exam."""
        return self.replace({**exam, "spec": spec(**changes)})

    def get(self, name: str) -> dict[str, Any]:
        """An Exam."""
        return self._call("GET", f"/{name}")[1]

    def _call(self, method: str, rest: str, body: JsonObject | None = None) -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/json"}
        answer: Any = self._api.call_api(method, self._url + rest, headers, body, _request_timeout=REQUEST_SECONDS)
        return answer.status, json.loads(answer.read())


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    """A control plane with the CRD, without an operator."""
    folder = new_run_folder("crd-test")
    control_plane = ControlPlane(folder)
    try:
        control_plane.start()
        control_plane.await_ready()
        install_crd(control_plane)
        control_plane.create_namespace(NAMESPACE)
        with control_plane.api() as api_client:
            yield Api(control_plane, api_client)
    finally:
        control_plane.stop()
        shutil.rmtree(folder)


def spec(**changes: Any) -> dict[str, Any]:
    """A minimal spec with changes; the window is merged field by field."""
    window = WINDOW | changes.pop("window", {})
    return {"exam": "algebra-101", "window": window} | changes


def test_defaults_are_filled_in(api: Api) -> None:
    """If I write only an exam and a window, I see all defaults."""
    created = api.created(spec(paperFrom={"secretKeyRef": {"name": "paper"}}))
    assert created["spec"] == {
        "exam": "algebra-101",
        "paperFrom": {"secretKeyRef": {"name": "paper", "key": "paper.yaml"}},
        "window": WINDOW,
        "desiredState": "Scheduled",
        "candidates": 1000,
        "solver": {"minReplicas": 1, "maxReplicas": 20, "candidatesPerReplica": 500, "prewarm": "10m"},
        "grading": {"parallelism": 4, "revision": 1, "publish": "Manual"},
        "deletionPolicy": "Retain",
    }
    assert api.get(created["metadata"]["name"])["status"] == {"phase": "Pending"}
    read = Exam.from_json(created).spec
    assert (read.window.duration, read.solver.prewarm) == (5400_000_000, 600_000_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"exam": "a"},
        {"exam": "a" * 50},
        {"window": {"opensAt": "2027-01-15T09:00:00.123456+01:00"}},
        {"window": {"opensAt": "2027-01-15T09:00:00-00:00", "closesAt": "2027-01-15T10:00:00-23:59"}},
        {"window": {"closesAt": "2027-02-14T09:00:00Z"}},
        {"window": {"opensAt": "2099-12-31T00:00:00Z", "closesAt": "2099-12-31T23:59:59.999999Z"}},
        {"window": {"duration": "24h"}},
        {"window": {"duration": "1ms"}},
        {"window": {"duration": "1h30m0.5s"}},
        {"desiredState": "Paused"},
        {"desiredState": "StoppedAndGrade"},
        {"desiredState": "Cancelled"},
        {"candidates": 1},
        {"candidates": 1_000_000},
        {"solver": {"minReplicas": 20}},
        {"solver": {"minReplicas": 1000, "maxReplicas": 1000, "candidatesPerReplica": 100_000, "prewarm": "24h"}},
        {"solver": {"prewarm": "0s"}},
        {"scoring": {}},
        {"scoring": {"multiple": "Proportional", "negativeTotal": True}},
        {"grading": {"parallelism": 1}},
        {"grading": {"parallelism": 100, "revision": 1, "publish": "Automatic"}},
        {"paperFrom": {"secretKeyRef": {"name": "p.7-" + "a" * 249}}},
        {"paperFrom": {"secretKeyRef": {"name": "paper", "key": "geometry_2.yaml"}}},
        {"owner": "n", "paperFrom": {"secretKeyRef": {"name": "paper"}}},
        {"owner": "nöther+1@a.example-" + "x" * 131, "paperFrom": {"secretKeyRef": {"name": "paper"}}},
    ],
)
def test_values_at_the_bounds_are_accepted(api: Api, changes: JsonObject) -> None:
    """If a value is at a bound, it is accepted, and the operator can parse it."""
    Exam.from_json(api.created(spec(**changes)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exam": ""}, "spec.exam in body should be at least 1 chars long"),
        ({"exam": "a" * 51}, "spec.exam: Too long"),
        ({"exam": "Algebra"}, "spec.exam: Invalid value"),
        ({"exam": "algebra--101"}, "spec.exam: Invalid value"),
        ({"window": {"opensAt": "2027-01-15T11:00:00Z"}}, "spec.window.closesAt: Invalid value"),
        ({"window": {"opensAt": "2027-01-15T12:00:00Z"}}, "closesAt must be after opensAt"),
        ({"window": {"closesAt": "2027-02-14T09:00:01Z"}}, "30 days (720h) long at most"),
        ({"window": {"opensAt": "1999-12-31T09:00:00Z"}}, "in the years 2000 to 2099"),
        (
            {"window": {"opensAt": "2099-12-31T00:00:00Z", "closesAt": "2100-01-01T00:00:00Z"}},
            "in the years 2000 to 2099",
        ),
        (
            {"window": {"opensAt": "2099-12-31T00:00:00Z", "closesAt": "2099-12-31T23:00:00-01:00"}},
            "years 2000 to 2099",
        ),
        ({"window": {"opensAt": "0001-01-01T00:00:00Z"}}, "spec.window"),
        ({"window": {"closesAt": "9999-12-31T23:59:59-12:00"}}, "spec.window"),
        ({"window": {"opensAt": "2027-01-15 09:00:00Z"}}, "spec.window.opensAt in body should match"),
        ({"window": {"opensAt": "2027-01-15T09:00:00"}}, "spec.window.opensAt in body should match"),
        ({"window": {"opensAt": "2027-01-15T09:00:60Z"}}, "spec.window.opensAt in body must be of type date-time"),
        ({"window": {"opensAt": "2027-01-15T09:00:00.1234567Z"}}, "spec.window.opensAt in body should match"),
        ({"window": {"opensAt": "2027-01-15T09:00:00+24:00"}}, "spec.window.opensAt in body should match"),
        ({"window": {"opensAt": "2027-01-15T09:00:00+01:60"}}, "spec.window.opensAt in body should match"),
        ({"window": {"opensAt": "2027-01-15T09:00:00.1234567+00:00"}}, "spec.window.opensAt: Too long"),
        ({"window": {"closesAt": "2027-01-15T11:00:00.1234567+00:00"}}, "spec.window.closesAt: Too long"),
        ({"window": {"closesAt": "2027-01-15T11:00:00.1234567Z"}}, "spec.window.closesAt in body should match"),
        ({"window": {"opensAt": 1768467600}}, "spec.window.opensAt in body must be of type date-time"),
        ({"window": {"duration": "0s"}}, "1ms at least and 24h at most"),
        ({"window": {"duration": "0.0001ms"}}, "1ms at least and 24h at most"),
        ({"window": {"duration": "24h1ms"}}, "1ms at least and 24h at most"),
        ({"window": {"duration": "99999999999h"}}, "1ms at least and 24h at most"),
        ({"window": {"duration": "-90m"}}, "spec.window.duration in body should match"),
        ({"window": {"duration": "90"}}, "spec.window.duration in body should match"),
        ({"window": {"duration": "1d"}}, "spec.window.duration in body should match"),
        ({"window": {"duration": "90 m"}}, "spec.window.duration in body should match"),
        ({"window": {"duration": "0" * 31 + "1s"}}, "spec.window.duration: Too long"),
        ({"window": None}, "spec.window: Required value"),
        ({"desiredState": "Open"}, 'supported values: "Scheduled", "Paused", "StoppedAndGrade", "Cancelled"'),
        ({"candidates": 0}, "spec.candidates in body should be greater than or equal to 1"),
        ({"candidates": 1_000_001}, "spec.candidates in body should be less than or equal to 1000000"),
        ({"candidates": 10.5}, "spec.candidates in body must be of type integer"),
        ({"solver": {"minReplicas": 21}}, "minReplicas must not be above maxReplicas"),
        ({"solver": {"minReplicas": 0}}, "spec.solver.minReplicas in body should be greater than or equal to 1"),
        ({"solver": {"minReplicas": 1001}}, "spec.solver.minReplicas in body should be less than or equal to 1000"),
        ({"solver": {"maxReplicas": 0}}, "spec.solver.maxReplicas in body should be greater than or equal to 1"),
        ({"solver": {"maxReplicas": 1001}}, "spec.solver.maxReplicas in body should be less than or equal to 1000"),
        ({"solver": {"candidatesPerReplica": 0}}, "candidatesPerReplica in body should be greater than or equal to 1"),
        ({"solver": {"candidatesPerReplica": 100_001}}, "candidatesPerReplica in body should be less than or equal to"),
        ({"solver": {"prewarm": "24h1s"}}, "24h before the opening at most"),
        ({"solver": {"prewarm": "0" * 31 + "1s"}}, "spec.solver.prewarm: Too long"),
        ({"solver": {"prewarm": "soon"}}, "spec.solver.prewarm in body should match"),
        ({"grading": {"parallelism": 0}}, "spec.grading.parallelism in body should be greater than or equal to 1"),
        ({"grading": {"parallelism": 101}}, "spec.grading.parallelism in body should be less than or equal to 100"),
        ({"grading": {"revision": 0}}, "spec.grading.revision in body should be greater than or equal to 1"),
        ({"grading": {"revision": 1001}}, "spec.grading.revision in body should be less than or equal to 1000"),
        ({"grading": {"revision": 2}}, "a new Exam begins with revision 1"),
        ({"grading": {"publish": "Never"}}, 'supported values: "Manual", "Automatic"'),
        ({"scoring": {"multiple": "half"}}, 'supported values: "AllOrNothing", "Proportional"'),
        ({"scoring": {"negativeTotal": "yes"}}, "spec.scoring.negativeTotal in body must be of type boolean"),
        ({"deletionPolicy": "Delete"}, 'supported values: "Retain"'),
        ({"owner": "noether"}, "an exam without paperFrom is its author's; remove owner"),
        ({"owner": "", "paperFrom": {"secretKeyRef": {"name": "x"}}}, "spec.owner in body should be at least 1 chars"),
        ({"owner": "a b", "paperFrom": {"secretKeyRef": {"name": "x"}}}, "spec.owner in body should match"),
        ({"owner": "a" * 151, "paperFrom": {"secretKeyRef": {"name": "x"}}}, "spec.owner: Too long"),
        ({"paperFrom": {}}, "spec.paperFrom.secretKeyRef: Required value"),
        ({"paperFrom": {"secretKeyRef": {}}}, "spec.paperFrom.secretKeyRef.name: Required value"),
        ({"paperFrom": {"secretKeyRef": {"name": ""}}}, "secretKeyRef.name in body should be at least 1 chars long"),
        ({"paperFrom": {"secretKeyRef": {"name": "a" * 254}}}, "spec.paperFrom.secretKeyRef.name: Too long"),
        ({"paperFrom": {"secretKeyRef": {"name": "x", "key": "a/b"}}}, "secretKeyRef.key in body should match"),
        ({"paperFrom": {"secretKeyRef": {"name": "x", "key": ""}}}, "secretKeyRef.key in body should be at least 1"),
        ({"paperFrom": {"secretKeyRef": {"name": "x", "key": "a" * 254}}}, "spec.paperFrom.secretKeyRef.key: Too long"),
        ({"examm": "x"}, 'unknown field "spec.examm"'),
        ({"window": {"opens": "x"}}, 'unknown field "spec.window.opens"'),
    ],
)
def test_invalid_values_are_rejected_with_their_field(api: Api, changes: dict[str, Any], message: str) -> None:
    """If a value is invalid, the error names the field and the rule, and no Exam is created."""
    invalid = {**spec(), **changes} if changes.get("window", {}) is None else spec(**changes)
    status, body = api.create(invalid)
    assert status in (400, 422)
    assert message in body["message"]


@pytest.mark.parametrize("name", ["../../theirs/secrets/paper", "..", "a/b", "a%2Fb", "paper?watch", "a..b", "a-", "A"])
def test_the_name_of_a_secret_cannot_be_a_path(api: Api, name: str) -> None:
    """If the name of a Secret would lead to another path, the Exam is rejected before the operator reads it."""
    status, rejected = api.create(spec(paperFrom={"secretKeyRef": {"name": name}}))
    assert status == 422
    assert "spec.paperFrom.secretKeyRef.name in body should match" in rejected["message"]


@pytest.mark.parametrize("missing", ["exam", "window", "opensAt", "closesAt", "duration"])
def test_required_fields_are_named(api: Api, missing: str) -> None:
    """If I omit a required field, the error names it."""
    body = deepcopy(spec())
    body.pop(missing, None)
    body.get("window", {}).pop(missing, None)
    status, rejected = api.create(body)
    assert status == 422
    assert f"{missing}: Required value" in rejected["message"]


def test_a_name_has_63_characters_at_most(api: Api) -> None:
    """If a name is too long to become part of the sitting's name, the Exam is rejected."""
    assert api.create(spec(), metadata={"name": "a" * 63})[0] == 201
    status, rejected = api.create(spec(), metadata={"name": "a" * 64})
    assert status == 422
    assert "63 characters at most" in rejected["message"]


@pytest.mark.parametrize(
    ("before", "edit"),
    [
        ({}, {"window": {"closesAt": "2027-01-15T12:00:00Z"}}),
        ({}, {"candidates": 5}),
        ({}, {"scoring": {"multiple": "Proportional"}}),
        ({"scoring": {"negativeTotal": True}}, {}),
        ({}, {"grading": {"revision": 2}}),
        ({"grading": {"revision": 2}}, {"grading": {"revision": 2, "publish": "Automatic"}}),
        ({"grading": {"revision": 2}}, {"grading": {"revision": 3}}),
        ({}, {"paperFrom": {"secretKeyRef": {"name": "corrected"}}}),
        ({"paperFrom": {"secretKeyRef": {"name": "paper"}}}, {"paperFrom": {"secretKeyRef": {"name": "corrected"}}}),
    ],
)
def test_valid_edits_are_accepted(api: Api, before: dict[str, Any], edit: dict[str, Any]) -> None:
    """If I edit a field that may change, the edit is accepted."""
    created = _edited(api, before)
    status, body = api.edit(created, edit)
    assert status == 200, body["message"]
    assert body["metadata"]["generation"] == created["metadata"]["generation"] + 1


@pytest.mark.parametrize(
    ("before", "edit", "message"),
    [
        ({}, {"exam": "other-1"}, "spec.exam: Forbidden: the exam of a sitting cannot be changed from algebra-101"),
        ({}, {"exam": "other-1"}, "create another Exam for other-1"),
        ({}, {"grading": {"revision": 3}}, "the revision can stay or rise by one"),
        ({"grading": {"revision": 2}}, {"grading": {"revision": 1}}, "it cannot fall or skip one"),
        ({"grading": {"revision": 2}}, {}, "it cannot fall or skip one"),
        ({"grading": {"revision": 2}}, {"grading": {"revision": None}}, "it cannot fall or skip one"),
        ({"desiredState": "Cancelled"}, {}, "Cancelled is final and cannot become Scheduled"),
        ({}, {"window": {"closesAt": "2027-01-15T08:00:00Z"}}, "closesAt must be after opensAt"),
    ],
)
def test_invalid_edits_are_rejected(api: Api, before: dict[str, Any], edit: dict[str, Any], message: str) -> None:
    """If I edit or omit an immutable value, the error says what to do instead, and the Exam is unchanged."""
    created = _edited(api, before)
    status, rejected = api.edit(created, edit)
    assert status == 422
    assert message in rejected["message"]
    assert api.get(created["metadata"]["name"])["spec"] == created["spec"]


@pytest.mark.parametrize("after", STATES)
@pytest.mark.parametrize("before", STATES)
def test_final_states_are_immutable(api: Api, before: str, after: str) -> None:
    """If I stop or cancel a sitting, that is final; if I pause one, every state is still possible."""
    created = _edited(api, {"desiredState": before})
    status, body = api.edit(created, {"desiredState": after})
    if before == after or before in {"Scheduled", "Paused"}:
        assert (status, body["spec"]["desiredState"]) == (200, after)
    else:
        assert status == 422
        assert f"spec.desiredState: Forbidden: {before} is final and cannot become {after}" in body["message"]


def test_the_status_is_a_subresource(api: Api) -> None:
    """If a client writes the status, the spec stays, and vice versa; unknown fields are pruned."""
    created = api.created(spec())
    edited = {**created, "spec": spec(candidates=7), "status": {"phase": "Open", "window": {"colour": "red"}}}
    _, after_status = api.replace(edited, part="/status")
    assert (after_status["spec"], after_status["status"]) == (created["spec"], {"phase": "Open", "window": {}})
    assert after_status["metadata"]["generation"] == 1
    _, after_spec = api.replace({**edited, "metadata": after_status["metadata"], "status": {"phase": "Graded"}})
    assert (after_spec["spec"]["candidates"], after_spec["status"]) == (7, after_status["status"])
    status, rejected = api.replace({**after_spec, "status": {"phase": "Lost"}}, part="/status")
    assert status == 422
    assert "status.phase: Unsupported value" in rejected["message"]


def test_unknown_fields_are_pruned(api: Api) -> None:
    """If an old tool writes unknown fields without strict validation, they are dropped."""
    created = api.created({**spec(), "colour": "red"}, strict=False)
    assert "colour" not in created["spec"]


@pytest.mark.parametrize("phase", ["scheduled", "cancelled", "graded", "failing"])
def test_the_crd_keeps_every_field_of_the_status(api: Api, phase: str) -> None:
    """If the operator writes a status, the API server prunes nothing of it."""
    created = api.created(spec())
    now = 1_800_000_000_000_000
    exam = Exam.from_json(created)
    capacity = SolverCapacity(needed=2, limit=9, ready=1, kept=2, wanted=2)
    status = status_of(exam, _observed(phase, exam, now), capacity, 0, now).to_json()
    assert status["phase"] in set(Phase)
    _, stored = api.replace({**created, "status": status}, part="/status")
    assert stored["status"] == status


def test_every_field_is_described(api: Api) -> None:
    """If I run kubectl explain, every field has a description."""
    [version] = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    assert list(_undescribed("exam", schema)) == ["exam.metadata"]
    explained = api.control_plane.kubectl("explain", "exam.spec.window")
    assert "duration\t<string> -required-" in explained
    assert "How long one attempt lasts from its start" in explained
    assert "prewarm" in api.control_plane.kubectl("explain", "exam.spec", "--recursive")


def test_the_samples_are_valid(api: Api) -> None:
    """If I apply the samples, the API server accepts them."""
    samples = sorted((REPOSITORY / "k8s/samples").glob("*.yaml"))
    assert samples
    for sample in samples:
        words = ("-n", NAMESPACE, "apply", "--dry-run=server", "--validate=strict", "-f", str(sample))
        assert "created (server dry run)" in api.control_plane.kubectl(*words)


def test_exams_are_found_by_short_name_exam_and_phase(api: Api) -> None:
    """If I select Exams by short name, exam or phase, kubectl prints them with all columns."""
    name = api.created(spec(exam="found-101"))["metadata"]["name"]
    words = ("-n", NAMESPACE, "get", "ex", "--field-selector", "spec.exam=found-101,status.phase=Pending")
    heading, line = api.control_plane.kubectl(*words).splitlines()
    assert heading.split() == ["NAME", "PHASE", "OPENS", "CLOSES", "READY", "ANSWERS", "GRADED", "REASON", "AGE"]
    assert line.split()[:4] == [name, "Pending", WINDOW["opensAt"], WINDOW["closesAt"]]
    assert name in api.control_plane.kubectl("-n", NAMESPACE, "get", "examplatform")


def _edited(api: Api, changes: dict[str, Any]) -> dict[str, Any]:
    """An Exam that was created with a minimal spec, and then edited."""
    status, body = api.edit(api.created(spec()), changes)
    assert status == 200, body["message"]
    return body


def _observed(phase: str, exam: Exam, now: int) -> ObservedState:
    """An observed state with as many values as possible."""
    ended = phase in {"graded", "failing"}
    state = {"scheduled": State.SCHEDULED, "cancelled": State.CANCELLED}.get(phase, State.SEALED)
    done = Revision(number=1, done=phase == "graded", chunks=3, graded=3, started_at=now, finished_at=now + 1)
    return ObservedState(
        sitting=Sitting(
            id="60b1f19f-0000-4000-8000-000000000000",
            state=state,
            epoch=12,
            now=now,
            window=exam.spec.window,
            paused=False,
            ends_at=now,
            paper="a" * 64,
            frozen_at=now,
            refreeze="typo",
            content=Content(change=Change.NONE, detail=""),
            candidates=exam.spec.candidates,
            scoring=Policy(negative_total=True),
            distributed=True,
            drained=ended,
            seal=Seal(at=now, answers=5, students=2, digest="b" * 64, statement="c" * 900) if ended else None,
            revisions=(done,) if ended else (),
            published_revision=1 if phase == "graded" else 0,
            published_at=now + 2 if phase == "graded" else None,
        ),
        job=Job(name="grade-60b1f19f-r1", uid="u" * 36, state=JobState.FAILED, failures=2)
        if phase == "failing"
        else None,
    )


def _undescribed(path: str, schema: JsonObject) -> Iterator[str]:
    """The paths of all properties without a description."""
    if not schema.get("description"):
        yield path
    for name, inner in schema.get("properties", {}).items():
        yield from _undescribed(f"{path}.{name}", inner)
    if "items" in schema:
        yield from _undescribed(f"{path}[]", schema["items"])
