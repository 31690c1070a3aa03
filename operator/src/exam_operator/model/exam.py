"""The `Exam` resource as the operator reads it; instants and spans in µs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Self

from exam_core.canonical import JsonObject
from exam_core.instants import to_micros
from exam_operator.model.durations import parse_duration

GROUP = "examplatform.dev"
VERSION = "v1alpha1"
PLURAL = "exams"
KIND = "Exam"
FINALIZER = f"{GROUP}/sitting"
UID_CHARACTERS = 8


class ExamKey(NamedTuple):
    """Which resource: one that was deleted and made again under its name is another."""

    namespace: str
    name: str
    uid: str

    @property
    def sitting(self) -> str:
        """The name of its sitting."""
        return f"{self.namespace}.{self.name}.{self.uid[:UID_CHARACTERS]}"

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class DesiredState(StrEnum):
    """What a sitting is wished to be."""

    SCHEDULED = "Scheduled"
    PAUSED = "Paused"
    STOPPED_AND_GRADE = "StoppedAndGrade"
    CANCELLED = "Cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKeyRef:
    """Where a paper is written: a Secret of the resource's namespace, and a key of its data."""

    name: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When the sitting opens and closes, and how long an attempt lasts."""

    opens_at: int
    closes_at: int
    duration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SolverSpec:
    """How many solver pods a sitting wants, and from how long before its opening."""

    min_replicas: int
    max_replicas: int
    candidates_per_replica: int
    prewarm: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingSpec:
    """Which revision is wished for, how many graders work at it, and whether its degrees are shown at once."""

    parallelism: int
    revision: int
    automatic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamSpec:
    """What somebody wants."""

    exam: str
    paper_from: SecretKeyRef | None
    window: Window
    desired: DesiredState
    candidates: int
    solver: SolverSpec
    grading: GradingSpec

    @classmethod
    def from_json(cls, spec: JsonObject) -> Self:
        """Read a spec whose defaults the API server has filled in.

        Raises:
            ValueError, KeyError: it is none; the API server's schema lets none of those through.
        """
        window, solver, grading = spec["window"], spec["solver"], spec["grading"]
        reference = spec.get("paperFrom", {}).get("secretKeyRef")
        return cls(
            exam=spec["exam"],
            paper_from=None if reference is None else SecretKeyRef(name=reference["name"], key=reference["key"]),
            window=Window(
                opens_at=to_micros(datetime.fromisoformat(window["opensAt"])),
                closes_at=to_micros(datetime.fromisoformat(window["closesAt"])),
                duration=parse_duration(window["duration"]),
            ),
            desired=DesiredState(spec["desiredState"]),
            candidates=spec["candidates"],
            solver=SolverSpec(
                min_replicas=solver["minReplicas"],
                max_replicas=solver["maxReplicas"],
                candidates_per_replica=solver["candidatesPerReplica"],
                prewarm=parse_duration(solver["prewarm"]),
            ),
            grading=GradingSpec(
                parallelism=grading["parallelism"],
                revision=grading["revision"],
                automatic=grading["publish"] == "Automatic",
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """One `Exam`: who it is, what it wants, and what was last said of it."""

    key: ExamKey
    generation: int
    version: str
    deleting: bool
    finalizers: Sequence[str]
    spec: ExamSpec
    status: JsonObject

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """Read an object as the API server gives it; raises as `Spec.from_json`."""
        metadata = body["metadata"]
        return cls(
            key=key_of(body),
            generation=metadata["generation"],
            version=metadata["resourceVersion"],
            deleting="deletionTimestamp" in metadata,
            finalizers=tuple(metadata.get("finalizers", ())),
            spec=ExamSpec.from_json(body["spec"]),
            status=body.get("status", {}),
        )

    @property
    def has_finalizer(self) -> bool:
        """Whether our finalizer keeps it from vanishing."""
        return FINALIZER in self.finalizers

    @property
    def recorded_job_uid(self) -> str | None:
        """The uid of the grading Job that its status names."""
        uid: str | None = self.status.get("grading", {}).get("jobUid")
        return uid


def key_of(body: JsonObject) -> ExamKey:
    """The key of an object as the API server gives it."""
    metadata = body["metadata"]
    return ExamKey(metadata["namespace"], metadata["name"], metadata["uid"])
