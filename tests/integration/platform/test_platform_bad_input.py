"""Whatever is wrong with a request is refused with the reason, and changes nothing."""

import json
import time
from base64 import urlsafe_b64encode
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exam_core.keys import SigningKeys, new_signing_jwk
from exam_core.tokens import Access, Role, sign_access

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

MEGABYTES_10 = b" " * 10_000_000
HOUR = 3_600_000_000


@pytest.fixture(scope="module")
def desk(whole_session):
    """A student who has answered one question of each kind."""
    desk = whole_session.start(whole_session.sitting())
    for kind, body in (("single", {"choices": [1]}), ("multiple", {"choices": [0]}), ("numeric", {"value": "4.5"})):
        desk.answer(desk.question(kind), {"seq": 5, **body})
    return desk


@pytest.fixture
def unchanged(desk):
    """Check that a test changed nothing of what is saved."""
    before = desk.resume()["answers"]
    assert len(before) == 3
    yield
    assert desk.resume()["answers"] == before


WRONG_ANSWERS = [
    ("999", {"seq": 9, "choices": [0]}, 422, "unknown-question"),
    ("-1", {"seq": 9, "choices": [0]}, 422, "unknown-question"),
    ("1e1", {"seq": 9, "choices": [0]}, 422, "unknown-question"),
    ("٣", {"seq": 9, "choices": [0]}, 422, "unknown-question"),
    ("9" * 40, {"seq": 9, "choices": [0]}, 422, "unknown-question"),
    ("single", {"seq": 9, "choices": [99]}, 422, "unknown-choice"),
    ("single", {"seq": 9, "choices": [-1]}, 422, "unknown-choice"),
    ("single", {"seq": 9, "choices": [10**30]}, 422, "unknown-choice"),
    ("single", {"seq": 9, "choices": [4]}, 422, "unknown-choice"),  # a choice of a question with five
    ("single", {"seq": 9, "choices": [0, 1]}, 422, "too-many-choices"),
    ("single", {"seq": 9, "choices": [0, 0]}, 422, "invalid"),
    ("single", {"seq": 9, "choices": ["0"]}, 422, "invalid"),
    ("single", {"seq": 9, "choices": [True]}, 422, "invalid"),
    ("single", {"seq": 9, "choices": None}, 422, "invalid"),
    ("single", {"seq": 9, "value": "3"}, 422, "wrong-answer-kind"),
    ("single", {"seq": 9, "choices": [0], "value": "3"}, 422, "wrong-answer-kind"),
    ("single", {"seq": 9}, 422, "wrong-answer-kind"),
    ("numeric", {"seq": 9, "choices": [0]}, 422, "wrong-answer-kind"),
    ("numeric", {"seq": 9, "value": "NaN"}, 422, "bad-number"),
    ("numeric", {"seq": 9, "value": "sNaN1"}, 422, "bad-number"),
    ("numeric", {"seq": 9, "value": "Infinity"}, 422, "bad-number"),
    ("numeric", {"seq": 9, "value": "-inf"}, 422, "bad-number"),
    ("numeric", {"seq": 9, "value": "1e999"}, 422, "bad-number"),
    ("numeric", {"seq": 9, "value": "1e-999"}, 422, "bad-number"),
    ("numeric", {"seq": 9, "value": ""}, 422, "bad-number"),
    ("numeric", {"seq": 9, "value": "  "}, 422, "bad-number"),
    ("numeric", {"seq": 9, "value": "1" * 65}, 422, "bad-number"),
    ("numeric", {"seq": 9, "value": "0" * 65}, 422, "bad-number"),
    ("numeric", {"seq": 9, "value": "1_0"}, 422, "bad-number"),
    ("numeric", {"seq": 9, "value": "٣"}, 422, "bad-number"),
    ("numeric", {"seq": 9, "value": "\ud800"}, 422, "bad-number"),
    ("numeric", {"seq": 9, "value": "3\x00"}, 422, "bad-number"),
    ("numeric", {"seq": 9, "value": "three"}, 422, "bad-number"),
    ("numeric", {"seq": 9, "value": 3.14}, 422, "bad-number"),
    ("numeric", {"seq": 9, "value": {"is": 3}}, 422, "bad-number"),
    ("single", {"choices": [0]}, 422, "invalid"),
    ("single", {"seq": 0, "choices": [0]}, 422, "invalid"),
    ("single", {"seq": -1, "choices": [0]}, 422, "invalid"),
    ("single", {"seq": "9", "choices": [0]}, 422, "invalid"),
    ("single", {"seq": 9.0, "choices": [0]}, 422, "invalid"),
    ("single", {"seq": True, "choices": [0]}, 422, "invalid"),
    ("single", {"seq": 2**53, "choices": [0]}, 422, "invalid"),
    ("single", [9, 0], 422, "invalid"),
    ("single", "9", 422, "invalid"),
    ("single", None, 422, "invalid"),
]


@pytest.mark.parametrize(("question", "body", "status", "slug"), WRONG_ANSWERS)
def test_an_answer_that_the_paper_does_not_take_is_refused(
    platform, desk, unchanged, question, body, status, slug
) -> None:
    """If I send something that is no answer to the question, I am told why, and what I had answered stays."""
    number = desk.question(question) if question in {"single", "numeric"} else question
    # Python's own JSON, for it writes a lone surrogate as the escape that a client may send.
    content = json.dumps(body).encode()
    platform.refused(
        desk.put(number, None, json=None, content=content, headers={"Content-Type": "application/json"}), status, slug
    )


NOT_JSON = [
    b"",
    b"seq=9&choices=0",
    b'{"seq": 9, "choices": [0]',
    b'{"seq": 9, "choices": [0]} {}',
    b'{"seq": 9, "seq": 10, "choices": [0]}',
    b'{"seq": NaN, "choices": [0]}',
    b'{"seq": 9, "value": Infinity}',
    b'{"seq": 1' + b"0" * 5000 + b', "choices": [0]}',
    b'\xff\xfe{"seq": 9, "choices": [0]}',
    b"[" * 50_000,
]


@pytest.mark.parametrize("content", NOT_JSON, ids=range(len(NOT_JSON)))
def test_a_body_that_is_not_json_is_refused(platform, desk, unchanged, content) -> None:
    """If my device sends garbage, it is told that this is no JSON, and what I had answered stays."""
    reply = desk.put(0, None, json=None, content=content, headers={"Content-Type": "application/json"})
    platform.refused(reply, 400, "malformed")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
def test_a_body_of_another_type_is_refused(platform, desk, unchanged, kind) -> None:
    """If my device sends something else than JSON, it is told to send JSON."""
    reply = desk.put(0, None, json=None, content=b'{"seq": 9, "choices": [0]}', headers={"Content-Type": kind})
    platform.refused(reply, 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "content",
    [MEGABYTES_10, iter([MEGABYTES_10]), MEGABYTES_10[:100_000], iter([MEGABYTES_10[:100_000]])],
    ids=["10 MB", "10 MB in chunks", "100 kB", "100 kB in chunks"],
)
def test_a_huge_body_is_refused_and_read_by_nobody(platform, desk, unchanged, content) -> None:
    """If something sends megabytes as an answer, it is told that this is too much."""
    reply = desk.put(0, None, json=None, content=content, headers={"Content-Type": "application/json"})
    platform.refused(reply, 413, "body-too-large")


def test_of_several_answers_the_good_are_saved_and_the_bad_refused(platform) -> None:
    """If one of my answers sent together is wrong, the others are acknowledged and I see which one is wrong."""
    desk = platform.start(platform.sitting())
    single, numeric = desk.question("single"), desk.question("numeric")
    path = f"{desk.sitting.path}/answers"
    good = {"seq": 1, "choices": [2]}
    sent = [{"question": single, **good}, {"question": numeric, "seq": 1, "value": "NaN"}]
    reply = platform.surely("POST", path, token=desk.token, json={"answers": sent})
    assert reply.status_code == 207
    first, second = reply.json()["results"]
    desk.note(single, good, first)
    assert (second["status"], second["problem"]["type"].rpartition("/")[2]) == (422, "bad-number")
    assert desk.resume()["answers"] == [{"question": single, "seq": 1, "choices": [2]}]
    for answers in ([], sent * 51, [1], "x", None, [{"seq": 1, "choices": [0]}]):
        platform.refused(platform.surely("POST", path, token=desk.token, json={"answers": answers}), 422, "invalid")
    platform.refused(platform.surely("POST", path, token=desk.token, json={"answers": sent[1:]}), 422, "bad-number")


# who is asking


def _access(platform, desk, *, keys=None, issued=-HOUR // 60, lasts=HOUR // 6, **claims: str) -> str:
    """An access token for a student, signed as web signs unless other keys are given."""
    real = jwt.decode(desk.tokens["access"], options={"verify_signature": False})
    own = SigningKeys.from_jwks(json.loads(platform.stack.secrets.web_keys.read_text()))
    now = platform.postgres.now()
    access = Access(
        subject=int(real["sub"]),
        role=Role.STUDENT,
        level="year-1",
        session=uuid4(),
        token=uuid4(),
        issued_at=now + issued,
        expires_at=now + issued + lasts,
    )
    if not claims:
        return sign_access(access, keys or own)
    payload = {"iss": "exam-web", "aud": "exam-platform", **access.claims(), **claims}
    return jwt.encode(payload, own.private, algorithm="EdDSA", headers={"typ": "at+jwt", "kid": own.kid})


def _strange_keys(kid=None) -> SigningKeys:
    jwk = new_signing_jwk(Ed25519PrivateKey.generate())
    return SigningKeys.from_jwks({"keys": [jwk | ({"kid": kid} if kid else {})]})


def _kid(token) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def _unsigned(token) -> str:
    """The token's claims under the header of one that nobody signed."""
    header = jwt.get_unverified_header(token) | {"alg": "none"}
    head = urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return f"{head}.{token.split('.')[1]}."


def _tampered(token) -> str:
    """The token's signature under claims that speak for somebody else."""
    head, body, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False}) | {"sub": "1"}
    body = urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{signature}"


ACCESS_TOKENS = {
    "refresh token": (lambda _, d: d.tokens["refresh"], "unauthenticated"),
    "attempt token": (lambda _, d: d.token, "unauthenticated"),
    "receipt": (lambda _, d: d.receipts[0], "unauthenticated"),
    "expired": (lambda p, d: _access(p, d, issued=-HOUR, lasts=HOUR // 2), "token-expired"),
    "signed by a stranger": (lambda p, d: _access(p, d, keys=_strange_keys()), "unauthenticated"),
    "signed by a stranger in our name": (
        lambda p, d: _access(p, d, keys=_strange_keys(_kid(d.tokens["access"]))),
        "unauthenticated",
    ),
    "for another audience": (lambda p, d: _access(p, d, aud="exam-web"), "unauthenticated"),
    "from another issuer": (lambda p, d: _access(p, d, iss="exam-solver"), "unauthenticated"),
    "with an odd role": (lambda p, d: _access(p, d, role="root"), "unauthenticated"),
    "without signature": (lambda _, d: _unsigned(d.tokens["access"]), "unauthenticated"),
    "tampered with": (lambda _, d: _tampered(d.tokens["access"]), "unauthenticated"),
    "garbage": (lambda _p, _d: "a.b.c", "unauthenticated"),
    "endless": (lambda _p, _d: "a" * 6000, "unauthenticated"),
    "none at all": (lambda _p, _d: None, "unauthenticated"),
}


@pytest.mark.parametrize("which", ACCESS_TOKENS)
def test_nobody_starts_with_a_token_that_is_no_access_token(platform, desk, unchanged, which) -> None:
    """If a token is forged, expired or for something else, nobody sits an exam with it."""
    make, slug = ACCESS_TOKENS[which]
    token = make(platform, desk)
    reply = platform.surely("POST", f"{desk.sitting.path}/attempt", token=token)
    platform.refused(reply, 401, slug)
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("which", ACCESS_TOKENS)
def test_web_takes_no_token_that_is_no_access_token(platform, desk, which) -> None:
    """If a token is forged, expired or for something else, nobody reads exams and degrees with it."""
    make, slug = ACCESS_TOKENS[which]
    reply = platform.surely("GET", "/api/degrees", host="localhost", token=make(platform, desk))
    platform.refused(reply, 401, slug)


ATTEMPT_TOKENS = {
    "access token": lambda desk: desk.tokens["access"],
    "refresh token": lambda desk: desk.tokens["refresh"],
    "receipt": lambda desk: desk.receipts[0],
    "without signature": lambda desk: _unsigned(desk.token),
    "tampered with": lambda desk: _tampered(desk.token),
    "signed by a stranger in our name": lambda desk: jwt.encode(
        jwt.decode(desk.token, options={"verify_signature": False}),
        _strange_keys().private,
        algorithm="EdDSA",
        headers=jwt.get_unverified_header(desk.token),
    ),
    "none at all": lambda _: None,
}


@pytest.mark.parametrize("which", ATTEMPT_TOKENS)
def test_nobody_answers_with_a_token_that_is_no_attempt_token(platform, desk, unchanged, which) -> None:
    """If somebody makes up an attempt token, my answers stay as they are."""
    number = desk.question("single")
    reply = desk.put(number, {"seq": 9, "choices": [0]}, token=ATTEMPT_TOKENS[which](desk))
    platform.refused(reply, 401, "unauthenticated")


def test_a_logout_ends_a_login_at_every_solver_within_seconds(platform) -> None:
    """If I log out, nobody goes on in my name, neither with my login nor with my attempt."""
    desk = platform.start(platform.sitting())
    number = desk.question("single")
    desk.answer(number, {"seq": 1, "choices": [1]})
    reply = platform.surely("POST", "/api/auth/logout", host="localhost", json={"refresh": desk.tokens["refresh"]})
    assert reply.status_code == 204
    path = f"{desk.sitting.path}/time"
    deadline = time.monotonic() + 5
    for solver in platform.stack.solvers:
        for token in (desk.token, desk.tokens["access"]):

            def ended(base=solver.url, token=token) -> bool:
                return platform.call("GET", path, base=base, token=token).status_code == 401

            platform.eventually("the logout is honoured", ended, seconds=max(0.0, deadline - time.monotonic()))
    platform.refused(desk.put(number, {"seq": 2, "choices": [0]}), 401, "token-revoked")
    attempt = platform.surely("POST", f"{desk.sitting.path}/attempt", token=desk.tokens["access"])
    platform.refused(attempt, 401, "token-revoked")
    refreshed = {"refresh": desk.tokens["refresh"]}
    reply = platform.surely("POST", "/api/auth/refresh", host="localhost", json=refreshed)
    assert platform.refused(reply, 401, reply.json()["type"].rpartition("/")[2])
    desk.tokens = platform.log_in(desk.account)
    assert desk.resume()["answers"] == [{"question": number, "seq": 1, "choices": [1]}]


def test_a_doctor_sits_no_exam(platform, desk) -> None:
    """If I write exams, I cannot sit them."""
    doctor = platform.people.doctors[0]
    credentials = {"username": doctor.username, "password": doctor.password}
    tokens = platform.surely("POST", "/api/auth/doctors/login", host="localhost", json=credentials).json()
    path = desk.sitting.path
    platform.refused(platform.surely("POST", f"{path}/attempt", token=tokens["access"]), 403, "forbidden")
    platform.refused(platform.surely("GET", f"{path}/paper", token=tokens["access"]), 403, "forbidden")
    answer = desk.put(0, {"seq": 9, "choices": [0]}, token=tokens["access"])
    platform.refused(answer, 403, "forbidden")


def test_nobody_is_let_in_by_a_wrong_password(platform) -> None:
    """If the password is wrong, or the person is of another kind, nobody is logged in."""
    student, doctor = platform.student(), platform.people.doctors[0]
    address = "/api/auth/students/login"
    for username, password in (
        (student.username, "guess"),
        ("nobody", student.password),
        (doctor.username, doctor.password),
    ):
        body = {"username": username, "password": password}
        platform.refused(platform.surely("POST", address, host="localhost", json=body), 401, "bad-credentials")


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "slug"),
    [
        ("POST", "/api/auth/students/login", b"{", 400, "malformed"),
        ("POST", "/api/auth/students/login", b"[]", 422, "invalid"),
        ("POST", "/api/auth/students/login", b'{"username": 1, "password": null}', 422, "invalid"),
        ("POST", "/api/auth/students/login", b'{"username": "a\\u0000", "password": "b"}', None, None),
        ("POST", "/api/auth/students/login", MEGABYTES_10, 413, "body-too-large"),
        ("GET", "/api/auth/students/login", b"", 405, "method-not-allowed"),
        ("GET", "/api/nothing", b"", 404, "not-found"),
        ("GET", "/internal/sittings/platform-1", b"", 404, "not-found"),
        ("GET", "/metrics", b"", 404, "not-found"),
    ],
)
def test_web_refuses_with_a_reason_too(platform, method, path, content, status, slug) -> None:
    """If a request to web is wrong, I am told what is wrong with it in the same form."""
    headers = {"Content-Type": "application/json"}
    reply = platform.surely(method, path, host="localhost", content=content, headers=headers)
    if status is None:
        status, slug = reply.status_code, reply.json()["type"].rpartition("/")[2]
        assert status in {401, 422}
    platform.refused(reply, status, slug)


# whose sitting, and when


def test_a_sitting_of_another_level_is_not_started(platform) -> None:
    """If an exam is for another year, I cannot start it."""
    sitting = platform.sitting(exam="geometry-201")
    access = platform.log_in(platform.student("year-1"))["access"]
    platform.refused(platform.surely("POST", f"{sitting.path}/attempt", token=access), 403, "wrong-level")


def test_a_sitting_does_not_start_before_it_opens(platform) -> None:
    """If I come too early, I am told when to come back."""
    sitting = platform.sitting(opens_in=600)
    access = platform.log_in(platform.student())["access"]
    reply = platform.surely("POST", f"{sitting.path}/attempt", token=access)
    platform.refused(reply, 409, "not-open-yet")
    assert 1 <= int(reply.headers["Retry-After"]) <= 600


def test_a_sitting_that_does_not_exist_is_not_found(platform, desk) -> None:
    """If there is no such sitting, I am told so."""
    access = desk.tokens["access"]
    for path in (f"/v1/sittings/{uuid4()}/attempt", "/v1/sittings/today/attempt", "/v1/sittings//attempt"):
        platform.refused(platform.surely("POST", path, token=access), 404, "not-found")


def test_an_attempt_token_of_another_sitting_opens_nothing(platform, desk, unchanged) -> None:
    """If I send answers of one exam to another, nothing is saved in either."""
    other = platform.start(platform.sitting())
    for one, another in ((desk, other), (other, desk)):
        platform.refused(one.put(0, {"seq": 9, "choices": [0]}, token=another.token), 403, "forbidden")
        reply = platform.surely("GET", f"{one.sitting.path}/paper", token=another.token)
        platform.refused(reply, 403, "forbidden")
    assert other.resume()["answers"] == []


def test_a_lower_seq_overwrites_nothing_and_a_repeated_answer_counts_once(platform) -> None:
    """If an old answer of mine arrives late or twice, the newest stays, and it counts once."""
    desk = platform.start(platform.sitting())
    number = desk.question("single")
    newest = {"seq": 7, "choices": [1]}
    first = desk.answer(number, newest)
    for stale in ({"seq": 6, "choices": [0]}, {"seq": 7, "choices": [0]}, {"seq": 7, "choices": []}):
        body = platform.refused(desk.put(number, stale), 409, "seq-too-low")
        assert (body["question"], body["highest_seq"]) == (number, 7)
    assert desk.resume()["answers"] == [{"question": number, **newest}]
    for solver in platform.stack.solvers:
        again = desk.answer(number, newest, base=solver.url)
        assert again["received_at"] == first["received_at"]
    platform.finish(desk.sitting)
    platform.assert_graded(desk.sitting, desk)
    assert platform.sealed(desk.sitting).count == 1


def test_an_answer_after_the_deadline_is_refused_and_not_sealed(platform) -> None:
    """If I answer after my deadline, I am told so, and what I had answered before is graded."""
    desk = platform.start(platform.sitting(lasts=2.5, closes_in=900))
    number, other = desk.question("single"), desk.question("numeric")
    desk.answer(number, {"seq": 1, "choices": [0]})
    time_path = f"{desk.sitting.path}/time"

    def is_over() -> bool:
        said = platform.surely("GET", time_path, token=desk.token).json()
        return bool(said["now"] > said["deadline"]["at"])

    platform.eventually("the deadline passes", is_over)
    for question, body in ((number, {"seq": 2, "choices": [1]}), (other, {"seq": 2, "value": "3"})):
        refusal = platform.refused(
            platform.surely("PUT", f"{desk.sitting.path}/answers/{question}", token=desk.token, json=body),
            409,
            "deadline-passed",
        )
        assert refusal["received_at"] > refusal["deadline"]["at"]
    batch = {"answers": [{"question": other, "seq": 3, "value": "3"}]}
    reply = platform.surely("POST", f"{desk.sitting.path}/answers", token=desk.token, json=batch)
    platform.refused(reply, 409, "deadline-passed")
    # What came in time is acknowledged again at any time.
    desk.answer(number, {"seq": 1, "choices": [0]})
    assert desk.resume()["answers"] == [{"question": number, "seq": 1, "choices": [0]}]
    platform.finish(desk.sitting)
    platform.assert_graded(desk.sitting, desk)
