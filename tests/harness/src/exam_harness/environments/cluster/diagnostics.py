"""Pods of the platform in a cluster: find them, wait until they recover, dump their state when a test fails."""

import time
from pathlib import Path

from exam_harness.environments.cluster.deploy import NAMESPACE, await_rollouts, component_selector
from exam_harness.environments.cluster.kind import Cluster
from exam_harness.environments.processes.process import HarnessError

RECOVER_SECONDS = 120
LOG_LINES = 400
DUMPS = {
    "pods.txt": ("get", "pods", "--all-namespaces", "--output=wide"),
    "events.txt": ("get", "events", "--all-namespaces", "--sort-by=.metadata.creationTimestamp"),
    "exams.yaml": ("get", "exams", "--all-namespaces", "--output=yaml"),
    "described.txt": ("--namespace", NAMESPACE, "describe", "pods,jobs,horizontalpodautoscalers,deployments"),
}
"""Files of a dump, and the kubectl arguments that print them."""


def pod_names(cluster: Cluster, component: str) -> list[str]:
    """Return the names of a component's pods, oldest first."""
    query = ("pods", "--selector", component_selector(component), "--sort-by=.metadata.creationTimestamp")
    return [pod["metadata"]["name"] for pod in cluster.get("--namespace", NAMESPACE, *query)["items"]]


def await_recovery(cluster: Cluster) -> None:
    """Wait until every part of the platform is ready again after a fault."""
    await_rollouts(cluster, seconds=RECOVER_SECONDS)


def dump_diagnostics(cluster: Cluster, folder: Path) -> None:
    """Write resources, events and the log of every container into a folder, for debugging a failed test."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, arguments in DUMPS.items():
        (folder / name).write_text(_output_or_error(cluster, *arguments))
    for pod in cluster.get("--namespace", NAMESPACE, "pods")["items"]:
        name = pod["metadata"]["name"]
        logs = ("--namespace", NAMESPACE, "logs", name, "--all-containers", f"--tail={LOG_LINES}", "--prefix")
        (folder / f"{name}.log").write_text(_output_or_error(cluster, *logs))
        if any(status.get("restartCount") for status in pod["status"].get("containerStatuses", [])):
            (folder / f"{name}.before.log").write_text(_output_or_error(cluster, *logs, "--previous"))
    (folder / "when.txt").write_text(time.strftime("%Y-%m-%dT%H:%M:%SZ\n", time.gmtime()))


def _output_or_error(cluster: Cluster, *arguments: str) -> str:
    """Return what kubectl prints, or its error: a pod may be gone by now, and the rest is still worth dumping."""
    try:
        return cluster.kubectl(*arguments)
    except HarnessError as error:
        return f"{error}\n"
