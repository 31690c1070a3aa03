"""Fixtures of a real Kubernetes control plane, started when first asked for, once a run."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from exam_harness.environments.control_plane.control_plane import ControlPlane
from exam_harness.environments.control_plane.pods.node import Node


@pytest.fixture(scope="session")
def control_plane(stores_folder: Path) -> Iterator[ControlPlane]:
    """A real etcd, kube-apiserver and kube-controller-manager; whoever kills one of them brings it back."""
    made = ControlPlane(stores_folder)
    try:
        made.start()
        made.await_ready()
        yield made
    finally:
        made.stop()


@pytest.fixture
def kube_namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A namespace of this test's own, ready for pods; told to go at the end, with all that is in it."""
    name = f"test-{uuid4().hex[:12]}"
    control_plane.create_namespace(name)
    yield name
    control_plane.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def kube_node(control_plane: ControlPlane) -> Iterator[Node]:
    """A node that runs pods' commands as processes of this machine."""
    made = Node(control_plane)
    made.start()
    try:
        yield made
    finally:
        made.stop()
