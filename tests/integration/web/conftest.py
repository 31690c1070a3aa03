"""Users, an exam and signing keys for tests of web on its real stores."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import pytest
import redis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client
from django.utils import timezone

from exam_core.authoring.exam import read_exam
from exam_core.keys import SigningKeys, new_signing_jwk
from exam_core.service_tokens import Caller, sign_service_token
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.environments.processes.servers.cassandra import Cassandra
from exam_harness.environments.processes.servers.redis import Redis
from exam_papers.images.acceptance import accept_image
from exam_web.exams.models import Exam
from exam_web.exams.services import exam_import
from exam_web.internal import authentication as callers
from exam_web.settings import ENVIRONMENT
from exam_web.sittings import distribution, statements
from exam_web.sittings.models import Schedule, Sitting
from exam_web.sittings.services import SittingSpec, sitting_provision
from exam_web.users import authentication
from exam_web.users.models import Doctor, Level, User

PASSWORD = "a long enough pass phrase"
SAMPLES = REPOSITORY / "k8s/samples/papers"


@pytest.fixture(scope="session", autouse=True)
def signing_keys_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The signing keys of this test run."""
    path = tmp_path_factory.mktemp("keys") / "web.json"
    path.write_text(json.dumps({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]}))
    patch = pytest.MonkeyPatch()
    patch.setattr(authentication, "ENVIRONMENT", ENVIRONMENT.model_copy(update={"signing_keys_file": path}))
    authentication.signing_keys.cache_clear()
    callers.caller_keys.cache_clear()
    yield path
    patch.undo()
    authentication.signing_keys.cache_clear()
    callers.caller_keys.cache_clear()


@pytest.fixture(scope="session", autouse=True)
def service_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Caller, Path]]:
    """The files of the keys by which web knows operators and solvers, in this test run."""
    folder = tmp_path_factory.mktemp("keys")
    files = {Caller.OPERATOR: folder / "operator.json", Caller.SOLVER: folder / "solver.json"}
    for path in files.values():
        path.write_text(json.dumps({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]}))
    update = {"operator_service_keys_file": files[Caller.OPERATOR], "solver_service_keys_file": files[Caller.SOLVER]}
    patch = pytest.MonkeyPatch()
    patch.setattr(callers, "ENVIRONMENT", ENVIRONMENT.model_copy(update=update))
    callers.caller_keys.cache_clear()
    yield files
    patch.undo()
    callers.caller_keys.cache_clear()


@pytest.fixture(scope="session", autouse=True)
def statement_keys_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The keys of statements of this test run."""
    path = tmp_path_factory.mktemp("keys") / "statements.json"
    path.write_text(json.dumps({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]}))
    patch = pytest.MonkeyPatch()
    patch.setattr(statements, "ENVIRONMENT", ENVIRONMENT.model_copy(update={"statement_keys_file": path}))
    statements.statement_keys.cache_clear()
    yield path
    patch.undo()
    statements.statement_keys.cache_clear()


@pytest.fixture
def redis_client(redis_server: Redis) -> Iterator[redis.Redis]:
    """The administrator of the Redis that web's cache is in, to look at what web stores there."""
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


@pytest.fixture(autouse=True)
def schedule(request: pytest.FixtureRequest, real_cache: None) -> None:
    """The schedule's row, which flushing the test database deletes."""
    if "django_db" in {mark.name for mark in request.node.iter_markers()}:
        request.getfixturevalue("transactional_db" if _transactional(request) else "db")
        Schedule.objects.get_or_create(id=1, defaults={"epoch": 1})


def _transactional(request: pytest.FixtureRequest) -> bool:
    mark = request.node.get_closest_marker("django_db")
    return bool(mark and mark.kwargs.get("transaction"))


@dataclass(frozen=True)
class People:
    """Users of each kind."""

    year_1: Level
    year_2: Level
    student: User
    other_student: User
    doctor: User
    other_doctor: User
    admin: User


@pytest.fixture
def people(schedule: None) -> People:
    """Two levels with a student each, two Doctors, an administrator."""
    year_1 = Level.objects.create(slug="year-1", name="First year")
    year_2 = Level.objects.create(slug="year-2", name="Second year")

    def person(username: str, kind: User.Kind, **more: Any) -> User:
        user = User(username=username, kind=kind, **more)
        user.set_password(PASSWORD)
        user.save()
        return user

    return People(
        year_1=year_1,
        year_2=year_2,
        student=person("sara", User.Kind.STUDENT, level=year_1),
        other_student=person("omar", User.Kind.STUDENT, level=year_2),
        doctor=person("noor", User.Kind.DOCTOR, is_staff=True),
        other_doctor=person("adel", User.Kind.DOCTOR, is_staff=True),
        admin=person("root", User.Kind.STAFF, is_staff=True, is_superuser=True),
    )


class Api:
    """A client of the public API with an access token."""

    def __init__(self, access: str | None = None) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {access}"} if access else None)

    def get(self, path: str, **query: Any) -> Any:
        """GET."""
        return self.client.get(path, query)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Any other method, with a JSON body."""
        return self.client.generic(method, path, json.dumps(body), content_type="application/json")


@pytest.fixture
def log_in(people: People) -> Callable[[User], Api]:
    """Log a user in through the API."""

    def _log_in(user: User) -> Api:
        kind = "students" if user.kind == User.Kind.STUDENT else "doctors"
        answer = Api().send("POST", f"/api/auth/{kind}/login", {"username": user.username, "password": PASSWORD})
        assert answer.status_code == 200, answer.content
        return Api(answer.json()["access"])

    return _log_in


@pytest.fixture
def algebra(people: People) -> Exam:
    """The sample exam of twenty questions, by the first Doctor."""
    document = read_exam((SAMPLES / "algebra-101.yaml").read_text(), accept_image)
    return exam_import(document=document, author=Doctor.objects.get(pk=people.doctor.pk))


@pytest.fixture
def provision(algebra: Exam) -> Callable[..., Sitting]:
    """Provision a sitting of algebra, by default from an hour from now for an hour; offsets in seconds."""

    def _provision(
        name: str = "midterm", *, opens: float = 3600, closes: float = 7200, duration: float = 1800, **spec: Any
    ) -> Sitting:
        now = timezone.now()
        return sitting_provision(
            name=name,
            spec=SittingSpec(
                exam=spec.pop("exam", algebra.slug),
                opens_at=now + timedelta(seconds=opens),
                closes_at=now + timedelta(seconds=closes),
                duration=timedelta(seconds=duration),
                **spec,
            ),
            permute=lambda n: tuple(reversed(range(n))),
        )

    return _provision


@pytest.fixture
def open_now(provision: Callable[..., Sitting]) -> Sitting:
    """A sitting whose window opened a minute ago."""
    sitting = provision("open", opens=3600, closes=7200)
    began = timezone.now() - timedelta(minutes=1)
    Sitting.objects.filter(id=sitting.id).update(opens_at=began)
    return Sitting.objects.get(id=sitting.id)


@pytest.fixture
def over(provision: Callable[..., Sitting]) -> Sitting:
    """A sitting whose last deadline passed a minute ago."""
    sitting = provision("over")
    now = timezone.now()
    Sitting.objects.filter(id=sitting.id).update(
        opens_at=now - timedelta(minutes=30), closes_at=now - timedelta(minutes=1)
    )
    return Sitting.objects.get(id=sitting.id)


def service_token(caller: Caller, keys: SigningKeys, *, age: int = 0) -> str:
    """A token of a caller, issued so many µs ago."""
    return sign_service_token(caller, keys, now=time.time_ns() // 1_000 - age)


class Internal:
    """A client of the internal API."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request with a JSON body, or with raw text."""
        data = body if isinstance(body, str) else json.dumps(body)
        headers = {"Authorization": f"Bearer {self._token}"} | headers
        return Client().generic(
            method,
            f"/internal{path}",
            data,
            content_type="application/json",
            headers=headers,
            SERVER_PORT=ENVIRONMENT.internal_port,
        )

    def with_token(self, token: str) -> Self:
        """The same client with another token."""
        return type(self)(token)


@pytest.fixture
def introspect(service_keys: dict[Caller, Path]) -> Callable[[str], dict[str, Any]]:
    """Asks for the state of an access token as solvers do."""
    keys = SigningKeys.read(service_keys[Caller.SOLVER].read_text())

    def _introspect(token: str) -> dict[str, Any]:
        answer = Internal(service_token(Caller.SOLVER, keys))("POST", "/tokens/verify", {"token": token})
        assert answer.status_code == 200, answer.content
        claims: dict[str, Any] = answer.json()
        return claims

    return _introspect


@pytest.fixture
def internal(
    people: People, cassandra: Cassandra, cassandra_env: dict[str, str], redis_server: Redis, monkeypatch
) -> Internal:
    """A client of the internal API, with real Cassandra, as web's role, and Redis."""
    for name, value in (cassandra_env | cassandra.ring.variables("web")).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(
        distribution, "ENVIRONMENT", ENVIRONMENT.model_copy(update={"redis_url": redis_server.url_of("web")})
    )
    return Internal(service_token(Caller.TOOLS, authentication.signing_keys()))


@pytest.fixture
def spec() -> Callable[..., dict[str, Any]]:
    """The spec of a sitting of algebra: from an hour from now, for an hour."""

    def _spec(**changes: Any) -> dict[str, Any]:
        now = timezone.now().replace(microsecond=123456)
        return {
            "exam": "algebra-101",
            "opens_at": (now + timedelta(hours=1)).isoformat(),
            "closes_at": (now + timedelta(hours=2)).isoformat(),
            "duration_us": 1_800_000_000,
            "candidates": 100,
        } | changes

    return _spec
