"""The resources of `k8s/samples/`, each sitting moved to a window of now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.oracle.document import Document, read_document
from exam_harness.scenarios.sitting.platform_client import PAPERS
from exam_harness.students.clock import SECOND, rfc3339

SAMPLES = REPOSITORY / "k8s/samples"
CANDIDATES_PER_REPLICA = 500
"""The resource's own default."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """An Exam resource as the samples have it, and the paper that it is about.

    Attributes:
        name: the resource's.
        document: the authored exam.
        text: the same as its author wrote it.
        as_code: whether the paper comes with the resource, in a Secret.
        automatic: whether its degrees are published as soon as they are there.
        objects: what is applied: the resource, its Secret before it.
    """

    name: str
    document: Document
    text: str
    as_code: bool
    automatic: bool
    objects: tuple[Json, ...]

    @property
    def candidates(self) -> int:
        """How many are expected."""
        return int(self._spec.get("candidates", 0))

    @property
    def candidates_per_replica(self) -> int:
        """How many of them one solver pod is for."""
        return int(self._spec.get("solver", {}).get("candidatesPerReplica", CANDIDATES_PER_REPLICA))

    @property
    def _spec(self) -> Json:
        (spec,) = (each["spec"] for each in self.objects if each["kind"] == "Exam")
        return dict(spec)

    def held(
        self, *, opens_at: int, closes_at: int, duration: int, prewarm: int, max_replicas: int | None = None
    ) -> Json:
        """What to apply for its window to be this one; instants and spans in µs, no more solver pods than given."""
        solver: dict[str, Any] = {"prewarm": f"{prewarm // SECOND}s"}
        if max_replicas is not None:
            solver |= {"maxReplicas": max_replicas}
        items = [
            _moved(each, opens_at=opens_at, closes_at=closes_at, duration=duration, solver=solver)
            if each["kind"] == "Exam"
            else each
            for each in self.objects
        ]
        return {"apiVersion": "v1", "kind": "List", "items": items}


def read_samples(folder: Path = SAMPLES, *, suffix: str = "") -> list[Sample]:
    """Every Exam of the samples; with a suffix, as resources and exams of other names."""
    objects = [each for path in sorted(folder.glob("*.yaml")) for each in yaml.safe_load_all(path.read_text())]
    if suffix:
        objects = [_renamed(each, suffix) for each in objects]
    secrets = {each["metadata"]["name"]: each for each in objects if each["kind"] == "Secret"}
    return list(_samples([each for each in objects if each["kind"] == "Exam"], secrets, suffix))


def _renamed(each: dict[str, Any], suffix: str) -> dict[str, Any]:
    """The same object about another exam, all of whose names end in a suffix."""
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
    """A paper's text for an exam whose slug ends in a suffix; without one it stays as its author wrote it."""
    if not suffix:
        return text
    document = yaml.safe_load(text)
    return str(yaml.safe_dump({**document, "exam": document["exam"] + suffix}, allow_unicode=True, sort_keys=False))


def _samples(exams: list[Json], secrets: Mapping[str, Json], suffix: str) -> Iterator[Sample]:
    for exam in exams:
        spec = exam["spec"]
        secret: Json | None = None
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


def _moved(exam: Json, *, opens_at: int, closes_at: int, duration: int, solver: Json) -> Json:
    window = {"opensAt": _text(opens_at), "closesAt": _text(closes_at), "duration": f"{duration // SECOND}s"}
    solver = {**exam["spec"].get("solver", {}), **solver}
    # Wherever it was meant to be: here it is in the namespace of whoever applies it.
    metadata = {name: value for name, value in exam["metadata"].items() if name != "namespace"}
    return {**exam, "metadata": metadata, "spec": {**exam["spec"], "window": window, "solver": solver}}


def _text(instant: int) -> str:
    """An instant at a whole second, as a person would write it."""
    return rfc3339(instant).replace(".000000Z", "Z")
