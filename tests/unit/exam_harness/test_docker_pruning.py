"""Pruning of images that were built repeatedly."""

from exam_harness.environments.docker.pruning import superseded


def test_the_newest_two_tags_of_each_image_are_kept() -> None:
    """If sources change a hundred times, two tags of each image are kept, and the base images."""
    listed = [
        "localhost/e/web:c",
        "localhost/e/solver:b",
        "localhost/e/web:b",
        "localhost/e/python:3.11",
        "localhost/e/web:a",
    ]
    assert superseded([*listed, "localhost/e/web:<none>", "<none>:<none>"]) == ["localhost/e/web:a"]
