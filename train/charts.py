"""Line charts as inline SVG: nothing to install, nothing to fetch, sharp at any size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 560, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 22, 12, 34
_POINTS = 400  # a line of more is thinned by averaging neighbours
# Okabe and Ito 2008: told apart by people with any colour vision.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a7b00", "#777777")


@dataclass(frozen=True)
class Line:
    """One line: points of rising x."""

    points: Sequence[tuple[float, float]]


def line_chart(
    title: str,
    lines: Mapping[str, Line],
    *,
    x_label: str,
    low: float | None = None,
    high: float | None = None,
) -> str:
    """Return a chart as an HTML figure with its legend.

    Parameters
    ----------
    title : str
    lines : mapping of str to Line
    x_label : str
    low, high : float, optional
        Ends of the vertical axis; by default those of the values.
    """
    drawn = {name: _thinned(line.points) for name, line in lines.items() if len(line.points)}
    values = [y for points in drawn.values() for _, y in points if math.isfinite(y)]
    if not values:
        return f"<figure><figcaption>{escape(title)}</figcaption><p>Nothing was logged.</p></figure>"
    places = [x for points in drawn.values() for x, _ in points]
    bottom, top = _ends(min(values) if low is None else low, max(values) if high is None else high)
    first, last = _ends(min(places), max(places))

    def across(x: float) -> float:
        return _LEFT + (x - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    def down(y: float) -> float:
        return _HEIGHT - _BOTTOM - (y - bottom) / (top - bottom) * (_HEIGHT - _TOP - _BOTTOM)

    parts = []
    for tick in _ticks(bottom, top):
        y = down(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in _ticks(first, last):
        parts.append(
            f'<text x="{across(tick):.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{tick:g}</text>'
        )
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 4}" text-anchor="end">{escape(x_label)}</text>')
    legend = []
    for n, (name, points) in enumerate(drawn.items()):
        colour = _COLOURS[n % len(_COLOURS)]
        path = " ".join(f"{across(x):.1f},{down(min(max(y, bottom), top)):.1f}" for x, y in points)
        if len(points) == 1:
            x, y = points[0]
            parts.append(f'<circle cx="{across(x):.1f}" cy="{down(y):.1f}" r="3" fill="{colour}"/>')
        else:
            parts.append(f'<polyline points="{path}" stroke="{colour}"/>')
        legend.append(f'<span><i style="background:{colour}"></i>{escape(name)} {points[-1][1]:.4g}</span>')
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title, quote=True)}">'
        f'{"".join(parts)}</svg><p class="legend">{"".join(legend)}</p></figure>'
    )


def _ends(low: float, high: float) -> tuple[float, float]:
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers between two, about five: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    count = math.floor(high / step + 1e-9) - math.ceil(low / step - 1e-9)
    return [round((math.ceil(low / step - 1e-9) + n) * step, 12) for n in range(count + 1)]


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Average neighbours until at most `_POINTS` are left; values that are no numbers are left out."""
    finite = [(x, y) for x, y in points if math.isfinite(y)]
    each = max(1, math.ceil(len(finite) / _POINTS))
    groups = [finite[start : start + each] for start in range(0, len(finite), each)]
    return [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]
