"""The Exam resource in a control plane."""

from exam_support.kube.control_plane import ControlPlane
from exam_support.stack.places import REPOSITORY

CRD = REPOSITORY / "crds/exams.yaml"


def install_crd(control_plane: ControlPlane) -> None:
    """Apply the resource's definition and wait until it is served."""
    control_plane.kubectl("apply", "-f", str(CRD))
    control_plane.kubectl("wait", "--for=condition=Established", "crd/exams.examplatform.dev", "--timeout=30s")
