"""The cluster: made by kind, given its images, taken away again."""

import json
import os
import shutil
import socket
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from exam_harness.environments.builds.binaries import COREDNS, program
from exam_harness.environments.cluster.stale_resources import KINDS, stale_resources
from exam_harness.environments.docker.engine import Engine
from exam_harness.environments.processes.cache import Echo
from exam_harness.environments.processes.paths import KIND_SOURCES, REPOSITORY
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.processes.shell import run, succeeds
from exam_harness.waiting import eventually

NAME = "exam-platform"
NODE = f"{NAME}-control-plane"
HERE = REPOSITORY / "build/cluster"
"""What this clone keeps of the cluster: how to reach it, and with what."""
KUBECONFIG = HERE / "kubeconfig"
ENV = HERE / "env"
TOOLS = HERE / "bin"
SERVICE_RANGE = "10.96.0.0/16"
READY = "90s"
UP_SECONDS = 240
"""A cluster that went down with its machine starts everything at once."""
ANOTHER = "`make down` takes it away with all that is in it, `make up` makes another"
MADE = Path("/var/lib/exam-platform-made")
"""In the node: kind's work and ours was done to its end."""


class Cluster:
    """One kind cluster on a Docker engine.

    Args:
        engine: where its node runs.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.env = engine.env | {"KUBECONFIG": str(KUBECONFIG)}

    @property
    def subprocess_env(self) -> dict[str, str]:
        """The environment of a child that speaks to it, with the tools of the cluster's own versions first."""
        return {**os.environ, **self.env, "PATH": f"{TOOLS}:{os.environ['PATH']}"}

    def kubectl(self, *words: str, stdin: str | None = None, seconds: float = 120) -> str:
        """Run kubectl against it; its output."""
        return run([str(program("kubectl")), *words], env=self.env, stdin=stdin, seconds=seconds)

    def helm(self, *words: str, seconds: float = 600) -> str:
        """Run helm against it; its output."""
        return run([str(program("helm")), *words], env=self.env, seconds=seconds)

    def get(self, *words: str) -> dict[str, Any]:
        """What ``kubectl get`` has, as JSON."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *words, "--output=json"))
        return found

    def exists(self) -> bool:
        """Whether it is there."""
        return NAME in _clusters(self.engine)

    def resume(self, echo: Echo) -> bool:
        """Whether it is there and serves. One that went down with its engine or its machine has the time to get up.

        Raises:
            HarnessError: it is there, and does not get up.
        """
        if not self.exists():
            return False
        try:
            self.engine.docker("start", NODE)
        except HarnessError as error:
            raise HarnessError(f"the cluster that is here does not start: {error}\n{ANOTHER}") from error
        # What cannot be looked at is an error, and never taken for a cluster that nobody has used.
        if MADE.name not in self.engine.docker("exec", NODE, "ls", str(MADE.parent)).split():
            echo("a cluster is here whose making was interrupted")
            return False
        self._write_access()
        if self._not_up() is not None:
            echo("a cluster is here that is not up, as after its machine went down: waiting until it is")
            self._await_up()
        self._refuse_unknown_services()
        return True

    @property
    def port(self) -> int:
        """The loopback's port that its node's port 80 has."""
        return int(self.engine.docker("port", NODE, "80/tcp").split(":")[-1])

    def create(self, echo: Echo, *, image: str | None, port: int) -> None:
        """Make it, of kind's own node image or of one built from packages; `port` of the loopback is its port 80.

        Raises:
            HarnessError: the port is taken, or kind failed.
        """
        _check_port(port)
        echo("the cluster, by kind")
        HERE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="exam-kind-") as folder:
            config = Path(folder) / "cluster.yaml"
            config.write_text(yaml.safe_dump(configuration(from_packages=image is not None, port=port)))
            words = [
                "create",
                "cluster",
                f"--config={config}",
                f"--kubeconfig={KUBECONFIG}",
                f"--wait={READY}",
                "--quiet",
            ]
            self._kind(*words, *([f"--image={image}"] if image else []))
        self._refuse_unknown_services()
        self._write_access()
        self.engine.docker("exec", NODE, "touch", str(MADE))

    def _write_access(self) -> None:
        """Keep how to reach it in this clone, whichever clone made it: ``source build/cluster/env`` in a shell."""
        TOOLS.mkdir(parents=True, exist_ok=True)
        self._kind("export", "kubeconfig", f"--name={NAME}", f"--kubeconfig={KUBECONFIG}")
        for tool in ("kubectl", "helm", "kind"):
            link = TOOLS / tool
            link.unlink(missing_ok=True)
            link.symlink_to(program(tool))
        variables = self.env | {"PATH": f"{TOOLS}:$PATH"}
        ENV.write_text("".join(f'export {name}="{value}"\n' for name, value in variables.items()))

    def load(self, echo: Echo, images: list[str]) -> None:
        """Give it the images that it has not yet."""
        there = set(self.engine.docker("exec", NODE, "ctr", "--namespace=k8s.io", "images", "ls", "--quiet").split())
        missing = [image for image in images if image not in there]
        if missing:
            echo(f"{len(missing)} images into the cluster")
            self._kind("load", "docker-image", f"--name={NAME}", *missing)

    def delete(self, echo: Echo) -> None:
        """Take it away, its volumes with it; kind, which may not be built yet, would do no more."""
        if self.exists():
            echo("deleting the cluster")
            self.engine.docker("rm", "--force", "--volumes", NODE)
        if succeeds(["docker", "network", "inspect", "kind"], env=self.engine.env) and not _clusters(self.engine):
            self.engine.docker("network", "rm", "kind")
        if HERE.exists():
            shutil.rmtree(HERE)

    def _kind(self, *words: str) -> str:
        return run([str(program("kind")), *words], env=self.engine.env)

    def _await_up(self) -> None:
        try:
            eventually(lambda: self._not_up() is None, "the cluster that is here is up", seconds=UP_SECONDS, every=1)
        except TimeoutError as error:
            raise HarnessError(f"{error} ({self._not_up()})\n{ANOTHER}") from error

    def _not_up(self) -> str | None:
        """What is missing until all is as the API server says; nothing, when it is up."""
        try:
            self.kubectl("get", "--raw=/readyz")
            found = self.get(KINDS, "--all-namespaces")["items"]
        except HarnessError as error:
            return str(error)
        started = self.engine.docker("inspect", "--format={{.State.StartedAt}}", NODE).strip()
        old = stale_resources(datetime.fromisoformat(started), found)
        return f"nobody has looked since at {', '.join(old)}" if old else None

    def _refuse_unknown_services(self) -> None:
        """Refuse the address of a Service that nobody has programmed yet here, so that it is not answered elsewhere."""
        for chain in ("OUTPUT", "FORWARD"):
            rule = (chain, "-d", SERVICE_RANGE, "-j", "REJECT")
            words = ["exec", NODE, "iptables", "--wait"]
            if not succeeds(["docker", *words, "-C", *rule], env=self.engine.env):
                self.engine.docker(*words, "-A", *rule)


def _clusters(engine: Engine) -> set[str]:
    """The names of all clusters by kind; kind itself may not be built yet."""
    label = "io.x-k8s.kind.cluster"
    words = ("ps", "--all", f"--filter=label={label}", f'--format={{{{.Label "{label}"}}}}')
    return set(engine.docker(*words).split())


def configuration(*, from_packages: bool, port: int) -> dict[str, Any]:
    """The configuration of our cluster, as kind takes it."""
    whole: dict[str, Any] = yaml.safe_load((KIND_SOURCES / "cluster.yaml").read_text())
    whole["nodes"][0]["extraPortMappings"][0]["hostPort"] = port
    if from_packages:
        text = (KIND_SOURCES / "packages.yaml").read_text().replace("COREDNS_VERSION", COREDNS.version)
        whole |= yaml.safe_load(text)
    return whole


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise HarnessError(
                f"port {port} of 127.0.0.1 cannot be had ({error.strerror}): stop what listens there "
                f"(ss -ltnp 'sport = :{port}'), or choose another: make {{up,exam}} HTTP_PORT=8080"
            ) from None
