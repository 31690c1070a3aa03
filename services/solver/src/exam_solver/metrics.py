"""The solver's Prometheus metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, ProcessCollector

from exam_runtime.metrics import request_histogram
from exam_solver.lease.keeper import LeaseKeeper


class Metrics:
    """The solver's metrics, in a registry per app, so that two apps in one process do not collide."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._requests = request_histogram("solver", self.registry)
        self._answers = Counter(
            "exam_solver_answers",
            "Answers by outcome: acknowledged, repeated, late, refused, unsaved.",
            ("outcome", "reason"),
            registry=self.registry,
        )
        self._in_flight = Gauge("exam_solver_requests_in_flight", "Requests being served now.", registry=self.registry)

    def watch_lease(self, keeper: LeaseKeeper) -> None:
        """Export the state of a lease; it is read at each scrape."""
        for name, description, read in (
            ("age_seconds", "Seconds since the last successful renewal was sent.", lambda: keeper.age),
            ("valid", "1 while the lease is valid.", lambda: float(keeper.valid)),
            ("epoch", "The schedule's epoch as of the last renewal.", lambda: float(keeper.epoch)),
            ("sittings_skipped", "Scheduled sittings that cannot be read.", lambda: float(keeper.unreadable)),
            ("admissions_in_flight", "Admissions that have not finished.", lambda: float(keeper.in_flight)),
        ):
            Gauge(f"exam_solver_lease_{name}", description, registry=self.registry).set_function(read)

    def observe_request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Record a request that has ended."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def set_in_flight(self, count: int) -> None:
        """Set how many requests are being served."""
        self._in_flight.set(count)

    def count_answers(self, outcome: str, *, reason: str = "", count: int = 1) -> None:
        """Count answers by outcome."""
        self._answers.labels(outcome, reason).inc(count)
