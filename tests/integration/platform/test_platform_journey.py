"""A sitting in two levels from the first login to the published degree, with nothing in its way."""

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
from exam_harness.oracle.paper import match
from exam_harness.students.answer_builder import Pen
from exam_harness.students.plan import Wish

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

STUDENTS = 3
RECEIPT = "exam-receipt+jwt"


def test_a_sitting_in_two_levels_ends_with_the_degrees_that_were_earned(platform) -> None:
    """If I answer, change my mind, go on elsewhere and submit, my degree is what my last answers earn."""
    sittings = [platform.sitting(exam="algebra-101"), platform.sitting(exam="geometry-201")]
    chance = Random(20261)
    desks = {sitting: [_sit(platform, sitting, chance) for _ in range(STUDENTS)] for sitting in sittings}
    with ThreadPoolExecutor() as beside:
        statuses = list(beside.map(platform.finish, sittings))
    for sitting, status in zip(sittings, statuses, strict=True):
        platform.assert_graded(sitting, *desks[sitting])
        assert status["seal"]["answers"] == sum(len(desk.acknowledged) for desk in desks[sitting])
        assert status["seal"]["students"] == STUDENTS
        for desk in desks[sitting]:
            assert _degrees(platform, desk) == []
        platform.operator.publish(sitting.name, 1)
    for sitting in sittings:
        for desk in desks[sitting]:
            expected = desk.expected()
            [degree] = _degrees(platform, desk)
            assert (degree["sitting"], degree["exam"]) == (sitting.name, sitting.document.exam)
            assert Fraction(str(degree["total"])) == expected.total
            assert Fraction(str(degree["maximum"])) == expected.maximum == sitting.document.maximum
            assert [None if p is None else Fraction(str(p)) for p in degree["points"]] == list(expected.points)
            assert degree["answered"] == expected.answered


def test_every_receipt_verifies_with_a_library_of_my_own(platform) -> None:
    """If I keep my receipts, any JOSE library proves with the published keys what was acknowledged and when."""
    sitting = platform.sitting()
    desk = platform.start(sitting)
    number = desk.question("single")
    said = [desk.answer(number, {"seq": seq, "choices": [seq % 2]}) for seq in (1, 2)]
    jwks = platform.surely("GET", "/v1/keys").json()
    assert not any("d" in key for key in jwks["keys"])
    keys = jwt.PyJWKSet.from_dict(jwks)
    for seq, answer in enumerate(said, start=1):
        header = jwt.get_unverified_header(answer["receipt"])
        assert header["typ"] == RECEIPT
        claims = jwt.decode(answer["receipt"], keys[header["kid"]], algorithms=["EdDSA"], issuer="exam-solver")
        assert (claims["sitting"], claims["student"]) == (sitting.id, desk.attempt["student"])
        assert (claims["question"], claims["seq"]) == (number, seq)
        assert claims["received_at"] <= claims["deadline_at"]
    head, body, signature = said[0]["receipt"].split(".")
    _, other, _ = said[1]["receipt"].split(".")
    assert other != body
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(f"{head}.{other}.{signature}", keys[header["kid"]], algorithms=["EdDSA"])


def test_a_request_is_found_in_every_log_by_its_id(platform) -> None:
    """If I report a request by its id, an operator finds what became of it; grading has an id of its own."""
    sitting = platform.sitting()
    desk = platform.start(sitting)
    answered, listed, grading = (f"platform-{uuid4()}" for _ in range(3))
    reply = desk.put(desk.question("single"), {"seq": 1, "choices": [0]}, headers={"X-Request-ID": answered})
    assert (reply.status_code, reply.headers["X-Request-ID"]) == (200, answered)
    lines = _logged(platform, answered, *platform.stack.solvers)
    assert [(line["event"], line["method"], line["status"]) for line in lines] == [("request", "PUT", 200)]
    access, named = desk.tokens["access"], {"X-Request-ID": listed}
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
    graded = [line for line in _logged(platform, grading, platform.stack.worker) if line["event"] == "chunk graded"]
    chunks = platform.operator.sitting(sitting.name)["revisions"][0]["chunks"]
    assert sorted((line["sitting"], line["chunk"]) for line in graded) == [(sitting.id, n) for n in range(chunks)]


def _sit(platform, sitting, chance) -> Any:
    """One student's way through a paper, on two devices."""
    desk = platform.start(sitting)
    pen = Pen.of(sitting.document, desk.attempt["paper"])
    wishes = [Wish.RIGHT, Wish.WRONG, Wish.BLANK]
    numbers = range(len(desk.attempt["paper"]["questions"]))
    for number in numbers[:4]:
        desk.answer(number, {"seq": 1, **pen.write(number, chance.choice(wishes), chance)})
    elsewhere = platform.start(sitting, desk.account)
    assert elsewhere.attempt["deadline"] == desk.attempt["deadline"]
    assert elsewhere.attempt["order"] == desk.attempt["order"]
    assert match(sitting.document, elsewhere.attempt["paper"]) == pen.shown
    assert [answer["question"] for answer in elsewhere.attempt["answers"]] == list(numbers[:4])
    assert elsewhere.attempt["highest_seq"] == 1
    elsewhere.acknowledged, elsewhere.receipts = desk.acknowledged, desk.receipts
    sent = [
        {"question": number, "seq": 2, **pen.write(number, chance.choice(wishes), chance)} for number in numbers[2:-1]
    ]
    reply = platform.surely("POST", f"{sitting.path}/answers", token=elsewhere.token, json={"answers": sent})
    assert reply.status_code == 200, reply.text
    for one, result in zip(sent, reply.json()["results"], strict=True):
        elsewhere.note(one["question"], one, result)
    submitted = platform.surely("POST", f"{sitting.path}/submit", token=elsewhere.token)
    assert submitted.status_code == 200
    assert elsewhere.resume()["submitted_at"] == submitted.json()["submitted_at"]
    # To submit is a statement, not a lock.
    elsewhere.answer(0, {"seq": 3, **pen.write(0, Wish.RIGHT, chance)})
    return elsewhere


def _degrees(platform, desk) -> list[dict[str, Any]]:
    reply = platform.surely("GET", "/api/degrees", host="localhost", token=desk.tokens["access"])
    assert reply.status_code == 200
    return reply.json()["results"]


def _logged(platform, request_id, *services: Service) -> list[dict[str, Any]]:
    """What services logged under a request's id; their lines may be a moment behind their answers."""
    return platform.eventually(
        f"{request_id} is in a log",
        lambda: [
            line for service in services for line in platform.log(service) if line.get("request_id") == request_id
        ],
    )
