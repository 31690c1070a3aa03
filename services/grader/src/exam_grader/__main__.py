"""``python -m exam_grader worker | beat | coordinate``: the three processes of the grader.

Exit codes of ``coordinate`` (see also ``--help``):

==== ===============================================================================================
0    the revision is graded and, if the sitting publishes automatically, published
1    unexpected error; the log has the traceback
2    invalid command line
3    rejected: the window is still open, or the sitting was cancelled or does not exist. Do not retry
4    a seal is damaged: restore it before anything is graded
75   not finished: timed out or asked to stop. Run it again to resume
78   an environment variable is missing or invalid
==== ===============================================================================================
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import import_module


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = _parser().parse_args(argv)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exam_web.settings")
    os.environ["EXAM_COMPONENT"] = "grader"  # web's settings then require none of web's secrets
    with _worker_environment() if arguments.command == "worker" else nullcontext():
        # Imported late: Celery and Prometheus' client read environment variables on import.
        code: int = import_module("exam_grader.boot").run_command(arguments)
    return code


@contextmanager
def _worker_environment() -> Iterator[None]:
    """Set the environment variables that a worker's libraries read on import."""
    # Celery's soft shutdown: SIGTERM waits for running tasks, then returns them to the queue.
    os.environ["REMAP_SIGTERM"] = "SIGQUIT"
    # The metrics of all processes of this worker: a directory that is empty at start and removed at exit.
    with tempfile.TemporaryDirectory(prefix="exam-grader-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m exam_grader", description="Seal, grade and publish sittings.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("worker", help="process grading tasks (EXAM_GRADER_CONCURRENCY concurrently)")
    commands.add_parser(
        "beat", help="look for sittings that are over every EXAM_CLOSE_POLL_SECONDS; several may run at once"
    )
    coordinate = commands.add_parser(
        "coordinate",
        help="take one sitting from its end to a graded revision",
        description=(
            "Close the sitting if it is over, wait until no solver can acknowledge an answer any more, seal it, open "
            "the revision, have its chunks graded, and publish it if the sitting publishes automatically. The command "
            "is resumable at any point, and several may run at once."
        ),
        epilog=(
            "exit codes: 0 done; 1 unexpected error (see the log); 2 invalid command line; 3 rejected (window still "
            "open, cancelled, no such sitting, revision not open); 4 a seal is damaged; 75 not finished, run again to "
            "resume; 78 an environment variable is missing or invalid"
        ),
    )
    coordinate.add_argument("--sitting", required=True, metavar="NAME_OR_ID", help="name or UUID of the sitting")
    coordinate.add_argument(
        "--revision",
        type=_positive,
        default=1,
        metavar="N",
        help="number of the revision; web opens any after the first (default: 1)",
    )
    coordinate.add_argument("--stop", action="store_true", help="end the window now if it is still open")
    coordinate.add_argument("--local", action="store_true", help="grade in this process, without broker and workers")
    coordinate.add_argument(
        "--timeout", type=_seconds, default=3600.0, metavar="S", help="time out after S seconds (default: 3600)"
    )
    coordinate.add_argument("--parallelism", type=_positive, metavar="N", help="seal N buckets concurrently")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not 1 or more")
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of seconds")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
