"""Django's own stores for tests: a database on the real PostgreSQL, a cache on the real Redis."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest
from django.core.cache import caches
from django.db import connections
from django.test import TransactionTestCase
from psycopg import sql
from pytest_django import Settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from exam_harness.environments.processes.servers.postgres import OWNER, Postgres
from exam_harness.environments.processes.servers.redis import Redis

TESTS = Path(__file__).parent
EMPTY = "_fixture_teardown"
"""The method of Django's test cases that empties the database after a test."""
GROUPS = {
    "exam_operator": "operator",
    "integration/control_plane": "operator",
    "chart/test_chart_manifests.py": "operator",
    "integration/faults": "faults",
    "integration/platform": "platform",
    "integration": "stores",
    "contract": "stores",
}
"""Folders and files whose tests share an environment, which one worker starts for all of them; the longest first."""


class EnvironmentScheduling(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Gives each worker whole groups: the tests of one environment, or of one file."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid.split("::", maxsplit=1)[0].removeprefix("tests/"))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> EnvironmentScheduling:
    """Distribute the tests by environment (hook of pytest-xdist)."""
    return EnvironmentScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest group."""
    order = {group: number for number, group in enumerate(dict.fromkeys(GROUPS.values()))}
    items.sort(key=lambda item: order.get(_group(item.path.relative_to(TESTS).as_posix()), len(order)))


def _group(file: str) -> str:
    return next((group for path, group in GROUPS.items() if f"{file}/".startswith(f"{path}/")), file)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres: Postgres) -> None:
    """Point Django at the real PostgreSQL before pytest-django makes its test database (hook of pytest-django)."""
    settings = connections["default"].settings_dict
    settings["PORT"] = str(postgres.port)
    # Threads of tests have connections of their own, which a test database's end must not wait for.
    settings["OPTIONS"] = {}
    postgres.allow_test_databases()
    _log_in(postgres, OWNER)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, postgres: Postgres) -> Iterator[None]:
    """Let tests connect as web does, as a role that owns nothing; the owner migrates, empties and drops it."""
    empty = getattr(TransactionTestCase, EMPTY)

    def empty_as_owner(case: TransactionTestCase) -> None:
        with _owner(postgres):
            empty(case)

    name = str(connections["default"].settings_dict["NAME"])
    with psycopg.connect(postgres.dsn(OWNER, name)) as owner:
        # The one right more than web has: tests of degrees record them in the grader's place, by a temporary table.
        owner.execute(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO exam_web").format(sql.Identifier(name)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, EMPTY, empty_as_owner)
        _log_in(postgres, "exam_web")
        yield
    _log_in(postgres, OWNER)


@pytest.fixture(scope="session")
def as_owner(django_db_setup: None, postgres: Postgres) -> Callable[[], AbstractContextManager[None]]:
    """Makes Django connect as the owner of the schema in a block, for what web itself may not do."""
    return lambda: _owner(postgres)


@contextmanager
def _owner(postgres: Postgres) -> Iterator[None]:
    _log_in(postgres, OWNER)
    try:
        yield
    finally:
        _log_in(postgres, "exam_web")


def _log_in(postgres: Postgres, role: str) -> None:
    """Let Django's next connection of this thread be one of this role."""
    connections["default"].close()
    connections["default"].settings_dict |= {"USER": role, "PASSWORD": postgres.password(role)}


@pytest.fixture
def real_cache(redis_server: Redis, broker_server: Redis, settings: Settings) -> Iterator[None]:
    """Point Django's cache and web's counters at the real servers, emptied, with the rights that web has there."""
    servers = (redis_server, broker_server)
    for server in servers:
        server.empty()
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": redis_server.url_of("web")}}
    settings.LOGIN_COUNTERS_URL = broker_server.url_of("web")
    yield
    caches["default"].close()
    assert [server.denied() for server in servers] == [set(), set()]
