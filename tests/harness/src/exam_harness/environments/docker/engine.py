"""The Docker engine: this machine's own where one runs, otherwise one from Debian's packages that we start and stop.

Ours has a socket, a process id file and a data folder of its own, so that it is told apart from anybody else's and its
images survive it. What the host lacks itself (CAP_SYS_RESOURCE, echo) its containers do without: see
`k8s/offline/docker/runc-as-allowed`.
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

PACKAGES = ("docker.io", "iptables", "debootstrap", "gcc", "libc6-dev")
"""What the cluster needs of Debian where no Docker engine runs."""
RUN = Path("/run/exam-platform")
SOCKET = RUN / "docker.sock"
PID_FILE = RUN / "docker.pid"
BEFORE = RUN / "network-before.json"
LOG = RUN / "docker.log"
POLICY = Path("/usr/sbin/policy-rc.d")
"""Debian's own way to say that a package may not start its service."""
RUNTIME = OFFLINE_SOURCES / "docker/runc-as-allowed"
READY_SECONDS = 60
STOP_SECONDS = 60
LEAST_FREE_BYTES = 12 * 1024**3


@dataclass(frozen=True)
class Engine:
    """A running Docker engine.

    Attributes:
        host: its address; empty for the one that `docker` finds by itself.
        ours: whether we started it.
    """

    host: str
    ours: bool

    @property
    def env(self) -> dict[str, str]:
        """What docker, kind and the like need to find it; the plain builder is what Debian's engine has."""
        return {"DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "0"} if self.host else {}

    def docker(self, *words: str, stdin: str | None = None, seconds: float = 900) -> str:
        """Run docker against it; its output."""
        return run(["docker", *words], env=self.env, stdin=stdin, seconds=seconds)

    def has_image(self, name: str) -> bool:
        """Whether it has an image of that name."""
        return succeeds(["docker", "image", "inspect", name], env=self.env)


def running() -> Engine | None:
    """The engine that runs on this machine: anybody's, or ours."""
    if succeeds(["docker", "info"], seconds=20):
        return Engine(os.environ.get("DOCKER_HOST", ""), ours=os.environ.get("DOCKER_HOST") == f"unix://{SOCKET}")
    ours = Engine(f"unix://{SOCKET}", ours=True)
    return ours if succeeds(["docker", "info"], env=ours.env, seconds=20) else None


def bring_up(echo: Echo) -> Engine:
    """The engine that runs, or ours, installed and started."""
    present = running()
    if present is not None:
        return present
    if os.geteuid() != 0:
        raise HarnessError(
            "no Docker engine answers, and to install and start one takes root: start Docker, let this user use it "
            "(the group docker), or run the same command as root"
        )
    _install(echo)
    return _start(echo)


def check_space(folder: Path) -> None:
    """Make sure that there is room for images and volumes.

    Raises:
        HarnessError: there is not; it says how much is missing, and where.
    """
    there = folder
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if free < LEAST_FREE_BYTES:
        raise HarnessError(
            f"{there} has {free / 1024**3:.1f} GiB free and the cluster's images and volumes need "
            f"{LEAST_FREE_BYTES / 1024**3:.0f} GiB: make room, or name another folder with EXAM_CACHE_DIR"
        )


def stop(echo: Echo) -> None:
    """Stop our engine and take away what it added to this machine's network; its images stay in the cache."""
    pid = int(PID_FILE.read_text())
    echo("stopping the Docker engine")
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: _has_ended(pid), "the Docker engine has ended", seconds=STOP_SECONDS)
    before = HostState.load(BEFORE)
    before.restore()
    shutil.rmtree(RUN)


def _has_ended(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True
    # Ended, and not yet noticed by whoever is its parent.
    return "State:\tZ" in status


def _install(echo: Echo) -> None:
    missing = [name for name in PACKAGES if not _is_installed(name)]
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise HarnessError(
            "no Docker engine answers and this is no Debian: install and start Docker, then run this again"
        )
    echo(f"installing from Debian's packages: {', '.join(missing)}")
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
    """Let packages be installed without starting what they bring: an engine that nobody configured, here."""
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
    clean_up(echo)
    HostState.present().save(BEFORE)
    engine = Engine(f"unix://{SOCKET}", ours=True)
    words = [
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
        # It outlives us on purpose, the cluster is there until `make down`; so it is not our child.
        subprocess.run(
            ["/usr/bin/setsid", "--fork", *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=True,
            cwd="/",
        )
    try:
        eventually(
            lambda: succeeds(["docker", "info"], env=engine.env, seconds=20),
            "the Docker engine answers",
            seconds=READY_SECONDS,
        )
    except TimeoutError as error:
        end = "\n".join(LOG.read_text().splitlines()[-LOG_TAIL_LINES:])
        raise HarnessError(f"{error}\n{end}") from error
    return engine


def clean_up(echo: Echo) -> None:
    """Take away what an engine of ours left that was killed, or went down with the machine.

    Raises:
        HarnessError: it has not ended.
    """
    if PID_FILE.exists():
        pid = PID_FILE.read_text().strip()
        name = Path(f"/proc/{pid}/comm")
        if name.exists() and name.read_text().strip() == "dockerd":
            raise HarnessError(f"our Docker engine (process {pid}) runs and does not answer: see {LOG}, or end it")
        PID_FILE.unlink()
    if BEFORE.exists():
        echo("clearing up after an engine that was not stopped in order")
        HostState.load(BEFORE).restore()


def _runtime() -> Path:
    """The runtime where the engine finds it for as long as it runs: a clone may be moved or removed."""
    copy = RUN / RUNTIME.name
    shutil.copy(RUNTIME, copy)
    return copy
