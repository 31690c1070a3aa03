"""Invalid requests are rejected with a problem document and change nothing."""

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
def attempt(platform_session):
    """An attempt with one answer of each kind."""
    attempt = platform_session.start(platform_session.sitting())
    for kind, body in (("single", {"choices": [1]}), ("multiple", {"choices": [0]}), ("numeric", {"value": "4.5"})):
        attempt.answer(attempt.question(kind), {"seq": 5, **body})
    return attempt


@pytest.fixture
def unchanged(attempt):
    """Check that a test does not change the saved answers."""
    before = attempt.resume()["answers"]
    assert len(before) == 3
    yield
    assert attempt.resume()["answers"] == before


INVALID_ANSWERS = [
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
    ("numeric", {"seq": 9, "value": "1,234"}, 422, "bad-number"),
    ("numeric", {"seq": 9, "value": "٣3"}, 422, "bad-number"),
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


@pytest.mark.parametrize(("question", "body", "status", "slug"), INVALID_ANSWERS)
def test_an_invalid_answer_is_rejected_with_its_problem(
    platform, attempt, unchanged, question, body, status, slug
) -> None:
    """If I send an invalid answer, I get the reason, and my saved answers stay."""
    number = attempt.question(question) if question in {"single", "numeric"} else question
    # The standard library writes a lone surrogate as an escape, as a client may.
    content = json.dumps(body).encode()
    platform.assert_problem(
        attempt.put(number, None, json=None, content=content, headers={"Content-Type": "application/json"}),
        status,
        slug,
    )


MALFORMED = [
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


@pytest.mark.parametrize("content", MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_body_returns_400(platform, attempt, unchanged, content) -> None:
    """If my device sends malformed JSON, it gets 400, and my saved answers stay."""
    reply = attempt.put(0, None, json=None, content=content, headers={"Content-Type": "application/json"})
    platform.assert_problem(reply, 400, "malformed")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
def test_another_content_type_returns_415(platform, attempt, unchanged, kind) -> None:
    """If my device sends another content type than JSON, it gets 415."""
    reply = attempt.put(0, None, json=None, content=b'{"seq": 9, "choices": [0]}', headers={"Content-Type": kind})
    platform.assert_problem(reply, 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "content",
    [MEGABYTES_10, iter([MEGABYTES_10]), MEGABYTES_10[:300_000], iter([MEGABYTES_10[:300_000]])],
    ids=["10 MB", "10 MB in chunks", "300 kB", "300 kB in chunks"],
)
def test_a_large_body_returns_413(platform, attempt, unchanged, content) -> None:
    """If a client sends megabytes as an answer, it gets 413."""
    reply = attempt.put(0, None, json=None, content=content, headers={"Content-Type": "application/json"})
    platform.assert_problem(reply, 413, "body-too-large")


def test_valid_answers_of_a_batch_are_saved_and_invalid_ones_rejected(platform) -> None:
    """If one of my answers sent together is invalid, the others are acknowledged and I see which one is wrong."""
    attempt = platform.start(platform.sitting())
    single, numeric = attempt.question("single"), attempt.question("numeric")
    path = f"{attempt.sitting.path}/answers"
    good = {"seq": 1, "choices": [2]}
    sent = [{"question": single, **good}, {"question": numeric, "seq": 1, "value": "NaN"}]
    reply = platform.request("POST", path, token=attempt.token, json={"answers": sent})
    assert reply.status_code == 207
    first, second = reply.json()["results"]
    attempt.record(single, good, first)
    assert (second["status"], second["problem"]["type"].rpartition("/")[2]) == (422, "bad-number")
    assert attempt.resume()["answers"] == [{"question": single, "seq": 1, "choices": [2]}]
    for answers in ([], sent * 51, [1], "x", None, [{"seq": 1, "choices": [0]}]):
        platform.assert_problem(
            platform.request("POST", path, token=attempt.token, json={"answers": answers}), 422, "invalid"
        )
    platform.assert_problem(
        platform.request("POST", path, token=attempt.token, json={"answers": sent[1:]}), 422, "bad-number"
    )


# tokens and credentials


def _access(platform, attempt, *, keys=None, issued=-HOUR // 60, lasts=HOUR // 6, **claims: str) -> str:
    """An access token for a student, signed with web's key unless other keys are given."""
    real = jwt.decode(attempt.tokens["access"], options={"verify_signature": False})
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


def _other_keys(kid=None) -> SigningKeys:
    jwk = new_signing_jwk(Ed25519PrivateKey.generate())
    return SigningKeys.from_jwks({"keys": [jwk | ({"kid": kid} if kid else {})]})


def _kid(token) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def _unsigned(token) -> str:
    """The token's claims with `alg: none` and no signature."""
    header = jwt.get_unverified_header(token) | {"alg": "none"}
    head = urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return f"{head}.{token.split('.')[1]}."


def _tampered(token) -> str:
    """The token's signature with the claims of another student."""
    head, body, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False}) | {"sub": "1"}
    body = urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{signature}"


ACCESS_TOKENS = {
    "refresh token": (lambda _, d: d.tokens["refresh"], "unauthenticated"),
    "attempt token": (lambda _, d: d.token, "unauthenticated"),
    "receipt": (lambda _, d: d.receipts[0], "unauthenticated"),
    "expired": (lambda p, d: _access(p, d, issued=-HOUR, lasts=HOUR // 2), "token-expired"),
    "signed with another key": (lambda p, d: _access(p, d, keys=_other_keys()), "unauthenticated"),
    "signed with another key under the right kid": (
        lambda p, d: _access(p, d, keys=_other_keys(_kid(d.tokens["access"]))),
        "unauthenticated",
    ),
    "for another audience": (lambda p, d: _access(p, d, aud="exam-web"), "unauthenticated"),
    "from another issuer": (lambda p, d: _access(p, d, iss="exam-solver"), "unauthenticated"),
    "with an unknown role": (lambda p, d: _access(p, d, role="root"), "unauthenticated"),
    "without signature": (lambda _, d: _unsigned(d.tokens["access"]), "unauthenticated"),
    "tampered with": (lambda _, d: _tampered(d.tokens["access"]), "unauthenticated"),
    "garbage": (lambda _p, _d: "a.b.c", "unauthenticated"),
    "very long": (lambda _p, _d: "a" * 6000, "unauthenticated"),
    "none": (lambda _p, _d: None, "unauthenticated"),
}


@pytest.mark.parametrize("name", ACCESS_TOKENS)
def test_an_invalid_access_token_cannot_start_an_attempt(platform, attempt, unchanged, name) -> None:
    """A token that is forged, expired or of another type cannot start an attempt."""
    make, slug = ACCESS_TOKENS[name]
    token = make(platform, attempt)
    reply = platform.request("POST", f"{attempt.sitting.path}/attempt", token=token)
    platform.assert_problem(reply, 401, slug)
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("name", ACCESS_TOKENS)
def test_web_rejects_invalid_access_tokens(platform, attempt, name) -> None:
    """A token that is forged, expired or of another type cannot read degrees."""
    make, slug = ACCESS_TOKENS[name]
    reply = platform.request("GET", "/api/degrees", host="localhost", token=make(platform, attempt))
    platform.assert_problem(reply, 401, slug)


ATTEMPT_TOKENS = {
    "access token": lambda attempt: attempt.tokens["access"],
    "refresh token": lambda attempt: attempt.tokens["refresh"],
    "receipt": lambda attempt: attempt.receipts[0],
    "without signature": lambda attempt: _unsigned(attempt.token),
    "tampered with": lambda attempt: _tampered(attempt.token),
    "signed with another key under the right kid": lambda attempt: jwt.encode(
        jwt.decode(attempt.token, options={"verify_signature": False}),
        _other_keys().private,
        algorithm="EdDSA",
        headers=jwt.get_unverified_header(attempt.token),
    ),
    "none": lambda _: None,
}


@pytest.mark.parametrize("name", ATTEMPT_TOKENS)
def test_an_invalid_attempt_token_cannot_answer(platform, attempt, unchanged, name) -> None:
    """If a client sends an invalid attempt token, my saved answers stay."""
    number = attempt.question("single")
    reply = attempt.put(number, {"seq": 9, "choices": [0]}, token=ATTEMPT_TOKENS[name](attempt))
    platform.assert_problem(reply, 401, "unauthenticated")


def test_a_logout_revokes_tokens_at_every_solver_within_seconds(platform) -> None:
    """If I log out, neither my access token nor my attempt token is accepted any more."""
    attempt = platform.start(platform.sitting())
    number = attempt.question("single")
    attempt.answer(number, {"seq": 1, "choices": [1]})
    reply = platform.request("POST", "/api/auth/logout", host="localhost", json={"refresh": attempt.tokens["refresh"]})
    assert reply.status_code == 204
    path = f"{attempt.sitting.path}/time"
    deadline = time.monotonic() + 5
    for solver in platform.stack.solvers:
        for token in (attempt.token, attempt.tokens["access"]):

            def ended(base=solver.url, token=token) -> bool:
                return platform.call("GET", path, base=base, token=token).status_code == 401

            platform.eventually("the logout takes effect", ended, seconds=max(0.0, deadline - time.monotonic()))
    platform.assert_problem(attempt.put(number, {"seq": 2, "choices": [0]}), 401, "token-revoked")
    restart = platform.request("POST", f"{attempt.sitting.path}/attempt", token=attempt.tokens["access"])
    platform.assert_problem(restart, 401, "token-revoked")
    refreshed = {"refresh": attempt.tokens["refresh"]}
    reply = platform.request("POST", "/api/auth/refresh", host="localhost", json=refreshed)
    assert platform.assert_problem(reply, 401, reply.json()["type"].rpartition("/")[2])
    attempt.tokens = platform.log_in(attempt.account)
    assert attempt.resume()["answers"] == [{"question": number, "seq": 1, "choices": [1]}]


def test_a_doctor_cannot_sit_an_exam(platform, attempt) -> None:
    """If I am a doctor, I cannot start an attempt, read a paper or answer."""
    doctor = platform.accounts.doctors[0]
    credentials = {"username": doctor.username, "password": doctor.password}
    tokens = platform.request("POST", "/api/auth/doctors/login", host="localhost", json=credentials).json()
    path = attempt.sitting.path
    platform.assert_problem(platform.request("POST", f"{path}/attempt", token=tokens["access"]), 403, "forbidden")
    platform.assert_problem(platform.request("GET", f"{path}/paper", token=tokens["access"]), 403, "forbidden")
    answer = attempt.put(0, {"seq": 9, "choices": [0]}, token=tokens["access"])
    platform.assert_problem(answer, 403, "forbidden")


def test_wrong_credentials_return_401(platform) -> None:
    """A wrong password, an unknown username or an account of another kind cannot log in."""
    student, doctor = platform.student(), platform.accounts.doctors[0]
    address = "/api/auth/students/login"
    for username, password in (
        (student.username, "guess"),
        ("unknown", student.password),
        (doctor.username, doctor.password),
    ):
        body = {"username": username, "password": password}
        platform.assert_problem(platform.request("POST", address, host="localhost", json=body), 401, "bad-credentials")


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
def test_web_rejects_invalid_requests_with_problems(platform, method, path, content, status, slug) -> None:
    """If a request to web is invalid, the response is a problem document as well."""
    headers = {"Content-Type": "application/json"}
    reply = platform.request(method, path, host="localhost", content=content, headers=headers)
    if status is None:
        status, slug = reply.status_code, reply.json()["type"].rpartition("/")[2]
        assert status in {401, 422}
    platform.assert_problem(reply, status, slug)


# sittings and deadlines


def test_a_sitting_of_another_level_returns_403(platform) -> None:
    """If an exam is for another level, I cannot start it."""
    sitting = platform.sitting(exam="geometry-201")
    access = platform.log_in(platform.student("year-1"))["access"]
    platform.assert_problem(platform.request("POST", f"{sitting.path}/attempt", token=access), 403, "wrong-level")


def test_a_start_before_the_opening_returns_retry_after(platform) -> None:
    """If I start before the opening, I get 409 with Retry-After."""
    sitting = platform.sitting(opens_in=600)
    access = platform.log_in(platform.student())["access"]
    reply = platform.request("POST", f"{sitting.path}/attempt", token=access)
    platform.assert_problem(reply, 409, "not-open-yet")
    assert 1 <= int(reply.headers["Retry-After"]) <= 600


def test_an_unknown_sitting_returns_404(platform, attempt) -> None:
    """If there is no such sitting, I get 404."""
    access = attempt.tokens["access"]
    for path in (f"/v1/sittings/{uuid4()}/attempt", "/v1/sittings/today/attempt", "/v1/sittings//attempt"):
        platform.assert_problem(platform.request("POST", path, token=access), 404, "not-found")


def test_an_attempt_token_is_valid_for_its_own_sitting_only(platform, attempt, unchanged) -> None:
    """If I send answers of one exam to another, nothing is saved in either."""
    other = platform.start(platform.sitting())
    for one, another in ((attempt, other), (other, attempt)):
        platform.assert_problem(one.put(0, {"seq": 9, "choices": [0]}, token=another.token), 403, "forbidden")
        reply = platform.request("GET", f"{one.sitting.path}/paper", token=another.token)
        platform.assert_problem(reply, 403, "forbidden")
    assert other.resume()["answers"] == []


def test_a_lower_seq_is_rejected_and_a_retry_is_idempotent(platform) -> None:
    """If an old answer of mine arrives late or twice, the newest stays, and it counts once."""
    attempt = platform.start(platform.sitting())
    number = attempt.question("single")
    newest = {"seq": 7, "choices": [1]}
    first = attempt.answer(number, newest)
    for stale in ({"seq": 6, "choices": [0]}, {"seq": 7, "choices": [0]}, {"seq": 7, "choices": []}):
        body = platform.assert_problem(attempt.put(number, stale), 409, "seq-too-low")
        assert (body["question"], body["highest_seq"]) == (number, 7)
    assert attempt.resume()["answers"] == [{"question": number, **newest}]
    for solver in platform.stack.solvers:
        again = attempt.answer(number, newest, base=solver.url)
        assert again["received_at"] == first["received_at"]
    platform.finish(attempt.sitting)
    platform.assert_graded(attempt.sitting, attempt)
    assert platform.sealed(attempt.sitting).answer_count == 1


def test_an_answer_after_the_deadline_is_rejected_and_not_sealed(platform) -> None:
    """If I answer after my deadline, I get 409, and my earlier answers are graded."""
    attempt = platform.start(platform.sitting(lasts=2.5, closes_in=900))
    number, other = attempt.question("single"), attempt.question("numeric")
    attempt.answer(number, {"seq": 1, "choices": [0]})
    time_path = f"{attempt.sitting.path}/time"

    def past_deadline() -> bool:
        body = platform.request("GET", time_path, token=attempt.token).json()
        return bool(body["now"] > body["deadline"]["at"])

    platform.eventually("the deadline passes", past_deadline)
    for question, body in ((number, {"seq": 2, "choices": [1]}), (other, {"seq": 2, "value": "3"})):
        refusal = platform.assert_problem(
            platform.request("PUT", f"{attempt.sitting.path}/answers/{question}", token=attempt.token, json=body),
            409,
            "deadline-passed",
        )
        assert refusal["received_at"] > refusal["deadline"]["at"]
    batch = {"answers": [{"question": other, "seq": 3, "value": "3"}]}
    reply = platform.request("POST", f"{attempt.sitting.path}/answers", token=attempt.token, json=batch)
    platform.assert_problem(reply, 409, "deadline-passed")
    # An answer that was in time is acknowledged again at any time.
    attempt.answer(number, {"seq": 1, "choices": [0]})
    assert attempt.resume()["answers"] == [{"question": number, "seq": 1, "choices": [0]}]
    platform.finish(attempt.sitting)
    platform.assert_graded(attempt.sitting, attempt)
