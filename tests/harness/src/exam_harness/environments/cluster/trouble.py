"""What may happen to a platform in a cluster while people depend on it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from exam_harness.environments.cluster.deploy import NAMESPACE, RELEASE
from exam_harness.environments.cluster.kind import Cluster
from exam_harness.environments.processes.process import StackError
from exam_harness.scenarios.cluster.scenario import Sitting

RECOVER_SECONDS = 120
COMPONENTS = ("solver", "cassandra", "operator", "grader")
LOG_LINES = 400


def pods(cluster: Cluster, component: str) -> list[str]:
    """The names of a component's pods, oldest first."""
    selector = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component={component}"
    words = ("--namespace", NAMESPACE, "pods", "--selector", selector, "--sort-by=.metadata.creationTimestamp")
    return [each["metadata"]["name"] for each in cluster.get(*words)["items"]]


def kill(*components: str) -> Callable[[Sitting], Awaitable[None]]:
    """End one pod of each of some components at once and without grace, as a machine that fails would."""

    async def trouble(sitting: Sitting) -> None:
        cluster = sitting.cluster
        victims = [(await asyncio.to_thread(pods, cluster, component))[0] for component in components]
        words = ("--namespace", NAMESPACE, "delete", "pod", *victims, "--grace-period=0", "--force", "--wait=false")
        await asyncio.to_thread(cluster.kubectl, *words)
        sitting.say(f"killed: {', '.join(victims)}")

    return trouble


def together(*troubles: Callable[[Sitting], Awaitable[None]]) -> Callable[[Sitting], Awaitable[None]]:
    """Several troubles, one after the other."""

    async def trouble(sitting: Sitting) -> None:
        for each in troubles:
            await each(sitting)

    return trouble


def await_whole(cluster: Cluster) -> None:
    """Wait until every part is ready again."""
    for kind in ("statefulset", "deployment"):
        for name in cluster.kubectl("--namespace", NAMESPACE, "get", kind, "--output=name").split():
            words = ("--namespace", NAMESPACE, "rollout", "status", name, f"--timeout={RECOVER_SECONDS}s")
            cluster.kubectl(*words, seconds=RECOVER_SECONDS + 30)


def dump(cluster: Cluster, folder: Path) -> None:
    """Write what a person needs to find out what went wrong: resources, events, and the log of every container."""
    folder.mkdir(parents=True, exist_ok=True)
    sights: Sequence[tuple[str, tuple[str, ...]]] = (
        ("pods.txt", ("get", "pods", "--all-namespaces", "--output=wide")),
        ("events.txt", ("get", "events", "--all-namespaces", "--sort-by=.metadata.creationTimestamp")),
        ("exams.yaml", ("get", "exams", "--all-namespaces", "--output=yaml")),
        ("described.txt", ("--namespace", NAMESPACE, "describe", "pods,jobs,horizontalpodautoscalers,deployments")),
    )
    for name, words in sights:
        (folder / name).write_text(_told(cluster, *words))
    for each in cluster.get("--namespace", NAMESPACE, "pods")["items"]:
        pod = each["metadata"]["name"]
        words = ("--namespace", NAMESPACE, "logs", pod, "--all-containers", f"--tail={LOG_LINES}", "--prefix")
        (folder / f"{pod}.log").write_text(_told(cluster, *words))
        if any(status.get("restartCount") for status in each["status"].get("containerStatuses", [])):
            (folder / f"{pod}.before.log").write_text(_told(cluster, *words, "--previous"))
    (folder / "when.txt").write_text(time.strftime("%Y-%m-%dT%H:%M:%SZ\n", time.gmtime()))


def _told(cluster: Cluster, *words: str) -> str:
    """What kubectl says, or why it cannot: a pod may be gone by now, and the rest is worth having."""
    try:
        return cluster.kubectl(*words)
    except StackError as error:
        return f"{error}\n"
