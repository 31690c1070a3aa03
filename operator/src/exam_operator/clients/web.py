"""Web's internal API, as the operator uses it: every call answers with the sitting as it is then."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import httpx

from exam_core.instants import rfc3339
from exam_core.problems import ProblemKind
from exam_operator.clients.errors import ConflictError, RejectedError, UnavailableError
from exam_operator.model.exam import ExamSpec
from exam_operator.model.observed import Sitting

WEB = "web"
TIMEOUT = httpx.Timeout(15.0, connect=3.0)
_LOOK_AGAIN = frozenset({ProblemKind.EPOCH_CHANGED.slug, ProblemKind.STATE_CONFLICT.slug})
_OUR_FAULT = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})

Clock = Callable[[], int]


class WebClient:
    """A client of web; use as an async context manager.

    Args:
        url: web's address.
        token: the service token.
        clock: this machine's UTC time in µs.
    """

    def __init__(self, url: str, token: str, clock: Clock) -> None:
        headers = {"Authorization": f"Bearer {token}", "Host": "localhost"}
        limits = httpx.Limits(max_connections=16)
        self._http = httpx.AsyncClient(
            base_url=url, headers=headers, timeout=TIMEOUT, limits=limits, trust_env=False, follow_redirects=False
        )
        self._clock = clock
        self.skew = 0
        """The platform's clock less ours in µs, as of the last answer."""

    @property
    def now(self) -> int:
        """The platform's time, as far as is known."""
        return self._clock() + self.skew

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def look(self, name: str) -> Sitting | None:
        """A sitting by its name; None when there is none."""
        try:
            return await self._sitting("GET", f"/internal/sittings/{name}")
        except _NotFoundError:
            return None

    async def provision(self, name: str, spec: ExamSpec) -> Sitting:
        """Freeze the exam's paper and make the sitting, unless there is one by now."""
        return await self._sitting(
            "PUT",
            f"/internal/sittings/{name}",
            {
                "exam": spec.exam,
                "opens_at": rfc3339(spec.window.opens_at),
                "closes_at": rfc3339(spec.window.closes_at),
                "duration_us": spec.window.duration,
                "candidates": spec.candidates,
                # Publishing is the operator's, so that it may be changed as long as there is something to publish.
                "publish": "manual",
            },
            absent=True,
        )

    async def distribute(self, name: str) -> Sitting:
        """Carry the sitting's paper to where solvers read it."""
        return await self._sitting("POST", f"/internal/sittings/{name}/distribute")

    async def import_paper(self, exam: str, document: bytes) -> None:
        """Create or update an exam from its document, which must be about that exam."""
        await self._call("PUT", "/internal/exams", content=document, params={"slug": exam})

    async def change_window(self, name: str, spec: ExamSpec, *, epoch: int) -> Sitting:
        """Move the window to where it is wished, unless the sitting has changed since `epoch`."""
        window = {
            "opens_at": rfc3339(spec.window.opens_at),
            "closes_at": rfc3339(spec.window.closes_at),
            "duration_us": spec.window.duration,
        }
        return await self._sitting("PATCH", f"/internal/sittings/{name}/window", window, epoch=epoch)

    async def pause(self, name: str, *, epoch: int) -> Sitting:
        """Stop everybody's clock, unless the sitting has changed since `epoch`."""
        return await self._sitting("POST", f"/internal/sittings/{name}/pause", epoch=epoch)

    async def resume(self, name: str, *, epoch: int) -> Sitting:
        """Let everybody's clock run again, unless the sitting has changed since `epoch`."""
        return await self._sitting("POST", f"/internal/sittings/{name}/resume", epoch=epoch)

    async def stop(self, name: str, *, epoch: int) -> Sitting:
        """End the sitting now, unless it has changed since `epoch`."""
        return await self._sitting("POST", f"/internal/sittings/{name}/stop", epoch=epoch)

    async def cancel(self, name: str, *, epoch: int) -> Sitting:
        """Cancel the sitting, unless it has changed since `epoch`."""
        return await self._sitting("POST", f"/internal/sittings/{name}/cancel", epoch=epoch)

    async def end(self, name: str) -> Sitting:
        """Close the sitting, whose every deadline has passed; PostgreSQL checks that anew."""
        return await self._sitting("POST", f"/internal/sittings/{name}/close")

    async def publish(self, name: str, revision: int) -> Sitting:
        """Show a graded revision's degrees to the students."""
        return await self._sitting("POST", f"/internal/sittings/{name}/revisions/{revision}/publish")

    async def _sitting(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        epoch: int | None = None,
        absent: bool = False,
    ) -> Sitting:
        headers = {"If-None-Match": "*"} if absent else {}
        if epoch is not None:
            headers["If-Match"] = f'"{epoch}"'
        asked_at = self._clock()
        response = await self._call(method, path, json=body, headers=headers)
        answered_at = self._clock()
        sitting = Sitting.from_json(response.json())
        self.skew = sitting.now - (asked_at + answered_at) // 2
        return sitting

    async def _call(self, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        try:
            response = await self._http.request(method, path, **more)
        except httpx.TransportError as error:
            raise UnavailableError(WEB, f"{type(error).__name__} {error}".strip()) from error
        if response.is_success:
            return response
        raise _fault(response)


class _NotFoundError(RejectedError):
    """There is no such thing."""


def _fault(response: httpx.Response) -> Exception:
    """What an answer that is none means."""
    if response.is_server_error or response.status_code in _OUR_FAULT:
        after = response.headers.get("Retry-After", "")
        why = f"answers {response.status_code} to {response.request.method} {response.request.url.path}"
        return UnavailableError(WEB, why, retry_after=float(after) if after.isdecimal() else None)
    problem = response.json()
    slug = problem["type"].rpartition("/")[2]
    if slug in _LOOK_AGAIN:
        return ConflictError(problem["detail"])
    if slug == ProblemKind.NOT_FOUND.slug:
        return _NotFoundError("ExamNotFound", problem["detail"])
    return RejectedError("".join(part.capitalize() for part in slug.split("-")), problem["detail"])
