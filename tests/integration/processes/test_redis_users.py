"""The users of cache and broker on a real Redis, with the configuration that chart and Compose deploy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.exceptions import AuthenticationError, NoPermissionError, OutOfMemoryError

from exam_harness.environments.processes.servers.redis import USERS, Redis

pytestmark = pytest.mark.integration

COMPONENTS = {"cache": {"web", "solver", "probe"}, "broker": {"web", "grader", "probe"}}
FORBIDDEN_TO_ALL = (
    "FLUSHALL",
    "FLUSHDB",
    "CONFIG GET *",
    "CONFIG SET dir /tmp",
    "SAVE",
    "SHUTDOWN",
    "KEYS *",
    "SCAN 0",
    "INFO",
    "ACL LIST",
    "ACL WHOAMI",
    "CLIENT LIST",
    "MONITOR",
    "MODULE LIST",
    "REPLICAOF 127.0.0.1 1",
    "SCRIPT FLUSH",
    "FUNCTION LIST",
    "PUBLISH channel message",
    "SUBSCRIBE channel",
    "SWAPDB 0 1",
    "GET secret",
    "SET secret value",
)
FORBIDDEN = {
    ("cache", "web"): ("GET paper:x", "LPUSH :1:list x", "EVAL return 0", "TTL :1:a"),
    ("cache", "solver"): ("SET paper:x forged", "DEL paper:x", "GET :1:lists", "SET :1:lists forged", "EVAL return 0"),
    ("broker", "web"): (
        "LPUSH exam:grader:chunks forged",
        "LLEN exam:grader:chunks",
        "DEL exam:grader:chunks",
        "DEL login-failures",
        "EVAL return 0",
        "SET login-failures 0",
    ),
    ("broker", "grader"): ("HGET login-failures all", "HDEL login-failures all", "DEL login-failures", "EVAL return 0"),
}
ALLOWED = {
    ("cache", "web"): ("SET :1:lists 1", "GET :1:lists", "DEL :1:lists", "SET paper:x body"),
    ("cache", "solver"): ("GET paper:x",),
    ("broker", "web"): ("HINCRBY login-failures all 1", "HGET login-failures all", "UNLINK login-failures"),
    ("broker", "grader"): ("LPUSH exam:grader:chunks x", "LLEN exam:grader:chunks", "SET exam:grader:enqueued:1 1"),
}


@pytest.fixture(params=["cache", "broker"])
def server(request: pytest.FixtureRequest, redis_server: Redis, broker_server: Redis) -> tuple[str, Redis]:
    """Each of the two servers with its name."""
    return request.param, {"cache": redis_server, "broker": broker_server}[request.param]


def _run(client: redis.Redis, statement: str) -> None:
    words = statement.split(" ")
    if words[0] == "EVAL":
        words = ["EVAL", " ".join(words[1:]), "0"]
    client.execute_command(*words)


def test_every_component_has_its_own_user(server: tuple[str, Redis]) -> None:
    """If I list the users, there is one for each component of this server, and the default one is off."""
    name, redis_server = server
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as administrator:
        users = {line.split()[1]: line for line in administrator.acl_list()}
    assert users.keys() == {"default", "admin", *COMPONENTS[name]}
    assert " off " in users["default"]
    assert all("nopass" not in users[each] for each in COMPONENTS[name])
    for absent in set(USERS) - COMPONENTS[name]:
        with redis.Redis.from_url(redis_server.url_of(absent)) as client, pytest.raises(AuthenticationError):
            client.ping()


def test_nothing_is_served_without_a_user(server: tuple[str, Redis]) -> None:
    """If I connect without a user's name, or as the default one of earlier releases, I get nothing."""
    _, redis_server = server
    address = f"127.0.0.1:{redis_server.port}/0"
    password = redis_server.url_of("web").split(":")[2].split("@")[0]
    for url in (f"redis://{address}", f"redis://:{password}@{address}", f"redis://default:{password}@{address}"):
        with redis.Redis.from_url(url) as client, pytest.raises(AuthenticationError):
            client.ping()


@pytest.mark.parametrize(("role", "user"), FORBIDDEN)
def test_a_user_does_what_its_component_needs_and_nothing_else(
    role: str, user: str, redis_server: Redis, broker_server: Redis
) -> None:
    """If an attacker has a component's password, other components' keys and all of administration are out of reach."""
    server = redis_server if role == "cache" else broker_server
    with redis.Redis.from_url(server.url_of(user)) as client:
        for statement in (*FORBIDDEN_TO_ALL, *FORBIDDEN[role, user]):
            with pytest.raises(NoPermissionError):
                _run(client, statement)
        for statement in ALLOWED[role, user]:
            _run(client, statement)
    # The administrator may do what is forbidden: the statements are valid (control).
    with redis.Redis.from_url(server.url) as administrator:
        administrator.flushall()
        for statement in FORBIDDEN[role, user]:
            if "login-failures" not in statement:
                _run(administrator, statement)
        administrator.flushall()


def test_probes_do_nothing_but_ping(server: tuple[str, Redis]) -> None:
    """If an attacker has the password of the probes, they can ping."""
    name, redis_server = server
    with redis.Redis.from_url(redis_server.url_of("probe")) as client:
        assert client.ping()
        for statement in (
            *FORBIDDEN_TO_ALL,
            *(each for user in COMPONENTS[name] for each in ALLOWED.get((name, user), ())),
        ):
            with pytest.raises(NoPermissionError):
                _run(client, statement)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Redis, Redis]]:
    """A cache and a broker for one test."""
    (tmp_path / "logs").mkdir()
    with Redis(tmp_path, "cache") as cache, Redis(tmp_path, "broker") as broker:
        yield cache, broker


def test_the_broker_keeps_what_the_cache_forgets(own: tuple[Redis, Redis]) -> None:
    """If both are killed, the broker's queue is there again, and the cache is empty."""
    lengths = []
    for server in own:
        with redis.Redis.from_url(server.url) as administrator:
            administrator.lpush("exam:grader:chunks", "task")
        server.kill()
        server.start()
        server.await_ready()
        with redis.Redis.from_url(server.url) as administrator:
            lengths.append(administrator.llen("exam:grader:chunks"))
    assert lengths == [0, 1]


def test_a_full_broker_refuses_and_evicts_nothing(own: tuple[Redis, Redis]) -> None:
    """If the broker is full, a write is refused, and every earlier one is there; a full cache takes it and evicts."""
    kept = []
    for server in own:
        with redis.Redis.from_url(server.url) as administrator:
            administrator.config_set("maxmemory", int(administrator.info("memory")["used_memory"]) + 2_000_000)
            written = 0
            try:
                for n in range(400):
                    administrator.set(f"key-{n}", b"x" * 20_000)
                    written += 1
            except OutOfMemoryError:
                pass
            kept.append((written, sum(administrator.exists(f"key-{n}") for n in range(400))))
    (cached, cached_kept), (queued, queued_kept) = kept
    assert cached == 400 > cached_kept
    assert 0 < queued < 400
    assert queued == queued_kept
