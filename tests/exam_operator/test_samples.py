"""The sample resources that bring a paper along bring one that the platform can read."""

from typing import NoReturn

import pytest
import yaml

from exam_core.authoring import read_exam
from exam_harness.environments.processes.paths import REPOSITORY

OBJECTS = [
    each
    for path in sorted((REPOSITORY / "k8s/samples").glob("*.yaml"))
    for each in yaml.safe_load_all(path.read_text())
]
AS_CODE = {each["metadata"]["name"]: each["spec"] for each in OBJECTS if "paperFrom" in each.get("spec", {})}


def _no_image(_data: bytes) -> NoReturn:
    pytest.fail("a sample that is applied as it is has no place for images")


def test_there_are_both_kinds() -> None:
    """If I look for an example, there is one of an exam that Doctors wrote and one of an exam as code."""
    names = {each["metadata"]["name"] for each in OBJECTS if each["kind"] == "Exam"}
    assert names > set(AS_CODE) > set()


@pytest.mark.parametrize("name", AS_CODE)
def test_a_sample_brings_its_own_paper(name: str) -> None:
    """If I apply a sample that brings its paper along, the platform can read it, and it is that exam's."""
    reference = AS_CODE[name]["paperFrom"]["secretKeyRef"]
    [secret] = [each for each in OBJECTS if (each["kind"], each["metadata"]["name"]) == ("Secret", reference["name"])]
    assert secret["type"] == "examplatform.dev/paper"
    document = read_exam(secret["stringData"][reference["key"]], _no_image)
    assert document.exam.slug == AS_CODE[name]["exam"]
