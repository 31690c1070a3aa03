"""What the operator measures."""

from prometheus_client import Counter, Gauge, Histogram

RECONCILES = Counter("exam_operator_reconciles", "Looks at an Exam, by how they ended.", ("outcome",))
RECONCILE_SECONDS = Histogram("exam_operator_reconcile_seconds", "How long a look took, with all that it did.")
ACTIONS = Counter("exam_operator_actions", "Actions, by what they were and how they ended.", ("verb", "outcome"))
CLOSE_SKEW = Histogram(
    "exam_operator_close_skew_seconds",
    "From the last personal deadline to the close.",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
QUEUE = Gauge("exam_operator_queue_due", "Exams that are due and wait for a worker.")
EXAMS = Gauge("exam_operator_exams", "Exams known.")
PLATFORM_SKEW = Gauge("exam_operator_platform_skew_seconds", "The platform's clock less the operator's.")
SOLVERS_WANTED = Gauge("exam_operator_solvers_wanted", "Solver pods that all sittings want together.")
SOLVERS_READY = Gauge("exam_operator_solvers_ready", "Solver pods that are ready.")
