"""Fixtures: an in-memory platform, a solver process, an attempt."""

from collections.abc import AsyncIterator

import pytest

from exam_solver.testing.world import Process, World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """An in-memory platform with one open sitting."""
    world = await World.create()
    yield world
    await world.close()


@pytest.fixture
async def solver(world: World) -> Process:
    """One solver process with a lease."""
    return await world.start_process()


@pytest.fixture
async def attempt(world: World, solver: Process) -> str:
    """The token of an attempt that the student has just started."""
    return await world.start_attempt(solver)
