"""Django's own stores for tests: a database on the real PostgreSQL, a cache on the real Redis."""

from collections.abc import Iterator

import pytest
from django.core.cache import caches
from django.db import connections
from pytest_django import Settings

from exam_harness.environments.processes.servers.postgres import Postgres
from exam_harness.environments.processes.servers.redis import Redis


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres: Postgres) -> None:
    """Point Django at the real PostgreSQL before pytest-django makes its test database (hook of pytest-django)."""
    settings = connections["default"].settings_dict
    settings["PORT"] = str(postgres.port)
    settings["PASSWORD"] = postgres.password("exam_web")
    # Threads of tests have connections of their own, which a test database's end must not wait for.
    settings["OPTIONS"] = {}
    postgres.allow_test_databases()


@pytest.fixture
def real_cache(redis_server: Redis, settings: Settings) -> Iterator[None]:
    """Point Django's cache at the real Redis, emptied."""
    cache = settings.CACHES["default"] | {"LOCATION": redis_server.url}
    settings.CACHES = {"default": cache}
    caches["default"].clear()
    yield
    caches["default"].close()
