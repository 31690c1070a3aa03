"""Faults of pods in a cluster, injected by a scenario while a sitting is open or graded."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from exam_harness.environments.cluster.deploy import NAMESPACE, RELEASE
from exam_harness.environments.cluster.diagnostics import pod_names
from exam_harness.environments.cluster.kind import Cluster

COMPONENTS = ("solver", "cassandra", "operator", "grader")


class Target(Protocol):
    """A scenario's run into which faults are injected.

    Attributes:
        cluster: the cluster with the platform.
        echo: prints a line of output.
    """

    cluster: Cluster
    echo: Callable[[str], None]


Fault = Callable[[Target], Awaitable[None]]
"""Injects a fault into a run."""


def kill(*components: str) -> Fault:
    """Return a fault that deletes one pod of each component at once and without grace, as a failing machine would.

    Of the operator, it is the one that acts.
    """

    async def inject(target: Target) -> None:
        cluster = target.cluster
        victims = [await asyncio.to_thread(_victim, cluster, component) for component in components]
        delete = ("--namespace", NAMESPACE, "delete", "pod", *victims, "--grace-period=0", "--force", "--wait=false")
        await asyncio.to_thread(cluster.kubectl, *delete)
        target.echo(f"killed: {', '.join(victims)}")

    return inject


def _victim(cluster: Cluster, component: str) -> str:
    if component != "operator":
        return pod_names(cluster, component)[0]
    words = ("get", "lease", f"{RELEASE}-operator", "--output=jsonpath={.spec.holderIdentity}")
    return cluster.kubectl("--namespace", NAMESPACE, *words).strip()
