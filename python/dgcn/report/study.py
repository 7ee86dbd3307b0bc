"""The table and the plot of a study over several random seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dgcn.atomic import atomic_file

COLUMNS = {
    "mIoU": "miou",
    "pixel accuracy": "pixel_accuracy",
    "supervision: mIoU": "supervision_miou",
    "precision": "supervision_precision",
    "recall": "supervision_recall",
    "coverage": "supervision_coverage",
}


def study_table(result: dict[str, Any]) -> str:
    """Markdown table: mean and standard deviation over the seeds, percent.

    Parameters
    ----------
    result : dict
        As `dgcn.pipeline.study.ablate` returns it.

    Returns
    -------
    str
        Lines without a final newline: title, table, protocols. A cell without a finished seed has
        dashes.
    """
    head = ["cell", *COLUMNS, "seeds", "protocol"]
    protocols: list[str] = []
    lines = [f"### {result['title']}", "", _line(head), "|---|" + "---:|" * (len(head) - 1)]
    for row in result["cells"]:
        figures = row["figures"]
        shown = [_percent(figures[name]) for name in COLUMNS.values()]
        marks = []
        for kept in row["seeds"].values():
            protocol = kept["network"]["protocol"]
            if protocol not in protocols:
                protocols.append(protocol)
            marks.append(chr(ord("A") + protocols.index(protocol)))
        used = " ".join(sorted(set(marks))) or "-"
        lines.append(_line([row["cell"], *shown, str(figures["miou"]["seeds"]), used]))
    lines += [
        "",
        "Percent, mean ± standard deviation over the random seeds. Supervision: that of the "
        "training images by the network of the last epoch, on the grid; precision and recall are "
        "means over the object classes, cells without a label count as misses.",
    ]
    for index, protocol in enumerate(protocols):
        lines += ["", f"Protocol {chr(ord('A') + index)}: {protocol}."]
    return "\n".join(lines)


def plot_study(result: dict[str, Any], path: Path) -> None:
    """Draw the validation mIoU of every cell with its standard deviation as a PNG.

    A line where a number is varied, otherwise a point each. The axis of the mIoU is at least 5
    percent long, so that noise looks like noise.

    Parameters
    ----------
    result : dict
        As `dgcn.pipeline.study.ablate` returns it.
    path : Path
    """
    # Imported late, and without a display: only studies draw diagrams.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for row in result["cells"] if row["figures"]["miou"]["seeds"]]
    means = [100 * row["figures"]["miou"]["mean"] for row in rows]
    errors = [100 * (row["figures"]["miou"]["std"] or 0.0) for row in rows]
    numeric = bool(rows) and all(row["value"] is not None for row in rows)
    height = 3.2 if numeric else 1.2 + 0.32 * len(rows)
    figure = Figure(figsize=(6.4, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if numeric:
        values = [row["value"] for row in rows]
        axes.errorbar(values, means, errors, marker="o", capsize=3)
        axes.set_xticks(values)
        axes.set_xlabel(result["study"])
        axes.set_ylabel("mIoU, percent")
        axes.set_ylim(_range(means, errors))
    else:
        names = [row["cell"].replace("_", " ") for row in rows]
        # No bars: they would have to begin at 0, where nothing could be told apart.
        axes.errorbar(means, names, xerr=errors, fmt="o", capsize=3)
        for mean, name in zip(means, names, strict=True):
            axes.annotate(f"{mean:.1f}", (mean, name), (0, 5), textcoords="offset points")
        axes.margins(y=0.6 / max(1, len(rows)))
        axes.invert_yaxis()
        axes.grid(axis="x", alpha=0.4)
        axes.set_xlabel("mIoU, percent")
        axes.set_xlim(_range(means, errors))
    axes.set_title(result["title"])
    with atomic_file(path) as file:
        figure.savefig(file, format="png", dpi=150)


def _range(means: list[float], errors: list[float]) -> tuple[float, float]:
    """Ends of an axis that takes all figures and their errors."""
    low = min((m - e for m, e in zip(means, errors, strict=True)), default=0.0)
    high = max((m + e for m, e in zip(means, errors, strict=True)), default=100.0)
    margin = max(0.08 * (high - low), (5 - (high - low)) / 2)
    return low - margin, high + margin


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _percent(figure: dict[str, Any]) -> str:
    if figure["mean"] is None:
        return "-"
    spread = "" if figure["std"] is None else f" ± {100 * figure['std']:.1f}"
    return f"{100 * figure['mean']:.1f}{spread}"
