"""A sitting opens and closes on time without the operator; once it is back, it finishes the rest exactly once."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest

from exam_harness.waiting import eventually

ACTING = {"EXAM_OPERATOR_LEASE_NAME": "another-lease"}
"""An operator with it acts although another one does."""

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def _graded_once(world, name) -> None:
    status = world.await_phase(name, "Graded", "Published")
    assert [each["state"] for each in world.sitting(name)["revisions"]] == ["graded"]
    assert len(world.jobs(status["sittingId"])) == 1


def test_killed_before_the_opening(world, student) -> None:
    """If the operator is killed before the window, students start when it opens, and all is graded once it is back."""
    world.apply("before", opens_in=6, lasts=5)
    world.await_condition("before", "Provisioned", "True")
    world.operator.kill()
    sitting = world.sitting("before")
    attempt = student.start(sitting)
    assert attempt.answer(0, {"seq": 1, "choices": [0]}).status_code == 200
    student.wait_until_closed(sitting)
    assert attempt.answer(0, {"seq": 2, "choices": [1]}).json()["type"].endswith("/deadline-passed")
    assert world.status("before")["phase"] in {"Scheduled", "Warming"}
    world.operator.start()
    world.operator.await_ready()
    _graded_once(world, "before")
    assert world.status("before")["seal"]["answers"] == 1


def test_killed_while_open(world, student) -> None:
    """If the operator is killed while students write, answers are still acknowledged, and the close is on time."""
    world.apply("while", lasts=8)
    world.await_phase("while", "Open")
    sitting = world.sitting("while")
    attempt = student.start(sitting)
    world.operator.kill()
    assert attempt.answer(0, {"seq": 1, "choices": [0]}).status_code == 200
    world.operator.start()
    world.operator.await_ready()
    _graded_once(world, "while")
    assert world.status("while")["seal"]["answers"] == 1


def test_down_over_the_close(world, student) -> None:
    """If the operator is down when the window closes, late answers are still rejected."""
    world.apply("over", lasts=20)
    world.await_phase("over", "Open")
    sitting = world.sitting("over")
    attempt = student.start(sitting)
    # It acts until it has ended, which takes seconds.
    world.operator.stop()
    student.wait_until_closed(sitting)
    assert attempt.answer(0, {"seq": 1, "choices": [0]}).json()["type"].endswith("/deadline-passed")
    assert world.sitting("over")["state"] == "scheduled"
    world.operator.start()
    world.operator.await_ready()
    _graded_once(world, "over")
    assert world.status("over")["seal"]["answers"] == 0


def test_two_operators_at_once_do_no_harm(world) -> None:
    """If two operators act at once, as around the loss of a Lease, a sitting is provisioned, closed and graded once."""
    second = world.operated.operator("second", env=ACTING | {"EXAM_OPERATOR_RESYNC_SECONDS": "5"})
    second.start()
    second.await_ready()
    try:
        names = [f"twice-{number}" for number in range(4)]
        for name in names:
            world.apply(name, opens_in=1, lasts=6, grading={"publish": "Automatic"})
        for name in names:
            world.await_phase(name, "Published")
            _graded_once(world, name)
            events = world.events(name)
            assert len(events) == len(set(events))
    finally:
        assert second.process.stop() == 0


def test_a_suspended_operator_does_not_undo_a_newer_edit(world) -> None:
    """If an operator process is suspended and resumed, an edit that was applied meanwhile stays."""
    suspended = world.operated.operator("suspended", env=ACTING | {"EXAM_OPERATOR_RESYNC_SECONDS": "1"})
    suspended.start()
    suspended.await_ready()

    def has_duration(wanted: int) -> bool:
        return bool(world.sitting("newer")["window"]["duration_us"] == wanted)

    try:
        created = world.apply("newer", opens_in=3600, lasts=600)
        world.await_condition("newer", "Provisioned", "True")
        for turn in range(5):
            suspended.pause()
            window = created["spec"]["window"]
            world.patch("newer", {"window": {"duration": f"{20 + turn}m"}})
            wanted = (20 + turn) * 60_000_000
            eventually(partial(has_duration, wanted), "the edit is applied")
            suspended.resume()
            assert window["opensAt"] == world.get("newer")["spec"]["window"]["opensAt"]
        world.await_condition("newer", "Accepted", "True")
        assert world.sitting("newer")["window"]["duration_us"] == 24 * 60_000_000
    finally:
        suspended.stop()


def test_clock_skew_is_reported_and_has_no_effect(world, slow_clock_web) -> None:
    """If the operator's clock differs from the platform's, the Exam is degraded, and the platform's clock is used."""
    world.operator.stop()
    skewed = world.operated.operator("skewed", env={"EXAM_OPERATOR_WEB_URL": slow_clock_web})
    skewed.start()
    skewed.await_ready()
    try:
        world.apply("skewed", opens_in=3600, lasts=600)
        degraded = world.await_condition("skewed", "Degraded", "True", "ClockSkew")
        assert "clock" in degraded["message"]
        assert world.status("skewed")["phase"] == "Scheduled"
    finally:
        skewed.stop()
        world.operator.start()
        world.operator.await_ready()
    world.await_condition("skewed", "Degraded", "False")


@pytest.fixture
def slow_clock_web(world) -> Iterator[str]:
    """A proxy to web that sets the platform's clock ten seconds behind the operator's."""

    class Behind(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            reply = httpx.request(
                self.command,
                f"{world.stack.internal_url}{self.path}",
                content=self.rfile.read(length),
                headers=headers | {"Host": "localhost"},
                trust_env=False,
                timeout=30,
            )
            body = reply.json()
            if "now" in body:
                body["now"] = _earlier(body["now"])
            content = json.dumps(body).encode()
            self.send_response(reply.status_code)
            self.send_header("Content-Type", reply.headers["Content-Type"])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_PATCH = answer  # noqa: N815 - the base class's names

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Behind)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _earlier(text: str) -> str:
    return (datetime.fromisoformat(text) - timedelta(seconds=10)).isoformat()
