"""Start, pause and kill child processes, and leave no descendant running."""

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
KILL_SECONDS = 10


class HarnessError(Exception):
    """An environment failed; the message ends with the log or output of the part that failed."""


class ChildProcess:
    """A child process in a session of its own that writes to a log file and runs in the log's folder.

    The kernel kills it when the thread that started it ends (PR_SET_PDEATHSIG), so that no child outlives a killed test
    run. Therefore only its owner may start it, a thread that lives as long as the child is needed.

    Args:
        name: its name in messages.
        argv: the command line.
        log: the file for its output; a restart appends.
        env: its complete environment.
        user: the user to run as; by default the current one.
        stop_signal: the signal for a graceful stop.
        orphan_signal: the signal the kernel sends when the parent thread ends. A server that has to clean up, or whose
            children would survive it, needs one that it can handle.
        owner: the thread that starts it; by default the main thread.
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
        owner: threading.Thread | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._argv = list(argv)
        self._env = dict(env)
        self._user = user
        self._stop_signal = stop_signal
        self._orphan_signal = orphan_signal
        self._owner = owner or threading.main_thread()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping: set[TreeMember] = set()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether it is running or paused."""
        return self._process is not None and self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal as in `subprocess`; None while it is running."""
        return self._running().poll()

    def start(self) -> None:
        """Start it; returns before it is ready."""
        if self.alive:
            raise HarnessError(f"{self.name} is already running")
        if threading.current_thread() is not self._owner:
            raise HarnessError(f"{self.name} would end with this thread: start it from thread {self._owner.name}")
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
        """Poll `ready` until it returns true.

        Raises:
            HarnessError: the child ended or the timeout passed; the message has the end of its log.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.alive:
                raise HarnessError(f"{self.name} ended with code {self._running().returncode}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise HarnessError(f"{self.name} was not ready after {seconds:.0f} s\n{self.tail()}")
            time.sleep(POLL_SECONDS)

    def stop(self, *, seconds: float = STOP_SECONDS) -> int | None:
        """Stop it gracefully, kill it if it has not ended after `seconds`, and return the exit code."""
        self.terminate()
        return self.await_exit(seconds=seconds)

    def terminate(self) -> None:
        """Send the stop signal; `await_exit` waits and enforces it."""
        if self.alive and not self._stopping:
            self._stopping = signal_tree(self.pid, signal.SIGCONT)
            self._running().send_signal(self._stop_signal)

    def await_exit(self, *, seconds: float = STOP_SECONDS) -> int | None:
        """Wait until it has ended after `terminate`, kill remaining descendants, and return the exit code."""
        if not self._stopping:
            return None
        try:
            return self._running().wait(seconds)
        except subprocess.TimeoutExpired:
            return self.kill()
        finally:
            self._kill_all(self._stopping)
            self._stopping = set()

    def kill_descendants(self) -> None:
        """Kill the descendants that a child which ended by itself has left running."""
        if not self.alive:
            self._kill_all(self._stopping | process_tree(self.pid))
            self._stopping = set()

    def kill(self) -> int | None:
        """Kill it with all its descendants (SIGKILL), as a crash would; return the exit code."""
        if not self.alive:
            return None
        # Stop all first, so that none forks while the others are being killed.
        self._kill_all(signal_tree(self.pid, signal.SIGSTOP))
        return self._running().wait()

    def pause(self) -> None:
        """Suspend it and its descendants (SIGSTOP): connections stay open, requests get no answer."""
        signal_tree(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Resume it and its descendants (SIGCONT)."""
        signal_tree(self.pid, signal.SIGCONT)

    def process_tree(self) -> set[TreeMember]:
        """Return a snapshot of the process and its descendants."""
        return process_tree(self.pid) if self.alive else set()

    def tail(self) -> str:
        """Return the last lines of its log."""
        if not self.log.exists():
            return f"(no log at {self.log})"
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join([f"--- end of {self.log}", *lines])

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise HarnessError(f"{self.name} has not been started")
        return self._process

    def _wrapper(self) -> list[str]:
        """Return the wrapper command; it sets the parent-death signal last, because a change of user clears it."""
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise HarnessError("setpriv is missing: install util-linux")
        user = self._user
        identity = ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"] if user else []
        return [setpriv, *identity, "--pdeathsig", self._orphan_signal.name.removeprefix("SIG"), "--"]

    def _kill_all(self, members: set[TreeMember]) -> None:
        for member in members:
            member.send(signal.SIGKILL)
        deadline = time.monotonic() + KILL_SECONDS
        while remaining := [member.pid for member in members if member.alive]:
            if time.monotonic() > deadline:
                raise HarnessError(f"{self.name}: processes {remaining} survived SIGKILL\n{self.tail()}")
            time.sleep(POLL_SECONDS)
