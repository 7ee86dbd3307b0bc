"""The tables of a report's page: scores, agreement, classes together, confusion."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dgcn.lost import KINDS, PLACES
from dgcn.metrics import Confusion

if TYPE_CHECKING:
    from dgcn.report.page import Scores

__all__ = [
    "agreement_table",
    "baseline_table",
    "class_table",
    "confusion_tables",
    "labelling_table",
    "lost_table",
    "percent",
    "text",
    "together_table",
]

_MOST = 40  # classes of a square table


def baseline_table(scores: Sequence[Scores], titles: Mapping[str, str]) -> str:
    """Mean IoU of the networks and of the trivial baselines, a column a split."""
    columns = {each.split: each.values.get("baselines", {}) for each in scores}
    names = [name for name in titles if any(name in found for found in columns.values())]
    if not names:
        return ""
    heads = [f"mean IoU, {split}" for split in columns]
    rows = []
    for network in dict.fromkeys(each.name for each in scores):
        own = {each.split: each.values for each in scores if each.name == network}
        rows.append((network, [own.get(at, {}).get("miou") for at in columns]))
    for name in names:
        values = [found.get(name, {}).get("miou") for found in columns.values()]
        rows.append((f"no network: {titles[name]}", values))
    return _table("Trivial baselines", ["", *heads], rows)


def class_table(scores: Sequence[Scores], classes: Sequence[str]) -> str:
    """IoU, precision and recall of every class, side by side for the trainings; to be sorted."""
    if not scores:
        return ""
    kinds = ("iou", "precision", "recall")
    head = "".join(
        f'<th scope="colgroup" class="first" colspan="3">{text(f"{each.name}, {each.split}")}</th>'
        for each in scores
    )
    names = _sorter("IoU", "first") + _sorter("precision") + _sorter("recall")
    rows = []
    for index, name in enumerate(classes):
        cells = "".join(
            _cell(each.values["classes"].get(name, {}).get(kind), kind)
            for each in scores
            for kind in kinds
        )
        rows.append(f"<tr>{_named(index, name)}{cells}</tr>")
    means = "".join(
        _cell(each.values[{"iou": "miou"}.get(kind, kind)], kind)
        for each in scores
        for kind in kinds
    )
    return _scrolled(
        "Scores by class",
        f"<thead><tr><td></td>{head}</tr><tr>{_sorter('class, percent')}{names * len(scores)}</tr>"
        f"</thead><tbody>{''.join(rows)}</tbody>"
        f'<tfoot><tr><th scope="row">mean</th>{means}</tr></tfoot>',
        sortable=True,
    )


def lost_table(scores: Sequence[Scores]) -> str:
    """Where pixels are lost, a column a network: by naming, by placing, at borders."""
    found = [each for each in scores if each.values.get("lost")]
    if not found:
        return ""
    lost = [each.values["lost"] for each in found]
    miou = [each.values["miou"] for each in found]
    heads = ["percent of the pixels", *(f"{each.name}, {each.split}" for each in found)]
    rows = [
        ("mean IoU", miou),
        ("mean IoU with every strange class renamed rightly", [e["miou_renamed"] for e in lost]),
    ]
    rows += [(f"wrong: {what}", [e["wrong"][kind] for e in lost]) for kind, what in KINDS.items()]
    for place, where in PLACES.items():
        at = [each["places"][place] for each in lost]
        rows.append((f"pixels {where}", [each["pixels"] for each in at]))
        rows.append((f"of these wrong, {where}", [each["lost"] for each in at]))
    return _table("Where pixels are lost", heads, rows)


def labelling_table(labellings: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str]) -> str:
    """Scores of cues and supervision against masks of training images."""
    if not labellings:
        return ""
    rows = []
    for name, values in labellings.items():
        foreground = values["foreground"]
        numbers = [values["miou"], values.get("filled_miou"), foreground["precision"]]
        rows.append((name, [*numbers, foreground["recall"], values["coverage"]]))
    floors: Mapping[str, Any] = next(
        (values.get("baselines", {}) for values in labellings.values()), {}
    )
    body = "".join(_row(name, values) for name, values in rows)
    for name, values in floors.items():
        if name in titles:
            body += (
                f'<tr><th scope="row">no labels: {text(titles[name])}</th><td></td>'
                f"<td>{percent(values['miou'])}</td><td></td><td></td><td></td></tr>"
            )
    heads = (
        *("training images, on the grid", "mean IoU", "background elsewhere"),
        *("object precision", "object recall", "coverage"),
    )
    return _scrolled("Scores of cues and supervision", f"{_heads(heads)}<tbody>{body}</tbody>")


def agreement_table(agreement: Mapping[str, Confusion], classes: Sequence[str]) -> str:
    """IoU of supervision and prediction by class: where the network does not follow it."""
    if not agreement:
        return ""
    rows = []
    for index, name in enumerate(classes):
        cells = "".join(
            _cell(_defined(each.iou()[index]), "iou")
            + f"<td>{int(each.counts[index].sum()):,}</td>"
            for each in agreement.values()
        )
        rows.append(f"<tr>{_named(index, name)}{cells}</tr>")
    means = "".join(
        _cell(_defined(each.miou()), "iou") + f"<td>{int(each.counts.sum()):,}</td>"
        for each in agreement.values()
    )
    heads = _sorter("class") + "".join(
        _sorter(f"{name}: agreement, percent", "first") + _sorter("cells") for name in agreement
    )
    return _scrolled(
        "Agreement of supervision and prediction",
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody>"
        f'<tfoot><tr><th scope="row">mean</th>{means}</tr></tfoot>',
        sortable=True,
    )


def together_table(counts: NDArray[np.int64], classes: Sequence[str]) -> str:
    """Training images that are labelled with two classes, of those with the row's class."""
    if not counts.any():
        return ""
    own = counts.diagonal()
    chosen = _largest(own)
    names = ["no label" if index == 0 else classes[index] for index in chosen]

    def tip(row: int, column: int) -> str:
        if row == column:
            return f"{names[row]}: {own[chosen[row]]} training images"
        return (
            f"{counts[chosen[row], chosen[column]]} of the {own[chosen[row]]} training images of "
            f"{names[row]} have {names[column]}"
        )

    return _square("Classes together", "images of", chosen, names, counts, own, tip)


def confusion_tables(found: Mapping[str, NDArray[np.int64]], classes: Sequence[str]) -> str:
    """Confusion matrices, folded, shaded by the share of the true class."""
    parts = []
    for name, counts in found.items():
        totals = counts.sum(1)
        chosen = _largest(totals + counts.sum(0))
        names = [classes[index] for index in chosen]

        def tip(
            row: int,
            column: int,
            counts: NDArray[np.int64] = counts,
            chosen: list[int] = chosen,
            totals: NDArray[np.int64] = totals,
            names: list[str] = names,
        ) -> str:
            pixels, whole = counts[chosen[row], chosen[column]], totals[chosen[row]]
            share = f"{100 * pixels / whole:.1f} %" if whole else "none"
            return f"{names[row]} predicted as {names[column]}: {share}, {pixels:,} pixels"

        matrix = _square(
            f"Confusion, {name}", "true class", chosen, names, counts, totals, tip, shares=True
        )
        parts.append(
            f"<details><summary>Confusion matrix ({text(name)}): percent of the true class's "
            f"pixels by predicted class</summary>{matrix}</details>"
        )
    return "".join(parts)


def _largest(totals: NDArray[np.int64]) -> list[int]:
    """Ids of the classes that occur, at most `_MOST`, the largest, in order of their ids."""
    present = [index for index, total in enumerate(totals.tolist()) if total]
    return sorted(sorted(present, key=lambda index: -int(totals[index]))[:_MOST])


def _square(
    title: str,
    corner: str,
    chosen: Sequence[int],
    names: Sequence[str],
    counts: NDArray[np.int64],
    totals: NDArray[np.int64],
    tip: Any,
    *,
    shares: bool = False,
) -> str:
    """Classes by classes; a cell is the darker, the larger its share of the row's total."""
    heads = "".join(f'<th scope="col">{text(name)}</th>' for name in names)
    rows = []
    for row, index in enumerate(chosen):
        cells = []
        for column, other in enumerate(chosen):
            value, whole = int(counts[index, other]), int(totals[index])
            share = value / whole if whole else 0.0
            shown = f"{100 * share:.1f}" if shares else f"{value}"
            own = ' class="shade own"' if row == column else ' class="shade"'
            cells.append(
                f'<td{own} style="--share:{100 * share:.0f}%" data-tip="{text(tip(row, column))}">'
                f"{shown if value else '·'}</td>"
            )
        rows.append(f"<tr>{_named(index, names[row])}{''.join(cells)}</tr>")
    return _scrolled(
        title,
        f'<thead><tr><th scope="col">{corner}</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody>",
    )


def _table(title: str, heads: Sequence[str], rows: Sequence[tuple[str, list[Any]]]) -> str:
    body = "".join(_row(name, values) for name, values in rows)
    return _scrolled(title, f"{_heads(heads)}<tbody>{body}</tbody>")


def _row(name: str, values: Sequence[float | None]) -> str:
    cells = "".join(f"<td>{percent(value)}</td>" for value in values)
    return f'<tr><th scope="row">{text(name)}</th>{cells}</tr>'


def _heads(names: Sequence[str]) -> str:
    first, *others = names
    corner = f'<th scope="col">{text(first)}</th>' if first else "<td></td>"
    cells = "".join(f'<th scope="col">{text(name)}</th>' for name in others)
    return f"<thead><tr>{corner}{cells}</tr></thead>"


def _scrolled(title: str, inner: str, *, sortable: bool = False) -> str:
    sort = ' class="sortable"' if sortable else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(title)}">'
        f"<table{sort}>{inner}</table></div>"
    )


def _sorter(name: str, kind: str = "") -> str:
    """A heading that sorts; the script makes a button of it."""
    style = f' class="{kind} sorter"' if kind else ' class="sorter"'
    return f'<th scope="col"{style}>{text(name)}</th>'


def _named(index: int, name: str) -> str:
    return f'<th scope="row"><span class="swatch class-{index}"></span>{text(name)}</th>'


def _cell(value: float | None, kind: str) -> str:
    if kind != "iou":
        return f"<td>{percent(value)}</td>"
    share = f"{100 * (value or 0):.1f}%"
    return f'<td class="share first" style="--share:{share}">{percent(value)}</td>'


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def percent(value: float | None) -> str:
    """A share as a number of percent, "-" where there is none."""
    return "-" if value is None else f"{100 * value:.1f}"


def text(value: str) -> str:
    """Text as it can stand in HTML, attributes included."""
    return html.escape(value, quote=True)
