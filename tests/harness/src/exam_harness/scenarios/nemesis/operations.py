"""The operator's commands in the middle of a sitting: repeated until their outcome is known, and recorded."""

import asyncio
from typing import Final

import httpx

from exam_harness.oracle.instants import rfc3339
from exam_harness.oracle.windows import Operation
from exam_harness.scenarios.nemesis.client import Clock

_POLL_SECONDS: Final = 0.2
_CALL_SECONDS: Final = 3


class Operator:
    """Sends commands to one sitting through web's internal API, past the gateway."""

    def __init__(self, http: httpx.AsyncClient, name: str, now: Clock) -> None:
        self._now = now
        self._http = http
        self._path = f"/internal/sittings/{name}"
        self.operations: list[Operation] = []

    async def extend(self, closes_at: int) -> None:
        """Move the close."""
        await self._run("PATCH", "/window", "extend", {"closes_at": rfc3339(closes_at)}, closes_at=closes_at)

    async def pause(self) -> bool:
        """Pause the sitting; return whether it was accepted."""
        return await self._run("POST", "/pause", "pause")

    async def resume(self) -> None:
        """Resume the sitting."""
        await self._run("POST", "/resume", "resume")

    async def stop(self) -> None:
        """End the window now."""
        await self._run("POST", "/stop", "stop")

    async def accommodate(self, username: str, student: int, extra: int) -> None:
        """Grant a student extra time."""
        path = f"/accommodations/{username}"
        await self._run("PUT", path, "accommodate", {"extra_us": extra}, student=student, extra=extra)

    async def _run(self, method: str, path: str, verb: str, body: object = None, **values: int) -> bool:
        sent_at = self._now()
        status = await self._call(method, path, body)
        while status is None or httpx.codes.is_server_error(status):
            await asyncio.sleep(_POLL_SECONDS)
            status = await self._call(method, path, body)
        if not httpx.codes.is_success(status):
            return False
        self.operations.append(Operation(verb=verb, sent_at=sent_at, done_at=self._now(), **values))
        return True

    async def _call(self, method: str, path: str, body: object) -> int | None:
        try:
            response = await self._http.request(method, f"{self._path}{path}", json=body)
        except httpx.TransportError:
            return None
        return response.status_code


def operator_client(base_url: str, token: str) -> httpx.AsyncClient:
    """A client of web's internal API."""
    headers = {"Host": "localhost", "Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=base_url, headers=headers, timeout=_CALL_SECONDS, trust_env=False)
