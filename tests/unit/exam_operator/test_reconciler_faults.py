"""Faults of a reconcile: in the status, as an Event, in the metric of the Exam, with a backoff."""

from collections.abc import Callable
from typing import Any, Never

import pytest
from prometheus_client import REGISTRY

from exam_core.instants import HOUR, SECOND
from exam_core.schedule import State
from exam_core.scoring import Policy
from exam_operator.clients.errors import (
    API_SERVER,
    WEB,
    ConflictError,
    RejectedError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreachableError,
)
from exam_operator.decide.demand import PlatformLimits
from exam_operator.model.exam import ExamKey, Window, key_of
from exam_operator.model.observed import Change, Content, Sitting
from exam_operator.runtime.cache import ExamCache
from exam_operator.runtime.executor import Executor
from exam_operator.runtime.reconciler import Reconciler
from exam_operator.runtime.scaling import Deployments, Scaling

NOW = 1_800_000_000 * SECOND


class FakeKubernetesClient:
    """An API server with one Exam."""

    def __init__(self) -> None:
        self.exam: dict[str, Any] | None = _exam()
        self.events: list[tuple[str, str]] = []
        self.job: dict[str, Any] | None = None
        self.fault: Exception | None = None
        self.event_fault: Exception | None = None

    async def get_exam(self, key: ExamKey) -> dict[str, Any] | None:
        """The Exam, unless it was deleted."""
        del key
        if self.fault is not None:
            raise self.fault
        return self.exam

    async def get_job(self, name: str) -> dict[str, Any] | None:
        """The object with the name of the grading Job."""
        del name
        return self.job

    async def update_status(self, exam: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
        """Store the status."""
        self.exam = {**exam, "status": status}
        return self.exam

    async def create_event(self, event: dict[str, Any]) -> None:
        """Record an Event."""
        if self.event_fault is not None:
            raise self.event_fault
        self.events.append((event["type"], event["reason"]))


class FakeWebClient:
    """A web that fails as configured, or has no sitting."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.sitting: Sitting | None = None
        self.now, self.skew = NOW, 0

    async def get_sitting(self, name: str) -> Sitting | None:
        """The sitting, if there is one, or the fault."""
        del name
        if self.fault is not None:
            raise self.fault
        return self.sitting


@pytest.fixture
def kube() -> FakeKubernetesClient:
    """A fake API server."""
    return FakeKubernetesClient()


@pytest.fixture
def web() -> FakeWebClient:
    """A fake web."""
    return FakeWebClient()


@pytest.fixture
def reconcile(kube: FakeKubernetesClient, web: FakeWebClient) -> Callable:
    """Reconcile the Exam; returns the seconds until it is due again."""
    cache = ExamCache()
    client: Any = kube
    platform: Any = web
    names = Deployments(namespace="platform", solvers="solver", graders="grader", web="web")
    limits = PlatformLimits(solvers=20, graders=8, jobs=4, web=10, web_baseline=2, candidates_per_web=1000)
    scaling = Scaling(client, cache, lambda: NOW, names, limits, resync=30)
    executor = Executor(client, platform, namespace="platform", job_template={})
    reconciler = Reconciler(client, platform, executor, scaling, cache, max_jobs=4)

    async def run() -> float | None:
        requeue_after = await reconciler.reconcile(key_of(_exam()))
        return None if requeue_after is None else requeue_after / SECOND

    return run


def _exam() -> dict[str, Any]:
    """An Exam that needs no action, because it is cancelled before it had a sitting."""
    window = {"opensAt": "2027-01-15T08:00:00Z", "closesAt": "2027-01-15T10:00:00Z", "duration": "90m"}
    return {
        "metadata": {"namespace": "exams", "name": "midterm", "uid": "u" * 36, "generation": 1, "resourceVersion": "1"},
        "spec": {
            "exam": "algebra",
            "window": window,
            "desiredState": "Cancelled",
            "candidates": 10,
            "solver": {"minReplicas": 1, "maxReplicas": 20, "candidatesPerReplica": 500, "prewarm": "10m"},
            "grading": {"parallelism": 4, "revision": 1, "publish": "Manual"},
        },
    }


def _degraded(kube: FakeKubernetesClient) -> tuple[str, str, str]:
    assert kube.exam is not None
    [found] = [each for each in kube.exam["status"]["conditions"] if each["type"] == "Degraded"]
    return found["status"], found["reason"], found["message"]


def _metric(reason: str) -> float | None:
    labels = {"resource_namespace": "exams", "exam": "midterm", "reason": reason}
    return REGISTRY.get_sample_value("exam_operator_exam_degraded", labels)


@pytest.mark.parametrize(
    ("fault", "reason", "message"),
    [
        (UnavailableError(WEB, "GET /x: 503"), "WebUnavailable", "web: GET /x: 503"),
        (UnexpectedAnswerError(WEB, "GET /x: 400, no"), "WebUnexpectedAnswer", "web: GET /x: 400, no"),
        (UnavailableError(API_SERVER, "x: 500"), "ApiServerUnavailable", "the API server: x: 500"),
        (KeyError("text of a key"), "InternalError", "unexpected KeyError; the operator's log has the details"),
        (RejectedError("Malformed", "no"), "InternalError", "unexpected RejectedError"),
        (ConflictError("no"), "InternalError", "unexpected ConflictError"),
    ],
)
async def test_a_fault_is_reported(reconcile, kube, web, fault: Exception, reason: str, message: str) -> None:
    """If a reconcile fails for any reason, the Exam is degraded with it, has an Event and a metric, and recovers."""
    web.fault = fault
    assert [await reconcile() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    holds, found, text = _degraded(kube)
    assert (holds, found) == ("True", reason)
    assert text.startswith(message)
    assert "text of a key" not in text
    assert kube.events.count(("Warning", reason)) == 1
    assert _metric(reason) == 1
    web.fault = None
    assert await reconcile() == 3600
    assert _degraded(kube)[:2] == ("False", "AsExpected")
    assert _metric(reason) is None


async def test_a_spec_of_a_newer_release_is_reported(reconcile, kube) -> None:
    """If a newer release's Exam is left after a rollback, its condition names the member that cannot be read."""
    kube.exam["spec"]["desiredState"] = "Archived"
    assert await reconcile() == 1
    holds, reason, message = _degraded(kube)
    assert (holds, reason) == ("True", "SpecUnreadable")
    assert "'Archived'" in message
    kube.exam["spec"]["desiredState"] = "Cancelled"
    await reconcile()
    assert _degraded(kube)[0] == "False"


async def test_a_foreign_job_is_reported(reconcile, kube, web) -> None:
    """If another application's Job has the name of the grading Job, the Exam says which one is in the way."""
    opened = NOW - 2 * HOUR
    web.sitting = Sitting(
        id="60b1f19f-0000-4000-8000-000000000000",
        state=State.CLOSING,
        epoch=1,
        now=NOW,
        window=Window(opens_at=opened, closes_at=opened + HOUR, duration=HOUR),
        paused=False,
        ends_at=opened + HOUR,
        paper="a" * 64,
        frozen_at=opened,
        refreeze="",
        content=Content(change=Change.NONE, detail=""),
        candidates=10,
        scoring=Policy(),
        distributed=True,
        drained=True,
        seal=None,
        revisions=(),
        published_revision=0,
        published_at=None,
    )
    kube.job = {"metadata": {"name": "grade-60b1f19f-r1", "labels": {"app": "other"}}}
    assert await reconcile() is not None
    holds, reason, message = _degraded(kube)
    assert (holds, reason) == ("True", "ForeignJob")
    assert message == "Job grade-60b1f19f-r1 belongs to another sitting or to another application; delete it"


async def test_an_endless_reconcile_is_reported(reconcile, kube, monkeypatch) -> None:
    """If an Exam never settles, it is degraded instead of being reconciled every second."""

    async def lose(exam, status) -> Never:
        del status
        raise ConflictError(str(exam["metadata"]["name"]))

    monkeypatch.setattr(kube, "update_status", lose)
    assert [await reconcile() for _ in range(3)] == [1, 2, 4]
    assert _metric("NotSettled") == 1
    monkeypatch.undo()
    await reconcile()
    assert _metric("NotSettled") is None


async def test_the_backoff_is_short_while_students_wait_for_the_end(reconcile, kube, web) -> None:
    """If web fails while a sitting is open, its end is not delayed by a long backoff."""
    kube.exam["status"] = {"phase": "Open"}
    web.fault = UnavailableError(WEB, "down")
    assert [await reconcile() for _ in range(4)] == [1, 2, 2, 2]


async def test_a_service_cannot_park_an_exam(reconcile, web) -> None:
    """If a service names a time to retry after, it is kept up to half a minute."""
    web.fault = UnavailableError(WEB, "busy", retry_after=7)
    assert await reconcile() == 7
    web.fault = UnavailableError(WEB, "busy", retry_after=10**9)
    assert await reconcile() == 30


async def test_a_fault_is_in_the_metric_while_the_api_server_is_away(reconcile, kube) -> None:
    """If the API server is away, the status cannot be written, but the metric names the Exam."""
    kube.fault = UnreachableError(API_SERVER, "TimeoutError")
    assert await reconcile() == 1
    assert kube.events == []
    assert _metric("ApiServerUnavailable") == 1


async def test_forbidden_events_do_not_hide_the_status(reconcile, kube) -> None:
    """If the operator may not create Events, for example because of a quota, the condition says so."""
    kube.event_fault = UnavailableError(API_SERVER, "POST /events: 403", kind="Forbidden")
    assert await reconcile() == 1
    assert _degraded(kube)[:2] == ("True", "ApiServerForbidden")
    kube.event_fault = None
    await reconcile()
    assert _degraded(kube)[0] == "False"


async def test_a_deleted_exam_is_dropped_while_web_is_away(reconcile, kube, web) -> None:
    """If an Exam is deleted while web is away, it is not retried, and its metric is removed."""
    web.fault = UnavailableError(WEB, "down")
    await reconcile()
    kube.exam = None
    assert await reconcile() is None
    assert _metric("WebUnavailable") is None
