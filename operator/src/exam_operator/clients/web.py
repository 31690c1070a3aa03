"""A client of web's internal API; each call returns the sitting after it."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx

from exam_core.canonical import JsonObject
from exam_core.instants import rfc3339
from exam_core.problems import ProblemKind
from exam_operator.clients.errors import (
    WEB,
    ConflictError,
    RejectedError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreachableError,
)
from exam_operator.clients.guard import Guard, unguarded
from exam_operator.model.exam import ExamKey, ExamSpec, Window
from exam_operator.model.instants import parse_instant
from exam_operator.model.observed import Sitting
from exam_operator.model.skew import SkewEstimate
from exam_runtime.problems import ReceivedProblem

TIMEOUT = httpx.Timeout(15.0, connect=3.0)
_CONFLICTS = frozenset({ProblemKind.EPOCH_CHANGED, ProblemKind.STATE_CONFLICT})
_TOKEN_REJECTED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})

Clock = Callable[[], int]
Token = Callable[[int], str]


class WebClient:
    """The operator's requests to web. Call `close` at the end.

    Args:
        url: web's address; its host is the Host of every request, which web has to allow.
        token: returns a service token that is issued at an instant of the platform's clock.
        clock: this machine's UTC time in µs.
        guard: called before each request that changes something, and raises an error if this process may not.
    """

    def __init__(self, url: str, token: Token, clock: Clock, *, guard: Guard = unguarded) -> None:
        limits = httpx.Limits(max_connections=16)
        self._http = httpx.AsyncClient(
            base_url=url, timeout=TIMEOUT, limits=limits, trust_env=False, follow_redirects=False
        )
        self._token = token
        self._clock = clock
        self._guard = guard
        self._skew = SkewEstimate()

    @property
    def skew(self) -> int:
        """The platform's clock minus this machine's in µs, by the quickest of the last responses."""
        return self._skew.skew

    @property
    def now(self) -> int:
        """The platform's time, estimated from this machine's clock and the skew."""
        return self._clock() + self.skew

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get_sitting(self, name: str) -> Sitting | None:
        """A sitting by its name; None when it does not exist."""
        try:
            return await self._sitting("GET", f"/internal/sittings/{name}")
        except _NotFoundError:
            return None

    async def provision(self, key: ExamKey, spec: ExamSpec, *, former: str = "") -> Sitting:
        """Freeze the exam's paper and create the sitting, unless it exists.

        A scheduled sitting whose name begins with `former` is renamed instead, and has its spec.
        """
        body = {
            "exam": spec.exam,
            **_window_json(spec.window),
            "candidates": spec.candidates,
            **_scoring_json(spec),
            # The operator publishes, so that `spec.grading.publish` may change until there is something to publish.
            "publish": "manual",
        }
        params = {"former": former} if former else None
        return await self._command("PUT", key, "", body, absent=True, params=params)

    async def distribute(self, key: ExamKey) -> Sitting:
        """Copy the sitting's paper to where solvers read it."""
        return await self._command("POST", key, "/distribute")

    async def import_paper(self, key: ExamKey, spec: ExamSpec, document: bytes) -> None:
        """Create or update the spec's exam from its document, which must have that slug."""
        params = {"slug": spec.exam} | ({"owner": spec.owner} if spec.owner else {})
        await self._call("PUT", "/internal/exams", content=document, params=params, headers=_acting_for(key))

    async def change_window(self, key: ExamKey, spec: ExamSpec, *, epoch: int) -> Sitting:
        """Set the window to the spec's, unless the sitting has changed since `epoch`."""
        return await self._command("PATCH", key, "/window", _window_json(spec.window), epoch=epoch)

    async def change_candidates(self, key: ExamKey, spec: ExamSpec, *, epoch: int) -> Sitting:
        """Set the expected candidates to the spec's, unless the sitting has changed since `epoch`."""
        return await self._command("PATCH", key, "", {"candidates": spec.candidates}, epoch=epoch)

    async def change_scoring(self, key: ExamKey, spec: ExamSpec, *, epoch: int) -> Sitting:
        """Set the scoring policy to the spec's, unless the sitting has changed since `epoch`."""
        return await self._command("PATCH", key, "", _scoring_json(spec), epoch=epoch)

    async def refreeze(self, key: ExamKey, spec: ExamSpec, *, epoch: int) -> Sitting:
        """Freeze the exam's present content for the sitting, once for each value in the spec."""
        body = {"request": spec.refreeze}
        return await self._command("POST", key, "/refreeze", body, epoch=epoch)

    async def pause(self, key: ExamKey, *, epoch: int) -> Sitting:
        """Suspend all deadlines, unless the sitting has changed since `epoch`."""
        return await self._command("POST", key, "/pause", epoch=epoch)

    async def resume(self, key: ExamKey, *, epoch: int) -> Sitting:
        """End the pause, unless the sitting has changed since `epoch`."""
        return await self._command("POST", key, "/resume", epoch=epoch)

    async def stop(self, key: ExamKey, *, epoch: int) -> Sitting:
        """End the sitting now, unless it has changed since `epoch`."""
        return await self._command("POST", key, "/stop", epoch=epoch)

    async def cancel(self, key: ExamKey, *, epoch: int) -> Sitting:
        """Cancel the sitting, unless it has changed since `epoch`."""
        return await self._command("POST", key, "/cancel", epoch=epoch)

    async def close_sitting(self, key: ExamKey) -> Sitting:
        """Close a sitting whose deadlines have all passed; PostgreSQL checks that again."""
        return await self._command("POST", key, "/close")

    async def drain(self, key: ExamKey) -> Sitting:
        """Record that a closed sitting has drained, if it has; PostgreSQL decides."""
        try:
            return await self._command("POST", key, "/drain")
        except _NotFoundError:
            # A web of the release before this command, beside this operator during an upgrade, drains when it is read.
            return await self._sitting("GET", f"/internal/sittings/{key.sitting}")

    async def open_revision(self, key: ExamKey, revision: int) -> Sitting:
        """Open a grading revision under the exam's present key; an open one stays as it is."""
        return await self._command("PUT", key, f"/revisions/{revision}")

    async def publish(self, key: ExamKey, revision: int) -> Sitting:
        """Publish the degrees of a graded revision."""
        return await self._command("POST", key, f"/revisions/{revision}/publish")

    async def _command(
        self,
        method: str,
        key: ExamKey,
        path: str,
        body: JsonObject | None = None,
        *,
        epoch: int | None = None,
        absent: bool = False,
        params: Mapping[str, str] | None = None,
    ) -> Sitting:
        """Change the sitting of a resource, for the resource's namespace, which the exam must name."""
        headers = _acting_for(key) | ({"If-None-Match": "*"} if absent else {})
        if epoch is not None:
            headers["If-Match"] = f'"{epoch}"'
        return await self._sitting(method, f"/internal/sittings/{key.sitting}{path}", body, headers, params)

    async def _sitting(
        self,
        method: str,
        path: str,
        body: JsonObject | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Sitting:
        sent_at = self._clock()
        response = await self._call(method, path, json=body, headers=headers, params=params)
        received_at = self._clock()
        try:
            sitting = Sitting.from_json(response.json())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _unexpected(response, f"the body is no sitting ({type(error).__name__}: {error})") from error
        self._skew.add(sitting.now, sent_at=sent_at, received_at=received_at)
        return sitting

    async def _call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        **arguments: Any,  # noqa: ANN401 - httpx's own
    ) -> httpx.Response:
        response = await self._send(method, path, headers, arguments)
        if self._learns_time(response):
            response = await self._send(method, path, headers, arguments)
        if response.is_success:
            return response
        raise _error_of(response)

    async def _send(
        self, method: str, path: str, headers: Mapping[str, str] | None, arguments: Mapping[str, Any]
    ) -> httpx.Response:
        extensions = {} if method == "GET" else {"trace": self._check_before_sending}
        own = {"Authorization": f"Bearer {self._token(self.now)}", **(headers or {})}
        try:
            return await self._http.request(method, path, headers=own, extensions=extensions, **arguments)
        except httpx.HTTPError as error:
            raise UnreachableError(WEB, f"{type(error).__name__} {error}".strip()) from error

    def _learns_time(self, response: httpx.Response) -> bool:
        """Whether the response rejects a token as expired; then the platform's time is known from now on.

        The first request of a process whose machine has another time, or the first one after a failover to a database
        that has, is signed with a wrong time.
        """
        problem = None if response.is_success else ReceivedProblem.parse(response.content)
        if problem is None or problem.kind is not ProblemKind.TOKEN_EXPIRED:
            return False
        try:
            now = parse_instant(response.json()["now"])
        except (ValueError, KeyError, TypeError):
            return False
        received_at = self._clock()
        elapsed = response.elapsed // timedelta(microseconds=1)
        self._skew.add(now, sent_at=received_at - elapsed, received_at=received_at)
        return True

    async def _check_before_sending(self, event: str, _info: object) -> None:
        """Call the guard when a connection is made and free, and the request is about to be written to it."""
        if event.endswith(".send_request_headers.started"):
            self._guard()


class _NotFoundError(RejectedError):
    """The exam or the sitting does not exist."""


def _acting_for(key: ExamKey) -> dict[str, str]:
    return {"Exam-Namespace": key.namespace}


def _window_json(window: Window) -> JsonObject:
    return {
        "opens_at": rfc3339(window.opens_at),
        "closes_at": rfc3339(window.closes_at),
        "duration_us": window.duration,
    }


def _scoring_json(spec: ExamSpec) -> JsonObject:
    """The rules of the spec's scoring policy; empty if it has none, so that the exam's applies."""
    policy = spec.scoring
    return {} if policy is None else {"multiple": policy.multiple.value, "negative_total": policy.negative_total}


def _error_of(response: httpx.Response) -> Exception:
    """The error that an unsuccessful response stands for."""
    problem = ReceivedProblem.parse(response.content)
    if response.is_server_error or response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        after = response.headers.get("Retry-After", "")
        return UnavailableError(WEB, _line(response), retry_after=float(after) if after.isdecimal() else None)
    if problem is None:
        return _unexpected(response, "not an answer of web's API; check EXAM_OPERATOR_WEB_URL")
    return _error_of_problem(response, problem)


def _error_of_problem(response: httpx.Response, problem: ReceivedProblem) -> Exception:
    if problem.kind is ProblemKind.NAMESPACE_NOT_ALLOWED:
        # 403, but no fault of the operator's own permissions.
        return RejectedError("NamespaceNotAllowed", problem.detail)
    if response.status_code in _TOKEN_REJECTED:
        fault = "EXAM_OPERATOR_SERVICE_KEYS_FILE must begin with a key that web's has"
        message = f"{_line(response)}, {problem.detail}: {fault}"
        return UnavailableError(WEB, message, kind="Unauthorized")
    if problem.kind in _CONFLICTS:
        return ConflictError(problem.detail)
    if problem.kind is ProblemKind.NOT_FOUND:
        return _NotFoundError("ExamNotFound", problem.detail)
    if response.request.method == "GET":
        # Only a change can be rejected.
        return _unexpected(response, problem.detail)
    return RejectedError("".join(part.capitalize() for part in problem.slug.split("-")), problem.detail)


def _unexpected(response: httpx.Response, fault: str) -> UnexpectedAnswerError:
    return UnexpectedAnswerError(WEB, f"{_line(response)}, {fault}")


def _line(response: httpx.Response) -> str:
    """The request and the status of its response."""
    return f"{response.request.method} {response.request.url.path}: {response.status_code}"
