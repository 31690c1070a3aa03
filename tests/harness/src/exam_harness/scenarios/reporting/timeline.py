"""The timeline of a sitting as SVG: acknowledged answers per second, ready pods, and events."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 960, 320, 48, 64, 40, 40
_PLOT_HEIGHT = _HEIGHT - _TOP - _BOTTOM
_SECOND = 1_000_000
_BARS, _MARKS, _LINE, _AXES = "#4a7ebb", "#b33", "#2a8a4a", "#555"


def timeline(
    title: str,
    received_at: Iterable[int],
    marks: Mapping[str, int],
    *,
    opens_at: int,
    pods: Sequence[tuple[int, int]] = (),
) -> str:
    """Render the number of answers acknowledged in each second; instants in µs.

    Args:
        title: the heading.
        received_at: the time of each acknowledged answer.
        marks: events by name.
        opens_at: the opening, which is second 0.
        pods: (instant, number of ready pods), oldest first; drawn as a line over the bars.
    """
    bars = Counter((instant - opens_at) // _SECOND for instant in received_at)
    seconds = [*bars, *((at - opens_at) // _SECOND for at in (*marks.values(), *(at for at, _ in pods)))]
    first, last = min([*seconds, 0]), max([*seconds, 1]) + 1
    step = (_WIDTH - _LEFT - _RIGHT) / (last - first)

    def x_of(second: float) -> float:
        return _LEFT + (second - first) * step

    highest = max(bars.values(), default=1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="16" font-size="13" font-weight="bold">{escape(title)}</text>',
        _label(4, _TOP + 8, f"{highest}/s", _BARS),
        _label(4, _HEIGHT - _BOTTOM, "0", _AXES),
    ]
    for second, count in sorted(bars.items()):
        height = count / highest * _PLOT_HEIGHT
        parts.append(
            f'<rect x="{x_of(second):.1f}" y="{_TOP + _PLOT_HEIGHT - height:.1f}" width="{max(step - 1, 1):.1f}" '
            f'height="{height:.1f}" fill="{_BARS}"><title>second {second}: {count}</title></rect>'
        )
    ticks = range(-(-first // 10) * 10, last, 10)
    parts += [_label(x_of(second), _HEIGHT - 24, f"{second} s", _AXES) for second in ticks]
    for index, (name, at) in enumerate(sorted(marks.items(), key=lambda mark: mark[1])):
        x, y = x_of((at - opens_at) / _SECOND), _TOP - 10 + index % 3 * 13
        parts.append(f'<path d="M{x:.1f} {y}V{_HEIGHT - _BOTTOM}" stroke="{_MARKS}" stroke-dasharray="3 3"/>')
        parts.append(_label(x + 3, y + 4, name, _MARKS))
    if pods:
        parts += _line([(x_of((at - opens_at) / _SECOND), count) for at, count in pods], x_of(last))
    return "\n".join([*parts, "</svg>", ""])


def _line(points: Sequence[tuple[float, int]], end: float) -> Iterator[str]:
    """A step line, with its maximum as a label at the right."""
    highest = max(*(count for _, count in points), 1)

    def y_of(count: int) -> float:
        return _TOP + _PLOT_HEIGHT - count / highest * _PLOT_HEIGHT

    (x, count), *rest = points
    line = f"{x:.1f},{y_of(count):.1f}" + "".join(
        f" {x:.1f},{y_of(before):.1f} {x:.1f},{y_of(count):.1f}"
        for (_, before), (x, count) in zip(points, rest, strict=False)
    )
    yield (
        f'<polyline points="{line} {end:.1f},{y_of(points[-1][1]):.1f}" fill="none" stroke="{_LINE}" '
        f'stroke-width="2"><title>pods ready, at most {highest}</title></polyline>'
    )
    yield _label(end + 4, _TOP + 8, f"{highest} pods", _LINE)


def _label(x: float, y: float, text: str, colour: str) -> str:
    return f'<text x="{x:.1f}" y="{y}" font-size="11" fill="{colour}">{escape(text)}</text>'
