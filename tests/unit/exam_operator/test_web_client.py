"""Errors of web's internal API, as the operator's client raises them."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from unittest.mock import Mock

import pytest
from aiohttp import web

from exam_core.instants import SECOND, to_micros
from exam_core.problems import Problem, ProblemKind
from exam_operator.clients.errors import (
    ConflictError,
    NotLeadingError,
    RejectedError,
    UnavailableError,
    UnexpectedAnswerError,
)
from exam_operator.clients.web import WebClient
from exam_operator.model.exam import ExamKey
from exam_operator.testing.world import EPOCH_2027, make_exam
from exam_runtime.problems import ProblemResponse

Answer = Callable[[], web.Response]
KEY = ExamKey("finals", "midterm", "0a1b2c3d-0000-4000-8000-000000000000")
EXAM = replace(make_exam(EPOCH_2027).spec, exam="algebra-101", owner="noor")
COMMANDS: dict[str, Callable[[WebClient], Awaitable[object]]] = {
    "import_paper": lambda client: client.import_paper(KEY, EXAM, b"exam: algebra-101"),
    "provision": lambda client: client.provision(KEY, EXAM),
    "distribute": lambda client: client.distribute(KEY),
    "change_window": lambda client: client.change_window(KEY, EXAM, epoch=3),
    "change_candidates": lambda client: client.change_candidates(KEY, EXAM, epoch=3),
    "change_scoring": lambda client: client.change_scoring(KEY, EXAM, epoch=3),
    "refreeze": lambda client: client.refreeze(KEY, EXAM, epoch=3),
    "pause": lambda client: client.pause(KEY, epoch=3),
    "resume": lambda client: client.resume(KEY, epoch=3),
    "stop": lambda client: client.stop(KEY, epoch=3),
    "cancel": lambda client: client.cancel(KEY, epoch=3),
    "close_sitting": lambda client: client.close_sitting(KEY),
    "drain": lambda client: client.drain(KEY),
    "open_revision": lambda client: client.open_revision(KEY, 2),
    "publish": lambda client: client.publish(KEY, 1),
}
"""Every method of the client that changes something."""


@pytest.fixture
async def answers() -> dict[str, Answer]:
    """What the fake web answers, by method or under the key «all»."""
    return {}


@pytest.fixture
def guard() -> Mock:
    """The guard of the client, which allows every request."""
    return Mock(return_value=None)


@pytest.fixture
async def requests() -> list[web.BaseRequest]:
    """The requests that the fake web has received."""
    return []


@pytest.fixture
async def client(answers: dict[str, Answer], requests: list[web.BaseRequest], guard: Mock) -> AsyncIterator[WebClient]:
    """A client of a fake web."""

    async def answer(request: web.Request) -> web.Response:
        requests.append(request)
        if request.host != f"127.0.0.1:{runner.addresses[0][1]}":
            return web.Response(status=400, text="a host that web does not allow")
        return answers.get(request.method, answers.get("all", unexpected))()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    created = WebClient(f"http://127.0.0.1:{runner.addresses[0][1]}", token_at, lambda: 0, guard=guard)
    yield created
    await created.close()
    await runner.cleanup()


def token_at(now: int) -> str:
    """A token that shows when it was issued."""
    return f"issued-at-{now}"


def unexpected() -> web.Response:
    """A method that the test does not expect."""
    raise AssertionError("unexpected method")


def sitting_of(*, drained: bool) -> web.Response:
    """The status of a closing sitting as web returns it."""
    instant = "2027-01-15T08:00:00Z"
    status = {
        "id": "60b1f19f-0000-4000-8000-000000000000",
        "state": "closing",
        "epoch": 3,
        "now": instant,
        "window": {"opens_at": instant, "closes_at": instant, "duration_us": 1, "paused": False},
        "ends_at": instant,
        "paper": "a" * 64,
        "frozen_at": instant,
        "refreeze": "",
        "content": {"change": "none", "detail": ""},
        "candidates": 1,
        "distributed": True,
        "drained": drained,
        "seal": None,
        "revisions": [],
        "published_revision": 0,
        "published_at": None,
    }
    return web.json_response(status)


def problem(kind: ProblemKind, detail: str = "why") -> Answer:
    """A problem as web returns it."""
    response = ProblemResponse.of(Problem(kind, detail))
    return lambda: web.Response(status=response.status, body=response.body, content_type=response.media_type)


async def test_a_sitting_that_does_not_exist_is_none(client: WebClient, answers: dict[str, Answer]) -> None:
    """If there is no sitting of this name, there is none to reconcile, which is no error."""
    answers["all"] = problem(ProblemKind.NOT_FOUND)
    assert await client.get_sitting("none") is None


async def test_a_web_without_the_drain_command_is_read(client: WebClient, answers: dict[str, Answer]) -> None:
    """During an upgrade a web of the release before may answer, which drains when a sitting is read."""
    answers["POST"] = problem(ProblemKind.NOT_FOUND)
    answers["GET"] = lambda: sitting_of(drained=True)
    assert (await client.drain(KEY)).drained
    answers["GET"] = problem(ProblemKind.NOT_FOUND)
    with pytest.raises(RejectedError):
        await client.drain(KEY)


@pytest.mark.parametrize("kind", [ProblemKind.EPOCH_CHANGED, ProblemKind.STATE_CONFLICT])
async def test_a_concurrent_change_is_a_conflict(
    client: WebClient, answers: dict[str, Answer], kind: ProblemKind
) -> None:
    """If the sitting has changed since it was read, the change is planned again."""
    answers["all"] = problem(kind)
    with pytest.raises(ConflictError, match="why"):
        await client.pause(KEY, epoch=1)


async def test_a_rejection_has_the_problem_as_its_reason(client: WebClient, answers: dict[str, Answer]) -> None:
    """If web rejects a change, the condition's reason is the problem's name, its message the detail."""
    answers["all"] = problem(ProblemKind.WINDOW_FROZEN, "not shortened")
    with pytest.raises(RejectedError) as caught:
        await client.pause(KEY, epoch=1)
    assert (caught.value.reason, caught.value.message) == ("WindowFrozen", "not shortened")


def test_every_command_of_the_client_is_listed() -> None:
    """If a command is added to the client, the tests below check it too."""
    reads = {"close", "get_sitting"}
    methods = {name for name, value in vars(WebClient).items() if inspect.iscoroutinefunction(value)}
    assert {name for name in methods if not name.startswith("_")} == COMMANDS.keys() | reads


@pytest.mark.parametrize("name", COMMANDS)
async def test_every_command_names_the_namespace_that_it_acts_for(
    client: WebClient, answers: dict[str, Answer], requests: list[web.BaseRequest], name: str
) -> None:
    """Web learns of every command for which namespace it is, and decides whether the exam may be held from there."""
    answers["all"] = lambda: sitting_of(drained=True)
    await COMMANDS[name](client)
    [request] = requests
    assert request.headers["Exam-Namespace"] == "finals"
    if name == "import_paper":
        assert dict(request.query) == {"slug": "algebra-101", "owner": "noor"}
    answers["all"] = problem(ProblemKind.NAMESPACE_NOT_ALLOWED, "name the namespace")
    with pytest.raises(RejectedError) as caught:
        await COMMANDS[name](client)
    assert (caught.value.reason, caught.value.message) == ("NamespaceNotAllowed", "name the namespace")


@pytest.mark.parametrize("name", COMMANDS)
async def test_no_command_is_sent_without_the_lease(
    client: WebClient, answers: dict[str, Answer], requests: list[web.BaseRequest], guard: Mock, name: str
) -> None:
    """If the replica does not hold the Lease, no command reaches web, also on a connection that is open already."""
    answers["all"] = lambda: sitting_of(drained=True)
    await client.get_sitting("midterm")
    assert guard.call_count == 0, "reading needs no Lease"
    guard.side_effect = NotLeadingError
    with pytest.raises(NotLeadingError):
        await COMMANDS[name](client)
    assert [request.method for request in requests] == ["GET"]
    guard.side_effect = None
    await COMMANDS[name](client)
    assert len(requests) == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (problem(ProblemKind.UNAVAILABLE), "WebUnavailable"),
        (problem(ProblemKind.UNAUTHENTICATED), "WebUnauthorized"),
        (problem(ProblemKind.TOO_MANY_REQUESTS), "WebUnavailable"),
        (lambda: web.Response(status=404, text="a proxy's page"), "WebUnexpectedAnswer"),
        (lambda: web.Response(status=302, headers={"Location": "/login"}), "WebUnexpectedAnswer"),
        (lambda: web.Response(status=200, text="a proxy's page"), "WebUnexpectedAnswer"),
        (lambda: web.Response(status=204), "WebUnexpectedAnswer"),
        (lambda: web.json_response({"id": "x"}), "WebUnexpectedAnswer"),
        (lambda: web.json_response(["x"]), "WebUnexpectedAnswer"),
    ],
)
async def test_other_answers_are_faults(
    client: WebClient, answers: dict[str, Answer], answer: Answer, reason: str
) -> None:
    """If web does not work, or something else answers in its place, I read which, and the call is retried later."""
    answers["all"] = answer
    with pytest.raises(UnavailableError, match=f"web: POST /internal/sittings/{KEY.sitting}/pause") as caught:
        await client.pause(KEY, epoch=1)
    assert caught.value.reason == reason


async def test_the_host_is_that_of_the_address(client: WebClient, answers: dict[str, Answer]) -> None:
    """If web allows other hosts than localhost, the operator works: it sends the host of web's address."""
    answers["all"] = lambda: sitting_of(drained=True)
    assert await client.get_sitting("midterm") is not None


async def test_a_read_is_never_rejected(client: WebClient, answers: dict[str, Answer]) -> None:
    """If web rejects a read, for example of a host that it does not allow, that is a fault and not the Exam's."""
    answers["all"] = problem(ProblemKind.MALFORMED, "the host is not allowed")
    with pytest.raises(UnexpectedAnswerError, match="GET /internal/sittings/midterm: 400, the host is not allowed"):
        await client.get_sitting("midterm")


async def test_the_first_request_learns_the_platforms_time(
    client: WebClient, answers: dict[str, Answer], requests: list[web.BaseRequest]
) -> None:
    """If the operator's machine is years behind, its first token has expired; the next is issued at web's time."""
    expired = Problem(ProblemKind.TOKEN_EXPIRED, "the token expired", now="2027-01-15T08:00:00Z")
    rejected = web.Response(status=401, body=ProblemResponse.of(expired).body)
    replies = [sitting_of(drained=True), rejected]
    answers["all"] = replies.pop
    assert await client.get_sitting("midterm") is not None
    first, second = (int(each.headers["Authorization"].removeprefix("Bearer issued-at-")) for each in requests)
    assert first == 0
    assert 0 <= second - to_micros(datetime(2027, 1, 15, 8, tzinfo=UTC)) < SECOND


async def test_a_token_that_stays_expired_is_a_fault(client: WebClient, answers: dict[str, Answer]) -> None:
    """If web rejects the token at the platform's time too, I read that, and the request is not repeated for ever."""
    expired = ProblemResponse.of(Problem(ProblemKind.TOKEN_EXPIRED, "the token expired", now="2027-01-15T08:00:00Z"))
    replies = [web.Response(status=401, body=expired.body) for _ in range(2)]
    answers["all"] = replies.pop
    with pytest.raises(UnavailableError, match="401, the token expired") as caught:
        await client.get_sitting("midterm")
    assert caught.value.reason == "WebUnauthorized"
    assert not replies


async def test_retry_after_is_kept(client: WebClient, answers: dict[str, Answer]) -> None:
    """If web says when to retry, the error has that time."""
    answers["all"] = lambda: web.Response(status=503, headers={"Retry-After": "7"})
    with pytest.raises(UnavailableError) as caught:
        await client.get_sitting("midterm")
    assert caught.value.retry_after == 7
