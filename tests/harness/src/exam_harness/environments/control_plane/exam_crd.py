"""A control plane that knows the Exam resource, with a node that runs what is made in it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from exam_harness.environments.control_plane.control_plane import ControlPlane
from exam_harness.environments.control_plane.pods.node import Node
from exam_harness.environments.processes.paths import REPOSITORY

CRD = REPOSITORY / "crds/exams.yaml"


def install_crd(control_plane: ControlPlane) -> None:
    """Apply the resource's definition and wait until it is served."""
    control_plane.kubectl("apply", "-f", str(CRD))
    control_plane.kubectl("wait", "--for=condition=Established", "crd/exams.examplatform.dev", "--timeout=30s")


@contextmanager
def exam_cluster(folder: Path, *, while_starting: Callable[[], None] = lambda: None) -> Iterator[ControlPlane]:
    """A control plane with the Exam resource and a node.

    Args:
        folder: where data, keys and logs go.
        while_starting: what else there is to do while it starts.
    """
    with ExitStack() as ends:
        control_plane = ControlPlane(folder)
        ends.callback(control_plane.stop)
        control_plane.start()
        while_starting()
        control_plane.await_ready()
        install_crd(control_plane)
        node = Node(control_plane)
        ends.callback(node.stop)
        node.start()
        yield control_plane
