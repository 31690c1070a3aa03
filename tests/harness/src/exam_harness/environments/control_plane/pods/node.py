"""A stand-in for a node: binds pending pods to itself and runs their commands as child processes of this machine.

It speaks with the API server with a node's and the scheduler's credentials, so that what a kubelet may not do it cannot
do; and it knows of pods alone: what a Job or a Deployment makes of them is their controllers' business. No image, no
mount, no probe: a container is ready while its process runs. What it cannot do it says in the pod's status.
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
from exam_harness.environments.control_plane.pods.runner import GONE, Machine, PodRunner
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
    """One node.

    Args:
        control_plane: whose pods it runs.
        name: the node's name.
        image_env: what the images would have set; by default the PATH on which ``python`` is the present one.
        entrypoints: entrypoints of images by name, for containers that name no command.
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
        self._runs: dict[str, PodRunner] = {}
        self._bound: set[str] = set()
        self._opened = ExitStack()
        self._threads: list[Thread] = []
        self._feeds: list[PodWatcher] = []

    def start(self) -> None:
        """Register the node and take pods from now on."""
        (self._folder / "pods").mkdir(parents=True, exist_ok=True)
        as_node = self._control_plane.certificate_kubeconfig(f"system:node:{self.name}", groups=["system:nodes"])
        as_scheduler = self._control_plane.certificate_kubeconfig("system:kube-scheduler")
        self._api = self._opened.enter_context(self._control_plane.api(as_node))
        scheduler = self._opened.enter_context(self._control_plane.api(as_scheduler))
        self._machine = Machine(
            api=self._api, folder=self._folder, image_env=self._image_env, entrypoints=self._entrypoints
        )
        self._scheduler = client.CoreV1Api(scheduler)
        self._register()
        self._unbound = PodWatcher(scheduler, "spec.nodeName=", self._wake.set)
        self._mine = PodWatcher(self._api, f"spec.nodeName={self.name}", self._wake.set)
        self._feeds = [self._unbound, self._mine]
        work = {"unbound": self._unbound.run, "mine": self._mine.run, "work": self._work}
        self._threads = [Thread(target=run, name=f"{self.name}-{what}", daemon=True) for what, run in work.items()]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End every pod's process and the node with it, as a power cut would: nobody is told."""
        self._stopping.set()
        self._wake.set()
        for feed in self._feeds:
            feed.close()
        for thread in self._threads:
            thread.join(STOP_SECONDS)
        self._opened.close()
        if left := [thread.name for thread in self._threads if thread.is_alive()]:
            raise HarnessError(f"{self.name}: still running after {STOP_SECONDS} s: {', '.join(left)}")

    def log(self, namespace: str, pod: str) -> str:
        """What a pod has written, restarts included; empty when it never started."""
        logs = sorted(self._folder.glob(f"pods/{namespace}_{pod}_*/log"), key=lambda log: log.stat().st_mtime)
        return "".join(log.read_text(errors="replace") for log in logs)

    def _work(self) -> None:
        """The thread that starts every child, for a child ends with the thread that started it."""
        beat_at = time.monotonic() + HEARTBEAT_SECONDS
        try:
            while not self._stopping.is_set():
                busy = any(run.alive for run in self._runs.values())
                self._wake.wait(BUSY_SECONDS if busy else IDLE_SECONDS)
                self._wake.clear()
                self._attempt(self._bind_pending, "binding pods")
                self._step_all()
                if time.monotonic() > beat_at:
                    beat_at = time.monotonic() + HEARTBEAT_SECONDS
                    self._attempt(self._beat, "renewing the lease")
        finally:
            for run in self._runs.values():
                run.kill()

    def _step_all(self) -> None:
        mine = self._mine.pods
        for uid, pod in mine.items():
            if uid not in self._runs:
                self._runs[uid] = PodRunner(self._machine, pod)
        for uid, run in list(self._runs.items()):
            self._attempt(lambda run=run, uid=uid: run.step(mine.get(uid)), "telling of a pod")  # type: ignore[misc]
            if run.over:
                del self._runs[uid]

    def _attempt(self, step: Callable[[], None], what: str) -> None:
        """Do a step that the next turn repeats when the API server is away or refuses."""
        try:
            step()
        except (HTTPError, client.ApiException) as error:
            logger.warning("%s: %s: %s; trying again", self.name, what, error)

    def _bind_pending(self) -> None:
        waiting = self._unbound.pods
        self._bound &= waiting.keys()
        for uid, pod in waiting.items():
            if uid not in self._bound and _wants_a_node(pod):
                self._bind(pod)
                self._bound.add(uid)

    def _bind(self, pod: Pod) -> None:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        binding = client.V1Binding(
            metadata=client.V1ObjectMeta(name=name, namespace=namespace, uid=pod["metadata"]["uid"]),
            target=client.V1ObjectReference(api_version="v1", kind="Node", name=self.name),
        )
        try:
            # The answer is a Status, which the generated client would not take for the Binding it expects.
            response: Any = self._scheduler.create_namespaced_pod_binding(
                name, namespace, binding, _preload_content=False, _request_timeout=REQUEST_SECONDS
            )
            raise_for_status(response).drain_conn()
        except client.ApiException as error:
            if error.status not in GONE:
                raise

    def _register(self) -> None:
        now = dt.datetime.now(dt.UTC)
        capacity = {"cpu": str(os.cpu_count() or 1), "memory": "8Gi", "pods": "500"}
        ready = client.V1NodeCondition(
            type="Ready",
            status="True",
            reason="KubeletReady",
            message="a stand-in runs pods as processes",
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
        self._beat()

    def _beat(self) -> None:
        """Renew the node's lease, without which the controllers take it for dead."""
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
    """The environment of an image that has this project's Python."""
    return {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _wants_a_node(pod: Pod) -> bool:
    """Whether a scheduler would place it: not while it is deleted, held by a gate or another scheduler's."""
    spec = pod["spec"]
    mine = spec.get("schedulerName", "default-scheduler") == "default-scheduler"
    return mine and not spec.get("schedulingGates") and "deletionTimestamp" not in pod["metadata"]
