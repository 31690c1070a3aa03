"""A real server that is told to end: nothing is lost."""

import asyncio
import json
import signal
import socket

import httpx
import uvicorn

from exam_core import receipts
from exam_solver.http.server import Server
from exam_solver.testing.papers import SINGLE
from exam_solver.testing.world import Process, World


class Served:
    """A process behind a real socket."""

    def __init__(self, process: Process, *, drain: float) -> None:
        self.process = process
        self.socket = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            process.app, loop="none", http="httptools", ws="none", lifespan="on", log_config=None, access_log=False
        )
        self.server = Server(config, lifecycle=process.solver.lifecycle, drain=drain)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.running = asyncio.get_running_loop().create_task(self.server._serve(sockets=[self.socket]))

    async def up(self) -> None:
        """Return when it serves and has a lease."""
        async with asyncio.timeout(10):
            while not (self.server.started and self.process.solver.keeper.valid):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_ending_finishes_the_answer_under_way_and_gives_the_lease_back(world: World) -> None:
    """The pod is replaced while my answer is being written: I get my receipt, and the close need not wait."""
    process = world.build_process()
    served = Served(process, drain=0)
    await served.up()
    attempt = await world.start_attempt(process)
    async with httpx.AsyncClient(base_url=served.url) as client:
        with world.log.hold() as hold:
            answering = asyncio.create_task(
                client.put(
                    world.path("answers/0"),
                    headers={"Authorization": f"Bearer {attempt}"},
                    json={"seq": 1, "choices": [1]},
                )
            )
            await hold.reached()
            served.server.handle_exit(signal.SIGTERM, None)
            assert process.solver.lifecycle.draining
            assert world.schedule.leases
        response = await answering
        assert response.status_code == 200
        assert receipts.read(response.json()["receipt"], world.solver_keys.public).question == SINGLE
    async with asyncio.timeout(10):
        await served.running
    assert world.schedule.leases == {}
    assert process.store.closed
    assert len(world.log.tables["answers"]) == 1


async def test_while_it_drains_it_serves_but_is_not_ready_and_a_second_signal_ends_it(world: World) -> None:
    """Balancers need a moment to notice: until then requests are served, on connections that close."""
    process = world.build_process()
    served = Served(process, drain=60)
    await served.up()
    async with httpx.AsyncClient(base_url=served.url) as client:
        served.server.handle_exit(signal.SIGTERM, None)
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"]["accepting"]["ok"] is False
        started = await client.post(world.path("attempt"), headers={"Authorization": f"Bearer {world.access_token()}"})
        assert (started.status_code, started.headers["connection"]) == (201, "close")
        served.server.handle_exit(signal.SIGTERM, None)
    async with asyncio.timeout(10):
        await served.running
    assert world.schedule.leases == {}
    assert json.dumps(sorted(table for table, rows in world.log.tables.items() if rows)) == '["attempts", "papers"]'
