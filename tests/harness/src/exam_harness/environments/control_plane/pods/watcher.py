"""Keep a cache of the pods that match a field selector, by list and watch."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from threading import Event
from typing import Any

from kubernetes import client
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from exam_harness.environments.control_plane.api_access import REQUEST_SECONDS, raise_for_status
from exam_harness.environments.control_plane.pods.container_env import Pod

WATCH_SECONDS = 20
"""The timeout of a watch, after which all pods are listed again: bounds the staleness of a watch that hangs."""
RETRY_SECONDS = 0.2

logger = logging.getLogger(__name__)


class PodWatcher:
    """A cache of pods that calls back on every change.

    Args:
        api: the API client.
        selector: a field selector, for instance ``spec.nodeName=``.
        changed: called after every change, on the watcher's thread.
    """

    def __init__(self, api: client.ApiClient, selector: str, changed: Callable[[], None]) -> None:
        self._core = client.CoreV1Api(api)
        self._selector = selector
        self._changed = changed
        self._stopping = Event()
        self._response: BaseHTTPResponse | None = None
        self.pods: Mapping[str, Pod] = {}
        """The pods by uid; replaced and never mutated, so that any thread may read it."""

    def run(self) -> None:
        """List and watch until closed; errors of the API server are retried."""
        while not self._stopping.is_set():
            try:
                self._watch(since=self._list())
            except (HTTPError, client.ApiException) as error:
                if not self._stopping.is_set():
                    logger.warning("pods with %s: %s; listing again", self._selector, error)
                    self._stopping.wait(RETRY_SECONDS)

    def close(self) -> None:
        """Make `run` return, on whichever thread it runs."""
        self._stopping.set()
        if (response := self._response) is not None:
            # Raised when the watch has just ended by itself.
            with suppress(ValueError, RuntimeError):
                response.shutdown()

    def _list(self) -> str:
        """Replace the cache by a list; return its resource version."""
        response = self._request(_request_timeout=REQUEST_SECONDS)
        try:
            listed = response.json()
        finally:
            response.release_conn()
        self._replace({pod["metadata"]["uid"]: pod for pod in listed["items"]})
        return str(listed["metadata"]["resourceVersion"])

    def _watch(self, *, since: str) -> None:
        response = self._request(
            watch=True,
            resource_version=since,
            timeout_seconds=WATCH_SECONDS,
            _request_timeout=(REQUEST_SECONDS[0], WATCH_SECONDS + REQUEST_SECONDS[1]),
        )
        self._response = response
        try:
            for line in _lines(response):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise client.ApiException(status=event["object"]["code"], reason=event["object"]["message"])
                self._apply_event(event["type"], event["object"])
                if self._stopping.is_set():
                    return
        finally:
            self._response = None
            response.close()

    def _request(self, **arguments: Any) -> BaseHTTPResponse:
        # The raw response, because a watch is a stream.
        response: Any = self._core.list_pod_for_all_namespaces(
            field_selector=self._selector, _preload_content=False, **arguments
        )
        return raise_for_status(response)

    def _apply_event(self, kind: str, pod: Pod) -> None:
        uid = pod["metadata"]["uid"]
        others = {key: each for key, each in self.pods.items() if key != uid}
        self._replace(others if kind == "DELETED" else others | {uid: pod})

    def _replace(self, pods: Mapping[str, Pod]) -> None:
        self.pods = pods
        self._changed()


def _lines(response: BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in response.stream(None):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
