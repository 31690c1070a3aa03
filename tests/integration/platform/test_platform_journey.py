"""A sitting in two levels from the first login to the published degree, without faults."""

import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from random import Random
from typing import Any
from uuid import uuid4

import jwt
import pytest

from exam_harness.environments.processes.process import ChildProcess
from exam_harness.environments.processes.services import Service
from exam_harness.oracle.paper import drawn_of, match_paper
from exam_harness.students.answer_builder import AnswerBuilder
from exam_harness.students.plan import Intent

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

STUDENTS = 3
RECEIPT = "exam-receipt+jwt"


def test_two_sittings_end_with_the_degrees_that_were_earned(platform) -> None:
    """If I answer, change answers, switch devices and submit, my degree is what my last answers earn."""
    sittings = [platform.sitting(exam="algebra-101"), platform.sitting(exam="geometry-201")]
    rng = Random(20261)
    attempts = {sitting: [_sit(platform, sitting, rng) for _ in range(STUDENTS)] for sitting in sittings}
    with ThreadPoolExecutor() as beside:
        statuses = list(beside.map(platform.finish, sittings))
    for sitting, status in zip(sittings, statuses, strict=True):
        platform.assert_graded(sitting, *attempts[sitting])
        assert status["seal"]["answers"] == sum(len(attempt.acknowledged) for attempt in attempts[sitting])
        assert status["seal"]["students"] == STUDENTS
        for attempt in attempts[sitting]:
            assert _degrees(platform, attempt) == []
        platform.client.publish(sitting.name, 1)
    for sitting in sittings:
        for attempt in attempts[sitting]:
            expected = attempt.expected()
            [degree] = _degrees(platform, attempt)
            assert (degree["sitting"], degree["exam"]) == (sitting.name, sitting.document.exam)
            assert Fraction(str(degree["total"])) == expected.total
            assert Fraction(str(degree["maximum"])) == expected.maximum == sitting.document.maximum
            assert [None if p is None else Fraction(str(p)) for p in degree["points"]] == list(expected.points)
            assert degree["answered"] == expected.answered


def test_receipts_verify_with_an_independent_library(platform) -> None:
    """If I keep my receipts, any JOSE library verifies with the published keys what was acknowledged and when."""
    sitting = platform.sitting()
    attempt = platform.start(sitting)
    number = attempt.question("single")
    acknowledged = [attempt.answer(number, {"seq": seq, "choices": [seq % 2]}) for seq in (1, 2)]
    jwks = platform.request("GET", "/v1/keys").json()
    assert not any("d" in key for key in jwks["keys"])
    keys = jwt.PyJWKSet.from_dict(jwks)
    for seq, answer in enumerate(acknowledged, start=1):
        header = jwt.get_unverified_header(answer["receipt"])
        assert header["typ"] == RECEIPT
        claims = jwt.decode(answer["receipt"], keys[header["kid"]], algorithms=["EdDSA"], issuer="exam-solver")
        assert (claims["sitting"], claims["student"]) == (sitting.id, attempt.student)
        assert (claims["question"], claims["seq"]) == (number, seq)
        assert claims["received_at"] <= claims["deadline_at"]
    head, body, signature = acknowledged[0]["receipt"].split(".")
    _, other, _ = acknowledged[1]["receipt"].split(".")
    assert other != body
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(f"{head}.{other}.{signature}", keys[header["kid"]], algorithms=["EdDSA"])


def test_request_ids_are_logged_by_every_service(platform) -> None:
    """If I report a request by its id, an operator finds it in the logs; grading has an id of its own."""
    sitting = platform.sitting()
    attempt = platform.start(sitting)
    answered, listed, grading = (f"platform-{uuid4()}" for _ in range(3))
    reply = attempt.put(attempt.question("single"), {"seq": 1, "choices": [0]}, headers={"X-Request-ID": answered})
    assert (reply.status_code, reply.headers["X-Request-ID"]) == (200, answered)
    lines = _logged(platform, answered, *platform.stack.solvers)
    assert [(line["event"], line["method"], line["status"]) for line in lines] == [("request_served", "PUT", 200)]
    access, named = attempt.tokens["access"], {"X-Request-ID": listed}
    reply = platform.call("GET", "/api/exams", host="localhost", token=access, headers=named)
    assert (reply.status_code, reply.headers["X-Request-ID"]) == (200, listed)
    assert _logged(platform, listed, platform.stack.web)
    with platform.frozen(platform.stack.beat):
        coordinator = ChildProcess(
            "coordinator",
            [sys.executable, "-m", "exam_grader", "coordinate", "--sitting", sitting.name, "--stop"],
            log=platform.stack.logs / "coordinator.log",
            env=platform.stack.grader_env | {"EXAM_REQUEST_ID": grading},
        )
        coordinator.start()
        platform.eventually("the coordinator ends", lambda: not coordinator.alive)
    assert f'"{grading}"' in coordinator.log.read_text()
    graded = [line for line in _logged(platform, grading, platform.stack.worker) if line["event"] == "chunk_graded"]
    chunks = platform.client.sitting(sitting.name)["revisions"][0]["chunks"]
    assert sorted((line["sitting"], line["chunk"]) for line in graded) == [(sitting.id, n) for n in range(chunks)]


def _sit(platform, sitting, rng) -> Any:
    """One student answers a paper on two devices; returns the attempt on the second one."""
    attempt = platform.start(sitting)
    builder = AnswerBuilder.for_paper(sitting.document, attempt.body["paper"])
    intents = [Intent.CORRECT, Intent.WRONG, Intent.BLANK]
    numbers = drawn_of(attempt.body["paper"])
    for number in numbers[:4]:
        attempt.answer(number, {"seq": 1, **builder.build(number, rng.choice(intents), rng)})
    second = platform.start(sitting, attempt.account)
    assert second.body["deadline"] == attempt.body["deadline"]
    assert second.body["order"] == attempt.body["order"]
    assert match_paper(sitting.document, second.body["paper"]) == builder.paper
    assert [answer["question"] for answer in second.body["answers"]] == list(numbers[:4])
    assert second.body["highest_seq"] == 1
    second.acknowledged, second.receipts = attempt.acknowledged, attempt.receipts
    sent = [
        {"question": number, "seq": 2, **builder.build(number, rng.choice(intents), rng)} for number in numbers[2:-1]
    ]
    reply = platform.request("POST", f"{sitting.path}/answers", token=second.token, json={"answers": sent})
    assert reply.status_code == 200, reply.text
    for one, result in zip(sent, reply.json()["results"], strict=True):
        second.record(one["question"], one, result)
    submitted = platform.request("POST", f"{sitting.path}/submit", token=second.token)
    assert submitted.status_code == 200
    assert second.resume()["submitted_at"] == submitted.json()["submitted_at"]
    # A submission does not lock the attempt.
    second.answer(0, {"seq": 3, **builder.build(0, Intent.CORRECT, rng)})
    return second


def _degrees(platform, attempt) -> list[dict[str, Any]]:
    reply = platform.request("GET", "/api/degrees", host="localhost", token=attempt.tokens["access"])
    assert reply.status_code == 200
    return reply.json()["results"]


def _logged(platform, request_id, *services: Service) -> list[dict[str, Any]]:
    """The log lines of a request id; a line may be written shortly after the response."""
    return platform.eventually(
        f"{request_id} is logged",
        lambda: [
            line for service in services for line in platform.log(service) if line.get("request_id") == request_id
        ],
    )
