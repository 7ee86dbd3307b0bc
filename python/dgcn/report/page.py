"""A report as one HTML file that needs nothing else: no network, no other file."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

from dgcn.report.colours import class_colours

__all__ = ["Layer", "Page", "PageImage", "Scores", "render_page"]

_TEMPLATE = Path(__file__).parent / "template"


@dataclass(frozen=True)
class Layer:
    """One layer over an image.

    Attributes
    ----------
    title : str
        Caption.
    uri : str or None
        Data URI of a transparent PNG; None: the image itself.
    heat : bool, default False
        Whether the image under it is shown grey.
    """

    title: str
    uri: str | None = None
    heat: bool = False


@dataclass(frozen=True)
class PageImage:
    """One image of the browser.

    Attributes
    ----------
    name, split : str
    labels : sequence of str
        Foreground classes it is labelled with.
    size : tuple of int
        Height and width of the image as it is carried.
    uri : str
        Data URI.
    layers : sequence of Layer
    scores : mapping
        By training: "mean" IoU, None where undefined, and "classes", IoU by class name.
    """

    name: str
    split: str
    labels: Sequence[str]
    size: tuple[int, int]
    uri: str
    layers: Sequence[Layer]
    scores: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """Scores of one training on one split, as `dgcn.metrics.score` gives them.

    Attributes
    ----------
    name : str
        Of the training.
    split : str
    values : mapping
        With "protocol".
    """

    name: str
    split: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Page:
    """What a report says.

    Attributes
    ----------
    title, subtitle : str
    classes : sequence of str
        By id, the background first.
    scores : sequence of Scores
        Of the networks; the first is the headline.
    labellings : mapping from str to mapping
        Scores of cues and supervision by name, each as `dgcn.metrics.score`.
    baselines : mapping from str to str
        Titles of the trivial baselines by their key in "baselines" of the scores.
    charts : sequence of str
        From `dgcn.report.curves.line_chart`.
    images : sequence of PageImage
    notes : sequence of str
        What the reader should know: parts missing, images left out.
    settings : mapping from str to str
        Texts shown folded, by headline.
    footer : str
    """

    title: str
    subtitle: str
    classes: Sequence[str]
    scores: Sequence[Scores] = ()
    labellings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    baselines: Mapping[str, str] = field(default_factory=dict)
    charts: Sequence[str] = ()
    images: Sequence[PageImage] = ()
    notes: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    footer: str = ""


def render_page(page: Page) -> str:
    """The page as HTML text."""
    read = {path.name: path.read_text(encoding="utf-8") for path in _TEMPLATE.iterdir()}
    return Template(read["page.html"]).substitute(
        title=_text(page.title),
        subtitle=_text(page.subtitle),
        style=read["page.css"],
        colours=_class_styles(len(page.classes)),
        notes="".join(f'<p class="note">{_text(note)}</p>' for note in page.notes),
        tiles="".join(_tiles(page)),
        protocols=_verdicts(page.scores) + _protocols(page.scores),
        tables=_baseline_table(page)
        + _class_table(page)
        + _labelling_table(page.labellings, page.baselines),
        charts="".join(page.charts) or "<p>No epoch is finished yet.</p>",
        browser=_browser(page, read["browser.html"]),
        settings="".join(
            f"<details><summary>{_text(name)}</summary><pre>{_text(text)}</pre></details>"
            for name, text in page.settings.items()
        ),
        footer=_text(page.footer),
        images=_json([_plain(image) for image in page.images]),
        script=read["order.js"] + read["browser.js"],
    )


def _tiles(page: Page) -> list[str]:
    tiles = []
    for scores in page.scores:
        name = f"{scores.name}, {scores.split}"
        tiles.append(_tile(_percent(scores.values["miou"]), f"mean IoU ({name})"))
        tiles.append(_tile(_percent(scores.values["pixel_accuracy"]), f"pixel accuracy ({name})"))
    for name, values in page.labellings.items():
        tiles.append(_tile(_percent(values["miou"]), f"mean IoU of the {name}"))
    return tiles or ["<p>Nothing is scored: there are no masks, or no predictions yet.</p>"]


def _tile(value: str, name: str) -> str:
    return f'<div class="tile"><b>{value} %</b><span>{_text(name)}</span></div>'


def _protocols(scores: Sequence[Scores]) -> str:
    names: dict[str, list[str]] = {}
    for each in scores:
        names.setdefault(each.values["protocol"], []).append(each.name)
    return "".join(
        f'<p class="quiet"><b>{_text(", ".join(trainings))}</b>: {_text(how)}.</p>'
        for how, trainings in names.items()
    )


def _verdicts(scores: Sequence[Scores]) -> str:
    """What the trivial baselines say of every network, in one sentence each."""
    return "".join(
        f"<p>{_text(f'{each.name}, {each.split}: {sentence}.')}</p>"
        for each in scores
        if (sentence := each.values.get("verdict"))
    )


def _baseline_table(page: Page) -> str:
    """Mean IoU of the networks and of the trivial baselines, a column a split."""
    columns = {each.split: each.values.get("baselines", {}) for each in page.scores}
    names = [name for name in page.baselines if any(name in found for found in columns.values())]
    if not names:
        return ""
    head = "".join(f'<th scope="col">mean IoU, {_text(split)}</th>' for split in columns)
    rows = []
    for network in dict.fromkeys(each.name for each in page.scores):
        own = {each.split: each.values for each in page.scores if each.name == network}
        cells = "".join(f"<td>{_percent(own.get(at, {}).get('miou'))}</td>" for at in columns)
        rows.append(f'<tr><th scope="row">{_text(network)}</th>{cells}</tr>')
    for name in names:
        cells = "".join(
            f"<td>{_percent(found.get(name, {}).get('miou'))}</td>" for found in columns.values()
        )
        title = _text(page.baselines[name])
        rows.append(f'<tr><th scope="row">no network: {title}</th>{cells}</tr>')
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Trivial baselines"'
        f' style="margin-bottom:.8rem"><table><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _class_table(page: Page) -> str:
    """IoU, precision and recall of every class, side by side for the trainings."""
    if not page.scores:
        return ""
    head = "".join(
        f'<th scope="colgroup" class="first" colspan="3">{_text(f"{each.name}, {each.split}")}</th>'
        for each in page.scores
    )
    kinds = ("iou", "precision", "recall")
    names = '<th scope="col" class="first">IoU</th><th scope="col">precision</th>'
    names = (names + '<th scope="col">recall</th>') * len(page.scores)
    rows = []
    for index, name in enumerate(page.classes):
        cells = "".join(
            _cell(each.values["classes"].get(name, {}).get(kind), kind)
            for each in page.scores
            for kind in kinds
        )
        rows.append(
            f'<tr><th scope="row"><span class="swatch class-{index}"></span>{_text(name)}</th>'
            f"{cells}</tr>"
        )
    means = "".join(
        _cell(each.values[{"iou": "miou"}.get(kind, kind)], kind)
        for each in page.scores
        for kind in kinds
    )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Scores by class"><table>'
        f'<thead><tr><td></td>{head}</tr><tr><th scope="col">class, percent</th>{names}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody>"
        f'<tfoot><tr><th scope="row">mean</th>{means}</tr></tfoot></table></div>'
    )


def _labelling_table(labellings: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str]) -> str:
    if not labellings:
        return ""
    rows = []
    for name, values in labellings.items():
        foreground = values["foreground"]
        numbers = (
            values["miou"],
            values.get("filled_miou"),
            foreground["precision"],
            foreground["recall"],
            values["coverage"],
        )
        cells = "".join(f"<td>{_percent(number)}</td>" for number in numbers)
        rows.append(f'<tr><th scope="row">{_text(name)}</th>{cells}</tr>')
    floors: Mapping[str, Any] = next(
        (values.get("baselines", {}) for values in labellings.values()), {}
    )
    rows += [
        f'<tr><th scope="row">no labels: {_text(titles[name])}</th><td></td>'
        f"<td>{_percent(values['miou'])}</td><td></td><td></td><td></td></tr>"
        for name, values in floors.items()
        if name in titles
    ]
    heads = "".join(
        f'<th scope="col">{name}</th>'
        for name in (
            "training images, on the grid",
            "mean IoU",
            "background elsewhere",
            "object precision",
            "object recall",
            "coverage",
        )
    )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Scores of cues and supervision"'
        f' style="margin-top:.8rem"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _browser(page: Page, template: str) -> str:
    if not page.images:
        return "<p>There are no images in this report.</p>"
    trainings = list(dict.fromkeys(name for each in page.images for name in each.scores))
    splits = dict.fromkeys(each.split for each in page.images)
    legend = "".join(
        f'<li><span class="swatch class-{index}"></span>{_text(name)}</li>'
        for index, name in enumerate(page.classes)
    )
    return Template(template).substitute(
        labels=_options(page.classes[1:]),
        splits=_options(list(splits)),
        trainings=_options(trainings),
        hide_trainings="" if len(trainings) > 1 else " hidden",
        legend=legend + '<li><span class="swatch"></span>no label (faded)</li>',
    )


def _options(names: Sequence[str]) -> str:
    return "".join(f"<option>{_text(name)}</option>" for name in names)


def _plain(image: PageImage) -> dict[str, Any]:
    return {
        "name": image.name,
        "split": image.split,
        "labels": list(image.labels),
        "height": image.size[0],
        "width": image.size[1],
        "uri": image.uri,
        "layers": [vars(layer) for layer in image.layers],
        "scores": image.scores,
    }


def _json(value: object) -> str:
    """JSON that can stand in a script element, whatever the strings in it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _class_styles(count: int) -> str:
    return "\n".join(
        f".class-{index} {{ background: rgb({red} {green} {blue}); }}"
        for index, (red, green, blue) in enumerate(class_colours(count).tolist())
    )


def _cell(value: float | None, kind: str) -> str:
    if kind != "iou":
        return f"<td>{_percent(value)}</td>"
    share = f"{100 * (value or 0):.1f}%"
    return f'<td class="share first" style="--share:{share}">{_percent(value)}</td>'


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _text(value: str) -> str:
    return html.escape(value, quote=True)
