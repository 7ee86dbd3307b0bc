"""Bars of the speed relative to the reference, by family."""

from __future__ import annotations

from typing import Any

from benchmarks.contenders import EDGE_LISTS, NEIGHBOURS
from benchmarks.peers import REFERENCE

BAR = 0.9  # of the width of a family's slot, shared by its series
WARM = ["#08519c", "#3182bd", "#6baed6", "#9ecae1", "#c6dbef"]
GREEN = ["#006d2c", "#31a354", "#74c476", "#a1d99b", "#c7e9c0"]
GREY = ["#525252", "#969696", "#bdbdbd", "#d9d9d9"]


def plot(results: dict[str, Any], path: str) -> None:
    """Write a picture (.png, .svg); lowest thread count, mutual pairs merged, logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    ratios = {family: plotted(result["rows"]) for family, result in results.items()}
    series = ordered({name: None for found in ratios.values() for name in found})
    figure, axes = pyplot.subplots(figsize=(max(7.0, 1.3 * len(ratios) + 2), 4.8))
    for slot, found in enumerate(ratios.values()):
        present = [name for name in series if name in found]
        width = BAR / max(1, len(present))
        left = [slot - BAR / 2 + place * width for place in range(len(present))]
        height = [found[name] - 1 for name in present]
        colours = [series[name] for name in present]
        axes.bar(
            left, height, width, bottom=1, align="edge", color=colours, edgecolor="w", linewidth=0.4
        )
    lay_out_axes(axes)
    axes.set_xticks(range(len(ratios)), [label(f, results[f]) for f in ratios], fontsize=8)
    axes.set_xlim(-0.6, len(ratios) - 0.4)
    patches = [Patch(color=colour) for colour in series.values()]
    legend: Any = {"ncols": 5, "fontsize": 8, "frameon": False, "bbox_to_anchor": (0.5, 1)}
    axes.legend(patches, list(series), loc="lower center", **legend)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    pyplot.close(figure)
    print(f"drawn in {path}")


def lay_out_axes(axes: Any) -> None:
    """Logarithmic ratios around the line of the reference."""
    from matplotlib.ticker import LogLocator, NullLocator

    axes.axhline(1, color="black", linewidth=1)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylabel(f"times as fast as {REFERENCE} (= 1)")
    axes.grid(axis="y", linewidth=0.3)
    axes.set_axisbelow(True)


def plotted(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Ratios by series: the lowest thread count of ours, no unmerged edges, not the reference."""
    fewest = min((row["threads"] for row in rows), default=1)
    found = {}
    for row in rows:
        name = f"{row['operator']} {row['solver']}" if row["solver"] else row["operator"]
        shown = row["merged"] is not False and row["operator"] != REFERENCE
        if shown and row["ratio"] is not None and (row["threads"] == fewest or not row["solver"]):
            found[name] = row["ratio"]
    return found


def ordered(series: dict[str, None]) -> dict[str, str]:
    """Colours by series: edge lists, then neighbour lists, then peers."""
    groups = ((f"{EDGE_LISTS} ", WARM), (f"{NEIGHBOURS} ", GREEN), ("", GREY))
    colours: dict[str, str] = {}
    for prefix, palette in groups:
        names = [n for n in series if n.startswith(prefix) and n not in colours]
        colours |= {n: palette[i % len(palette)] for i, n in enumerate(names)}
    return colours


def label(family: str, result: dict[str, Any]) -> str:
    """Name and size under a group."""
    count = result["problems"]
    nodes = result["nodes"] / count
    size = f"{nodes / 1000:.0f}k" if nodes >= 10_000 else f"{nodes / 1000:.1f}k"
    return f"{family.replace('-', chr(10), 1)}\n{count} x {size}"
