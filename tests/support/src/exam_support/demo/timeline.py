"""A picture of a sitting: acknowledged answers a second, and what happened when. Plain SVG, no library."""

from collections import Counter
from collections.abc import Iterable, Mapping
from html import escape

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 960, 320, 48, 40, 40
_SECOND = 1_000_000


def timeline(title: str, received_at: Iterable[int], marks: Mapping[str, int], *, opens_at: int) -> str:
    """An SVG of how many answers were acknowledged in each second since the opening; instants in µs."""
    bars = Counter((instant - opens_at) // _SECOND for instant in received_at)
    last = max([*bars, *((at - opens_at) // _SECOND for at in marks.values()), 1]) + 1
    most = max(bars.values(), default=1)
    step = (_WIDTH - _LEFT - 16) / last
    depth = _HEIGHT - _TOP - _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="16" font-size="13" font-weight="bold">{escape(title)}</text>',
        f'<text x="4" y="{_TOP + 8}" font-size="11" fill="#555">{most}/s</text>',
        f'<text x="4" y="{_HEIGHT - _BOTTOM}" font-size="11" fill="#555">0</text>',
    ]
    for second, count in sorted(bars.items()):
        tall = count / most * depth
        x, y = _LEFT + second * step, _TOP + depth - tall
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(step - 1, 1):.1f}" height="{tall:.1f}" fill="#4a7ebb">'
            f"<title>second {second}: {count}</title></rect>"
        )
    parts += [
        f'<text x="{_LEFT + second * step:.1f}" y="{_HEIGHT - 24}" font-size="11" fill="#555">{second} s</text>'
        for second in range(0, last, 10)
    ]
    for place, (name, at) in enumerate(sorted(marks.items(), key=lambda mark: mark[1])):
        x = _LEFT + (at - opens_at) / _SECOND * step
        y = _TOP - 10 + place % 3 * 13
        parts.append(f'<path d="M{x:.1f} {y}V{_HEIGHT - _BOTTOM}" stroke="#b33" stroke-dasharray="3 3"/>')
        parts.append(f'<text x="{x + 3:.1f}" y="{y + 4}" font-size="11" fill="#b33">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])
