"""What stays of images that were built again and again."""

from exam_harness.environments.docker.pruning import superseded


def test_the_newest_two_of_each_image_stay() -> None:
    """If sources change a hundred times, the disk holds two of each image, and the bases."""
    listed = [
        "localhost/e/web:c",
        "localhost/e/solver:b",
        "localhost/e/web:b",
        "localhost/e/python:3.11",
        "localhost/e/web:a",
    ]
    assert superseded([*listed, "localhost/e/web:<none>", "<none>:<none>"]) == ["localhost/e/web:a"]
