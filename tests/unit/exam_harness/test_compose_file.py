"""docker/compose.yaml: hardened services, no default secrets, one published port."""

import re
import runpy
from pathlib import Path

import pytest
import yaml

from exam_harness.container import receives_stop_signal
from exam_harness.environments.processes.paths import REPOSITORY

SERVICES = yaml.safe_load((REPOSITORY / "docker/compose.yaml").read_text())["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened(name) -> None:
    """If an attacker gets into a container, they cannot write to its image or gain privileges."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


@pytest.mark.parametrize("name", [name for name, each in SERVICES.items() if each["restart"] != "no"])
def test_every_service_receives_the_stop_signal(name) -> None:
    """If I stop the platform, every service shuts down gracefully, and none is killed."""
    service = SERVICES[name]
    assert receives_stop_signal(service.get("entrypoint") or ["the image's own"])
    assert receives_stop_signal(service["command"] or ["none"])


@pytest.mark.parametrize(
    ("command", "receives"),
    [
        (["redis-server", "--save", ""], True),
        (["sh", "-c", 'set -a; . /secrets/env; set +a; exec "$@"', "sh"], True),
        (["sh", "-ec", "exec redis-server - <<END\nsave\nEND\n"], True),
        (["sh", "-ec", 'eval "exec redis-server - <<END\n$(cat x)\nEND"\n'], True),
        (["sh", "-ec", "echo save | redis-server -"], False),
        (["sh", "-ec", "prepare\nredis-server --exec x"], False),
    ],
)
def test_a_shell_without_exec_is_found(command, receives) -> None:
    """If a shell stays process 1, its program does not receive the signal; with exec it does."""
    assert receives_stop_signal(command) is receives


def test_each_service_mounts_only_its_own_secrets() -> None:
    """If an attacker gets into a container, they find that service's secrets and no other's."""
    mounted = {
        name: {volume.split(":")[0] for volume in service.get("volumes", []) if volume.startswith("secrets-")}
        for name, service in SERVICES.items()
        if name != "secrets"
    }
    assert mounted == {
        "postgres": {"secrets-postgres"},
        "redis": {"secrets-redis"},
        "broker": {"secrets-broker"},
        "cassandra": set(),
        "migrate": {"secrets-web", "secrets-migrate"},
        "web": {"secrets-web"},
        "solver": {"secrets-solver"},
        "grader": {"secrets-grader"},
        "beat": {"secrets-grader"},
        "nginx": set(),
    }


def test_only_the_gateway_is_published_and_on_the_loopback() -> None:
    """If I run it on a laptop, no other machine in the network can connect to it."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"nginx": ["127.0.0.1:${HTTP_PORT:-80}:8080"]}


def test_the_gateway_has_all_files_that_the_chart_has() -> None:
    """If a file is added to the gateway's configuration, Compose mounts it too."""
    mounted = {volume.split(":")[0].removeprefix("./") for volume in SERVICES["nginx"]["volumes"]}
    sources = [*REPOSITORY.glob("docker/nginx/*.conf"), *REPOSITORY.glob("docker/nginx/*.sh")]
    own = {"docker/compose/nginx.conf", "docker/compose/listen.conf"}
    assert mounted == own | {str(path.relative_to(REPOSITORY)) for path in sources}


def _variables(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def _with_one_cassandra_role(place: Path) -> dict[str, str]:
    """Change secrets to those of a release whose services have the superuser; its credentials."""
    names = ("EXAM_CASSANDRA_USERNAME", "EXAM_CASSANDRA_PASSWORD")
    migrate = _variables((place / "migrate/env").read_text())
    superuser = {name: migrate[name] for name in names}
    for service in ("web", "solver", "grader"):
        env = place / f"{service}/env"
        variables = _variables(env.read_text()) | superuser
        env.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    return superuser


def _remove_what_earlier_releases_lack(place) -> None:
    """Remove the keys of statements and of the solvers' requests, and the variables that name them."""
    for file in ("web/statement-keys.pem", "web/solver-service-keys.pem", "solver/solver-service-keys.pem"):
        (place / file).unlink()
    for name in ("web/env", "solver/env"):
        lines = (place / name).read_text().splitlines(keepends=True)
        kept = [line for line in lines if not re.match("EXAM_(STATEMENT_|SOLVER_SERVICE_|WEB_INTERNAL_)", line)]
        assert kept != lines
        (place / name).write_text("".join(kept))


def test_secrets_are_generated_once_per_machine(monkeypatch, tmp_path) -> None:
    """If it is started the first time, secrets are generated; later they are kept; another machine has others."""
    monkeypatch.setenv("HTTP_PORT", "8080")
    script = runpy.run_path(str(REPOSITORY / "docker/compose/make-secrets.py"))
    main = script["main"]
    folders = ("web", "migrate", "solver", "grader", "postgres", "broker", "redis")

    def made(place) -> dict[str, str]:
        for name in folders:
            (place / name).mkdir(parents=True, exist_ok=True)
        main.__globals__["ROOT"] = place
        main()
        return {str(path.relative_to(place)): path.read_text() for path in place.rglob("*") if path.is_file()}

    first = made(tmp_path / "one")
    assert set(first) == {
        *(f"{name}/env" for name in folders),
        "web/keys.pem",
        "web/statement-keys.pem",
        "web/solver-service-keys.pem",
        "solver/keys.pem",
        "solver/solver-service-keys.pem",
    }
    assert made(tmp_path / "one") == first
    assert first["web/solver-service-keys.pem"] == first["solver/solver-service-keys.pem"], "by which web knows solvers"
    _remove_what_earlier_releases_lack(tmp_path / "one")
    upgraded = made(tmp_path / "one")
    assert upgraded.keys() == first.keys()
    assert upgraded["web/solver-service-keys.pem"] == upgraded["solver/solver-service-keys.pem"]
    for name in ("web/env", "solver/env"):
        assert sorted(upgraded[name].splitlines(keepends=True)) == sorted(first[name].splitlines(keepends=True))
    superuser = _with_one_cassandra_role(tmp_path / "one")
    (tmp_path / "one/migrate/env").unlink()
    password = first["postgres/env"].split("POSTGRES_PASSWORD='")[1].split("'")[0]
    again = made(tmp_path / "one")
    assert f"//postgres:{password}@" in again["migrate/env"], "nor a role that owns the schema"
    migrate = _variables(again["migrate/env"])
    assert migrate.items() >= superuser.items(), "nor roles in Cassandra beside the superuser"
    for name in ("web", "solver", "grader"):
        role, secret = _variables(again[f"{name}/env"]), migrate[f"EXAM_CASSANDRA_{name.upper()}_PASSWORD"]
        assert (role["EXAM_CASSANDRA_USERNAME"], role["EXAM_CASSANDRA_PASSWORD"]) == (f"'exam_{name}'", secret)
        assert secret != superuser["EXAM_CASSANDRA_PASSWORD"]
    for name in ("web", "solver", "grader"):
        lines = (line for line in first[f"{name}/env"].splitlines(keepends=True) if "@broker" not in line)
        url = "EXAM_REDIS_URL='redis://:secret@redis:6379/0'\n"
        (tmp_path / f"one/{name}/env").write_text("".join(line for line in lines if "@redis" not in line) + url)
    (tmp_path / "one/redis/env").write_text("REDIS_PASSWORD='secret'\n")
    (tmp_path / "one/broker/env").unlink()
    upgraded = made(tmp_path / "one")
    assert "secret@" not in "".join(upgraded.values()), "nor users of Redis"
    for name in ("web", "solver", "grader"):
        kept = {line for line in first[f"{name}/env"].splitlines() if not re.search("@redis|@broker|CASSANDRA", line)}
        assert kept < set(upgraded[f"{name}/env"].splitlines())
    assert _redis_urls(upgraded) == _redis_urls(first) == {"web": 2, "solver": 1, "grader": 1}
    assert made(tmp_path / "one") == upgraded
    other = made(tmp_path / "other")
    assert all(other[name] != text for name, text in first.items())
    assert "EXAM_SECRET_KEY" not in first["solver/env"] + first["grader/env"]
    assert "http://localhost:8080" in first["web/env"]
    assert [name for name, text in first.items() if "EXAM_OWNER" in text or "//postgres:" in text] == ["migrate/env"]


def _redis_urls(made: dict[str, str]) -> dict[str, int]:
    """How many URLs of a Redis each service has, whose user and password that Redis knows."""
    urls = {}
    for name in ("web", "solver", "grader"):
        found = re.findall(r"redis://(\w+):(.+)@(\w+):6379", made[f"{name}/env"])
        assert all(
            f"REDIS_{user.upper()}_PASSWORD='{password}'" in made[f"{server}/env"] for user, password, server in found
        )
        urls[name] = len(found)
    return urls
