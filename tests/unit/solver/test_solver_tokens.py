"""Tokens: only those that were issued for the solver, for the right role, and are neither expired nor revoked."""

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


def unsigned(header: dict[str, object], claims: dict[str, object]) -> str:
    """A token without a signature."""
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    return ".".join([*parts, ""])


async def test_every_student_route_requires_a_token(world: World, solver: Process) -> None:
    """Without a token, every route of an attempt responds 401."""
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
async def test_a_malformed_authorization_header_is_refused(world: World, solver: Process, header: str) -> None:
    """A malformed header gets 401, never 500."""
    response = await solver.http.post(world.path("attempt"), headers=[(b"Authorization", header.encode("latin-1"))])
    assert (response.status_code, slug_of(response)) == (401, "unauthenticated")


async def test_a_deeply_nested_token_header_is_refused(world: World, solver: Process) -> None:
    """A token crafted to exhaust the parser gets 401."""
    token = base64.urlsafe_b64encode(b"[" * 2_900).decode() + ".e30.e30"
    response = await solver.request("POST", world.path("attempt"), token)
    assert (response.status_code, slug_of(response)) == (401, "unauthenticated")


async def test_two_authorization_headers_are_refused(world: World, solver: Process) -> None:
    """A request has one principal."""
    headers = [("Authorization", f"Bearer {world.access_token()}")] * 2
    response = await solver.http.post(world.path("attempt"), headers=headers)
    assert (response.status_code, slug_of(response)) == (401, "unauthenticated")


async def test_an_unsigned_token_is_refused(world: World, solver: Process, attempt: str) -> None:
    """``alg: none`` is refused, whatever the claims are."""
    access = read_access(world.access_token(), world.web.keys.public, now=0)
    claims = {"iss": "exam-web", "aud": "exam-platform", **access.claims()}
    for kid in (world.web.keys.kid, "other"):
        token = unsigned({"alg": "none", "typ": "at+jwt", "kid": kid}, claims)
        response = await solver.request("POST", world.path("attempt"), token)
        assert (response.status_code, slug_of(response)) == (401, "unauthenticated")
    mine = read_attempt(attempt, world.solver_keys.public).claims() | {"iss": "exam-solver", "aud": "exam-solver"}
    token = unsigned({"alg": "none", "typ": "exam-attempt+jwt", "kid": world.solver_keys.kid}, mine)
    assert slug_of(await world.put_answer(solver, token, SINGLE, 1, choices=[0])) == "unauthenticated"


async def test_a_token_signed_with_another_key_under_a_known_kid_is_refused(world: World, solver: Process) -> None:
    """An attacker may name web's key, but cannot sign with it."""
    forger = replace(new_keys(), keys=[(world.web.keys.kid, new_keys().private)])
    response = await solver.request("POST", world.path("attempt"), world.access_token(keys=forger))
    assert (response.status_code, slug_of(response)) == (401, "unauthenticated")


async def test_a_symmetric_token_made_with_the_public_key_is_refused(world: World, solver: Process) -> None:
    """The public key is not accepted as an HMAC key."""
    public = world.web.keys.private.public_key().public_bytes_raw()
    claims = {"iss": "exam-web", "aud": "exam-platform", "sub": "17", "iat": 0, "exp": 2**33}
    token = jwt.encode(claims, public, algorithm="HS256", headers={"typ": "at+jwt", "kid": world.web.keys.kid})
    response = await solver.request("POST", world.path("attempt"), token)
    assert (response.status_code, slug_of(response)) == (401, "unauthenticated")


async def test_tokens_for_another_audience_are_refused(world: World, solver: Process, attempt: str) -> None:
    """A refresh token, and an access token that web signed for another audience, are refused."""
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


async def test_expiry_is_checked_against_the_platforms_clock(world: World, solver: Process) -> None:
    """My token was valid for ten minutes: it is refused afterwards, cached or not."""
    token = world.access_token()
    assert (await solver.request("GET", world.path("time"), token)).status_code == 200
    world.clock.advance(600)
    await solver.renew()
    cached = await solver.request("GET", world.path("time"), token)
    uncached = await (await world.start_process()).request("GET", world.path("time"), token)
    for response in (cached, uncached):
        assert (response.status_code, slug_of(response)) == (401, "token-expired")


async def test_an_attempt_token_outlives_the_access_token(world: World, solver: Process, attempt: str) -> None:
    """My access token expired during the exam: I can still save answers."""
    world.clock.advance(1_200)
    await solver.renew()
    assert (await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])).status_code == 200


async def test_logging_out_revokes_the_sessions_tokens_at_the_next_renewal(world: World, solver: Process) -> None:
    """I logged out: neither the access token nor the attempt token of that session is accepted any more."""
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


async def test_a_replayed_refresh_token_ends_access_tokens_and_no_attempt(world: World, solver: Process) -> None:
    """A stolen refresh token was replayed during my exam: access tokens of the login end, my attempt goes on."""
    session = uuid4()
    access = world.access_token(session=session)
    attempt = await world.start_attempt(solver, access)
    world.schedule.revoke(RevocationKind.CHAIN, session)
    await solver.renew()
    for method, rest in (("GET", "time"), ("POST", "attempt")):
        response = await solver.request(method, world.path(rest), access)
        assert (response.status_code, slug_of(response)) == (401, "token-revoked")
    for process in (solver, await world.start_process()):
        assert (await world.put_answer(process, attempt, SINGLE, 1, choices=[0])).status_code == 200
    assert (await solver.request("POST", world.path("attempt"), world.access_token())).status_code == 200


async def test_a_logout_after_a_replay_ends_the_attempt_too(world: World, solver: Process) -> None:
    """My login's refresh tokens were revoked, then I logged out: now the attempt token is refused as well."""
    session = uuid4()
    attempt = await world.start_attempt(solver, world.access_token(session=session))
    for kind, status in ((RevocationKind.CHAIN, 200), (RevocationKind.SESSION, 401)):
        world.schedule.revoke(kind, session)
        await solver.renew()
        assert (await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])).status_code == status


async def test_disabling_an_account_revokes_earlier_tokens_only(world: World, solver: Process, attempt: str) -> None:
    """My account was disabled, then enabled: old tokens stay revoked, a new login works."""
    world.clock.advance(1)
    world.schedule.revoke(RevocationKind.SUBJECT, STUDENT)
    await solver.renew()
    assert slug_of(await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])) == "token-revoked"
    assert (await solver.request("POST", world.path("attempt"), world.access_token(student=99))).status_code == 201
    world.clock.advance(1)
    assert (await solver.request("POST", world.path("attempt"), world.access_token())).status_code == 200


async def test_a_revoked_token_saves_nothing_once_a_solver_without_postgresql_has_lost_its_lease(
    world: World, solver: Process
) -> None:
    """I logged out while one solver cannot reach PostgreSQL: it may take my answers for thirty seconds, no longer."""
    session = uuid4()
    access = world.access_token(session=session)
    attempt = await world.start_attempt(solver, access)
    solver.store.down = True
    world.schedule.revoke(RevocationKind.SESSION, session)
    world.clock.advance(29.9)
    assert (await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])).status_code == 200
    world.clock.advance(0.1)
    for method, path, token, body in (
        ("PUT", f"answers/{SINGLE}", attempt, {"seq": 2, "choices": [1]}),
        ("POST", "answers", attempt, {"answers": [{"question": SINGLE, "seq": 2, "choices": [1]}]}),
        ("POST", "submit", attempt, None),
        ("POST", "attempt", access, None),
    ):
        response = await solver.request(method, world.path(path), token, json=body)
        assert (response.status_code, slug_of(response)) == (503, "unavailable"), path
    solver.store.down = False
    await solver.renew()
    assert slug_of(await world.put_answer(solver, attempt, SINGLE, 2, choices=[1])) == "token-revoked"


async def test_an_unknown_kind_of_revocation_does_not_stop_the_renewal(world: World, solver: Process) -> None:
    """A newer web sends another kind: this release ignores it and keeps its lease."""
    world.schedule.revoke(RevocationKind.SESSION, "x")
    world.schedule.revocations[0] = replace(world.schedule.revocations[0], kind="device")
    await solver.renew()
    assert solver.solver.keeper.valid


@pytest.mark.parametrize("role", [Role.DOCTOR, Role.STAFF])
async def test_only_students_sit_exams(world: World, solver: Process, role: Role) -> None:
    """I am a doctor: every student route responds 403."""
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


async def test_answering_requires_an_attempt_token(world: World, solver: Process) -> None:
    """With an access token alone I get 401, and the response says to start the attempt."""
    response = await world.put_answer(solver, world.access_token(), SINGLE, 1, choices=[0])
    assert (response.status_code, slug_of(response)) == (401, "unauthenticated")
    assert "starting the attempt" in response.json()["detail"]


async def test_an_attempt_token_is_valid_for_its_sitting_only(world: World, solver: Process, attempt: str) -> None:
    """I sit two exams: the attempt token of one is refused at the other."""
    other = uuid4()
    world.add_sitting(other, world.window)
    await solver.renew()
    response = await solver.request(
        "PUT", world.path(f"answers/{COIN}", other), attempt, json={"seq": 1, "choices": [0]}
    )
    assert (response.status_code, slug_of(response)) == (403, "forbidden")


async def test_an_attempt_token_of_an_unknown_key_is_refused(world: World, solver: Process, attempt: str) -> None:
    """Only solvers issue attempt tokens, so web is not asked about one."""
    forger = new_keys()
    token = sign_attempt(read_attempt(attempt, world.solver_keys.public), forger)
    response = await world.put_answer(solver, token, SINGLE, 1, choices=[0])
    assert (response.status_code, slug_of(response)) == (401, "unauthenticated")
    assert "/internal/tokens/verify" not in world.web.requests
