"""A node without a kubelet: binds pending pods to itself and runs their commands as child processes of this machine.

It uses the credentials of a node and of the scheduler, so it has the permissions of a kubelet and no others. It handles
pods only; Jobs and Deployments are left to their controllers. It has no images, mounts or probes: a container is ready
while its process runs. A pod that needs an unsupported feature gets a waiting reason in its status.
"""

import datetime as dt
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from typing import Any

from kubernetes import client
from urllib3.exceptions import HTTPError

from exam_harness.environments.control_plane.api_access import REQUEST_SECONDS, raise_for_status
from exam_harness.environments.control_plane.control_plane import ControlPlane
from exam_harness.environments.control_plane.pods.container_env import Pod
from exam_harness.environments.control_plane.pods.runner import DELETED, NodeContext, PodRunner
from exam_harness.environments.control_plane.pods.watcher import PodWatcher
from exam_harness.environments.processes.process import HarnessError

HEARTBEAT_SECONDS = 10
BUSY_SECONDS = 0.05
IDLE_SECONDS = 0.5
STOP_SECONDS = 60
LEASES = "kube-node-lease"
NOT_FOUND = 404
CONFLICT = 409

logger = logging.getLogger(__name__)


class Node:
    """A node that runs pods as child processes.

    Args:
        control_plane: the control plane whose pods it runs.
        name: the node's name.
        image_env: the environment that images set; by default a PATH with the current ``python`` first.
        entrypoints: entrypoints by image name, for containers without a command.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        *,
        name: str = "node-1",
        image_env: Mapping[str, str] | None = None,
        entrypoints: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.name = name
        self._control_plane = control_plane
        self._folder = control_plane.folder / name
        self._image_env = dict(image_env) if image_env is not None else default_image_env()
        self._entrypoints = dict(entrypoints or {})
        self._stopping = Event()
        self._wake = Event()
        self._runners: dict[str, PodRunner] = {}
        self._bound: set[str] = set()
        self._opened = ExitStack()
        self._threads: list[Thread] = []
        self._watchers: list[PodWatcher] = []

    def start(self) -> None:
        """Register the node and start to run pods."""
        (self._folder / "pods").mkdir(parents=True, exist_ok=True)
        node_access = self._control_plane.certificate_kubeconfig(f"system:node:{self.name}", groups=["system:nodes"])
        scheduler_access = self._control_plane.certificate_kubeconfig("system:kube-scheduler")
        self._api = self._opened.enter_context(self._control_plane.api(node_access))
        scheduler = self._opened.enter_context(self._control_plane.api(scheduler_access))
        self._context = NodeContext(
            api=self._api, folder=self._folder, image_env=self._image_env, entrypoints=self._entrypoints
        )
        self._scheduler = client.CoreV1Api(scheduler)
        self._register()
        self._unbound = PodWatcher(scheduler, "spec.nodeName=", self._wake.set)
        self._assigned = PodWatcher(self._api, f"spec.nodeName={self.name}", self._wake.set)
        self._watchers = [self._unbound, self._assigned]
        work = {"unbound": self._unbound.run, "assigned": self._assigned.run, "work": self._work}
        self._threads = [Thread(target=run, name=f"{self.name}-{role}", daemon=True) for role, run in work.items()]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Kill every pod's process and stop the node, as a power failure would: no status is reported."""
        self._stopping.set()
        self._wake.set()
        for watcher in self._watchers:
            watcher.close()
        for thread in self._threads:
            thread.join(STOP_SECONDS)
        self._opened.close()
        if running := [thread.name for thread in self._threads if thread.is_alive()]:
            raise HarnessError(f"{self.name}: still running after {STOP_SECONDS} s: {', '.join(running)}")

    def log(self, namespace: str, pod: str) -> str:
        """Return the output of a pod, restarts included; empty if it never started."""
        logs = sorted(self._folder.glob(f"pods/{namespace}_{pod}_*/log"), key=lambda log: log.stat().st_mtime)
        return "".join(log.read_text(errors="replace") for log in logs)

    def _work(self) -> None:
        """Run the loop of the thread that starts all children, which end with the thread that started them."""
        heartbeat_at = time.monotonic() + HEARTBEAT_SECONDS
        try:
            while not self._stopping.is_set():
                busy = any(run.alive for run in self._runners.values())
                self._wake.wait(BUSY_SECONDS if busy else IDLE_SECONDS)
                self._wake.clear()
                self._attempt(self._bind_pending, "binding pods")
                self._step_all()
                if time.monotonic() > heartbeat_at:
                    heartbeat_at = time.monotonic() + HEARTBEAT_SECONDS
                    self._attempt(self._renew_lease, "renewing the lease")
        finally:
            for run in self._runners.values():
                run.kill()

    def _step_all(self) -> None:
        assigned = self._assigned.pods
        for uid, pod in assigned.items():
            if uid not in self._runners:
                self._runners[uid] = PodRunner(self._context, pod)
        for uid, run in list(self._runners.items()):
            self._attempt(lambda run=run, uid=uid: run.step(assigned.get(uid)), "reporting a pod")  # type: ignore[misc]
            if run.over:
                del self._runners[uid]

    def _attempt(self, step: Callable[[], None], description: str) -> None:
        """Run a step; log an error of the API server, and let the next iteration retry."""
        try:
            step()
        except (HTTPError, client.ApiException) as error:
            logger.warning("%s: %s: %s; retrying", self.name, description, error)

    def _bind_pending(self) -> None:
        pending = self._unbound.pods
        self._bound &= pending.keys()
        for uid, pod in pending.items():
            if uid not in self._bound and _is_schedulable(pod):
                self._bind(pod)
                self._bound.add(uid)

    def _bind(self, pod: Pod) -> None:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        binding = client.V1Binding(
            metadata=client.V1ObjectMeta(name=name, namespace=namespace, uid=pod["metadata"]["uid"]),
            target=client.V1ObjectReference(api_version="v1", kind="Node", name=self.name),
        )
        try:
            # The response is a Status, which the generated client fails to parse as the Binding it expects.
            response: Any = self._scheduler.create_namespaced_pod_binding(
                name, namespace, binding, _preload_content=False, _request_timeout=REQUEST_SECONDS
            )
            raise_for_status(response).drain_conn()
        except client.ApiException as error:
            if error.status not in DELETED:
                raise

    def _register(self) -> None:
        now = dt.datetime.now(dt.UTC)
        capacity = {"cpu": str(os.cpu_count() or 1), "memory": "8Gi", "pods": "500"}
        ready = client.V1NodeCondition(
            type="Ready",
            status="True",
            reason="KubeletReady",
            message="runs pods as child processes",
            last_heartbeat_time=now,
            last_transition_time=now,
        )
        node = client.V1Node(
            metadata=client.V1ObjectMeta(name=self.name, labels={"kubernetes.io/hostname": self.name}),
            status=client.V1NodeStatus(
                capacity=capacity,
                allocatable=capacity,
                conditions=[ready],
                addresses=[client.V1NodeAddress(type="InternalIP", address="127.0.0.1")],
            ),
        )
        core = client.CoreV1Api(self._api)
        try:
            core.create_node(node, _request_timeout=REQUEST_SECONDS)
        except client.ApiException as error:
            if error.status != CONFLICT:
                raise
            core.patch_node_status(self.name, node, _request_timeout=REQUEST_SECONDS)
        self._renew_lease()

    def _renew_lease(self) -> None:
        """Renew the node's Lease, without which the controllers mark the node NotReady."""
        spec = client.V1LeaseSpec(
            holder_identity=self.name, lease_duration_seconds=40, renew_time=dt.datetime.now(dt.UTC)
        )
        leases = client.CoordinationV1Api(self._api)
        try:
            leases.patch_namespaced_lease(
                self.name, LEASES, client.V1Lease(spec=spec), _request_timeout=REQUEST_SECONDS
            )
        except client.ApiException as error:
            if error.status != NOT_FOUND:
                raise
            metadata = client.V1ObjectMeta(name=self.name, namespace=LEASES)
            lease = client.V1Lease(metadata=metadata, spec=spec)
            leases.create_namespaced_lease(LEASES, lease, _request_timeout=REQUEST_SECONDS)


def default_image_env() -> dict[str, str]:
    """Return the environment of an image with this project's Python."""
    return {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _is_schedulable(pod: Pod) -> bool:
    """Return whether the default scheduler would bind the pod: not if deleted, gated or another scheduler's."""
    spec = pod["spec"]
    default_scheduler = spec.get("schedulerName", "default-scheduler") == "default-scheduler"
    return default_scheduler and not spec.get("schedulingGates") and "deletionTimestamp" not in pod["metadata"]
