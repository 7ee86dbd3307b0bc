"""A report as one HTML file that needs nothing else: no network, no other file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgcn.metrics import Confusion
from dgcn.report.colours import class_colours
from dgcn.report.tables import (
    agreement_table,
    baseline_table,
    class_table,
    confusion_tables,
    labelling_table,
    lost_table,
    percent,
    text,
    together_table,
)

__all__ = ["Layer", "Page", "PageImage", "Scores", "render_page"]

_TEMPLATE = Path(__file__).parent / "template"
_SCRIPTS = ("order.js", "page.js", "browser.js")


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
    role : str, default ""
        "prediction" and "truth" are shown side by side.
    """

    title: str
    uri: str | None = None
    heat: bool = False
    role: str = ""


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
        By training: "mean" IoU of its objects, None where undefined, and "classes", IoU by class
        name.
    agreement : mapping
        By training: the same of its prediction with its supervision; and "extra", classes that
        are predicted and not labelled, "missing", classes that are labelled and not predicted.
    """

    name: str
    split: str
    labels: Sequence[str]
    size: tuple[int, int]
    uri: str
    layers: Sequence[Layer]
    scores: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    agreement: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


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
    agreement : mapping from str to Confusion
        Supervision (rows) against prediction by training.
    together : numpy.ndarray, shape (L, L), or None
        Training images by pairs of labels.
    confusions : mapping from str to numpy.ndarray, shape (L, L)
        Pixels by true and predicted class.
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
    agreement: Mapping[str, Confusion] = field(default_factory=dict)
    together: NDArray[np.int64] | None = None
    confusions: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    charts: Sequence[str] = ()
    images: Sequence[PageImage] = ()
    notes: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    footer: str = ""


def render_page(page: Page) -> str:
    """The page as HTML text."""
    read = {path.name: path.read_text(encoding="utf-8") for path in _TEMPLATE.iterdir()}
    return Template(read["page.html"]).substitute(
        title=text(page.title),
        subtitle=text(page.subtitle),
        style=read["page.css"],
        colours=_class_styles(len(page.classes)),
        notes="".join(f'<p class="note">{text(note)}</p>' for note in page.notes),
        tiles="".join(_tiles(page)),
        protocols=_verdicts(page.scores) + _protocols(page.scores),
        tables=_tables(page),
        agreement=_agreement(page),
        together=_together(page),
        charts="".join(page.charts) or "<p>No epoch is finished yet.</p>",
        browser=_browser(page, read["browser.html"]),
        settings="".join(
            f"<details><summary>{text(name)}</summary><pre>{text(content)}</pre></details>"
            for name, content in page.settings.items()
        ),
        footer=text(page.footer),
        images=_json([_plain(image) for image in page.images]),
        script="".join(read[name] for name in _SCRIPTS),
    )


def _tiles(page: Page) -> list[str]:
    tiles = []
    for scores in page.scores:
        name = f"{scores.name}, {scores.split}"
        tiles.append(_tile(percent(scores.values["miou"]), f"mean IoU ({name})"))
        tiles.append(_tile(percent(scores.values["pixel_accuracy"]), f"pixel accuracy ({name})"))
    for name, values in page.labellings.items():
        tiles.append(_tile(percent(values["miou"]), f"mean IoU of the {name}"))
    return tiles or ["<p>Nothing is scored: there are no masks, or no predictions yet.</p>"]


def _tile(value: str, name: str) -> str:
    return f'<div class="tile"><b>{value} %</b><span>{text(name)}</span></div>'


def _protocols(scores: Sequence[Scores]) -> str:
    names: dict[str, list[str]] = {}
    for each in scores:
        names.setdefault(each.values["protocol"], []).append(each.name)
    return "".join(
        f'<p class="quiet"><b>{text(", ".join(trainings))}</b>: {text(how)}.</p>'
        for how, trainings in names.items()
    )


def _verdicts(scores: Sequence[Scores]) -> str:
    """What the trivial baselines say of every network, in one sentence each."""
    return "".join(
        f"<p>{text(f'{each.name}, {each.split}: {sentence}.')}</p>"
        for each in scores
        if (sentence := each.values.get("verdict"))
    )


def _browser(page: Page, template: str) -> str:
    if not page.images:
        return "<p>There are no images in this report.</p>"
    trainings = list(
        dict.fromkeys(name for each in page.images for name in [*each.scores, *each.agreement])
    )
    scored = any(each.scores for each in page.images)
    compared = any(each.agreement for each in page.images)
    orders = {
        **({"worst": "worst IoU of objects first", "best": "best first"} if scored else {}),
        **({"disagree": "least like its supervision first"} if page.agreement else {}),
        **({"labels": "most unlike its labels first"} if compared else {}),
        "name": "by name",
        "list": "as listed",
    }
    splits = dict.fromkeys(each.split for each in page.images)
    legend = "".join(
        f'<li><span class="swatch class-{index}"></span>{text(name)}</li>'
        for index, name in enumerate(page.classes)
    )
    return Template(template).substitute(
        orders="".join(f'<option value="{k}">{text(name)}</option>' for k, name in orders.items()),
        labels=_options(page.classes[1:]),
        splits=_options(list(splits)),
        trainings=_options(trainings),
        hide_trainings="" if len(trainings) > 1 else " hidden",
        legend=legend + '<li><span class="swatch"></span>no label (faded)</li>',
    )


def _tables(page: Page) -> str:
    """What is known by masks, as tables."""
    tables = (
        baseline_table(page.scores, page.baselines)
        + class_table(page.scores, page.classes)
        + labelling_table(page.labellings, page.baselines)
        + lost_table(page.scores)
        + confusion_tables(page.confusions, page.classes)
    )
    if not tables:
        return ""
    return (
        '<section aria-labelledby="h-classes"><h2 id="h-classes">Classes</h2>'
        f'<div class="tables">{tables}</div></section>'
    )


def _agreement(page: Page) -> str:
    """Supervision against prediction, where training images show both."""
    table = agreement_table(page.agreement, page.classes)
    if not table:
        return ""
    count = sum(any(f["mean"] is not None for f in p.agreement.values()) for p in page.images)
    return (
        '<section aria-labelledby="h-agreement">'
        '<h2 id="h-agreement">Supervision and prediction</h2>'
        f'<p class="quiet">IoU of the prediction with the supervision that the network was trained '
        f"on, over the supervised cells of {count} training images. Low values: the network does "
        f"not follow the supervision: it has learnt too little, or the supervision is wrong. "
        f"The images can be ordered by it.</p>{table}</section>"
    )


def _together(page: Page) -> str:
    """Which classes are together in training images."""
    table = "" if page.together is None else together_table(page.together, page.classes)
    if not table:
        return ""
    return (
        '<section aria-labelledby="h-together"><h2 id="h-together">Classes together</h2>'
        '<p class="quiet">Training images by their labels: on the diagonal all that have the '
        "class, beside it those that have the column's class too. Classes that are always together "
        f"cannot be told apart.</p>{table}</section>"
    )


def _options(names: Sequence[str]) -> str:
    return "".join(f"<option>{text(name)}</option>" for name in names)


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
        "agreement": image.agreement,
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
