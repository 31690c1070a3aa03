"""The platform as child processes: its services serve, restart after a crash, and leave nothing behind."""

import re
import shutil
from collections.abc import Mapping

import httpx
import pytest

from exam_harness.environments.processes.paths import new_run_folder
from exam_harness.environments.processes.ports import is_listening
from exam_harness.environments.processes.stack import Stack, Wiring

pytestmark = pytest.mark.integration

SOLVERS, GRADERS = ("solver-1", "solver-2"), ("grader-worker", "grader-beat")
PORT = re.compile(r"(?:^|[ :])(\d{5,6})\b")


def test_the_stack_starts_restarts_and_stops() -> None:
    """Every service serves through the gateway, restarts on its own port after a crash, and stops at the end."""
    folder = new_run_folder("whole-test")
    try:
        with Stack(folder / "run") as stack:
            assert list(stack.services) == ["web", "solver-1", "solver-2", "grader-worker", "grader-beat"]
            _assert_serves(stack)
            for service in stack.services.values():
                before = service.process.pid
                service.kill()
                assert not service.is_ready()
                service.restart()
                assert service.process.pid != before
            _assert_serves(stack)
            servers = (*stack.stores, *stack.services.values(), stack.gateway)
            members = {member for server in servers for member in server.process.process_tree()}
            ports = [
                *(store.port for store in (stack.postgres, stack.redis, stack.broker, stack.cassandra)),
                stack.gateway_port,
            ]
            ports += [service.port for service in stack.services.values()]
        assert not [member for member in members if member.alive]
        assert not [port for port in ports if is_listening(port)]
        assert {path.name for path in stack.logs.iterdir()} >= {f"{name}.log" for name in stack.services}
    finally:
        shutil.rmtree(folder)


def _assert_serves(stack: Stack) -> None:
    with httpx.Client(base_url=stack.gateway.url, trust_env=False, timeout=20) as client:
        assert client.get("/.well-known/jwks.json", headers={"Host": "localhost"}).json()["keys"]
        assert client.get("/v1/keys", headers={"Host": "solver.localhost"}).json()["keys"]
        assert client.get("/admin/login/", headers={"Host": "localhost"}).status_code == 200


def test_secrets_are_generated_per_run_and_per_service() -> None:
    """Keys are readable by their owner only, differ between runs, and no service gets another's secrets."""
    folder = new_run_folder("whole-test")
    try:
        one, other = Stack(folder / "one"), Stack(folder / "other")
        service_keys = (one.secrets.operator_service_keys, one.secrets.solver_service_keys)
        for file in (one.secrets.web_keys, one.secrets.statement_keys, one.secrets.solver_keys, *service_keys):
            assert file.stat().st_mode & 0o777 == 0o600
        assert one.secrets.secret_key != other.secrets.secret_key
        assert one.secrets.web_keys.read_text() != other.secrets.web_keys.read_text()
        solver, grader = one.env_for("solver-1"), one.env_for("grader-worker")
        for env in (solver, grader):
            for secret in (one.secrets.secret_key, str(service_keys[0]), one.postgres.password("exam_web")):
                assert not [value for value in env.values() if secret in value]
        assert "EXAM_DATABASE_URL" not in solver
        assert str(one.secrets.solver_keys) not in one.env_for("web").values()
    finally:
        shutil.rmtree(folder)


def test_every_connection_between_two_processes_has_its_own_route() -> None:
    """No service and no gateway knows the port of another process: each connection passes the route between the two."""
    routes: dict[tuple[str, str], int] = {}
    folder = new_run_folder("whole-test")
    try:

        def route(client: str, servers: Mapping[str, str], _port: int) -> int:
            (server,) = servers
            return routes.setdefault((client, server), 100_000 + len(routes))

        wiring = Wiring(route=route)
        stack = Stack(folder / "run", wiring=wiring)
        stack.gateway.prepare()
        texts = {name: " ".join(stack.env_for(name).values()) for name in stack.services}
        texts["gateway"] = (stack.gateway.folder / "nginx.conf").read_text()
        names = ("postgres", "redis", "broker", "cassandra")
        stores = {name: getattr(stack, name).port for name in names}
        ports = stores | {name: service.port for name, service in stack.services.items()}
        configured = {name: {int(number) for number in PORT.findall(text)} for name, text in texts.items()}
        assert {name: {ends for ends, port in routes.items() if port in configured[name]} for name in texts} == {
            "web": {("web", server) for server in stores},
            **{
                each: {(each, server) for server in (*stores, "web", "web-internal") if server != "broker"}
                for each in SOLVERS
            },
            **{each: {("grader", server) for server in stores if server != "redis"} for each in GRADERS},
            "gateway": {("gateway", server) for server in ("web", "solver-1", "solver-2")},
        }
        direct = {(name, server) for name in texts for server in ports if ports[server] in configured[name]}
        assert not {(name, server) for name, server in direct if name != server}
    finally:
        shutil.rmtree(folder)
