"""One child process: started, watched, paused, killed, and never left behind."""

import pwd
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from exam_harness.environments.processes.process_tree import TreeMember, process_tree, signal_tree

POLL_SECONDS = 0.05
LOG_TAIL_LINES = 25
STOP_SECONDS = 20
GONE_SECONDS = 10


class HarnessError(Exception):
    """A part of the stack did not do what it should; the message has the end of its log."""


class ChildProcess:
    """A child process in a session of its own, its output in a log file, its folder that of its log.

    The kernel ends it when the thread that started it is gone, so that nothing outlives a killed test run. So only its
    keeper may start it, a thread that lives as long as it is wanted.

    Args:
        name: what messages call it.
        argv: the command line.
        log: where its output goes; a restart appends.
        env: its whole environment.
        user: the user to run as, when not the present one.
        stop_signal: what asks it to end in good order.
        orphan_signal: what the kernel sends it when we are gone. A server that has to put things away, or whose
            children would stay behind, needs one that it can act on.
        keeper: the thread that starts it, the main thread unless another is named.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str],
        user: pwd.struct_passwd | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        orphan_signal: signal.Signals = signal.SIGKILL,
        keeper: threading.Thread | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._argv = list(argv)
        self._env = dict(env)
        self._user = user
        self._stop_signal = stop_signal
        self._orphan_signal = orphan_signal
        self._keeper = keeper or threading.main_thread()
        self._process: subprocess.Popen[bytes] | None = None
        self._leaving: set[TreeMember] = set()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether it runs (or is paused)."""
        return self._process is not None and self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """Its exit code, the signal's number below zero when one ended it; None while it runs."""
        return self._running().poll()

    def start(self) -> None:
        """Start it; returns before it is ready."""
        if self.alive:
            raise HarnessError(f"{self.name} is already running")
        if threading.current_thread() is not self._keeper:
            raise HarnessError(f"{self.name} would end with this thread: start it from thread {self._keeper.name}")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._wrapper(), *self._argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self.log.parent,
                start_new_session=True,
            )

    def await_ready(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Wait until `ready` says so; the child's death or the deadline is an error with its log."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.alive:
                raise HarnessError(f"{self.name} ended with code {self._running().returncode}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise HarnessError(f"{self.name} was not ready after {seconds:.0f} s\n{self.tail()}")
            time.sleep(POLL_SECONDS)

    def stop(self, *, seconds: float = STOP_SECONDS) -> int | None:
        """Ask it to end, wait, and end it (SIGKILL) when it does not; its exit code."""
        self.terminate()
        return self.await_exit(seconds=seconds)

    def terminate(self) -> None:
        """Ask it to end in good order; `await_exit` sees to it that it does."""
        if self.alive and not self._leaving:
            self._leaving = signal_tree(self.pid, signal.SIGCONT)
            self._running().send_signal(self._stop_signal)

    def await_exit(self, *, seconds: float = STOP_SECONDS) -> int | None:
        """Wait for the end of what was asked to end, all its children with it; its exit code."""
        if not self._leaving:
            return None
        try:
            return self._running().wait(seconds)
        except subprocess.TimeoutExpired:
            return self.kill()
        finally:
            self._end(self._leaving)
            self._leaving = set()

    def kill_descendants(self) -> None:
        """End what one that has ended by itself left behind."""
        if not self.alive:
            self._end(self._leaving | process_tree(self.pid))
            self._leaving = set()

    def kill(self) -> int | None:
        """End it at once with all its children (SIGKILL), as a crash would."""
        if not self.alive:
            return None
        # Frozen first, so that none starts another while the others are being ended.
        self._end(signal_tree(self.pid, signal.SIGSTOP))
        return self._running().wait()

    def pause(self) -> None:
        """Freeze it and its children (SIGSTOP): they keep their connections and answer nothing."""
        signal_tree(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let them go on (SIGCONT)."""
        signal_tree(self.pid, signal.SIGCONT)

    def process_tree(self) -> set[TreeMember]:
        """It and all its children, as of now."""
        return process_tree(self.pid) if self.alive else set()

    def tail(self) -> str:
        """The end of its log."""
        if not self.log.exists():
            return f"(no log at {self.log})"
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join([f"--- end of {self.log}", *lines])

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise HarnessError(f"{self.name} was never started")
        return self._process

    def _wrapper(self) -> list[str]:
        """What becomes the child: it sets the signal of our death last, for a change of user would clear it."""
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise HarnessError("setpriv is missing: install util-linux")
        user = self._user
        who = ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"] if user else []
        return [setpriv, *who, "--pdeathsig", self._orphan_signal.name.removeprefix("SIG"), "--"]

    def _end(self, members: set[TreeMember]) -> None:
        for member in members:
            member.send(signal.SIGKILL)
        deadline = time.monotonic() + GONE_SECONDS
        while left := [member.pid for member in members if member.alive]:
            if time.monotonic() > deadline:
                raise HarnessError(f"{self.name}: processes {left} outlived SIGKILL\n{self.tail()}")
            time.sleep(POLL_SECONDS)
