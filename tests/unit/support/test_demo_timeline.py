"""The picture of a sitting."""

from xml.etree import ElementTree as ET

from exam_support.demo.timeline import timeline


def test_every_second_with_answers_is_a_bar_and_every_event_a_mark() -> None:
    """I see when answers came and when the solver was killed."""
    opens = 1_790_000_000_000_000
    instants = [opens + 100_000, opens + 900_000, opens + 5_000_000]
    svg = timeline("a < b", instants, {"killed": opens + 3_000_000}, opens_at=opens)
    root = ET.fromstring(svg)  # noqa: S314 - our own
    names = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert names.count("title") == 2
    assert names.count("path") == 1
    assert "killed" in svg


def test_a_sitting_without_answers_is_a_picture_too() -> None:
    """Nothing happened, nothing breaks."""
    ET.fromstring(timeline("empty", [], {}, opens_at=0))  # noqa: S314 - our own
