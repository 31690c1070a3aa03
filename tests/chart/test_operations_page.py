"""docs/operations.md does what it says: its values render, and its rotation of keys keeps what was signed valid."""

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exam_core.keys import SigningKeys
from exam_harness.chart.render import CHART, render
from exam_harness.environments.builds.binaries import program
from exam_harness.environments.processes.paths import REPOSITORY

PAGE = (REPOSITORY / "docs/operations.md").read_text()
VALUES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
EXTERNAL = ("exam-postgres", "exam-redis", "exam-broker", "exam-cassandra")
(ROTATION,) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", VALUES)
def test_the_values_of_the_page_render(text: str) -> None:
    """If I copy values from the page, the chart accepts them, and they have an effect."""
    assert render(yaml.safe_load(text)) != render()


def test_the_keys_of_external_stores_are_those_that_pods_read() -> None:
    """If I make the Secrets of my stores as the page says, every key that a pod reads is there."""
    (external,) = (text for text in VALUES if "existingSecret" in text)
    table = dict(
        re.findall(
            r"^\| (PostgreSQL|Redis, as the cache|Redis, as the broker|Cassandra) \| (.*) \|$", PAGE, re.MULTILINE
        )
    )
    named = {key for row in table.values() for key in re.findall(r"`([a-z-]+)`", row)}
    rendered = render(yaml.safe_load(external))
    read = {each["key"] for each in _references(rendered) if each.get("name") in EXTERNAL}
    assert read
    assert read <= named


def _references(node: Any) -> Iterator[dict[str, str]]:
    """Every reference to a key of a Secret."""
    if isinstance(node, dict):
        if "secretKeyRef" in node:
            yield node["secretKeyRef"]
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from _references(each)


def _stored(control_plane, namespace: str) -> SigningKeys:
    text = control_plane.kubectl("-n", namespace, "get", "secret", "exam-secrets", "-o", "yaml")
    return SigningKeys.read(base64.b64decode(yaml.safe_load(text)["data"]["web-keys.pem"]).decode())


@pytest.mark.integration
def test_keys_are_rotated(control_plane, kube_node, kube_namespace: str, tmp_path: Path) -> None:
    """I run the page's commands: the new key signs, and what the old one signed is still verified."""
    secret = subprocess.run(
        ["/bin/sh", str(CHART / "create-secret.sh"), kube_namespace, "exam-secrets"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    control_plane.kubectl("create", "-f", "-", stdin=secret)
    (web,) = (
        each
        for each in render(namespace=kube_namespace)
        if (each["kind"], each["metadata"]["name"]) == ("Deployment", "exam-web")
    )
    web["spec"]["replicas"] = 1
    # As web's pods take: kubectl refuses two restarts within a second.
    web["spec"]["minReadySeconds"] = 3
    web["spec"]["template"]["spec"] = {"containers": [{"name": "main", "image": "none", "command": ["sleep", "600"]}]}
    control_plane.kubectl("-n", kube_namespace, "create", "-f", "-", stdin=yaml.safe_dump(web))
    before = _stored(control_plane, kube_namespace)

    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("jq", "openssl"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    (folder / "kubectl").symlink_to(program("kubectl"))
    # kubectl keeps a cache in the home folder.
    env = {"PATH": f"{folder}:{os.defpath}", "KUBECONFIG": str(control_plane.kubeconfig), "HOME": str(tmp_path)}
    commands = ROTATION.replace("-n exam ", f"-n {kube_namespace} ")
    done = subprocess.run(
        ["/bin/bash", "-c", commands], env=env, check=False, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr

    after = _stored(control_plane, kube_namespace)
    assert len(after.keys) == len(before.keys) + 1
    old = {kid for kid, _ in before.keys}
    assert after.kid not in old
    assert old < {kid for kid, _ in after.keys}
