"""Unknown keys: a solver fetches web's key set, then introspects the token, and refuses only if web says so."""

import asyncio

from exam_core.keys import PublicKeySet, SigningKeys
from exam_solver.auth.web_client import INTROSPECTIONS
from exam_solver.testing.papers import SINGLE
from exam_solver.testing.web import new_keys
from exam_solver.testing.world import Process, World, slug_of

JWKS = "/.well-known/jwks.json"
VERIFY = "/internal/tokens/verify"


async def start(world: World, solver: Process, token: str) -> tuple[int, str]:
    """Start an attempt; return the status and the problem's slug."""
    response = await solver.request("POST", world.path("attempt"), token)
    return response.status_code, "" if response.is_success else slug_of(response)


async def test_concurrent_requests_share_one_fetch_of_the_key_set(world: World, solver: Process) -> None:
    """The sitting opens and many students start at once: the key set is fetched once."""
    responses = await asyncio.gather(*(start(world, solver, world.access_token(student=n)) for n in range(50)))
    assert {status for status, _ in responses} == {201}
    assert world.web.requests == [JWKS]


async def test_an_unknown_key_makes_the_solver_fetch_the_key_set_again(world: World, solver: Process) -> None:
    """Web has just begun to sign with a new key: my token works at once."""
    await world.start_attempt(solver)
    world.web.keys = new_keys()
    world.web.published = world.web.keys.public
    world.clock.advance(10)
    assert await start(world, solver, world.access_token(student=99)) == (201, "")
    assert world.web.requests == [JWKS, JWKS]


async def test_a_token_of_an_unpublished_key_is_introspected_once(world: World, solver: Process) -> None:
    """The published key set is out of date: web confirms my token, and the result is cached."""
    await world.start_attempt(solver)
    old = world.web.published
    world.web.keys = SigningKeys([*new_keys().keys, *world.web.keys.keys])
    world.web.published = old
    token = world.access_token(student=99)
    assert await start(world, solver, token) == (201, "")
    assert await start(world, solver, token) == (200, "")
    assert world.web.requests.count(VERIFY) == 1


async def test_forged_tokens_cause_little_load_on_web(world: World, solver: Process) -> None:
    """An attacker sends forged tokens: each is introspected once, and the key set is rarely fetched."""
    await world.start_attempt(solver)
    token = world.access_token(keys=new_keys())
    for _ in range(20):
        assert await start(world, solver, token) == (401, "unauthenticated")
    assert world.web.requests.count(VERIFY) == 1
    assert world.web.requests.count(JWKS) <= 2


async def test_forged_key_ids_do_not_load_web(world: World, solver: Process) -> None:
    """An attacker signs each of 200 tokens with a key of its own: web gets a few requests, and my token works."""
    await world.start_attempt(solver)
    forged = [world.access_token(keys=new_keys()) for _ in range(200)]
    answers = await asyncio.gather(*(start(world, solver, token) for token in forged[:100]))
    answers += [await start(world, solver, token) for token in forged[100:]]
    assert set(answers) <= {(401, "unauthenticated"), (503, "unavailable")}
    assert world.web.requests.count(VERIFY) <= INTROSPECTIONS
    assert world.web.requests.count(JWKS) <= 2
    assert await start(world, solver, world.access_token(student=99)) == (201, "")
    world.clock.advance(6)
    assert await start(world, solver, forged[150]) == (401, "unauthenticated")


async def test_an_unknown_key_while_web_is_down_gets_503(world: World, solver: Process) -> None:
    """Web is down and my token's key unknown: I get 503 with Retry-After, and need not log in again."""
    world.web.down = True
    token = world.access_token()
    response = await solver.request("POST", world.path("attempt"), token)
    assert (response.status_code, slug_of(response)) == (503, "unavailable")
    assert int(response.headers["retry-after"]) > 0
    world.web.down = False
    assert await start(world, solver, token) == (201, "")


async def test_known_keys_and_attempt_tokens_work_while_web_is_down(
    world: World, solver: Process, attempt: str
) -> None:
    """Web is down: tokens of known keys are accepted, even if the key set is old."""
    world.web.down = True
    world.clock.advance(400)
    await solver.renew()
    assert await start(world, solver, world.access_token(student=99)) == (201, "")
    assert (await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])).status_code == 200
    assert solver.solver.keeper.valid


async def test_a_withdrawn_key_is_dropped(world: World, solver: Process) -> None:
    """A key was stolen and withdrawn: within minutes new tokens of it are refused."""
    stolen = world.web.keys
    await world.start_attempt(solver)
    world.web.keys = new_keys()
    world.web.published = world.web.keys.public
    world.clock.advance(301)
    await solver.renew()
    await solver.request("POST", world.path("attempt"), world.access_token(student=98, keys=stolen))
    await solver.solver.web.refresh()  # joins the running fetch
    assert world.web.requests.count(JWKS) == 2
    assert await start(world, solver, world.access_token(student=99, keys=stolen)) == (401, "unauthenticated")


async def test_a_malformed_response_from_web_gets_503(world: World, solver: Process) -> None:
    """Web responds with a malformed body: I get 503 and may retry."""
    world.web.published = PublicKeySet({})
    world.web.malformed = True
    assert await start(world, solver, world.access_token()) == (503, "unavailable")


async def test_the_request_id_is_passed_on_to_web(world: World, solver: Process) -> None:
    """One request id finds my request in the log of every service."""
    await solver.request("POST", world.path("attempt"), world.access_token(), headers={"X-Request-ID": "abcd-1234"})
    assert world.web.request_ids == ["abcd-1234"]
