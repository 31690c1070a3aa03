"""Child processes end when they are told to, all of them, and with whoever started them."""

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
    """A folder of this test's own."""
    folder = new_run_folder("children-test")
    (folder / "logs").mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def shell(folder: Path) -> Iterator[Callable[[str], ChildProcess]]:
    """Starts a shell script that says when it has set itself up."""
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


def _await_end(members: set[TreeMember], seconds: float) -> list[TreeMember]:
    """Those that are left when all have ended or the time is over."""
    deadline = time.monotonic() + seconds
    while (left := [member for member in members if member.alive]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def test_a_child_that_dies_at_start_shows_the_end_of_its_log(folder: Path) -> None:
    """A start that fails says why, in the server's own words."""
    child = ChildProcess("liar", ["/bin/sh", "-c", "echo no such luck; exit 3"], log=folder / "logs/liar.log", env={})
    child.start()
    with pytest.raises(HarnessError, match=r"(?s)ended with code 3.*no such luck"):
        child.await_ready(lambda: False, seconds=10)


def test_a_child_that_is_never_ready_shows_the_end_of_its_log(shell: Callable[[str], ChildProcess]) -> None:
    """A start that takes too long says so, with what the server said last."""
    child = shell("echo still thinking; touch {ready}; sleep 600 & wait")
    with pytest.raises(HarnessError, match=r"(?s)not ready after 0 s.*still thinking"):
        child.await_ready(lambda: False, seconds=0.2)


@pytest.mark.parametrize("end", [ChildProcess.stop, ChildProcess.kill])
@pytest.mark.parametrize("start", ["sleep 600 &", "setsid sleep 600 &"])
def test_children_of_a_child_end_with_it(
    shell: Callable[[str], ChildProcess], start: str, end: Callable[[ChildProcess], int]
) -> None:
    """What a server started itself is gone with it, also what leads a session of its own."""
    child = shell(start + " touch {ready}; wait")
    child.await_ready(lambda: len(child.process_tree()) == 2, seconds=10)
    members = child.process_tree()
    end(child)
    assert not [member for member in members if member.alive]


def test_one_that_does_not_listen_is_ended_all_the_same(shell: Callable[[str], ChildProcess]) -> None:
    """Who ignores the request to end is killed when its time is over."""
    child = shell("trap '' TERM; touch {ready}; while :; do sleep 0.1; done")
    assert child.stop(seconds=0.3) == -signal.SIGKILL
    assert not child.alive


def test_a_stop_in_good_order_tells_its_exit_code(shell: Callable[[str], ChildProcess]) -> None:
    """A server's own last word is not lost."""
    assert shell("trap 'exit 7' TERM; touch {ready}; while :; do sleep 0.1; done").stop() == 7


def test_only_the_main_thread_starts_children(folder: Path) -> None:
    """A child would end with the thread that started it, long before the run is over: that is refused."""
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


def test_nothing_outlives_a_killed_owner(folder: Path) -> None:
    """When a test run is killed (SIGKILL), its servers and all their processes end with it."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)], stdout=subprocess.PIPE, text=True, env=os.environ
    ) as owner:
        assert owner.stdout is not None
        roots = [int(pid) for pid in owner.stdout.readline().split()]
        members = {member for root in roots for member in process_tree(root)}
        assert len(members) > len(roots)
        owner.kill()
    left = _await_end(members, seconds=20)
    for member in left:
        member.send(signal.SIGKILL)
    assert not left
