"""A control plane with the Exam resource definition, and a node that runs its pods."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from exam_harness.environments.control_plane.control_plane import ControlPlane
from exam_harness.environments.control_plane.pods.node import Node
from exam_harness.environments.processes.paths import REPOSITORY

CRD = REPOSITORY / "crds/exams.yaml"


def install_crd(control_plane: ControlPlane) -> None:
    """Apply the CustomResourceDefinition and wait until it is established."""
    control_plane.kubectl("apply", "-f", str(CRD))
    control_plane.kubectl("wait", "--for=condition=Established", "crd/exams.examplatform.dev", "--timeout=30s")


@contextmanager
def exam_cluster(folder: Path, *, while_starting: Callable[[], None] = lambda: None) -> Iterator[ControlPlane]:
    """Yield a control plane with the Exam resource and a node.

    Args:
        folder: the folder for data, keys and logs.
        while_starting: called while the API server starts.
    """
    with ExitStack() as stops:
        control_plane = ControlPlane(folder)
        stops.callback(control_plane.stop)
        control_plane.start()
        while_starting()
        control_plane.await_ready()
        install_crd(control_plane)
        node = Node(control_plane)
        stops.callback(node.stop)
        node.start()
        yield control_plane
