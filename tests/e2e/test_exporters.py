"""Exporters of the stores in a cluster: their images, users and connections."""

import httpx

from exam_harness.environments.cluster.deploy import (
    CHART,
    NAMESPACE,
    RELEASE,
    WAIT,
    await_platform,
    chart_arguments,
    component_selector,
)
from exam_harness.environments.cluster.diagnostics import await_recovery
from exam_harness.waiting import eventually

UP = {"postgres": (9187, "pg_up 1"), "redis": (9121, "redis_up 1"), "cassandra": (9142, "exam_cassandra_up{")}


def test_every_store_is_up(platform, access) -> None:
    """If I enable exporters, each logs in to its store and says that it is up; without them, they are gone."""
    cluster = platform.cluster
    words = chart_arguments(
        tags=platform.tags, from_packages=platform.from_packages, port=platform.port, hosts=platform.hosts
    )
    upgrade = ("upgrade", RELEASE, str(CHART), *words)
    cluster.helm(*upgrade, "--set=exporters.enabled=true")
    try:
        await_platform(cluster, lambda _: None)
        roles = ("job", "--selector", component_selector("monitoring-roles"), WAIT)
        cluster.kubectl("-n", NAMESPACE, "wait", "--for=condition=complete", *roles, seconds=300)
        for store, (port, line) in UP.items():
            with access.forwarded(f"{store}-exporter", port) as local:
                url = f"http://127.0.0.1:{local}/metrics"

                def up(url=url, line=line) -> bool:
                    text = httpx.get(url, trust_env=False, timeout=30).text
                    return any(each.startswith(line) and each.endswith(("1", "1.0")) for each in text.splitlines())

                eventually(up, f"{store} is up", seconds=60)
    finally:
        cluster.helm(*upgrade)
        await_platform(cluster, lambda _: None)
    await_recovery(cluster)
    left = cluster.get("-n", NAMESPACE, "deployments", f"--selector={component_selector('postgres-exporter')}")
    assert left["items"] == []
