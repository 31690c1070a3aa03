"""Tokens at the solver: only those that were issued for it, to whom it serves, for as long as they last."""

import base64
import json
from dataclasses import replace
from uuid import uuid4

import jwt
import pytest

from exam_core.instants import SECOND
from exam_core.tokens import Refresh, Role, read_access, read_attempt, sign_attempt, sign_refresh
from exam_solver.lease.revocations import RevocationKind
from exam_solver.testing.papers import COIN, SINGLE
from exam_solver.testing.web import new_keys
from exam_solver.testing.world import STUDENT, Process, World, slug_of


def forged(header: dict[str, object], claims: dict[str, object]) -> str:
    """A token that nobody signed."""
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    return ".".join([*parts, ""])


async def test_without_a_token_nothing_is_served(world: World, solver: Process) -> None:
    """I am asked to log in at every address that concerns an attempt."""
    for method, rest in (
        ("POST", "attempt"),
        ("GET", "paper"),
        ("GET", "images/x"),
        ("PUT", "answers/0"),
        ("POST", "answers"),
        ("POST", "submit"),
        ("GET", "time"),
    ):
        response = await solver.request(method, world.path(rest))
        assert (response.status_code, slug_of(response)) == (401, "unauthenticated")
        assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic abc", "Bearer a.b.c", "bearer ....", "Bearer " + "a" * 5_000, "Bearer \xe9.x.y"],
)
async def test_what_is_no_token_is_refused(world: World, solver: Process, header: str) -> None:
    """Nonsense in the header is a 401, never a crash."""
    response = await solver.http.post(world.path("attempt"), headers=[(b"Authorization", header.encode("latin-1"))])
    assert (response.status_code, slug_of(response)) == (401, "unauthenticated")


async def test_a_header_that_nests_deeply_is_refused(world: World, solver: Process) -> None:
    """A token built to exhaust the parser is a 401."""
    token = base64.urlsafe_b64encode(b"[" * 2_900).decode() + ".e30.e30"
    response = await solver.request("POST", world.path("attempt"), token)
    assert (response.status_code, slug_of(response)) == (401, "unauthenticated")


async def test_two_authorization_headers_are_refused(world: World, solver: Process) -> None:
    """A request may not speak for two people."""
    headers = [("Authorization", f"Bearer {world.access_token()}")] * 2
    response = await solver.http.post(world.path("attempt"), headers=headers)
    assert (response.status_code, slug_of(response)) == (401, "unauthenticated")


async def test_an_unsigned_token_is_refused(world: World, solver: Process, attempt: str) -> None:
    """``alg: none`` opens nothing, whatever the token says."""
    access = read_access(world.access_token(), world.web.keys.public, now=0)
    claims = {"iss": "exam-web", "aud": "exam-platform", **access.claims()}
    for kid in (world.web.keys.kid, "other"):
        token = forged({"alg": "none", "typ": "at+jwt", "kid": kid}, claims)
        response = await solver.request("POST", world.path("attempt"), token)
        assert (response.status_code, slug_of(response)) == (401, "unauthenticated")
    mine = read_attempt(attempt, world.solver_keys.public).claims() | {"iss": "exam-solver", "aud": "exam-solver"}
    token = forged({"alg": "none", "typ": "exam-attempt+jwt", "kid": world.solver_keys.kid}, mine)
    assert slug_of(await world.put_answer(solver, token, SINGLE, 1, choices=[0])) == "unauthenticated"


async def test_a_token_signed_by_somebody_else_under_a_known_keys_name_is_refused(
    world: World, solver: Process
) -> None:
    """A forger may name web's key, but does not have it."""
    forger = replace(new_keys(), keys=[(world.web.keys.kid, new_keys().private)])
    response = await solver.request("POST", world.path("attempt"), world.access_token(keys=forger))
    assert (response.status_code, slug_of(response)) == (401, "unauthenticated")


async def test_a_symmetric_token_made_with_the_public_key_is_refused(world: World, solver: Process) -> None:
    """The public key is no secret, and no HMAC key either."""
    public = world.web.keys.private.public_key().public_bytes_raw()
    claims = {"iss": "exam-web", "aud": "exam-platform", "sub": "17", "iat": 0, "exp": 2**33}
    token = jwt.encode(claims, public, algorithm="HS256", headers={"typ": "at+jwt", "kid": world.web.keys.kid})
    response = await solver.request("POST", world.path("attempt"), token)
    assert (response.status_code, slug_of(response)) == (401, "unauthenticated")


async def test_tokens_for_another_audience_are_refused(world: World, solver: Process, attempt: str) -> None:
    """A refresh token, and a token that web signed for something else, open nothing here."""
    now = world.schedule.now
    refresh = Refresh(subject=STUDENT, session=uuid4(), token=uuid4(), issued_at=now, expires_at=now + 600 * SECOND)
    access = read_access(world.access_token(), world.web.keys.public, now=0)
    elsewhere = jwt.encode(
        {"iss": "exam-web", "aud": "exam-web", **access.claims()},
        world.web.keys.private,
        algorithm="EdDSA",
        headers={"typ": "at+jwt", "kid": world.web.keys.kid},
    )
    for token in (sign_refresh(refresh, world.web.keys), elsewhere, attempt):
        response = await solver.request("POST", world.path("attempt"), token)
        assert (response.status_code, slug_of(response)) == (401, "unauthenticated")


async def test_an_expired_token_is_refused_by_the_platforms_clock(world: World, solver: Process) -> None:
    """My token lasted ten minutes: it is refused afterwards, remembered or not."""
    token = world.access_token()
    assert (await solver.request("GET", world.path("time"), token)).status_code == 200
    world.clock.advance(600)
    await solver.renew()
    remembered = await solver.request("GET", world.path("time"), token)
    anew = await (await world.start_process()).request("GET", world.path("time"), token)
    for response in (remembered, anew):
        assert (response.status_code, slug_of(response)) == (401, "token-expired")


async def test_an_attempt_outlives_the_access_token(world: World, solver: Process, attempt: str) -> None:
    """My access token ran out in the middle of the exam: I go on answering."""
    world.clock.advance(1_200)
    await solver.renew()
    assert (await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])).status_code == 200


async def test_a_session_that_ended_is_over_within_a_renewal(world: World, solver: Process) -> None:
    """I logged out: neither the access token nor the attempt of that session is honoured any more."""
    session = uuid4()
    access = world.access_token(session=session)
    attempt = await world.start_attempt(solver, access)
    world.schedule.revoke(RevocationKind.SESSION, session)
    await solver.renew()
    for response in (
        await solver.request("GET", world.path("time"), access),
        await world.put_answer(solver, attempt, SINGLE, 1, choices=[0]),
    ):
        assert (response.status_code, slug_of(response)) == (401, "token-revoked")
    assert (await solver.request("POST", world.path("attempt"), world.access_token())).status_code == 200
    assert (
        slug_of(await world.put_answer(await world.start_process(), attempt, SINGLE, 1, choices=[0])) == "token-revoked"
    )


async def test_a_disabled_accounts_tokens_are_revoked_and_later_ones_are_not(
    world: World, solver: Process, attempt: str
) -> None:
    """My account was disabled, then enabled: old tokens stay dead, a new login works."""
    world.clock.advance(1)
    world.schedule.revoke(RevocationKind.SUBJECT, STUDENT)
    await solver.renew()
    assert slug_of(await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])) == "token-revoked"
    assert (await solver.request("POST", world.path("attempt"), world.access_token(student=99))).status_code == 201
    world.clock.advance(1)
    assert (await solver.request("POST", world.path("attempt"), world.access_token())).status_code == 200


async def test_a_revocation_of_a_kind_to_come_does_not_stop_the_lease(world: World, solver: Process) -> None:
    """A newer web knows more kinds: this release keeps its lease."""
    world.schedule.revoke(RevocationKind.SESSION, "x")
    world.schedule.revocations[0] = replace(world.schedule.revocations[0], kind="device")
    await solver.renew()
    assert solver.solver.keeper.valid


@pytest.mark.parametrize("role", [Role.DOCTOR, Role.STAFF])
async def test_only_students_sit_exams(world: World, solver: Process, role: Role) -> None:
    """I am a doctor: the solver is not for me, at any of the students' addresses."""
    token = world.access_token(role=role, level=None)
    for method, rest in (
        ("POST", "attempt"),
        ("GET", "paper"),
        ("GET", "time"),
        ("PUT", "answers/0"),
        ("POST", "answers"),
        ("POST", "submit"),
    ):
        response = await solver.request(method, world.path(rest), token, json={})
        assert (response.status_code, slug_of(response)) == (403, "forbidden")


async def test_answering_takes_the_attempts_token(world: World, solver: Process) -> None:
    """An access token alone saves nothing: I am told to start the attempt."""
    response = await world.put_answer(solver, world.access_token(), SINGLE, 1, choices=[0])
    assert (response.status_code, slug_of(response)) == (401, "unauthenticated")
    assert "starting the attempt" in response.json()["detail"]


async def test_an_attempt_is_for_its_own_sitting(world: World, solver: Process, attempt: str) -> None:
    """I sit two exams: the token of one does not answer the other."""
    other = uuid4()
    world.add_sitting(other, world.window)
    await solver.renew()
    response = await solver.request(
        "PUT", world.path(f"answers/{COIN}", other), attempt, json={"seq": 1, "choices": [0]}
    )
    assert (response.status_code, slug_of(response)) == (403, "forbidden")


async def test_an_attempt_token_of_an_unknown_key_is_refused(world: World, solver: Process, attempt: str) -> None:
    """Nobody but a solver gives attempts."""
    forger = new_keys()
    token = sign_attempt(read_attempt(attempt, world.solver_keys.public), forger)
    response = await world.put_answer(solver, token, SINGLE, 1, choices=[0])
    assert (response.status_code, slug_of(response)) == (401, "unauthenticated")
    assert "/api/auth/verify" not in world.web.requests
