"""The schema of the Exam resource and web have the same bounds."""

import re
from datetime import timedelta
from typing import Any

import pytest
import yaml

from exam_core.bounds import MAX_CANDIDATES, MAX_INSTANT, MAX_NAME, MAX_SPAN, MAX_WINDOW, MIN_INSTANT
from exam_harness.environments.processes.paths import REPOSITORY
from exam_operator.model.exam import UID_CHARACTERS


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    """The properties of an Exam's spec."""
    crd = yaml.safe_load((REPOSITORY / "crds/exams.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    properties: dict[str, Any] = schema["properties"]["spec"]["properties"]
    return properties


def rules(schema: dict[str, Any]) -> str:
    """The rules of a schema."""
    return "\n".join(each["rule"] for each in schema["x-kubernetes-validations"])


def test_a_window_is_as_long_and_in_the_same_years(spec) -> None:
    """An Exam that the API server accepts is not rejected by web for its window, and the other way round."""
    text = rules(spec["window"])
    (hours,) = re.findall(r"closesAt - self.opensAt <= duration\('(\d+)h'\)", text)
    assert timedelta(hours=int(hours)) == MAX_WINDOW
    years = re.search(r"opensAt.getFullYear\(\) >= (\d+) && self.closesAt.getFullYear\(\) < (\d+)", text)
    assert years is not None
    assert (int(years[1]), int(years[2])) == (MIN_INSTANT.year, MAX_INSTANT.year)
    assert MIN_INSTANT.replace(month=1, day=1, hour=0) == MIN_INSTANT
    assert MAX_INSTANT.replace(month=1, day=1, hour=0) == MAX_INSTANT


def test_an_attempt_is_as_long(spec) -> None:
    """The longest duration of an attempt is the same."""
    (hours,) = re.findall(r"<= duration\('(\d+)h'\)", rules(spec["window"]["properties"]["duration"]))
    assert timedelta(hours=int(hours)) == MAX_SPAN


def test_as_many_candidates_are_accepted(spec) -> None:
    """The number of candidates has the same bounds."""
    assert (spec["candidates"]["minimum"], spec["candidates"]["maximum"]) == (1, MAX_CANDIDATES)


def test_the_longest_name_of_an_exam_is_accepted() -> None:
    """A sitting's name, <namespace>.<name>.<start of the uid>, is not too long: the first two have at most 63."""
    assert 63 + 1 + 63 + 1 + UID_CHARACTERS <= MAX_NAME
