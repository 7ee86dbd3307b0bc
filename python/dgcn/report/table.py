"""The scores of each class as a table in plain text or Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dgcn.metrics import Confusion

__all__ = ["format_table"]


def format_table(
    confusion: Confusion,
    classes: Sequence[str],
    *,
    more: Mapping[str, NDArray[np.float64]] | None = None,
    markdown: bool = False,
    decimals: int = 1,
) -> str:
    """Per-class IoU, precision and recall in percent, their means, and the overall scores.

    Parameters
    ----------
    confusion : Confusion
    classes : sequence of str, length L
        Class names by id.
    more : mapping from name to numpy.ndarray, shape (L,), optional
        Further scores of each class, in [0, 1].
    markdown : bool, default False
        A Markdown table in place of aligned text.
    decimals : int, default 1
        Digits after the point.

    Returns
    -------
    str
        Lines without a final newline. A score that is not defined is a dash; a mean leaves
        undefined scores out. ``pixels`` counts the ground truth. Coverage is named only where some
        pixel has no predicted label.

    Raises
    ------
    ValueError
        ``classes`` has another length than the confusion matrix.
    """
    if len(classes) != confusion.classes:
        raise ValueError(f"classes must hold {confusion.classes} names, got {len(classes)}")
    columns = {
        "IoU": confusion.iou(),
        "precision": confusion.precision(),
        "recall": confusion.recall(),
        **(more or {}),
    }
    header = ("class", *columns, "pixels")
    scores = np.stack(list(columns.values()))
    pixels = confusion.counts.sum(axis=1)
    body = [
        (name, *(_percent(score, decimals) for score in scores[:, row]), f"{pixels[row]:,}")
        for row, name in enumerate(classes)
    ]
    means = (_mean(row.tolist()) for row in scores)
    total = ("mean", *(_percent(mean, decimals) for mean in means), f"{pixels.sum():,}")
    overall = f"pixel accuracy {_percent(confusion.pixel_accuracy(), decimals)} %"
    if confusion.coverage() < 1:
        overall += f", coverage {_percent(confusion.coverage(), decimals)} %"
    if markdown:
        return _markdown(header, body, total) + f"\n\n{overall[0].upper()}{overall[1:]}."
    return _aligned(header, body, total) + f"\n{overall}"


def _aligned(header: tuple[str, ...], body: list[tuple[str, ...]], total: tuple[str, ...]) -> str:
    rows = [header, *body, total]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]

    def line(row: tuple[str, ...]) -> str:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        return "  ".join(cells)

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([line(header), rule, *map(line, body), rule, line(total)])


def _markdown(header: tuple[str, ...], body: list[tuple[str, ...]], total: tuple[str, ...]) -> str:
    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"

    rule = "|---|" + "---:|" * (len(header) - 1)
    return "\n".join(
        [line(header), rule, *map(line, body), line([f"**{cell}**" for cell in total])]
    )


def _percent(value: float, decimals: int) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.{decimals}f}"


def _mean(values: list[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan
