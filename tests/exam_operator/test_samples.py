"""Samples with a paper have one that the platform can import."""

from typing import NoReturn

import pytest
import yaml

from exam_core.authoring.exam import read_exam
from exam_harness.environments.processes.paths import REPOSITORY

OBJECTS = [
    each
    for path in sorted((REPOSITORY / "k8s/samples").glob("*.yaml"))
    for each in yaml.safe_load_all(path.read_text())
]
AS_CODE = {each["metadata"]["name"]: each["spec"] for each in OBJECTS if "paperFrom" in each.get("spec", {})}


def _no_image(_data: bytes) -> NoReturn:
    pytest.fail("a sample is applied by itself and cannot have images")


def test_there_are_samples_with_and_without_a_paper() -> None:
    """If I look for an example, there is one of an exam written in the admin and one of an exam as code."""
    names = {each["metadata"]["name"] for each in OBJECTS if each["kind"] == "Exam"}
    assert names > set(AS_CODE) > set()


@pytest.mark.parametrize("name", AS_CODE)
def test_the_paper_of_a_sample_can_be_imported(name: str) -> None:
    """If I apply a sample with its paper, the platform can import it, and it is for that exam."""
    reference = AS_CODE[name]["paperFrom"]["secretKeyRef"]
    [secret] = [each for each in OBJECTS if (each["kind"], each["metadata"]["name"]) == ("Secret", reference["name"])]
    assert secret["type"] == "examplatform.dev/paper"
    document = read_exam(secret["stringData"][reference["key"]], _no_image)
    assert document.exam.slug == AS_CODE[name]["exam"]
