"""One child process: started, watched, paused, killed, and never left behind."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

POLL_SECONDS = 0.05
LOG_TAIL_LINES = 25


class StackError(Exception):
    """A part of the stack did not do what it should; the message has the end of its log."""


class Child:
    """A child process in a group of its own, its output in a log file.

    It must be started from the main thread, or one that lives as long: the kernel ends it when the thread that started
    it is gone, so that nothing outlives a killed test run.

    Args:
        name: what messages call it.
        argv: the command line.
        log: where its output goes; a restart appends.
        env: its whole environment.
        user: the user to run as, when not the present one.
        cwd: the folder it starts in, when not the present one.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str],
        user: str | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._argv = list(argv)
        self._env = dict(env)
        self._user = user
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

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
            raise StackError(f"{self.name} is already running")
        setpriv = shutil.which("setpriv") or "/usr/bin/setpriv"
        user = ["--reuid", self._user, "--regid", self._user, "--clear-groups"] if self._user else []
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [setpriv, *user, "--pdeathsig", "KILL", "--", *self._argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self._cwd,
                start_new_session=True,
            )

    def await_ready(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Wait until `ready` says so; the child's death or the deadline is an error with its log."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.alive:
                raise StackError(f"{self.name} ended with code {self._running().returncode}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} was not ready after {seconds:.0f} s\n{self.tail()}")
            time.sleep(POLL_SECONDS)

    def stop(self, *, seconds: float = 20) -> int | None:
        """Ask it to end (SIGTERM), wait, and end it (SIGKILL) when it does not; its exit code."""
        if not self.alive:
            return None
        self.resume()
        self._running().terminate()
        try:
            return self._running().wait(seconds)
        except subprocess.TimeoutExpired:
            return self.kill()
        finally:
            self._end_group()

    def terminate(self) -> None:
        """Ask it to end (SIGTERM) and do not wait."""
        if self.alive:
            self._running().terminate()

    def sweep(self) -> None:
        """End what an ended one left behind in its group."""
        if not self.alive:
            self._end_group()

    def kill(self) -> int | None:
        """End it at once (SIGKILL), as a crash would."""
        if not self.alive:
            return None
        self._end_group()
        return self._running().wait()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): it keeps its connections and answers nothing."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        os.killpg(self.pid, signal.SIGCONT)

    def tail(self) -> str:
        """The end of its log."""
        if not self.log.exists():
            return f"(no log at {self.log})"
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join([f"--- end of {self.log}", *lines])

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise StackError(f"{self.name} was never started")
        return self._process

    def _end_group(self) -> None:
        # Its own children (worker processes) share its group; the group may be gone already.
        try:
            os.killpg(self._running().pid, signal.SIGKILL)
        except ProcessLookupError:
            return
