"""Bars of the speed relative to the reference, by family."""

from __future__ import annotations

from typing import Any

from benchmarks.contenders import EDGE_LISTS
from benchmarks.peers import REFERENCE

BAR = 0.8  # of the height of a family's slot, shared by its series
COLOURS = ["#08519c", "#969696", "#cccccc", "#636363"]


def plot(results: dict[str, Any], path: str) -> None:
    """Write a picture (.png, .svg) of our first solver, on the fewest threads, and of the peers.

    Mutual pairs are merged. The axis is logarithmic.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    ratios = {family: plotted(result["rows"]) for family, result in results.items()}
    series = list(dict.fromkeys(name for found in ratios.values() for name in found))
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(series)}
    figure, axes = pyplot.subplots(figsize=(7, 0.36 * len(ratios) + 1.1))
    for slot, found in enumerate(ratios.values()):
        height = BAR / max(1, len(found))
        for place, (name, ratio) in enumerate(found.items()):
            top = slot - BAR / 2 + place * height
            axes.barh(top, ratio - 1, height, left=1, align="edge", color=colours[name])
    axes.set_yticks(range(len(ratios)), [label(f, results[f]) for f in ratios], fontsize=8)
    axes.set_ylim(len(ratios) - 0.4, -0.6)
    lay_out_axis(axes)
    patches = [Patch(color=colour) for colour in colours.values()]
    legend: Any = {"ncols": len(series), "fontsize": 8, "frameon": False}
    axes.legend(patches, list(colours), loc="lower center", bbox_to_anchor=(0.5, 1), **legend)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    pyplot.close(figure)
    print(f"drawn in {path}")


def lay_out_axis(axes: Any) -> None:
    """Logarithmic ratios on both sides of the line of the reference."""
    from matplotlib.ticker import LogLocator, NullLocator

    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel(f"times as fast as {REFERENCE} (= 1)")
    axes.grid(axis="x", linewidth=0.3)
    axes.set_axisbelow(True)


def plotted(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Ratios by series: our first solver on edge lists, then the peers but the reference."""
    shown = [row for row in rows if row["merged"] is not False and row["ratio"] is not None]
    ours = [row for row in shown if row["operator"] == EDGE_LISTS]
    ours.sort(key=lambda row: row["threads"])
    found = {f"{row['operator']}, {row['solver']}": row["ratio"] for row in ours[:1]}
    peers = [row for row in shown if not row["solver"] and row["operator"] != REFERENCE]
    return found | {row["operator"]: row["ratio"] for row in peers}


def label(family: str, result: dict[str, Any]) -> str:
    """Name and size beside a group."""
    count = result["problems"]
    nodes = result["nodes"] / count
    size = f"{nodes / 1000:.0f}k" if nodes >= 10_000 else f"{nodes / 1000:.1f}k"
    return f"{family}, {count} x {size}"
