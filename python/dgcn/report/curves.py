"""Line charts of figures over epochs, as SVG that stands in a page by itself."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

__all__ = ["line_chart"]

_WIDTH, _HEIGHT = 420, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 28

Point = tuple[float, float]


def line_chart(title: str, series: Mapping[str, Sequence[Point]], *, percent: bool = False) -> str:
    """Draw series of (epoch, value) with axes, a grid and a legend.

    Colours are left to the page: line k has the class ``line-k``, k counted from 0.

    Parameters
    ----------
    title : str
        What is drawn; the caption, and the name that a screen reader says.
    series : mapping from str to sequence of (float, float)
        At least one finite point in all. Points that are not finite are left out.
    percent : bool, default False
        Whether the values are shares, written as percent.

    Returns
    -------
    str
        A ``<figure>``.

    Raises
    ------
    ValueError
        There is no finite point.
    """
    lines = {
        name: [(float(x), float(y)) for x, y in points if math.isfinite(x) and math.isfinite(y)]
        for name, points in series.items()
    }
    points = [point for line in lines.values() for point in line]
    if not points:
        raise ValueError(f"series must hold at least one finite point, in {title!r}")
    # From 0, so that heights are in proportion; a negative figure goes below it.
    ticks = nice_ticks(min(0.0, *(y for _, y in points)), max(0.0, *(y for _, y in points)))
    across = (min(x for x, _ in points), max(x for x, _ in points))
    down = (ticks[0], ticks[-1])

    def place(x: float, y: float) -> Point:
        return (
            _scaled(x, across, _LEFT, _WIDTH - _RIGHT),
            _scaled(y, down, _HEIGHT - _BOTTOM, _TOP),
        )

    parts = [_grid(ticks, place(across[0], tick)[1], tick, percent) for tick in ticks]
    for x in _epochs(*across):
        at = place(x, ticks[0])[0]
        parts.append(f'<text class="tick" x="{at:.1f}" y="{_HEIGHT - 9}" text-anchor="middle">')
        parts.append(f"{x:g}</text>")
    for number, line in enumerate(lines.values()):
        parts.append(_line(number, [place(*point) for point in line]))
    parts += _hovers(lines, lambda x: place(x, down[0])[0], percent)
    label = html.escape(f"{title}: {'; '.join(_said(*item, percent) for item in lines.items())}")
    legend = "".join(
        f'<li><span class="swatch line-{number}"></span>{html.escape(name)}</li>'
        for number, name in enumerate(lines)
    )
    return (
        f'<figure class="chart"><figcaption>{html.escape(title)}</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
        f'<ul class="legend">{legend}</ul></figure>'
    )


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers, evenly spaced, from below `low` to above `high`."""
    if high - low < 1e-12 * max(1.0, abs(high)):
        margin = abs(high) / 2 if abs(high) > 1e-12 else 1.0
        low, high = low - margin, high + margin
    rough = (high - low) / (count - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= 0.999 * rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


def _scaled(value: float, domain: Point, start: float, end: float) -> float:
    if domain[1] == domain[0]:
        return (start + end) / 2
    return start + (end - start) * (value - domain[0]) / (domain[1] - domain[0])


def _epochs(first: float, last: float) -> list[float]:
    step = max(1, math.ceil((last - first) / 8))
    return [first + index * step for index in range(int((last - first) // step) + 1)]


def _grid(ticks: Sequence[float], y: float, value: float, percent: bool) -> str:
    shown = f"{100 * value:g}" if percent else f"{float(f'{value:.6g}'):g}"
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{shown}</text>'
    )


def _hovers(
    lines: Mapping[str, Sequence[Point]], at: Callable[[float], float], percent: bool
) -> list[str]:
    """A column for every epoch; the page shows its text, the values of all lines, at the mouse."""
    epochs = sorted({x for line in lines.values() for x, _ in line})
    middles = [(before + after) / 2 for before, after in pairwise(epochs)]
    edges = [_LEFT, *(at(middle) for middle in middles), _WIDTH - _RIGHT]
    columns = []
    for epoch, left, right in zip(epochs, edges[:-1], edges[1:], strict=True):
        values = [
            f"{name} {_shown(y, percent)}"
            for name, line in lines.items()
            for x, y in line
            if x == epoch
        ]
        tip = html.escape(f"epoch {epoch:g}: {'; '.join(values)}")
        columns.append(
            f'<rect class="hover" x="{left:.1f}" y="{_TOP}" width="{right - left:.1f}" '
            f'height="{_HEIGHT - _BOTTOM - _TOP}" data-tip="{tip}"/>'
        )
    return columns


def _line(number: int, places: Sequence[Point]) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places)
    return f'<g class="line-{number}"><polyline points="{path}"/>{dots}</g>'


def _said(name: str, line: Sequence[Point], percent: bool) -> str:
    if not line:
        return f"{name} has no values"
    (first, start), (last, end) = line[0], line[-1]
    return (
        f"{name} from {_shown(start, percent)} at epoch {first:g} "
        f"to {_shown(end, percent)} at epoch {last:g}"
    )


def _shown(value: float, percent: bool) -> str:
    return f"{100 * value:.1f} %" if percent else f"{value:.4g}"
