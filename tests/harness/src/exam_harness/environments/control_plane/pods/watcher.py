"""The pods that a selector picks, as the API server tells them: listed, then watched, for as long as it is wanted."""

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
"""A watch ends after this and all is listed anew: a watch that fell silent hides nothing for longer."""
RETRY_SECONDS = 0.2

logger = logging.getLogger(__name__)


class PodWatcher:
    """Keeps some pods and tells of every change.

    Args:
        api: speaks with the API server.
        selector: a field selector, for instance ``spec.nodeName=``.
        changed: called after every change, on the feed's thread.
    """

    def __init__(self, api: client.ApiClient, selector: str, changed: Callable[[], None]) -> None:
        self._core = client.CoreV1Api(api)
        self._selector = selector
        self._changed = changed
        self._stopping = Event()
        self._response: BaseHTTPResponse | None = None
        self.pods: Mapping[str, Pod] = {}
        """The pods by their uid; replaced, never changed in place, so that any thread may read it."""

    def run(self) -> None:
        """List and watch until closed, whatever happens to the API server meanwhile."""
        while not self._stopping.is_set():
            try:
                self._watch(since=self._list())
            except (HTTPError, client.ApiException) as error:
                if not self._stopping.is_set():
                    logger.warning("pods with %s: %s; listing anew", self._selector, error)
                    self._stopping.wait(RETRY_SECONDS)

    def close(self) -> None:
        """End `run`, on whichever thread it waits."""
        self._stopping.set()
        if (response := self._response) is not None:
            # These say that the watch ended by itself just now, which is what is wanted.
            with suppress(ValueError, RuntimeError):
                response.shutdown()

    def _list(self) -> str:
        """Take the whole list; the version it is of."""
        response = self._ask(_request_timeout=REQUEST_SECONDS)
        try:
            listed = response.json()
        finally:
            response.release_conn()
        self._take({pod["metadata"]["uid"]: pod for pod in listed["items"]})
        return str(listed["metadata"]["resourceVersion"])

    def _watch(self, *, since: str) -> None:
        response = self._ask(
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
                self._take_one(event["type"], event["object"])
                if self._stopping.is_set():
                    return
        finally:
            self._response = None
            response.close()

    def _ask(self, **words: Any) -> BaseHTTPResponse:
        # The raw response: a watch has no end to wait for.
        asked: Any = self._core.list_pod_for_all_namespaces(
            field_selector=self._selector, _preload_content=False, **words
        )
        return raise_for_status(asked)

    def _take_one(self, happened: str, pod: Pod) -> None:
        uid = pod["metadata"]["uid"]
        others = {known: each for known, each in self.pods.items() if known != uid}
        self._take(others if happened == "DELETED" else others | {uid: pod})

    def _take(self, pods: Mapping[str, Pod]) -> None:
        self.pods = pods
        self._changed()


def _lines(response: BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in response.stream(None):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
