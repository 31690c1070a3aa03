"""Logging: a real process's standard output, line by line."""

import json
import os
import subprocess
import sys
from typing import Any

FIELDS = {"timestamp", "level", "logger", "event", "service"}


def run(code: str) -> tuple[list[dict[str, Any]], str]:
    """Run Python code in a process of its own; its log and its standard error."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60, env={**os.environ}
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


PROGRAM = """
import logging, threading, warnings, structlog
from exam_runtime.logging import configure_logging
from exam_runtime.request_id import bound_request_id
configure_logging(service="solver", level="INFO")
log = structlog.get_logger("exam_solver.x")
with bound_request_id("abcdefgh"):
    log.info("lease_lapsed", holder=object, age=1.5)
    logging.getLogger("uvicorn.error").warning("Started %s", "now")
log.debug("lease_renewed")
logging.getLogger("httpx").info("HTTP Request")
warnings.warn("old")
key = "the answer is 42"
try:
    raise ValueError("bad")
except ValueError:
    log.exception("request_failed")
threading.Thread(target=lambda: 1 / 0, name="probe").start()
"""


def test_our_events_and_those_of_libraries_have_the_same_fields() -> None:
    """One query finds all lines of a request, those of libraries too."""
    lines, stderr = run(PROGRAM)
    assert stderr == ""
    assert all(line.keys() >= FIELDS and line["service"] == "solver" for line in lines)
    ours, library, warning, failed, thread = lines
    assert (ours["event"], ours["level"], ours["logger"], ours["request_id"], ours["age"]) == (
        "lease_lapsed",
        "info",
        "exam_solver.x",
        "abcdefgh",
        1.5,
    )
    assert (library["event"], library["level"], library["request_id"]) == ("Started now", "warning", "abcdefgh")
    assert "UserWarning: old" in warning["event"]
    assert failed["event"] == "request_failed"
    assert "ValueError: bad" in failed["exception"]
    assert (thread["event"], thread["thread"]) == ("thread_crashed", "probe")


def test_a_traceback_shows_no_local_variables() -> None:
    """An answer key that a failing function held is not in the log."""
    lines, _ = run(PROGRAM)
    assert not any("the answer is 42" in str(line) for line in lines)


def test_an_uncaught_exception_is_a_line_of_the_log() -> None:
    """I find the reason why a process ended where all other events are."""
    code = (
        "from exam_runtime.logging import configure_logging\n"
        "configure_logging(service='web', level='ERROR')\nraise RuntimeError('gone')"
    )
    (line,), stderr = run(code)
    assert (line["event"], line["level"], stderr) == ("process_crashed", "critical", "")
    assert "RuntimeError: gone" in line["exception"]


def test_a_process_forked_while_others_log_can_log() -> None:
    """Celery forks its pool while the probe server's threads may write a line: the children must not wait for them."""
    code = """
import os, threading, structlog
from exam_runtime.logging import configure_logging
configure_logging(service="grader")
log = structlog.get_logger("x")
done = threading.Event()
def busy():
    while not done.is_set():
        log.info("parent")
threading.Thread(target=busy).start()
for _ in range(30):
    pid = os.fork()
    if not pid:
        log.info("child")
        os._exit(0)
    os.waitpid(pid, 0)
done.set()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert done.stdout.count(b'"child"') == 30
