"""A kind cluster: create it, load images, resume it after a restart, delete it."""

import json
import os
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from exam_harness.environments.builds.binaries import COREDNS
from exam_harness.environments.builds.tools import TOOLS as PROGRAMS
from exam_harness.environments.builds.tools import tool
from exam_harness.environments.cluster.stale_resources import KINDS, stale_resources
from exam_harness.environments.docker.engine import Engine
from exam_harness.environments.processes.cache import Echo
from exam_harness.environments.processes.paths import KIND_SOURCES, REPOSITORY
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.processes.shell import run, succeeds
from exam_harness.waiting import eventually

NAME = "exam-platform"
NODE = f"{NAME}-control-plane"
CLUSTER_FOLDER = REPOSITORY / "build/cluster"
"""The kubeconfig and tools of the cluster in this clone."""
KUBECONFIG = CLUSTER_FOLDER / "kubeconfig"
ENV = CLUSTER_FOLDER / "env"
TOOLS = CLUSTER_FOLDER / "bin"
SERVICE_RANGE = "10.96.0.0/16"
READY = "90s"
UP_SECONDS = 240
"""A cluster that restarts with its machine starts everything at once."""
RECREATE_HINT = "run `make down` to delete it with all its data, and `make up` to create another"
COMPLETE_MARK = Path("/var/lib/exam-platform-made")
"""A file in the node: the cluster was created completely."""


class Cluster:
    """One kind cluster on a Docker engine.

    Args:
        engine: the Docker engine that runs its node.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.env = engine.env | {"KUBECONFIG": str(KUBECONFIG)}

    @property
    def subprocess_env(self) -> dict[str, str]:
        """The environment of a child process that uses the cluster, with tools of its versions first on the PATH."""
        return {**os.environ, **self.env, "PATH": f"{TOOLS}:{os.environ['PATH']}"}

    def kubectl(self, *arguments: str, stdin: str | None = None, seconds: float = 120) -> str:
        """Run kubectl on the cluster and return its output."""
        return run([str(tool("kubectl")), *arguments], env=self.env, stdin=stdin, seconds=seconds)

    def helm(self, *arguments: str, seconds: float = 600) -> str:
        """Run helm on the cluster and return its output."""
        return run([str(tool("helm")), *arguments], env=self.env, seconds=seconds)

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return the output of ``kubectl get`` as parsed JSON."""
        parsed: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "--output=json"))
        return parsed

    def exists(self) -> bool:
        """Return whether the cluster exists."""
        return NAME in _clusters(self.engine)

    def resume(self, echo: Echo) -> bool:
        """Start an existing cluster and wait until it is ready, also after its engine or machine restarted.

        Returns:
            Whether a complete cluster exists.

        Raises:
            HarnessError: it exists and cannot be inspected, or does not become ready.
        """
        if not self.exists():
            return False
        try:
            self.engine.docker("start", NODE)
        except HarnessError as error:
            raise HarnessError(f"the existing cluster does not start: {error}\n{RECREATE_HINT}") from error
        # A cluster that cannot be inspected is an error; it must not be mistaken for an incomplete one and deleted.
        if COMPLETE_MARK.name not in self.engine.docker("exec", NODE, "ls", str(COMPLETE_MARK.parent)).split():
            echo("the existing cluster is incomplete: its creation was interrupted")
            return False
        self._write_access()
        if self._unready_reason() is not None:
            echo("the existing cluster is not ready, as after a restart of its machine: waiting")
            self._await_ready()
        self._reject_unprogrammed_services()
        return True

    @property
    def port(self) -> int:
        """The loopback port that is mapped to port 80 of its node."""
        return int(self.engine.docker("port", NODE, "80/tcp").split(":")[-1])

    def create(self, echo: Echo, *, image: str | None, port: int) -> None:
        """Create it with kind's own node image or one built from packages; `port` maps to port 80 of its node.

        Raises:
            HarnessError: kind failed.
        """
        echo("creating the cluster with kind")
        CLUSTER_FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="exam-kind-") as folder:
            config = Path(folder) / "cluster.yaml"
            config.write_text(yaml.safe_dump(configuration(from_packages=image is not None, port=port)))
            create = [
                "create",
                "cluster",
                f"--config={config}",
                f"--kubeconfig={KUBECONFIG}",
                f"--wait={READY}",
                "--quiet",
            ]
            self._kind(*create, *([f"--image={image}"] if image else []))
        self._reject_unprogrammed_services()
        self._write_access()
        self.engine.docker("exec", NODE, "touch", str(COMPLETE_MARK))

    def _write_access(self) -> None:
        """Write kubeconfig, tools and ``build/cluster/env`` into this clone, also if another clone created it."""
        TOOLS.mkdir(parents=True, exist_ok=True)
        self._kind("export", "kubeconfig", f"--name={NAME}", f"--kubeconfig={KUBECONFIG}")
        for name in PROGRAMS:
            link = TOOLS / name
            link.unlink(missing_ok=True)
            link.symlink_to(tool(name))
        variables = self.env | {"PATH": f"{TOOLS}:$PATH"}
        ENV.write_text("".join(f'export {name}="{value}"\n' for name, value in variables.items()))

    def load(self, echo: Echo, images: list[str]) -> None:
        """Load the images that its node lacks."""
        loaded = set(self.engine.docker("exec", NODE, "ctr", "--namespace=k8s.io", "images", "ls", "--quiet").split())
        missing = [image for image in images if image not in loaded]
        if missing:
            echo(f"loading {len(missing)} images into the cluster")
            self._kind("load", "docker-image", f"--name={NAME}", *missing)

    def delete(self, echo: Echo) -> None:
        """Delete it with its volumes, by docker alone because kind may not be built."""
        if self.exists():
            echo("deleting the cluster")
            self.engine.docker("rm", "--force", "--volumes", NODE)
        if succeeds(["docker", "network", "inspect", "kind"], env=self.engine.env) and not _clusters(self.engine):
            self.engine.docker("network", "rm", "kind")
        if CLUSTER_FOLDER.exists():
            shutil.rmtree(CLUSTER_FOLDER)

    def _kind(self, *arguments: str) -> str:
        return run([str(tool("kind")), *arguments], env=self.engine.env)

    def _await_ready(self) -> None:
        try:
            eventually(
                lambda: self._unready_reason() is None, "the existing cluster is ready", seconds=UP_SECONDS, interval=1
            )
        except TimeoutError as error:
            raise HarnessError(f"{error} ({self._unready_reason()})\n{RECREATE_HINT}") from error

    def _unready_reason(self) -> str | None:
        """Return why it is not ready, or None: the API server is not ready, or statuses are stale after a restart."""
        try:
            self.kubectl("get", "--raw=/readyz")
            resources = self.get(KINDS, "--all-namespaces")["items"]
        except HarnessError as error:
            return str(error)
        started = self.engine.docker("inspect", "--format={{.State.StartedAt}}", NODE).strip()
        stale = stale_resources(datetime.fromisoformat(started), resources)
        return f"stale statuses: {', '.join(stale)}" if stale else None

    def _reject_unprogrammed_services(self) -> None:
        """Reject Service IPs for which kube-proxy has no rules yet, so that they are not routed to the outside."""
        for chain in ("OUTPUT", "FORWARD"):
            rule = (chain, "-d", SERVICE_RANGE, "-j", "REJECT")
            iptables = ["exec", NODE, "iptables", "--wait"]
            if not succeeds(["docker", *iptables, "-C", *rule], env=self.engine.env):
                self.engine.docker(*iptables, "-A", *rule)


def _clusters(engine: Engine) -> set[str]:
    """Return the names of all kind clusters, by docker alone because kind may not be built."""
    label = "io.x-k8s.kind.cluster"
    query = ("ps", "--all", f"--filter=label={label}", f'--format={{{{.Label "{label}"}}}}')
    return set(engine.docker(*query).split())


def configuration(*, from_packages: bool, port: int) -> dict[str, Any]:
    """Return the cluster's kind configuration."""
    config: dict[str, Any] = yaml.safe_load((KIND_SOURCES / "cluster.yaml").read_text())
    config["nodes"][0]["extraPortMappings"][0]["hostPort"] = port
    if from_packages:
        text = (KIND_SOURCES / "packages.yaml").read_text().replace("COREDNS_VERSION", COREDNS.version)
        config |= yaml.safe_load(text)
    return config
