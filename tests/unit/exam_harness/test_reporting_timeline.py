"""The timeline of a sitting."""

from xml.etree import ElementTree as ET

from exam_harness.scenarios.reporting.timeline import timeline


def test_seconds_with_answers_are_bars_and_events_are_marks() -> None:
    """I see when answers were acknowledged and when the solver was killed."""
    opens = 1_790_000_000_000_000
    instants = [opens + 100_000, opens + 900_000, opens + 5_000_000]
    svg = timeline("a < b", instants, {"killed": opens + 3_000_000}, opens_at=opens)
    root = ET.fromstring(svg)  # noqa: S314 - our own
    names = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert names.count("title") == 2
    assert names.count("path") == 1
    assert "killed" in svg


def test_ready_pods_are_a_line_that_starts_before_the_opening() -> None:
    """I see the number of ready pods over time, from before the opening, and its maximum."""
    opens = 1_790_000_000_000_000
    pods = [(opens - 20_000_000, 1), (opens - 5_000_000, 4), (opens + 8_000_000, 2)]
    svg = timeline("pods", [opens], {}, opens_at=opens, pods=pods)
    (line,) = ET.fromstring(svg).findall("{*}polyline")  # noqa: S314 - our own
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    heights = [y for _, y in points]
    assert heights == [220.0, 220.0, 40.0, 40.0, 160.0, 160.0]
    assert sorted(x for x, _ in points) == [x for x, _ in points]
    assert "4 pods" in svg
    assert "-20 s" in svg


def test_a_sitting_without_answers_has_a_timeline() -> None:
    """An empty sitting is rendered as valid SVG."""
    ET.fromstring(timeline("empty", [], {}, opens_at=0))  # noqa: S314 - our own
