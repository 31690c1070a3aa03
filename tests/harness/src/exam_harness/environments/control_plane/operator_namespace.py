"""The operator as a child process on a real control plane and a local stack, shared by tests and scenarios."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from exam_harness.environments.control_plane.api_access import api_client, request_token, write_kubeconfig
from exam_harness.environments.control_plane.control_plane import ControlPlane
from exam_harness.environments.control_plane.pods.node import default_image_env
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.services import Service
from exam_harness.environments.processes.stack import Stack

RBAC = REPOSITORY / "operator/rbac.yaml"
ACCOUNT = "exam-operator"
SOLVER = "exam-solver"
GRADER = "exam-grader"
WEB = "exam-web"
GRADER_ENV = "exam-grader-env"
IMAGE = "exam-grader"


class OperatorNamespace:
    """The operator's namespace: its service account and RBAC, the Deployments it scales, the template of its Jobs.

    Args:
        control_plane: a control plane with the Exam resource.
        stack: the stack whose web service the operator uses.
        namespace: the name of the namespace, which is created.
        pods: the command of solver and grader pods.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        stack: Stack,
        namespace: str,
        *,
        pods: Sequence[str] = ("sleep", "infinity"),
    ) -> None:
        self.control_plane = control_plane
        self.stack = stack
        self.namespace = namespace
        self.folder = stack.folder / namespace
        (self.folder / "logs").mkdir(parents=True)
        control_plane.create_namespace(namespace)
        self._grant()
        # Without PATH and the like, which the image sets.
        own = {name: value for name, value in stack.grader_env.items() if name.startswith(("EXAM_", "DJANGO_"))}
        self.apply(_secret(GRADER_ENV, own))
        self._pods = pods
        for name in (SOLVER, GRADER, WEB):
            self.create_deployment(name)
        self._job_template = self.folder / "job-template.yaml"
        self._job_template.write_text(yaml.safe_dump(job_template()))

    def operator(
        self,
        name: str = "operator",
        *,
        server: str | None = None,
        env: Mapping[str, str] | None = None,
        program: Sequence[str] = ("-m", "exam_operator"),
        account: str = ACCOUNT,
    ) -> Service:
        """Return an operator process, not yet started.

        Args:
            name: its name, and its identity in an election.
            server: the URL of an API server proxy, if any.
            env: variables that differ.
            program: Python's arguments, to run a variant of it.
            account: its service account.
        """
        port, *_ = free_ports(1)
        own = {
            "EXAM_OPERATOR_WEB_URL": self.stack.internal_url,
            "EXAM_OPERATOR_SERVICE_KEYS_FILE": str(self.stack.secrets.operator_service_keys),
            "EXAM_OPERATOR_NAMESPACE": self.namespace,
            "EXAM_OPERATOR_IDENTITY": name,
            "EXAM_OPERATOR_SOLVER_DEPLOYMENT": SOLVER,
            "EXAM_OPERATOR_GRADER_DEPLOYMENT": GRADER,
            "EXAM_OPERATOR_WEB_DEPLOYMENT": WEB,
            "EXAM_OPERATOR_JOB_TEMPLATE_FILE": str(self._job_template),
            "EXAM_OPERATOR_HOST": "127.0.0.1",
            "EXAM_OPERATOR_PORT": str(port),
            "KUBECONFIG": str(self._kubeconfig(name, server, account)),
            "HOME": str(self.folder),
        }
        complete_env = default_image_env() | own | dict(env or {})
        return Service(name, *program, port=port, folder=self.folder, env=complete_env)

    def apply(self, body: Mapping[str, Any], *, namespace: str | None = None) -> None:
        """Apply an object, by default in the operator's namespace."""
        self.control_plane.kubectl("-n", namespace or self.namespace, "apply", "-f", "-", stdin=json.dumps(body))

    def create_deployment(self, name: str) -> None:
        """Create a Deployment that the operator scales."""
        self.apply(_deployment(name, self._pods))

    def _grant(self) -> None:
        """Create the service account and bind the roles of `operator/rbac.yaml`."""
        self.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}})
        subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": self.namespace}
        for role in yaml.safe_load_all(RBAC.read_text()):
            kind = role["kind"]
            # Cluster roles are not namespaced: each operator's roles get a name of their own.
            name = f"{role['metadata']['name']}-{self.namespace}"
            self.apply({**role, "metadata": {"name": name}})
            self.apply(
                {
                    "apiVersion": role["apiVersion"],
                    "kind": f"{kind}Binding",
                    "metadata": {"name": name},
                    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
                    "subjects": [subject],
                }
            )

    def _kubeconfig(self, name: str, server: str | None, account: str) -> Path:
        with api_client(self.control_plane.kubeconfig) as api:
            token = request_token(api, account, self.namespace, seconds=24 * 3600)
        return write_kubeconfig(
            self.folder / f"{name}.kubeconfig",
            server=server or self.control_plane.url,
            authority=self.control_plane.authority,
            user={"token": token},
            namespace=self.namespace,
        )


def job_template() -> dict[str, Any]:
    """Return the pod template of a grading Job: the grader, with its environment from a Secret."""
    container = {
        "name": "grader",
        "image": IMAGE,
        "command": ["python", "-m", "exam_grader"],
        "envFrom": [{"secretRef": {"name": GRADER_ENV}}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    return {"spec": {"terminationGracePeriodSeconds": 5, "containers": [container]}}


def _secret(name: str, values: Mapping[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(values)}


def _deployment(name: str, command: Sequence[str]) -> dict[str, Any]:
    """Return a Deployment without `replicas`, which an autoscaler or the operator sets."""
    labels = {"app.kubernetes.io/name": name}
    pod = {
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "main", "image": "none", "command": list(command)}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }
