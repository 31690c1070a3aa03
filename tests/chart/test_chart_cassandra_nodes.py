"""Cassandra's racks and nodes on an existing release: what an upgrade refuses, and how nodes are added."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from exam_harness.chart.render import RELEASE, RenderError
from exam_harness.environments.builds.binaries import program
from exam_harness.environments.processes.paths import REPOSITORY

PAGE = (REPOSITORY / "docs/operations.md").read_text()
(SECTION,) = re.findall(r"## Grow Cassandra\n(.*?)\n## ", PAGE, re.DOTALL)
GROW, SHRINK = re.findall(r"```text\n(.*?)```", SECTION, re.DOTALL)

pytestmark = pytest.mark.integration


def test_racks_and_copies_cannot_change(
    control_plane, kube_node, kube_namespace: str, cassandra_upgrade, cassandra_apply
) -> None:
    """If I upgrade or reinstall with other racks, helm says what data there is, changes nothing and names the way."""
    assert cassandra_upgrade(racks=["a", "b", "c"]), "there is no data yet"
    cassandra_apply(cassandra_upgrade())
    assert cassandra_upgrade(), "nothing changes"
    fixed = r"data on the racks rack1 with 1 \(nodes\), with 1 copies .*request {}\. Racks.*«Grow Cassandra»"
    with pytest.raises(RenderError, match=fixed.format("a with 1, b with 1, c with 1, with 3")):
        cassandra_upgrade(racks=["a", "b", "c"])
    with pytest.raises(RenderError, match=fixed.format("rack1 with 3, with 3")):
        cassandra_upgrade(nodesPerRack=3)
    control_plane.kubectl("-n", kube_namespace, "delete", "statefulset,configmap", "--all", "--cascade=foreground")
    with pytest.raises(RenderError, match=fixed.format("a with 1, b with 1, c with 1, with 3")):
        cassandra_upgrade(command="--no-hooks", racks=["a", "b", "c"])
    assert cassandra_upgrade(command="--no-hooks"), "an installation finds its volumes again"
    control_plane.kubectl(
        "-n", kube_namespace, "label", "pvc", "--all", "--overwrite", "app.kubernetes.io/instance=another"
    )
    assert cassandra_upgrade(racks=["a", "b", "c"]), "another release's volumes are not this one's"


def test_the_number_of_copies_is_kept(
    control_plane, kube_node, kube_namespace: str, cassandra_upgrade, cassandra_apply
) -> None:
    """If two nodes became three by scaling, rows still have two copies, and no upgrade takes them for three."""
    cassandra_apply(cassandra_upgrade(nodesPerRack=2))
    control_plane.kubectl("-n", kube_namespace, "scale", "statefulset", f"{RELEASE}-cassandra-rack1", "--replicas=3")
    three = ("wait", f"statefulset/{RELEASE}-cassandra-rack1", "--for=jsonpath={.status.availableReplicas}=3")
    control_plane.kubectl("-n", kube_namespace, *three, "--timeout=60s")
    with pytest.raises(RenderError, match=r"rack1 with 3 \(nodes\), with 2 copies of each row; .* with 3\. Racks and"):
        cassandra_upgrade(nodesPerRack=3)


def test_nodes_are_added_and_removed(
    control_plane, kube_node, kube_namespace: str, cassandra_upgrade, cassandra_apply, tmp_path
) -> None:
    """I run the page's commands: each rack gets a node and loses it again, and then alone helm accepts the number."""
    racks = ["a", "b", "c"]
    cassandra_apply(cassandra_upgrade(racks=racks))
    refused = r"racks {} \(nodes\); the values request {}\. Nodes join and leave one after another"
    one, two = (", ".join(f"{rack} with {number}" for rack in racks) for number in (1, 2))
    with pytest.raises(RenderError, match=refused.format(one, two)):
        cassandra_upgrade(racks=racks, nodesPerRack=2)

    done = _run(control_plane, kube_namespace, tmp_path, GROW)
    assert [line for line in done if "nodetool" in line] == ["nodetool cleanup exam"] * 6
    assert "upgrade exam charts/exam-platform --namespace exam --values my-values.yaml" in done
    cassandra_apply(cassandra_upgrade(racks=racks, nodesPerRack=2))
    with pytest.raises(RenderError, match=refused.format(two, one)):
        cassandra_upgrade(racks=racks)

    done = _run(control_plane, kube_namespace, tmp_path, SHRINK)
    assert [line for line in done if "nodetool" in line] == ["nodetool decommission"] * 3
    assert cassandra_upgrade(racks=racks)


def _run(control_plane, namespace: str, folder: Path, commands: str) -> list[str]:
    """Run commands of the page; return what was executed in pods and what helm was called with.

    Pods contain no nodetool, and the API server has no kubelet to execute commands, so that both are recorded.
    """
    folder = folder / f"run-{len(list(folder.iterdir()))}"
    folder.mkdir()
    record = folder / "record"
    (folder / "kubectl").write_text(
        f'#!/bin/sh\ncase "$3" in exec) shift 5; echo "$@" >> {record} ;; *) exec {program("kubectl")} "$@" ;; esac\n'
    )
    (folder / "helm").write_text(f'#!/bin/sh\necho "$@" >> {record}\n')
    for name in ("kubectl", "helm"):
        (folder / name).chmod(0o755)
    # kubectl keeps a cache in the home folder.
    env = {"PATH": f"{folder}:{os.defpath}", "KUBECONFIG": str(control_plane.kubeconfig), "HOME": str(folder)}
    commands = "set -euo pipefail\n" + commands.replace("-n exam ", f"-n {namespace} ")
    done = subprocess.run(
        ["/bin/bash", "-c", commands], env=env, check=False, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return record.read_text().splitlines()
