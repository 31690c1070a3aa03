"""The `Exam` resource, parsed; instants and spans in µs."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

from exam_core.canonical import JsonObject
from exam_core.scoring import Policy
from exam_operator.model.durations import parse_duration
from exam_operator.model.instants import parse_instant
from exam_operator.model.scoring import policy_of
from exam_operator.model.status import ExamStatus

GROUP = "examplatform.dev"
VERSION = "v1alpha1"
PLURAL = "exams"
KIND = "Exam"
FINALIZER = f"{GROUP}/sitting"
UID_CHARACTERS = 8


class UnreadableExamError(ValueError):
    """The spec of an Exam is not one that this release can read."""


class ExamKey(NamedTuple):
    """Identifies a resource. The uid is part of it: a resource that is deleted and recreated is another one."""

    namespace: str
    name: str
    uid: str

    @property
    def sitting(self) -> str:
        """The name of its sitting on the platform."""
        return f"{self.sittings_of_name}{self.uid[:UID_CHARACTERS]}"

    @property
    def sittings_of_name(self) -> str:
        """What the names of the sittings of all resources of this name begin with, whatever their uids."""
        return f"{self.namespace}.{self.name}."

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class DesiredState(StrEnum):
    """``spec.desiredState``."""

    SCHEDULED = "Scheduled"
    PAUSED = "Paused"
    STOPPED_AND_GRADE = "StoppedAndGrade"
    CANCELLED = "Cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKeyRef:
    """The Secret with the paper, in the resource's namespace, and the key of its data."""

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
    """How many solver pods the sitting needs, and how long before the opening."""

    min_replicas: int
    max_replicas: int
    candidates_per_replica: int
    prewarm: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingSpec:
    """The desired revision, the number of graders, and whether degrees are published automatically."""

    parallelism: int
    revision: int
    automatic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamSpec:
    """The desired state of a sitting."""

    exam: str
    owner: str
    paper_from: SecretKeyRef | None
    window: Window
    desired_state: DesiredState
    candidates: int
    refreeze: str
    scoring: Policy | None
    """The scoring policy; None is that of the exam."""
    solver: SolverSpec
    grading: GradingSpec

    @classmethod
    def from_json(cls, spec: JsonObject) -> Self:
        """Parse a spec whose defaults the API server has filled in.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: the spec is invalid.
        """
        window, solver, grading = spec["window"], spec["solver"], spec["grading"]
        reference = spec.get("paperFrom", {}).get("secretKeyRef")
        return cls(
            exam=spec["exam"],
            owner=spec.get("owner", ""),
            paper_from=None if reference is None else SecretKeyRef(name=reference["name"], key=reference["key"]),
            window=Window(
                opens_at=parse_instant(window["opensAt"]),
                closes_at=parse_instant(window["closesAt"]),
                duration=parse_duration(window["duration"]),
            ),
            desired_state=DesiredState(spec["desiredState"]),
            candidates=spec["candidates"],
            refreeze=spec.get("refreeze", ""),
            scoring=policy_of(spec["scoring"]) if "scoring" in spec else None,
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
    """One `Exam`: identity, spec, and the status that was last written."""

    key: ExamKey
    generation: int
    resource_version: str
    deleting: bool
    finalizers: Sequence[str]
    spec: ExamSpec
    status: ExamStatus

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """Parse an object of the API server.

        Raises:
            UnreadableExamError: the spec is invalid, as one can be that a newer release's schema has admitted.
        """
        metadata = body["metadata"]
        try:
            spec = ExamSpec.from_json(body["spec"])
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise UnreadableExamError(f"{type(error).__name__}: {error}") from error
        return cls(
            key=key_of(body),
            generation=metadata["generation"],
            resource_version=metadata["resourceVersion"],
            deleting="deletionTimestamp" in metadata,
            finalizers=tuple(metadata.get("finalizers", ())),
            spec=spec,
            status=ExamStatus.from_json(body.get("status", {})),
        )

    @property
    def has_finalizer(self) -> bool:
        """Whether the operator's finalizer is set."""
        return FINALIZER in self.finalizers

    @property
    def recorded_job_uid(self) -> str | None:
        """The uid of the grading Job that the status names."""
        return None if self.status.grading is None else self.status.grading.job_uid


def key_of(body: JsonObject) -> ExamKey:
    """The key of an object of the API server."""
    metadata = body["metadata"]
    return ExamKey(metadata["namespace"], metadata["name"], metadata["uid"])
