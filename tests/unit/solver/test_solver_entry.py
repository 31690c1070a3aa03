"""Who of a level may start: named students, those who know the access code, those in the networks of the sitting."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from exam_core.entry import RESTRICTED, EntryRules, code_matches, hash_code, read_networks
from exam_core.instants import MINUTE, SECOND
from exam_core.schedule import ScheduledSitting
from exam_solver.attempts import codes
from exam_solver.attempts.codes import INTERVAL, TRIES
from exam_solver.testing.papers import SINGLE
from exam_solver.testing.world import STUDENT, Process, World, slug_of

CODE = "Fermat 17"
STORED = hash_code(CODE, b"salt")
OTHER = hash_code("Euler 2718", b"salt")


async def restrict(world: World, *solvers: Process, **rules: Any) -> None:
    """Set the rules of the sitting; the solvers know of them."""
    world.schedule.put(replace(world.schedule.sittings[world.sitting], entry=EntryRules(**rules)))
    for solver in solvers:
        await solver.renew()


async def start(
    world: World, solver: Process, *, student: int = STUDENT, address: str | None = None, **body: object
) -> httpx.Response:
    """Start or resume an attempt."""
    headers = {} if address is None else {"X-Forwarded-For": address}
    token = world.access_token(student=student)
    return await solver.request("POST", world.path("attempt"), token, headers=headers, json=body or None)


async def test_only_named_students_start(world: World, solver: Process) -> None:
    """If a make-up names me, I start; others of my level read that it is for named students."""
    await restrict(world, solver, students=frozenset({STUDENT}))
    assert (await start(world, solver)).status_code == 201
    refused = await start(world, solver, student=99)
    assert (refused.status_code, slug_of(refused)) == (403, "not-named")


async def test_an_attempt_goes_on_when_its_student_is_not_named_any_more(world: World, solver: Process) -> None:
    """If I am taken off the list after my start, my attempt goes on, on another device too."""
    token = await world.start_attempt(solver)
    await restrict(world, solver, students=frozenset[int](), code=STORED)
    assert (await world.put_answer(solver, token, SINGLE, 1, choices=[0])).status_code == 200
    assert (await start(world, solver)).status_code == 200


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        ({}, "access-code-required"),
        ({"access_code": None}, "access-code-required"),
        ({"access_code": "wrong"}, "access-code-wrong"),
        ({"access_code": ""}, "access-code-wrong"),
        ({"access_code": 17}, "invalid"),
        ({"access_code": "x" * 65}, "invalid"),
        ({"access_code": "fermat17"}, ""),
        ({"access_code": CODE}, ""),
    ],
)
async def test_a_start_needs_the_code(world: World, solver: Process, body: dict[str, Any], slug: str) -> None:
    """If the sitting has a code, I start with it; without it or with another one, I read which of the two it is."""
    await restrict(world, solver, code=STORED)
    response = await start(world, solver, **body)
    assert ("" if response.status_code == 201 else slug_of(response)) == slug
    assert len(world.log.tables["attempts"]) == (0 if slug else 1)


async def test_a_sitting_without_a_code_ignores_one(world: World, solver: Process) -> None:
    """If I send a code to a sitting without one, I start; a body that is no JSON is an error all the same."""
    malformed = await solver.request("POST", world.path("attempt"), world.access_token(), content=b"code")
    assert slug_of(malformed) == "unsupported-media-type"
    assert (await start(world, solver, access_code="any")).status_code == 201


async def test_wrong_codes_are_limited(world: World, solver: Process) -> None:
    """If I guess, I have ten tries in a minute, also all at once, and then not even the right one; others start."""
    await restrict(world, solver, code=STORED)
    guesses = [start(world, solver, access_code=f"guess {each}") for each in range(TRIES + 5)]
    slugs = [slug_of(response) for response in await asyncio.gather(*guesses)]
    assert (slugs.count("access-code-wrong"), slugs.count("too-many-requests")) == (TRIES, 5)
    limited = await start(world, solver, access_code=CODE)
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "60")
    assert (await start(world, solver, student=99, access_code=CODE)).status_code == 201
    world.clock.advance(INTERVAL // SECOND)
    await solver.renew()
    await solver.renew()
    assert (await start(world, solver, access_code=CODE)).status_code == 201


async def test_the_slow_hash_is_computed_once(world: World, solver: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a hall starts at once, the code is hashed slowly once, not for every student; a new code is compared anew."""
    compared: list[str] = []
    matches = code_matches

    def counted(stored: str, code: str) -> bool:
        compared.append(code)
        return matches(stored, code)

    monkeypatch.setattr(codes, "code_matches", counted)
    await restrict(world, solver, code=STORED)
    for student in range(100, 110):
        assert (await start(world, solver, student=student, access_code=CODE)).status_code == 201
    assert compared == [CODE]
    await restrict(world, solver, code=OTHER)
    assert slug_of(await start(world, solver, student=120, access_code=CODE)) == "access-code-wrong"
    assert (await start(world, solver, student=120, access_code="Euler 2718")).status_code == 201


async def test_a_code_that_changes_while_it_is_compared_is_compared_again(
    world: World, solver: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the code is changed at the moment of my start, the former one does not start my attempt."""
    await restrict(world, solver, code=STORED)
    loop = asyncio.get_running_loop()

    def changing(_stored: str, _code: str) -> bool:
        asyncio.run_coroutine_threadsafe(restrict(world, solver, code=OTHER), loop).result()
        return True

    monkeypatch.setattr(codes, "code_matches", changing)
    response = await start(world, solver, access_code=CODE)
    assert (response.status_code, slug_of(response)) == (503, "unavailable")
    assert not world.log.tables["attempts"]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        (None, 201),
        ("127.0.0.9", 201),
        ("203.0.113.1, 127.0.0.9", 201),
        ("127.0.0.9, 203.0.113.1", 403),
        ("::ffff:127.0.0.9", 201),
        ("2001:db8::7", 201),
        ("2001:db9::7", 403),
        ("unknown", 403),
    ],
)
async def test_a_start_needs_an_address_in_the_networks(
    world: World, solver: Process, address: str | None, status: int
) -> None:
    """If networks are set, I start in one of them, by the address that the gateway added, not by a forged one."""
    await restrict(world, solver, networks=read_networks(["127.0.0.0/8", "2001:db8::/32"]))
    response = await start(world, solver, address=address)
    assert response.status_code == status
    if status == 403:
        assert slug_of(response) == "address-not-allowed"
        assert "your address" in response.json()["detail"]


async def test_an_attempt_is_resumed_in_the_networks_and_answered_everywhere(world: World, solver: Process) -> None:
    """If my address changes, my answers are saved; another device gets my paper in the networks only."""
    await restrict(world, solver, networks=read_networks(["10.0.0.0/8"]))
    started = await start(world, solver, address="10.0.0.1")
    token = str(started.json()["attempt_token"])
    assert slug_of(await start(world, solver, address="203.0.113.1")) == "address-not-allowed"
    assert (await start(world, solver, address="10.9.9.9")).status_code == 200
    answered = await solver.request(
        "PUT",
        world.path(f"answers/{SINGLE}"),
        token,
        headers={"X-Forwarded-For": "203.0.113.1"},
        json={"seq": 1, "choices": [0]},
    )
    assert answered.status_code == 200


async def test_level_and_opening_come_first(world: World, solver: Process) -> None:
    """If I am of another level, or too early, I read that, and learn nothing of the rules."""
    sitting = world.schedule.sittings[world.sitting]
    early = replace(sitting.window, opens_at=world.schedule.now + MINUTE)
    world.schedule.put(replace(sitting, window=early, entry=EntryRules(students=frozenset({1}), code=STORED)))
    await solver.renew()
    assert slug_of(await start(world, solver, access_code="guess")) == "not-open-yet"
    other = await solver.request("POST", world.path("attempt"), world.access_token(level="year-2"))
    assert slug_of(other) == "wrong-level"


async def test_a_release_without_rules_lets_no_student_start(world: World) -> None:
    """During an upgrade, a solver that does not know the rules reads a level that no student has."""
    await restrict(world, code=STORED)
    [body] = world.schedule.renew(world.sitting, 30_000, 0, 0, 0)["sittings"]
    former = ScheduledSitting.from_json({name: value for name, value in body.items() if name != "entry"})
    assert former.level == RESTRICTED
