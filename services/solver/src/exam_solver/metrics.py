"""The solver's Prometheus metrics."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, ProcessCollector

from exam_solver.lease.keeper import LeaseKeeper

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The solver's metrics, in a registry of their own, so that two apps in one process do not collide."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._requests = Histogram(
            "exam_solver_request_seconds",
            "How long requests took.",
            ("method", "route", "status"),
            registry=self.registry,
            buckets=BUCKETS,
        )
        self._answers = Counter(
            "exam_solver_answers",
            "Answers by what became of them: acknowledged, repeated, late, refused, unsaved.",
            ("outcome", "reason"),
            registry=self.registry,
        )
        self._in_flight = Gauge("exam_solver_requests_in_flight", "Requests being served now.", registry=self.registry)

    def watch(self, keeper: LeaseKeeper) -> None:
        """Show a lease's state whenever somebody looks."""
        for name, what, read in (
            ("age_seconds", "Seconds since the last successful renewal was sent.", lambda: keeper.age),
            ("valid", "1 while the lease is valid.", lambda: float(keeper.valid)),
            ("epoch", "The schedule's epoch as known here.", lambda: float(keeper.epoch)),
            ("admissions_in_flight", "Admitted work that is not finished.", lambda: float(keeper.in_flight)),
        ):
            Gauge(f"exam_solver_lease_{name}", what, registry=self.registry).set_function(read)

    def requested(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """A request that ended."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def in_flight(self, count: int) -> None:
        """How many requests are being served."""
        self._in_flight.set(count)

    def answered(self, outcome: str, *, reason: str = "", count: int = 1) -> None:
        """Answers that became what `outcome` says."""
        self._answers.labels(outcome, reason).inc(count)
