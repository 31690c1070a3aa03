"""Keys that a solver lacks: it fetches web's set, then asks web, and never takes «I do not know» for «no»."""

import asyncio

from exam_core.keys import PublicKeySet, SigningKeys
from exam_solver.testing.papers import SINGLE
from exam_solver.testing.web import new_keys
from exam_solver.testing.world import Process, World, slug_of

JWKS = "/.well-known/jwks.json"
VERIFY = "/api/auth/verify"


async def start(world: World, solver: Process, token: str) -> tuple[int, str]:
    """Try to start; the status and the problem."""
    response = await solver.request("POST", world.path("attempt"), token)
    return response.status_code, "" if response.is_success else slug_of(response)


async def test_the_key_set_is_fetched_once_for_everybody(world: World, solver: Process) -> None:
    """The exam opens and hundreds come at once: web is asked once."""
    responses = await asyncio.gather(*(start(world, solver, world.access_token(student=n)) for n in range(50)))
    assert {status for status, _ in responses} == {201}
    assert world.web.requests == [JWKS]


async def test_a_new_key_is_found_by_fetching_the_set_again(world: World, solver: Process) -> None:
    """Web signs with a new key since a minute: my new token works at once."""
    await world.start_attempt(solver)
    world.web.keys = new_keys()
    world.web.published = world.web.keys.public
    world.clock.advance(10)
    assert await start(world, solver, world.access_token(student=99)) == (201, "")
    assert world.web.requests == [JWKS, JWKS]


async def test_a_key_that_is_not_published_yet_is_asked_about(world: World, solver: Process) -> None:
    """The published set lags behind: web itself says that my token is good, and is not asked again."""
    await world.start_attempt(solver)
    old = world.web.published
    world.web.keys = SigningKeys([*new_keys().keys, *world.web.keys.keys])
    world.web.published = old
    token = world.access_token(student=99)
    assert await start(world, solver, token) == (201, "")
    assert await start(world, solver, token) == (200, "")
    assert world.web.requests.count(VERIFY) == 1


async def test_a_forged_key_costs_web_little(world: World, solver: Process) -> None:
    """Somebody sends made-up tokens: they are refused, and web hears of each once and of the set hardly ever."""
    await world.start_attempt(solver)
    token = world.access_token(keys=new_keys())
    for _ in range(20):
        assert await start(world, solver, token) == (401, "unauthenticated")
    assert world.web.requests.count(VERIFY) == 1
    assert world.web.requests.count(JWKS) <= 2


async def test_with_web_down_an_unknown_key_is_no_refusal(world: World, solver: Process) -> None:
    """Web is down and my token's key unknown: I am told to come back, and need not log in again."""
    world.web.down = True
    token = world.access_token()
    response = await solver.request("POST", world.path("attempt"), token)
    assert (response.status_code, slug_of(response)) == (503, "unavailable")
    assert int(response.headers["retry-after"]) > 0
    world.web.down = False
    assert await start(world, solver, token) == (201, "")


async def test_with_web_down_known_keys_and_attempts_go_on(world: World, solver: Process, attempt: str) -> None:
    """Web is down: who has a token goes on, and a key set that is old is better than none."""
    world.web.down = True
    world.clock.advance(400)
    await solver.renew()
    assert await start(world, solver, world.access_token(student=99)) == (201, "")
    assert (await world.put_answer(solver, attempt, SINGLE, 1, choices=[0])).status_code == 200
    assert solver.solver.keeper.valid


async def test_a_withdrawn_key_is_forgotten(world: World, solver: Process) -> None:
    """A key was stolen and withdrawn: within minutes new tokens of it are refused."""
    stolen = world.web.keys
    await world.start_attempt(solver)
    world.web.keys = new_keys()
    world.web.published = world.web.keys.public
    world.clock.advance(301)
    await solver.renew()
    await solver.request("POST", world.path("attempt"), world.access_token(student=98, keys=stolen))
    await solver.solver.web.refresh()  # joins the fetch under way
    assert world.web.requests.count(JWKS) == 2
    assert await start(world, solver, world.access_token(student=99, keys=stolen)) == (401, "unauthenticated")


async def test_nonsense_from_web_is_no_refusal(world: World, solver: Process) -> None:
    """Web answers something unreadable: I am told to come back."""
    world.web.published = PublicKeySet({})
    world.web.malformed = True
    assert await start(world, solver, world.access_token()) == (503, "unavailable")


async def test_the_requests_id_travels_to_web(world: World, solver: Process) -> None:
    """One id finds my request in every log."""
    await solver.request("POST", world.path("attempt"), world.access_token(), headers={"X-Request-ID": "abcd-1234"})
    assert world.web.request_ids == ["abcd-1234"]
