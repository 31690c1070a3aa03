"""What the API server itself takes of an Exam and refuses, with which words: no operator runs here."""

import json
import shutil
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any
from uuid import uuid4

import pytest
import yaml
from kubernetes import client

from exam_core.schedule import State
from exam_harness.environments.control_plane.api_access import REQUEST_SECONDS
from exam_harness.environments.control_plane.control_plane import ControlPlane
from exam_harness.environments.control_plane.exam_crd import CRD, install_crd
from exam_harness.environments.processes.paths import REPOSITORY, new_run_folder
from exam_operator.decide.status import Capacity, Phase, status_of
from exam_operator.model.exam import Resource
from exam_operator.model.observed import Facts, Job, JobState, Revision, Seal, Sitting

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

NAMESPACE = "exams"
WINDOW = {"opensAt": "2027-01-15T09:00:00Z", "closesAt": "2027-01-15T11:00:00Z", "duration": "90m"}
STATES = ("Scheduled", "Paused", "StoppedAndGrade", "Cancelled")
Json = Mapping[str, Any]


class Api:
    """The API server as somebody who writes Exams sees it; writes are strict unless told otherwise."""

    def __init__(self, control_plane: ControlPlane, api: client.ApiClient) -> None:
        self.control_plane = control_plane
        self._api = api
        self._url = f"{control_plane.url}/apis/examplatform.dev/v1alpha1/namespaces/{NAMESPACE}/exams"

    def create(self, spec: Json, *, strict: bool = True, **more: Any) -> tuple[int, dict[str, Any]]:
        """(HTTP status, body) of creating an Exam under a name of its own."""
        metadata = {"name": f"exam-{uuid4().hex[:12]}"} | more.pop("metadata", {})
        body = {"apiVersion": "examplatform.dev/v1alpha1", "kind": "Exam", "metadata": metadata, "spec": spec, **more}
        return self._call("POST", f"?fieldValidation={'Strict' if strict else 'Ignore'}", body)

    def created(self, spec: Json, **more: Any) -> dict[str, Any]:
        """An Exam that is taken."""
        status, body = self.create(spec, **more)
        assert status == 201, body["message"]
        return body

    def replace(self, exam: Json, *, part: str = "") -> tuple[int, dict[str, Any]]:
        """(HTTP status, body) of replacing an Exam, or its status."""
        return self._call("PUT", f"/{exam['metadata']['name']}{part}", exam)

    def edit(self, exam: Json, changes: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """(HTTP status, body) of writing another spec for an Exam."""
        return self.replace({**exam, "spec": spec(**changes)})

    def get(self, name: str) -> dict[str, Any]:
        """An Exam."""
        return self._call("GET", f"/{name}")[1]

    def _call(self, method: str, rest: str, body: Json | None = None) -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/json"}
        answer: Any = self._api.call_api(method, self._url + rest, headers, body, _request_timeout=REQUEST_SECONDS)
        return answer.status, json.loads(answer.read())


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    """A control plane that knows Exams, and nobody who looks after them."""
    folder = new_run_folder("crd-test")
    control_plane = ControlPlane(folder)
    try:
        control_plane.start()
        control_plane.await_ready()
        install_crd(control_plane)
        control_plane.create_namespace(NAMESPACE)
        with control_plane.api() as made:
            yield Api(control_plane, made)
    finally:
        control_plane.stop()
        shutil.rmtree(folder)


def spec(**changes: Any) -> dict[str, Any]:
    """The least that an Exam says, with changes; a change of the window is one of its fields."""
    window = WINDOW | changes.pop("window", {})
    return {"exam": "algebra-101", "window": window} | changes


def test_what_is_left_out_is_filled_in(api: Api) -> None:
    """If I write an exam and a window alone, I see all that holds beside them."""
    made = api.created(spec(paperFrom={"secretKeyRef": {"name": "paper"}}))
    assert made["spec"] == {
        "exam": "algebra-101",
        "paperFrom": {"secretKeyRef": {"name": "paper", "key": "paper.yaml"}},
        "window": WINDOW,
        "desiredState": "Scheduled",
        "candidates": 1000,
        "solver": {"minReplicas": 1, "maxReplicas": 20, "candidatesPerReplica": 500, "prewarm": "10m"},
        "grading": {"parallelism": 4, "revision": 1, "publish": "Manual"},
        "deletionPolicy": "Retain",
    }
    assert api.get(made["metadata"]["name"])["status"] == {"phase": "Pending"}
    read = Resource.from_json(made).spec
    assert (read.window.duration, read.solver.prewarm) == (5400_000_000, 600_000_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"exam": "a"},
        {"exam": "a" * 50},
        {"window": {"opensAt": "2027-01-15T09:00:00.123456+01:00"}},
        {"window": {"opensAt": "2027-01-15T09:00:00-00:00", "closesAt": "2027-01-15T10:00:00-23:59"}},
        {"window": {"closesAt": "2027-02-14T09:00:00Z"}},
        {"window": {"opensAt": "2999-12-31T00:00:00Z", "closesAt": "2999-12-31T23:59:59.999999Z"}},
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
        {"grading": {"parallelism": 1}},
        {"grading": {"parallelism": 100, "revision": 1, "publish": "Automatic"}},
        {"paperFrom": {"secretKeyRef": {"name": "p.7-" + "a" * 249}}},
        {"paperFrom": {"secretKeyRef": {"name": "paper", "key": "geometry_2.yaml"}}},
    ],
)
def test_what_is_within_the_bounds_is_taken(api: Api, changes: Json) -> None:
    """If what I write is at a bound, it is taken, and the operator can read it."""
    Resource.from_json(api.created(spec(**changes)))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"exam": ""}, "spec.exam in body should be at least 1 chars long"),
        ({"exam": "a" * 51}, "spec.exam: Too long"),
        ({"exam": "Algebra"}, "spec.exam: Invalid value"),
        ({"exam": "algebra--101"}, "spec.exam: Invalid value"),
        ({"window": {"opensAt": "2027-01-15T11:00:00Z"}}, "spec.window.closesAt: Invalid value"),
        ({"window": {"opensAt": "2027-01-15T12:00:00Z"}}, "closesAt must be after opensAt"),
        ({"window": {"closesAt": "2027-02-14T09:00:01Z"}}, "30 days (720h) long at most"),
        ({"window": {"opensAt": "1999-12-31T09:00:00Z"}}, "between the years 2000 and 3000"),
        ({"window": {"opensAt": "2999-12-31T00:00:00Z", "closesAt": "3000-01-01T00:00:00Z"}}, "years 2000 and 3000"),
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
        ({"deletionPolicy": "Delete"}, 'supported values: "Retain"'),
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
def test_what_is_wrong_is_refused_by_its_name(api: Api, changes: dict[str, Any], why: str) -> None:
    """If what I write is wrong, I am told where and what to do, and no Exam is made."""
    wrong = {**spec(), **changes} if changes.get("window", {}) is None else spec(**changes)
    status, body = api.create(wrong)
    assert status in (400, 422)
    assert why in body["message"]


@pytest.mark.parametrize("name", ["../../theirs/secrets/paper", "..", "a/b", "a%2Fb", "paper?watch", "a..b", "a-", "A"])
def test_a_paper_is_only_found_beside_its_exam(api: Api, name: str) -> None:
    """If I name a Secret in a way that would lead somewhere else, I am refused before the operator looks."""
    status, refused = api.create(spec(paperFrom={"secretKeyRef": {"name": name}}))
    assert status == 422
    assert "spec.paperFrom.secretKeyRef.name in body should match" in refused["message"]


@pytest.mark.parametrize("missing", ["exam", "window", "opensAt", "closesAt", "duration"])
def test_what_must_be_said_is_asked_for(api: Api, missing: str) -> None:
    """If I leave out what must be said, I am told what that is."""
    body = deepcopy(spec())
    body.pop(missing, None)
    body.get("window", {}).pop(missing, None)
    status, refused = api.create(body)
    assert status == 422
    assert f"{missing}: Required value" in refused["message"]


def test_a_name_is_part_of_other_names(api: Api) -> None:
    """If a name is too long to become part of the sitting's, I am told so."""
    assert api.create(spec(), metadata={"name": "a" * 63})[0] == 201
    status, refused = api.create(spec(), metadata={"name": "a" * 64})
    assert status == 422
    assert "63 characters at most" in refused["message"]


@pytest.mark.parametrize(
    ("before", "edit"),
    [
        ({}, {"window": {"closesAt": "2027-01-15T12:00:00Z"}}),
        ({}, {"candidates": 5}),
        ({}, {"grading": {"revision": 2}}),
        ({"grading": {"revision": 2}}, {"grading": {"revision": 2, "publish": "Automatic"}}),
        ({"grading": {"revision": 2}}, {"grading": {"revision": 3}}),
        ({}, {"paperFrom": {"secretKeyRef": {"name": "corrected"}}}),
        ({"paperFrom": {"secretKeyRef": {"name": "paper"}}}, {"paperFrom": {"secretKeyRef": {"name": "corrected"}}}),
    ],
)
def test_an_edit_that_makes_sense_is_taken(api: Api, before: dict[str, Any], edit: dict[str, Any]) -> None:
    """If I edit what may be edited, it is."""
    made = _edited(api, before)
    status, body = api.edit(made, edit)
    assert status == 200, body["message"]
    assert body["metadata"]["generation"] == made["metadata"]["generation"] + 1


@pytest.mark.parametrize(
    ("before", "edit", "why"),
    [
        ({}, {"exam": "other-1"}, "spec.exam: Forbidden: the exam of a sitting cannot be changed from algebra-101"),
        ({}, {"exam": "other-1"}, "make another Exam for other-1"),
        ({}, {"grading": {"revision": 3}}, "the revision can stay or rise by one"),
        ({"grading": {"revision": 2}}, {"grading": {"revision": 1}}, "it cannot fall or skip one"),
        ({"grading": {"revision": 2}}, {}, "it cannot fall or skip one"),
        ({"grading": {"revision": 2}}, {"grading": {"revision": None}}, "it cannot fall or skip one"),
        ({"desiredState": "Cancelled"}, {}, "Cancelled is final and cannot become Scheduled"),
        ({}, {"window": {"closesAt": "2027-01-15T08:00:00Z"}}, "closesAt must be after opensAt"),
    ],
)
def test_an_edit_that_makes_none_is_refused(api: Api, before: dict[str, Any], edit: dict[str, Any], why: str) -> None:
    """If I edit what is settled, or leave it out, I am told what I can do instead, and the Exam stays as it was."""
    made = _edited(api, before)
    status, refused = api.edit(made, edit)
    assert status == 422
    assert why in refused["message"]
    assert api.get(made["metadata"]["name"])["spec"] == made["spec"]


@pytest.mark.parametrize("after", STATES)
@pytest.mark.parametrize("before", STATES)
def test_what_is_final_stays(api: Api, before: str, after: str) -> None:
    """If I stop or cancel a sitting, that is the end of it; if I pause one, I can still do anything."""
    made = _edited(api, {"desiredState": before})
    status, body = api.edit(made, {"desiredState": after})
    if before == after or before in {"Scheduled", "Paused"}:
        assert (status, body["spec"]["desiredState"]) == (200, after)
    else:
        assert status == 422
        assert f"spec.desiredState: Forbidden: {before} is final and cannot become {after}" in body["message"]


def test_the_status_is_written_beside_the_spec(api: Api) -> None:
    """If somebody writes the status, the spec stays, and the other way round; neither may invent fields."""
    made = api.created(spec())
    edited = {**made, "spec": spec(candidates=7), "status": {"phase": "Open", "window": {"colour": "red"}}}
    _, told = api.replace(edited, part="/status")
    assert (told["spec"], told["status"]) == (made["spec"], {"phase": "Open", "window": {}})
    assert told["metadata"]["generation"] == 1
    _, wished = api.replace({**edited, "metadata": told["metadata"], "status": {"phase": "Graded"}})
    assert (wished["spec"]["candidates"], wished["status"]) == (7, told["status"])
    status, refused = api.replace({**wished, "status": {"phase": "Lost"}}, part="/status")
    assert status == 422
    assert "status.phase: Unsupported value" in refused["message"]


def test_what_nobody_knows_is_left_out(api: Api) -> None:
    """If an old tool writes fields that nobody knows, they are not kept."""
    made = api.created({**spec(), "colour": "red"}, strict=False)
    assert "colour" not in made["spec"]


@pytest.mark.parametrize("phase", ["scheduled", "cancelled", "graded", "failing"])
def test_all_that_the_operator_says_is_kept(api: Api, phase: str) -> None:
    """If the operator says something in a status, nothing of it is lost on the way."""
    made = api.created(spec())
    now = 1_800_000_000_000_000
    resource = Resource.from_json(made)
    said = status_of(resource, _facts(phase, resource, now), Capacity(floor=2, ready=1, kept=2, wanted=2), 0, now)
    assert said["phase"] in set(Phase)
    _, told = api.replace({**made, "status": said}, part="/status")
    assert told["status"] == json.loads(json.dumps(said))


def test_every_field_is_described(api: Api) -> None:
    """If I ask what a field is about, there is an answer for each of them."""
    [version] = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    assert list(_undescribed("exam", schema)) == ["exam.metadata"]
    said = api.control_plane.kubectl("explain", "exam.spec.window")
    assert "duration\t<string> -required-" in said
    assert "How long one attempt lasts from its start" in said
    assert "prewarm" in api.control_plane.kubectl("explain", "exam.spec", "--recursive")


def test_the_samples_are_taken(api: Api) -> None:
    """If I apply the samples as they are, the API server takes them."""
    samples = sorted((REPOSITORY / "k8s/samples").glob("*.yaml"))
    assert samples
    for sample in samples:
        words = ("-n", NAMESPACE, "apply", "--dry-run=server", "--validate=strict", "-f", str(sample))
        assert "created (server dry run)" in api.control_plane.kubectl(*words)


def test_exams_are_found_by_short_name_exam_and_phase(api: Api) -> None:
    """If I look for Exams by a short name, by their exam or their phase, I find them in a table that says enough."""
    name = api.created(spec(exam="found-101"))["metadata"]["name"]
    words = ("-n", NAMESPACE, "get", "ex", "--field-selector", "spec.exam=found-101,status.phase=Pending")
    heading, line = api.control_plane.kubectl(*words).splitlines()
    assert heading.split() == ["NAME", "PHASE", "OPENS", "CLOSES", "READY", "ANSWERS", "GRADED", "REASON", "AGE"]
    assert line.split()[:4] == [name, "Pending", WINDOW["opensAt"], WINDOW["closesAt"]]
    assert name in api.control_plane.kubectl("-n", NAMESPACE, "get", "examplatform")


def _edited(api: Api, changes: dict[str, Any]) -> dict[str, Any]:
    """An Exam that was made as it begins, and then edited."""
    status, body = api.edit(api.created(spec()), changes)
    assert status == 200, body["message"]
    return body


def _facts(phase: str, resource: Resource, now: int) -> Facts:
    """What the operator may find, with as much to say as there can be."""
    ended = phase in {"graded", "failing"}
    state = {"scheduled": State.SCHEDULED, "cancelled": State.CANCELLED}.get(phase, State.SEALED)
    done = Revision(number=1, done=phase == "graded", chunks=3, graded=3, started_at=now, finished_at=now + 1)
    return Facts(
        sitting=Sitting(
            id="60b1f19f-0000-4000-8000-000000000000",
            state=state,
            epoch=12,
            now=now,
            window=resource.spec.window,
            paused=False,
            ends_at=now,
            paper="a" * 64,
            distributed=True,
            drained=ended,
            seal=Seal(at=now, answers=5, students=2, digest="b" * 64) if ended else None,
            revisions=(done,) if ended else (),
            published_revision=1 if phase == "graded" else 0,
            published_at=now + 2 if phase == "graded" else None,
        ),
        job=Job(name="grade-60b1f19f-r1", uid="u" * 36, state=JobState.FAILED, failures=2)
        if phase == "failing"
        else None,
    )


def _undescribed(path: str, schema: Json) -> Iterator[str]:
    """Every property that says nothing of itself."""
    if not schema.get("description"):
        yield path
    for name, inner in schema.get("properties", {}).items():
        yield from _undescribed(f"{path}.{name}", inner)
    if "items" in schema:
        yield from _undescribed(f"{path}[]", schema["items"])
