"""Django's own stores for tests: a database on the real PostgreSQL, a cache on the real Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import caches
from django.db import connections
from pytest_django import Settings

from exam_harness.environments.processes.servers.postgres import Postgres
from exam_harness.environments.processes.servers.redis import Redis

TESTS = Path(__file__).parent
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests by environment, for workers in parallel; others are grouped by file."""
    order = {group: number for number, group in enumerate(dict.fromkeys(GROUPS.values()))}
    groups = {item: _group(item) for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: order.get(groups[item], len(order)))


def _group(item: pytest.Item) -> str:
    file = item.path.relative_to(TESTS).as_posix()
    return next((group for path, group in GROUPS.items() if f"{file}/".startswith(f"{path}/")), file)


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
