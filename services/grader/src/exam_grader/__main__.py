"""``python -m exam_grader worker | beat | coordinate``: the three processes of grading.

Exit codes of ``coordinate`` (see also ``--help``):

==== =====================================================================================================
0    the revision is graded and, where publishing is automatic, published
1    a fault of ours: the log has the traceback
2    the command line is wrong
3    refused: the window is still open, the sitting was cancelled or does not exist. Repeating does not help
4    a seal is damaged: a person must look before anything is graded
75   not done yet: time ran out or the process was told to stop. Run it again, it goes on from there
78   a variable of the environment is missing or wrong
==== =====================================================================================================
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import import_module


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    given = _parser().parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exam_web.settings")
    os.environ["EXAM_COMPONENT"] = "grader"  # web's settings: none of web's secrets are asked for
    with _worker_environment() if given.command == "worker" else nullcontext():
        # Imported only now: Celery and Prometheus' client look at the environment when they are imported.
        code: int = import_module("exam_grader.boot").run_command(given)
    return code


@contextmanager
def _worker_environment() -> Iterator[None]:
    """What must be in the environment before a worker imports anything else."""
    os.environ["REMAP_SIGTERM"] = "SIGQUIT"  # Celery: SIGTERM waits a while for tasks in work, then gives them back
    # The counts of all its processes: a folder of this worker's own, empty at every start, gone with the worker.
    with tempfile.TemporaryDirectory(prefix="exam-grader-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m exam_grader", description="Seals, grades and publishes sittings.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("worker", help="take grading tasks (EXAM_GRADER_CONCURRENCY at once)")
    commands.add_parser("beat", help="look for sittings that are over every EXAM_CLOSE_POLL_SECONDS; two do no harm")
    coordinate = commands.add_parser(
        "coordinate",
        help="carry one sitting from its end to a graded revision",
        description=(
            "Closes the sitting when it is over, waits until no solver can acknowledge an answer any more, seals, "
            "opens the revision, has its chunks graded and publishes where that is automatic. It may be killed and run "
            "again at any time, and run twice at once."
        ),
        epilog=(
            "exit codes: 0 done; 1 a fault (see the log); 2 wrong command line; 3 refused (window still open, "
            "cancelled, no such sitting); 4 a seal is damaged; 75 not done yet, run again; 78 the environment is wrong"
        ),
    )
    coordinate.add_argument("--sitting", required=True, metavar="NAME_OR_ID", help="the sitting's name or its UUID")
    coordinate.add_argument("--revision", type=_positive, default=1, metavar="N", help="the revision's number (1)")
    coordinate.add_argument("--stop", action="store_true", help="end the window now if it is still open")
    coordinate.add_argument("--local", action="store_true", help="grade in this process: needs no broker, no worker")
    coordinate.add_argument(
        "--timeout", type=_seconds, default=3600.0, metavar="S", help="give up after S seconds (3600)"
    )
    coordinate.add_argument("--parallelism", type=_positive, metavar="N", help="seal N buckets at once")
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
