"""The sample Exams of `k8s/samples/`, rescheduled to a window that opens soon."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.oracle.document import Document, read_document
from exam_harness.oracle.instants import rfc3339
from exam_harness.scenarios.sitting.platform_client import PAPERS
from exam_harness.students.clock import SECOND

SAMPLES = REPOSITORY / "k8s/samples"
CANDIDATES_PER_REPLICA = 500
"""The default of the CRD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A sample Exam resource and its exam.

    Attributes:
        name: the resource's name.
        document: the authored exam.
        text: the authored exam's YAML.
        as_code: whether the paper is in a Secret beside the resource.
        automatic: whether the operator publishes the degrees.
        objects: the manifests to apply, the Secret before the Exam.
    """

    name: str
    document: Document
    text: str
    as_code: bool
    automatic: bool
    objects: tuple[Mapping[str, Any], ...]

    @property
    def candidates(self) -> int:
        """The expected number of candidates."""
        return int(self._spec.get("candidates", 0))

    @property
    def candidates_per_replica(self) -> int:
        """The number of candidates per solver pod."""
        return int(self._spec.get("solver", {}).get("candidatesPerReplica", CANDIDATES_PER_REPLICA))

    @property
    def _spec(self) -> Mapping[str, Any]:
        (spec,) = (each["spec"] for each in self.objects if each["kind"] == "Exam")
        return dict(spec)

    def scheduled(
        self,
        *,
        owner: str,
        opens_at: int,
        closes_at: int,
        duration: int,
        prewarm: int,
        max_replicas: int | None = None,
    ) -> Mapping[str, Any]:
        """The manifests with this window, at most so many solver pods and, as code, this owner; times in µs."""
        solver: dict[str, Any] = {"prewarm": f"{prewarm // SECOND}s"}
        if max_replicas is not None:
            solver |= {"maxReplicas": max_replicas}
        items = [
            _rescheduled(each, owner=owner, opens_at=opens_at, closes_at=closes_at, duration=duration, solver=solver)
            if each["kind"] == "Exam"
            else each
            for each in self.objects
        ]
        return {"apiVersion": "v1", "kind": "List", "items": items}


def read_samples(folder: Path = SAMPLES, *, suffix: str = "") -> list[Sample]:
    """All sample Exams; with a suffix, all names end in it."""
    objects = [each for path in sorted(folder.glob("*.yaml")) for each in yaml.safe_load_all(path.read_text())]
    if suffix:
        objects = [_renamed(each, suffix) for each in objects]
    secrets = {each["metadata"]["name"]: each for each in objects if each["kind"] == "Secret"}
    return list(_samples([each for each in objects if each["kind"] == "Exam"], secrets, suffix))


def _renamed(each: dict[str, Any], suffix: str) -> dict[str, Any]:
    """An object with the suffix appended to its name and to the names it refers to."""
    renamed = {**each, "metadata": {**each["metadata"], "name": each["metadata"]["name"] + suffix}}
    if each["kind"] == "Secret":
        renamed["stringData"] = {key: _paper(text, suffix) for key, text in each["stringData"].items()}
    if each["kind"] == "Exam":
        spec = {**each["spec"], "exam": each["spec"]["exam"] + suffix}
        if "paperFrom" in spec:
            reference = spec["paperFrom"]["secretKeyRef"]
            spec["paperFrom"] = {"secretKeyRef": {**reference, "name": reference["name"] + suffix}}
        renamed["spec"] = spec
    return renamed


def _paper(text: str, suffix: str) -> str:
    """A paper with the suffix appended to its exam's slug; unchanged without a suffix."""
    if not suffix:
        return text
    document = yaml.safe_load(text)
    return str(yaml.safe_dump({**document, "exam": document["exam"] + suffix}, allow_unicode=True, sort_keys=False))


def _samples(exams: list[Mapping[str, Any]], secrets: Mapping[str, Mapping[str, Any]], suffix: str) -> Iterator[Sample]:
    for exam in exams:
        spec = exam["spec"]
        secret: Mapping[str, Any] | None = None
        if "paperFrom" in spec:
            reference = spec["paperFrom"]["secretKeyRef"]
            secret = secrets[reference["name"]]
            text = secret["stringData"][reference.get("key", "paper.yaml")]
        else:
            text = _paper((PAPERS / f"{spec['exam'].removesuffix(suffix)}.yaml").read_text(), suffix)
        yield Sample(
            name=exam["metadata"]["name"],
            document=read_document(text),
            text=text,
            as_code=secret is not None,
            automatic=spec.get("grading", {}).get("publish") == "Automatic",
            objects=(exam,) if secret is None else (secret, exam),
        )


def _rescheduled(
    exam: Mapping[str, Any], *, owner: str, opens_at: int, closes_at: int, duration: int, solver: Mapping[str, Any]
) -> Mapping[str, Any]:
    window = {"opensAt": _text(opens_at), "closesAt": _text(closes_at), "duration": f"{duration // SECOND}s"}
    solver = {**exam["spec"].get("solver", {}), **solver}
    # kubectl sets the namespace that the manifest is applied to.
    metadata = {name: value for name, value in exam["metadata"].items() if name != "namespace"}
    owned = {"owner": owner} if "paperFrom" in exam["spec"] else {}
    return {**exam, "metadata": metadata, "spec": {**exam["spec"], **owned, "window": window, "solver": solver}}


def _text(instant: int) -> str:
    """An instant at a whole second, without a fraction."""
    return rfc3339(instant).replace(".000000Z", "Z")
