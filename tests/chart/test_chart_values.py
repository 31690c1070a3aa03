"""Values: valid ones are accepted, others are rejected by name, and each is documented."""

import json
import subprocess
from collections.abc import Iterator

import pytest
import yaml

from exam_harness.chart.render import CHART, RenderError, render
from exam_harness.chart.values_table import README, table
from exam_harness.environments.builds.binaries import program

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


def _leaves(schema, path=()) -> Iterator[tuple]:
    """Yield (path, schema) of every value that is not a group of values."""
    for name, each in schema["properties"].items():
        if "properties" in each:
            yield from _leaves(each, (*path, name))
        else:
            yield (*path, name), each


def _groups(schema, path=()) -> Iterator[tuple]:
    yield path, schema
    for name, each in schema["properties"].items():
        if "properties" in each:
            yield from _groups(each, (*path, name))


LEAVES = {".".join(path): (path, each) for path, each in _leaves(SCHEMA)}
GROUPS = {".".join(path) or "top level": path for path, _ in _groups(SCHEMA)}


def _at(path, value) -> dict:
    """Return values with one value set at a path."""
    for name in reversed(path):
        value = {name: value}
    return value


def _wrong(each) -> object:
    """Return a value of the wrong type."""
    if "enum" in each:
        return "Nonsense"
    kinds = {"string": 7, "integer": "seven", "boolean": "maybe", "array": "list", "object": "map"}
    return kinds[each["type"]] if isinstance(each["type"], str) else "invalid"


def test_helm_lint_reports_nothing() -> None:
    """If I run `helm lint --strict`, it passes without warnings."""
    command = [str(program("helm")), "lint", "--strict", str(CHART)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout


@pytest.mark.parametrize("name", LEAVES)
def test_value_of_wrong_type_is_rejected(name) -> None:
    """If I set a value of the wrong type, the error names its path."""
    path, each = LEAVES[name]
    with pytest.raises(RenderError, match="/" + "/".join(path)):
        render(_at(path, _wrong(each)))


@pytest.mark.parametrize("name", GROUPS)
def test_unknown_value_is_rejected(name) -> None:
    """If I misspell a value, at any depth, the installation fails instead of ignoring it."""
    with pytest.raises(RenderError, match=r"additional properties 'mispelled' not allowed"):
        render(_at((*GROUPS[name], "mispelled"), 1))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"leaseTtlMs": 100}, "leaseTtlMs"),
        ({"leaseTtlMs": 3_600_000}, "leaseTtlMs"),
        ({"web": {"replicas": 0}}, "replicas"),
        ({"cassandra": {"racks": []}}, "racks"),
        ({"cassandra": {"racks": ["a", "a"]}}, "racks"),
        ({"cassandra": {"racks": ["Rack 1"]}}, "racks"),
        ({"cassandra": {"heap": "large"}}, "heap"),
        ({"postgres": {"storage": {"size": "10 GB"}}}, "size"),
        ({"hosts": {"web": "https://exams.example.org/"}}, "hosts"),
        ({"trustedOrigins": ["exams.example.org"]}, "trustedOrigins"),
        ({"gateway": {"trustedProxies": ["any"]}}, "trustedProxies"),
        ({"redis": {"existingSecret": "Not A Name"}}, "existingSecret"),
    ],
)
def test_value_out_of_bounds_is_rejected(values, message) -> None:
    """If I set a value that cannot work, helm fails before it installs anything."""
    with pytest.raises(RenderError, match=message):
        render(values)


def test_every_value_has_a_description_and_a_default() -> None:
    """If I read the schema, every value has a description, and a default in values.yaml."""
    assert all(each["description"] for _, each in LEAVES.values())
    for path in (path for path, _ in LEAVES.values() if "resources" not in path):
        value = VALUES
        for name in path:
            value = value[name]


def test_values_table_is_up_to_date() -> None:
    """If I read the chart's README, it matches the schema and the values (`make values-table` writes it)."""
    assert README.read_text() == table()
