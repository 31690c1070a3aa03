"""Run one pod on this machine: its container is a child process, whose state is reported in the pod's status."""

import base64
import datetime as dt
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client

from exam_harness.environments.control_plane.api_access import REQUEST_SECONDS
from exam_harness.environments.control_plane.pods.container_env import (
    MissingReferenceError,
    Pod,
    UnsupportedPodError,
    check_supported,
    command_line,
    container_environment,
)
from exam_harness.environments.processes.process import ChildProcess

ADDRESS = "127.0.0.1"
RETRY_SECONDS = 0.5
RESTART_SECONDS = 1.0
MAX_RESTART_SECONDS = 30.0
DELETED = (404, 409)
"""The pod no longer exists, or another pod has its name (the uid differs)."""
UNREADABLE = (403, 404)
"""It does not exist, or the node may not read it yet: the node authorizer lags behind the binding of a pod."""


@dataclass(frozen=True, kw_only=True)
class NodeContext:
    """What the pods of a node share.

    Args:
        api: an API client with the node's credentials.
        folder: the parent of the pods' folders and logs.
        image_env: the environment that an image sets.
        entrypoints: entrypoints by image name, for containers without a command.
    """

    api: client.ApiClient
    folder: Path
    image_env: Mapping[str, str]
    entrypoints: Mapping[str, Sequence[str]]


class PodRunner:
    """Runs one pod from its binding to its deletion; steps are idempotent, and a failed status update is retried."""

    def __init__(self, node: NodeContext, pod: Pod) -> None:
        self._node = node
        self._core = client.CoreV1Api(node.api)
        self._pod = pod
        self._child: ChildProcess | None = None
        self._started_at = ""
        self._restarts = 0
        self._last_state: dict[str, Any] = {}
        self._retry_at = 0.0
        self._kill_at: float | None = None
        self._reported: dict[str, Any] | None = None
        self._unsent: dict[str, Any] | None = None
        self._removed = False
        self.over = False
        # A Running pod without a child ran on an earlier process of the node, and ended with it.
        self._lost = pod.get("status", {}).get("phase") == "Running"

    @property
    def alive(self) -> bool:
        """Whether its process is running."""
        return self._child is not None and self._child.alive

    def step(self, pod: Pod | None) -> None:
        """Reconcile the process with the pod; `pod` is None when it no longer exists in the API."""
        if pod is None:
            self.kill()
            self.over = True
            return
        self._pod = pod
        self._send_status()
        if "deletionTimestamp" in pod["metadata"]:
            self._terminate()
        elif self._phase in {"Succeeded", "Failed"}:
            return
        elif self._lost:
            self._finish(137, "ContainerStatusUnknown")
        elif self._child is None:
            self._start()
        elif not self._child.alive:
            self._after_exit(self._child)

    def kill(self) -> None:
        """Kill its process."""
        if self._child is not None:
            self._child.kill()

    @property
    def _phase(self) -> str:
        """The phase last reported, or that of the API."""
        status = self._reported or self._pod.get("status", {})
        return str(status.get("phase", "Pending"))

    @property
    def _container(self) -> Mapping[str, Any]:
        container: Mapping[str, Any] = self._pod["spec"]["containers"][0]
        return container

    def _start(self) -> None:
        if time.monotonic() < self._retry_at:
            return
        self._retry_at = time.monotonic() + RETRY_SECONDS
        try:
            check_supported(self._pod["spec"])
            env = container_environment(
                self._with_addresses(), image={**self._node.image_env, **self._folder_env()}, read=self._read_data
            )
            entrypoint = self._node.entrypoints.get(self._container["image"], ())
            argv = command_line(self._container, env, entrypoint)
        except MissingReferenceError as error:
            self._report_waiting("CreateContainerConfigError", str(error))
            return
        except UnsupportedPodError as error:
            self._report_waiting("NotSupported", str(error))
            return
        self._child = ChildProcess(self._name, argv, log=self.log, env=env, owner=threading.current_thread())
        self._child.start()
        self._started_at = _now()
        self._report("Running", {"running": {"startedAt": self._started_at}}, ready=True)

    def _after_exit(self, child: ChildProcess) -> None:
        code = child.returncode
        child.kill_descendants()
        policy = self._pod["spec"].get("restartPolicy", "Always")
        # 128 + signal, as shells and container runtimes report it.
        exit_code = 128 - code if code is not None and code < 0 else int(code or 0)
        if policy == "Never" or (policy == "OnFailure" and exit_code == 0):
            self._finish(exit_code, "Completed" if exit_code == 0 else "Error")
            return
        self._last_state = self._terminated(exit_code, "Completed" if exit_code == 0 else "Error")
        pause = min(RESTART_SECONDS * 2**self._restarts, MAX_RESTART_SECONDS)
        self._retry_at = time.monotonic() + pause
        self._restarts += 1
        self._child = None
        waiting = {"reason": "CrashLoopBackOff", "message": f"back-off {pause:.0f} s restarting failed container"}
        self._report("Running", {"waiting": waiting}, ready=False)

    def _finish(self, exit_code: int, reason: str) -> None:
        phase = "Failed" if exit_code else "Succeeded"
        self._report(phase, self._terminated(exit_code, reason), ready=False)

    def _terminate(self) -> None:
        """Delete the pod: SIGTERM, grace period, SIGKILL, final status, and removal of the object."""
        child = self._child
        if child is not None and child.alive:
            if self._kill_at is None:
                self._kill_at = time.monotonic() + self._pod["metadata"].get("deletionGracePeriodSeconds", 30)
                child.terminate()
            elif time.monotonic() > self._kill_at:
                child.kill()
            return
        if child is not None and self._phase == "Running":
            code = child.returncode or 0
            child.kill_descendants()
            self._finish(128 - code if code < 0 else code, "Error" if code else "Completed")
        if not self._removed:
            self._remove()
            self._removed = True

    def _remove(self) -> None:
        options = client.V1DeleteOptions(
            grace_period_seconds=0, preconditions=client.V1Preconditions(uid=self._pod["metadata"]["uid"])
        )
        try:
            self._core.delete_namespaced_pod(
                self._pod["metadata"]["name"],
                self._pod["metadata"]["namespace"],
                body=options,
                _request_timeout=REQUEST_SECONDS,
            )
        except client.ApiException as error:
            if error.status not in DELETED:
                raise

    def _report_waiting(self, reason: str, message: str) -> None:
        self._report("Pending", {"waiting": {"reason": reason, "message": message}}, ready=False)

    def _terminated(self, exit_code: int, reason: str) -> dict[str, Any]:
        terminated = {"exitCode": exit_code, "reason": reason, "finishedAt": _now()}
        if self._started_at:
            terminated["startedAt"] = self._started_at
        if exit_code and self._container.get("terminationMessagePolicy") == "FallbackToLogsOnError" and self._child:
            terminated["message"] = self._child.tail()
        return {"terminated": terminated}

    def _report(self, phase: str, state: dict[str, Any], *, ready: bool) -> None:
        """Report a status to the API server, now or when it is reachable again."""
        now = _now()
        over = phase in {"Succeeded", "Failed"}
        conditions = {"Initialized": True, "ContainersReady": ready, "Ready": ready}
        container = {
            "name": self._container["name"],
            "image": self._container["image"],
            "imageID": "",
            "ready": ready,
            "started": ready,
            "restartCount": self._restarts,
            "state": state,
            "lastState": self._last_state,
        }
        status = {
            "phase": phase,
            "hostIP": ADDRESS,
            "podIP": ADDRESS,
            "podIPs": [{"ip": ADDRESS}],
            "startTime": self._pod.get("status", {}).get("startTime") or now,
            "containerStatuses": [container],
            "conditions": [
                {
                    "type": name,
                    "status": str(value),
                    "lastTransitionTime": now,
                    "reason": "PodCompleted" if over and name != "Initialized" else None,
                }
                for name, value in conditions.items()
            ],
        }
        if _same(status, self._reported):
            return
        self._reported = self._unsent = status
        self._send_status()

    def _send_status(self) -> None:
        if self._unsent is None:
            return
        metadata = self._pod["metadata"]
        try:
            self._core.patch_namespaced_pod_status(
                metadata["name"],
                metadata["namespace"],
                {"metadata": {"uid": metadata["uid"]}, "status": self._unsent},
                _request_timeout=REQUEST_SECONDS,
            )
        except client.ApiException as error:
            if error.status not in DELETED:
                raise
        self._unsent = None

    def _read_data(self, kind: str, name: str) -> Mapping[str, str] | None:
        namespace = self._pod["metadata"]["namespace"]
        try:
            if kind == "Secret":
                secret = self._core.read_namespaced_secret(name, namespace, _request_timeout=REQUEST_SECONDS)
                # The official client does not decode the base64 data of a Secret.
                return {key: base64.b64decode(value).decode() for key, value in (secret.data or {}).items()}
            return self._core.read_namespaced_config_map(name, namespace, _request_timeout=REQUEST_SECONDS).data or {}
        except client.ApiException as error:
            if error.status not in UNREADABLE:
                raise
            return None

    @property
    def _name(self) -> str:
        return f"{self._pod['metadata']['namespace']}/{self._pod['metadata']['name']}"

    @property
    def _folder(self) -> Path:
        """The pod's folder: its working directory, TMPDIR and HOME."""
        name = f"{self._name.replace('/', '_')}_{self._pod['metadata']['uid']}"
        folder = self._node.folder / "pods" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def log(self) -> Path:
        """The file of its output."""
        return self._folder / "log"

    def _folder_env(self) -> dict[str, str]:
        return {"TMPDIR": str(self._folder), "HOME": str(self._folder)}

    def _with_addresses(self) -> Pod:
        status = self._pod.get("status", {}) | {"podIP": ADDRESS, "hostIP": ADDRESS}
        return {**self._pod, "status": status}


def _same(one: Mapping[str, Any], other: Mapping[str, Any] | None) -> bool:
    """Return whether two statuses are equal, ignoring timestamps."""
    return other is not None and (one["phase"], one["containerStatuses"]) == (
        other["phase"],
        other["containerStatuses"],
    )


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
