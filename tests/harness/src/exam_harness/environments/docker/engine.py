"""The Docker engine: the running one, or else an engine from Debian packages that is started and stopped here.

An engine started here has a socket, a PID file and a data folder of its own, so that it is never confused with another
engine and its images survive it. Its containers go without capabilities that the host lacks (CAP_SYS_RESOURCE, for
example): see `k8s/offline/docker/runc-as-allowed`.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from exam_harness.environments.docker.host_state import HostState
from exam_harness.environments.processes.cache import Echo
from exam_harness.environments.processes.paths import OFFLINE_SOURCES, cache
from exam_harness.environments.processes.process import LOG_TAIL_LINES, HarnessError
from exam_harness.environments.processes.shell import run, succeeds
from exam_harness.waiting import eventually

PACKAGES = ("docker.io", "iptables", "iproute2", "debootstrap", "gcc", "libc6-dev")
"""Debian packages that a cluster needs where no Docker engine is running."""
RUN = Path("/run/exam-platform")
SOCKET = RUN / "docker.sock"
PID_FILE = RUN / "docker.pid"
STATE_BEFORE = RUN / "network-before.json"
LOG = RUN / "docker.log"
POLICY = Path("/usr/sbin/policy-rc.d")
"""A policy script with which Debian packages do not start their services on installation."""
RUNTIME = OFFLINE_SOURCES / "docker/runc-as-allowed"
READY_SECONDS = 60
STOP_SECONDS = 60
REQUIRED_FREE_BYTES = 12 * 1024**3


@dataclass(frozen=True)
class Engine:
    """A running Docker engine.

    Attributes:
        host: its address as in DOCKER_HOST; empty for docker's default.
        managed: whether it was started here, by `start_or_connect`.
    """

    host: str
    managed: bool

    @property
    def env(self) -> dict[str, str]:
        """Variables for docker, kind and others to connect to it; Debian's engine has the legacy builder only."""
        return {"DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "0"} if self.host else {}

    def docker(self, *arguments: str, stdin: str | None = None, seconds: float = 900) -> str:
        """Run a docker command and return its output."""
        return run(["docker", *arguments], env=self.env, stdin=stdin, seconds=seconds)

    def has_image(self, name: str) -> bool:
        """Return whether it has an image of that name."""
        return succeeds(["docker", "image", "inspect", name], env=self.env)


def find_running() -> Engine | None:
    """Return the engine that is running on this machine, if any."""
    if succeeds(["docker", "info"], seconds=20):
        return Engine(os.environ.get("DOCKER_HOST", ""), managed=os.environ.get("DOCKER_HOST") == f"unix://{SOCKET}")
    managed = Engine(f"unix://{SOCKET}", managed=True)
    return managed if succeeds(["docker", "info"], env=managed.env, seconds=20) else None


def start_or_connect(echo: Echo) -> Engine:
    """Return the running engine; if there is none, install and start one.

    Raises:
        HarnessError: installing one requires root and Debian.
    """
    present = find_running()
    if present is not None:
        return present
    if os.geteuid() != 0:
        raise HarnessError(
            "cannot connect to a Docker engine, and installing one requires root: start Docker, add this user to the "
            "group docker, or run the same command as root"
        )
    _install(echo)
    return _start(echo)


def check_space(folder: Path) -> None:
    """Check that the disk has space for images and volumes.

    Raises:
        HarnessError: there is too little space.
    """
    existing = folder
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if free < REQUIRED_FREE_BYTES:
        raise HarnessError(
            f"{existing} has {free / 1024**3:.1f} GiB free and the cluster's images and volumes need "
            f"{REQUIRED_FREE_BYTES / 1024**3:.0f} GiB: free some space, or set EXAM_CACHE_DIR to another folder"
        )


def stop(echo: Echo) -> None:
    """Stop the managed engine and undo its changes to the host's network; its images stay in the cache."""
    pid = int(PID_FILE.read_text())
    echo("stopping the Docker engine")
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: _has_ended(pid), "the Docker engine has ended", seconds=STOP_SECONDS)
    before = HostState.load(STATE_BEFORE)
    before.restore()
    shutil.rmtree(RUN)


def _has_ended(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True
    # A zombie: ended, and not yet reaped by its parent.
    return "State:\tZ" in status


def _install(echo: Echo) -> None:
    missing = [name for name in PACKAGES if not _is_installed(name)]
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise HarnessError(
            "cannot connect to a Docker engine, and this is not Debian: install and start Docker, then run this again"
        )
    echo(f"installing Debian packages: {', '.join(missing)}")
    run(["apt-get", "update", "-q"])
    with _no_service_starts():
        run(
            ["apt-get", "install", "-qy", "--no-install-recommends", *missing],
            env={"DEBIAN_FRONTEND": "noninteractive"},
        )


def _is_installed(package: str) -> bool:
    return (
        succeeds(["dpkg-query", "--show", "--showformat=${db:Status-Status}", package])
        and run(["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]) == "installed"
    )


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Prevent Debian packages from starting their services: the engine's would run unconfigured."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def _start(echo: Echo) -> Engine:
    echo("starting the Docker engine")
    check_space(cache())
    RUN.mkdir(exist_ok=True)
    clean_up_after_crash(echo)
    HostState.capture().save(STATE_BEFORE)
    engine = Engine(f"unix://{SOCKET}", managed=True)
    command = [
        "dockerd",
        f"--host={engine.host}",
        f"--data-root={cache() / 'docker'}",
        f"--exec-root={RUN / 'docker'}",
        f"--pidfile={PID_FILE}",
        "--oom-score-adjust=0",
        f"--add-runtime=as-allowed={_runtime()}",
        "--default-runtime=as-allowed",
    ]
    with LOG.open("wb") as log:
        # Not a child of this process: it runs until `make down`.
        subprocess.run(
            ["/usr/bin/setsid", "--fork", *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=True,
            cwd="/",
        )
    try:
        eventually(
            lambda: succeeds(["docker", "info"], env=engine.env, seconds=20),
            "the Docker engine is ready",
            seconds=READY_SECONDS,
        )
    except TimeoutError as error:
        tail = "\n".join(LOG.read_text().splitlines()[-LOG_TAIL_LINES:])
        raise HarnessError(f"{error}\n{tail}") from error
    return engine


def clean_up_after_crash(echo: Echo) -> None:
    """Remove what a managed engine left behind that was killed or went down with the machine.

    Raises:
        HarnessError: the engine is still running.
    """
    if PID_FILE.exists():
        pid = PID_FILE.read_text().strip()
        name = Path(f"/proc/{pid}/comm")
        if name.exists() and name.read_text().strip() == "dockerd":
            raise HarnessError(f"the Docker engine (process {pid}) is not responding: see {LOG}, or stop it")
        PID_FILE.unlink()
    if STATE_BEFORE.exists():
        echo("cleaning up after an engine that was not stopped")
        HostState.load(STATE_BEFORE).restore()


def _runtime() -> Path:
    """Copy the OCI runtime to a path outside the clone, which may be moved or removed while the engine runs."""
    copy = RUN / RUNTIME.name
    shutil.copy(RUNTIME, copy)
    return copy
