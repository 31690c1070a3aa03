"""Child processes stop with all their descendants, on request and when their parent is killed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from exam_harness.environments.processes.paths import new_run_folder
from exam_harness.environments.processes.process import ChildProcess, HarnessError
from exam_harness.environments.processes.process_tree import TreeMember, process_tree

pytestmark = pytest.mark.integration

SHELL_ENV = {"PATH": "/usr/bin:/bin"}
OWNER = """
import sys, time
from pathlib import Path
from exam_harness.environments.processes.servers.nginx import Nginx
from exam_harness.environments.processes.servers.postgres import Postgres
from exam_harness.environments.processes.servers.redis import Redis
from exam_harness.environments.processes.server import start_together

folder = Path(sys.argv[1])
servers = [Nginx(folder, web="127.0.0.1:1", solvers=["127.0.0.1:1"]), Postgres(folder), Redis(folder)]
start_together(servers)
print(*(server.process.pid for server in servers), flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary folder with ``logs``."""
    folder = new_run_folder("children-test")
    (folder / "logs").mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def shell(folder: Path) -> Iterator[Callable[[str], ChildProcess]]:
    """Starts a shell script and waits until it has created its ready file."""
    children: list[ChildProcess] = []

    def start(script: str) -> ChildProcess:
        ready = folder / f"ready-{len(children)}"
        child = ChildProcess(
            "script", ["/bin/sh", "-c", script.format(ready=ready)], log=folder / "logs/script.log", env=SHELL_ENV
        )
        children.append(child)
        child.start()
        child.await_ready(ready.exists, seconds=10)
        return child

    yield start
    for child in children:
        child.kill()


def _await_exit(members: set[TreeMember], seconds: float) -> list[TreeMember]:
    """Wait until all have ended; return those alive at the timeout."""
    deadline = time.monotonic() + seconds
    while (alive := [member for member in members if member.alive]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return alive


def test_a_child_that_dies_at_start_shows_the_end_of_its_log(folder: Path) -> None:
    """If a start fails, the error has the server's own output."""
    child = ChildProcess(
        "failing", ["/bin/sh", "-c", "echo no such luck; exit 3"], log=folder / "logs/failing.log", env={}
    )
    child.start()
    with pytest.raises(HarnessError, match=r"(?s)ended with code 3.*no such luck"):
        child.await_ready(lambda: False, seconds=10)


def test_a_child_that_is_never_ready_shows_the_end_of_its_log(shell: Callable[[str], ChildProcess]) -> None:
    """If a start times out, the error has the server's last output."""
    child = shell("echo still thinking; touch {ready}; sleep 600 & wait")
    with pytest.raises(HarnessError, match=r"(?s)not ready after 0 s.*still thinking"):
        child.await_ready(lambda: False, seconds=0.2)


@pytest.mark.parametrize("end", [ChildProcess.stop, ChildProcess.kill])
@pytest.mark.parametrize("start", ["sleep 600 &", "setsid sleep 600 &"])
def test_descendants_end_with_a_child(
    shell: Callable[[str], ChildProcess], start: str, end: Callable[[ChildProcess], int]
) -> None:
    """If a server is stopped or killed, its descendants end too, also one that leads a session of its own."""
    child = shell(start + " touch {ready}; wait")
    child.await_ready(lambda: len(child.process_tree()) == 2, seconds=10)
    members = child.process_tree()
    end(child)
    assert not [member for member in members if member.alive]


def test_a_child_that_ignores_sigterm_is_killed(shell: Callable[[str], ChildProcess]) -> None:
    """If a child ignores SIGTERM, it is killed after the timeout."""
    child = shell("trap '' TERM; touch {ready}; while :; do sleep 0.1; done")
    assert child.stop(seconds=0.3) == -signal.SIGKILL
    assert not child.alive


def test_a_graceful_stop_returns_the_exit_code(shell: Callable[[str], ChildProcess]) -> None:
    """If a child handles SIGTERM, stop returns its exit code."""
    assert shell("trap 'exit 7' TERM; touch {ready}; while :; do sleep 0.1; done").stop() == 7


def test_only_the_main_thread_starts_children(folder: Path) -> None:
    """If another thread starts a child, which would end with that thread, it is rejected."""
    child = ChildProcess("early", ["/bin/true"], log=folder / "logs/early.log", env={})
    refusals: list[str] = []

    def start() -> None:
        try:
            child.start()
        except HarnessError as error:
            refusals.append(str(error))

    thread = Thread(target=start)
    thread.start()
    thread.join()
    assert "start it from thread MainThread" in refusals[0]


def test_no_child_outlives_a_killed_parent(folder: Path) -> None:
    """If a test run is killed (SIGKILL), its servers and all their descendants end."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)], stdout=subprocess.PIPE, text=True, env=os.environ
    ) as owner:
        assert owner.stdout is not None
        roots = [int(pid) for pid in owner.stdout.readline().split()]
        members = {member for root in roots for member in process_tree(root)}
        assert len(members) > len(roots)
        owner.kill()
    alive = _await_exit(members, seconds=20)
    for member in alive:
        member.send(signal.SIGKILL)
    assert not alive
