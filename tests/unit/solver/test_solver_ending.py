"""Graceful shutdown of a real server: nothing is lost."""

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


class RunningServer:
    """A process that serves on a real socket."""

    def __init__(self, process: Process, *, drain: float) -> None:
        self.process = process
        self.socket = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            process.app, loop="none", http="httptools", ws="none", lifespan="on", log_config=None, access_log=False
        )
        self.server = Server(config, lifecycle=process.solver.lifecycle, drain=drain)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.running = asyncio.get_running_loop().create_task(self.server._serve(sockets=[self.socket]))

    async def wait_until_ready(self) -> None:
        """Wait until it serves and has a lease."""
        async with asyncio.timeout(10):
            while not (self.server.started and self.process.solver.keeper.valid):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_shutdown_finishes_the_running_request_and_releases_the_lease(world: World) -> None:
    """The pod is replaced while my answer is being written: I get my receipt, and no lease is left behind."""
    process = world.build_process()
    server = RunningServer(process, drain=0)
    await server.wait_until_ready()
    attempt = await world.start_attempt(process)
    async with httpx.AsyncClient(base_url=server.url) as client:
        with world.log.hold() as hold:
            pending = asyncio.create_task(
                client.put(
                    world.path("answers/0"),
                    headers={"Authorization": f"Bearer {attempt}"},
                    json={"seq": 1, "choices": [1]},
                )
            )
            await hold.reached()
            server.server.handle_exit(signal.SIGTERM, None)
            assert process.solver.lifecycle.draining
            assert world.schedule.leases
        response = await pending
        assert response.status_code == 200
        assert receipts.read(response.json()["receipt"], world.solver_keys.public).question == SINGLE
    async with asyncio.timeout(10):
        await server.running
    assert world.schedule.leases == {}
    assert process.store.closed
    assert len(world.log.tables["answers"]) == 1


async def test_a_draining_server_serves_but_is_not_ready_until_a_second_signal(world: World) -> None:
    """Until load balancers remove a draining server, it serves requests on connections that close."""
    process = world.build_process()
    server = RunningServer(process, drain=60)
    await server.wait_until_ready()
    async with httpx.AsyncClient(base_url=server.url) as client:
        server.server.handle_exit(signal.SIGTERM, None)
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"]["accepting"]["ok"] is False
        started = await client.post(world.path("attempt"), headers={"Authorization": f"Bearer {world.access_token()}"})
        assert (started.status_code, started.headers["connection"]) == (201, "close")
        server.server.handle_exit(signal.SIGTERM, None)
    async with asyncio.timeout(10):
        await server.running
    assert world.schedule.leases == {}
    assert json.dumps(sorted(table for table, rows in world.log.tables.items() if rows)) == '["attempts", "papers"]'
