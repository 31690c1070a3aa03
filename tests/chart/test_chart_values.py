"""Values: those that make sense are taken, any other is refused with its name, and all of them are written down."""

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
    """(path, what is said of it) of every value that is not a group of others."""
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
GROUPS = {".".join(path) or "the top": path for path, _ in _groups(SCHEMA)}


def _at(path, value) -> dict:
    """Values in which one is this."""
    for name in reversed(path):
        value = {name: value}
    return value


def _wrong(each) -> object:
    """Something that a value cannot be."""
    if "enum" in each:
        return "Nonsense"
    kinds = {"string": 7, "integer": "seven", "boolean": "maybe", "array": "list", "object": "map"}
    return kinds[each["type"]] if isinstance(each["type"], str) else "lots of it"


def test_helm_finds_no_fault() -> None:
    """If I lint the chart, there is nothing to warn of."""
    words = [str(program("helm")), "lint", "--strict", str(CHART)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout


@pytest.mark.parametrize("name", LEAVES)
def test_a_value_of_the_wrong_type_is_refused(name) -> None:
    """If I give a value something that it cannot be, I am told which one it is."""
    path, each = LEAVES[name]
    with pytest.raises(RenderError, match="/" + "/".join(path)):
        render(_at(path, _wrong(each)))


@pytest.mark.parametrize("name", GROUPS)
def test_an_unknown_value_is_refused(name) -> None:
    """If I misspell a value, at whatever depth, I am told so instead of wondering why nothing changes."""
    with pytest.raises(RenderError, match=r"additional properties 'mispelled' not allowed"):
        render(_at((*GROUPS[name], "mispelled"), 1))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"leaseTtlMs": 100}, "leaseTtlMs"),
        ({"leaseTtlMs": 3_600_000}, "leaseTtlMs"),
        ({"web": {"replicas": 0}}, "replicas"),
        ({"cassandra": {"racks": []}}, "racks"),
        ({"cassandra": {"racks": ["a", "a"]}}, "racks"),
        ({"cassandra": {"racks": ["Rack 1"]}}, "racks"),
        ({"cassandra": {"heap": "lots"}}, "heap"),
        ({"postgres": {"storage": {"size": "10 GB"}}}, "size"),
        ({"hosts": {"web": "https://exams.example.org/"}}, "hosts"),
        ({"trustedOrigins": ["exams.example.org"]}, "trustedOrigins"),
        ({"gateway": {"trustedProxies": ["everybody"]}}, "trustedProxies"),
        ({"redis": {"existingSecret": "Not A Name"}}, "existingSecret"),
    ],
)
def test_a_value_out_of_bounds_is_refused(values, said) -> None:
    """If I give a value that cannot work, I am told before anything is installed."""
    with pytest.raises(RenderError, match=said):
        render(values)


def test_every_value_has_a_meaning_and_a_default() -> None:
    """If I look at the schema, everything in it is described, and everything that there is stands in values.yaml."""
    assert all(each["description"] for _, each in LEAVES.values())
    for path in (path for path, _ in LEAVES.values() if "resources" not in path):
        value = VALUES
        for name in path:
            value = value[name]


def test_the_table_of_values_is_up_to_date() -> None:
    """If I read the chart's README, it tells of the values as they are (`make values-table` writes it)."""
    assert README.read_text() == table()
