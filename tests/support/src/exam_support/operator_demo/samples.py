"""The resources of `k8s/samples/`, each sitting moved to a window of now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from exam_support.demo.platform import PAPERS
from exam_support.oracle.document import Document, read_document
from exam_support.stack.places import REPOSITORY
from exam_support.students.clock import SECOND, rfc3339

SAMPLES = REPOSITORY / "k8s/samples"

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """An Exam resource as the samples have it, and the paper that it is about.

    Attributes:
        name: the resource's.
        document: the authored exam.
        as_code: whether the paper comes with the resource, in a Secret.
        automatic: whether its degrees are published as soon as they are there.
        objects: what is applied: the resource, its Secret before it.
    """

    name: str
    document: Document
    as_code: bool
    automatic: bool
    objects: tuple[Json, ...]

    def held(self, *, opens_at: int, closes_at: int, duration: int, prewarm: int) -> Json:
        """What to apply for its window to be this one; instants and spans in µs."""
        items = [
            _moved(each, opens_at=opens_at, closes_at=closes_at, duration=duration, prewarm=prewarm)
            if each["kind"] == "Exam"
            else each
            for each in self.objects
        ]
        return {"apiVersion": "v1", "kind": "List", "items": items}


def read_samples(folder: Path = SAMPLES) -> list[Sample]:
    """Every Exam of the samples."""
    objects = [each for path in sorted(folder.glob("*.yaml")) for each in yaml.safe_load_all(path.read_text())]
    secrets = {each["metadata"]["name"]: each for each in objects if each["kind"] == "Secret"}
    return list(_samples([each for each in objects if each["kind"] == "Exam"], secrets))


def _samples(exams: list[Json], secrets: Mapping[str, Json]) -> Iterator[Sample]:
    for exam in exams:
        spec = exam["spec"]
        secret: Json | None = None
        if "paperFrom" in spec:
            reference = spec["paperFrom"]["secretKeyRef"]
            secret = secrets[reference["name"]]
            text = secret["stringData"][reference.get("key", "paper.yaml")]
        else:
            text = (PAPERS / f"{spec['exam']}.yaml").read_text()
        yield Sample(
            name=exam["metadata"]["name"],
            document=read_document(text),
            as_code=secret is not None,
            automatic=spec.get("grading", {}).get("publish") == "Automatic",
            objects=(exam,) if secret is None else (secret, exam),
        )


def _moved(exam: Json, *, opens_at: int, closes_at: int, duration: int, prewarm: int) -> Json:
    window = {"opensAt": _text(opens_at), "closesAt": _text(closes_at), "duration": f"{duration // SECOND}s"}
    solver = {**exam["spec"].get("solver", {}), "prewarm": f"{prewarm // SECOND}s"}
    # Wherever it was meant to be: here it is in the namespace of whoever applies it.
    metadata = {name: value for name, value in exam["metadata"].items() if name != "namespace"}
    return {**exam, "metadata": metadata, "spec": {**exam["spec"], "window": window, "solver": solver}}


def _text(instant: int) -> str:
    """An instant at a whole second, as a person would write it."""
    return rfc3339(instant).replace(".000000Z", "Z")
