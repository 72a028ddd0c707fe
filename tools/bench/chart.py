"""A bar chart as SVG, drawn here: a group of bars for each message size.

It has a background of its own, so that it can be read on light and on dark pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH = 760
HEIGHT = 380
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 70, 50
COLOURS = ("#3465a4", "#c17d11", "#73a9d8", "#5c8a3a", "#75507b")
PAPER, INK, GRID = "#ffffff", "#222222", "#d8d8d8"
FONT = "font-family='sans-serif' font-size='12'"


def ceiling(value: float) -> float:
    """The next round number at or above ``value``: 1, 1.5, 2, 2.5, 3, 4, 5 or 7.5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next(power * step for step in (1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10) if power * step >= value * (1 - 1e-9))


def bars(title: str, unit: str, groups: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> str:
    """The chart. ``series``: by its name a value for each group, None where there is none.

    ValueError: lengths differ, or there is nothing to draw.
    """
    if any(len(values) != len(groups) for values in series.values()):
        raise ValueError("a series has not one value for each group")
    known = [value for values in series.values() for value in values if value is not None]
    if not known:
        raise ValueError("there is nothing to draw")
    top = ceiling(max(known))
    plot_width, plot_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' "
        f"role='img' aria-label='{escape(title)}'>",
        f"<rect width='{WIDTH}' height='{HEIGHT}' rx='6' fill='{PAPER}'/>",
        f"<text x='{LEFT}' y='24' {FONT} font-weight='bold' fill='{INK}'>{escape(title)}, {escape(unit)}</text>",
    ]
    x = float(LEFT)
    for index, name in enumerate(series):
        parts.append(f"<rect x='{x:.0f}' y='38' width='12' height='12' fill='{COLOURS[index % len(COLOURS)]}'/>")
        parts.append(f"<text x='{x + 17:.0f}' y='48' {FONT} fill='{INK}'>{escape(name)}</text>")
        x += 17 + 7 * len(name) + 18
    for step in range(6):
        y = TOP + plot_height * (1 - step / 5)
        parts.append(f"<line x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y:.1f}' y2='{y:.1f}' stroke='{GRID}'/>")
        label = f"{top * step / 5:g}"
        parts.append(f"<text x='{LEFT - 8}' y='{y + 4:.1f}' {FONT} text-anchor='end' fill='{INK}'>{label}</text>")
    group_width = plot_width / len(groups)
    bar_width = group_width * 0.8 / len(series)
    for number, group in enumerate(groups):
        begin = LEFT + number * group_width
        for index, values in enumerate(series.values()):
            value = values[number]
            if value is None:
                continue
            height = plot_height * value / top
            left, y = begin + group_width * 0.1 + index * bar_width, TOP + plot_height - height
            colour = COLOURS[index % len(COLOURS)]
            parts.append(
                f"<rect x='{left:.1f}' y='{y:.1f}' width='{bar_width - 2:.1f}' height='{height:.1f}' fill='{colour}'/>"
            )
            parts.append(
                f"<text x='{left + bar_width / 2 - 1:.1f}' y='{y - 4:.1f}' font-family='sans-serif' font-size='10' "
                f"text-anchor='middle' fill='{INK}'>{value:.0f}</text>"
            )
        parts.append(
            f"<text x='{begin + group_width / 2:.1f}' y='{HEIGHT - BOTTOM + 20}' {FONT} text-anchor='middle' "
            f"fill='{INK}'>{escape(group)}</text>"
        )
    return "\n".join((*parts, "</svg>")) + "\n"
