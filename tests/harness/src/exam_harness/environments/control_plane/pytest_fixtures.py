"""Pytest fixtures of a real Kubernetes control plane, started on first use, once per test session."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from exam_harness.environments.control_plane.control_plane import ControlPlane
from exam_harness.environments.control_plane.pods.node import Node


@pytest.fixture(scope="session")
def control_plane(stores_folder: Path) -> Iterator[ControlPlane]:
    """A real etcd, kube-apiserver and kube-controller-manager; a test that kills one has to restart it."""
    server = ControlPlane(stores_folder)
    try:
        server.start()
        server.await_ready()
        yield server
    finally:
        server.stop()


@pytest.fixture
def kube_namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A namespace of the test's own, ready for pods; its deletion is requested at the end."""
    name = f"test-{uuid4().hex[:12]}"
    control_plane.create_namespace(name)
    yield name
    control_plane.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def kube_node(control_plane: ControlPlane) -> Iterator[Node]:
    """A node that runs the commands of pods as child processes."""
    node = Node(control_plane)
    node.start()
    try:
        yield node
    finally:
        node.stop()
