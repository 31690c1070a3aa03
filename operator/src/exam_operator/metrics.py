"""Prometheus metrics of the operator."""

from prometheus_client import Counter, Gauge, Histogram

RECONCILES = Counter("exam_operator_reconciles", "Reconciliations of an Exam, by outcome.", ("outcome",))
RECONCILE_SECONDS = Histogram("exam_operator_reconcile_seconds", "Duration of a reconciliation with all its actions.")
ACTIONS = Counter("exam_operator_actions", "Actions, by verb and outcome.", ("verb", "outcome"))
CLOSE_SKEW = Histogram(
    "exam_operator_close_skew_seconds",
    "From the last personal deadline to the close.",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
QUEUE = Gauge("exam_operator_queue_due", "Exams that are due and wait for a worker.")
DEGRADED = Gauge(
    "exam_operator_exam_degraded",
    "1 for each Exam that is degraded, by reason.",
    ("resource_namespace", "exam", "reason"),
)
LEADING = Gauge("exam_operator_leading", "Whether this replica holds the Lease and acts (1) or is ready to (0).")
EXAMS = Gauge("exam_operator_exams", "Exams in the cache.")
PLATFORM_SKEW = Gauge("exam_operator_platform_skew_seconds", "The platform's clock minus the operator's.")
RACK_PODS_OUTDATED = Gauge(
    "exam_operator_rack_pods_outdated",
    "Pods of Cassandra that are to be replaced by ones of its present configuration.",
)
SOLVERS_WANTED = Gauge("exam_operator_solvers_wanted", "Solver pods that all sittings need together.")
SOLVERS_READY = Gauge("exam_operator_solvers_ready", "Solver pods that are ready.")
