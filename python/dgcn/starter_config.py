"""The configuration that `dgcn init` writes: the shipped one, filled in for a folder."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from dgcn.cues import NOVELTY
from dgcn.data.open import Layout
from dgcn.models import find_backbone
from dgcn.textures import TEXTURE_SETTINGS

CONFIG = "config.yaml"
TEMPLATE = Path(__file__).parent / "configs" / "folder.yaml"

# Steps of the runs on 309 photographs (docs/results.md): small sets get as many, up to a number of
# epochs by which 22 photographs are learnt by heart.
_CLASSIFY_STEPS, _TRAIN_STEPS = 160, 120
_FROZEN_EPOCHS = 20
_MOST_EPOCHS = 30
_UNTOLD_EPOCHS = 2  # where every image has the one class: its activation is not looked at

FLAW_SETTINGS: dict[str, object] = {
    "cues.saliency": NOVELTY,
    "evaluate.logit_adjustment": "auto",
    "evaluate.scales": [1.0],
}
"""Settings where some pictures show the thing that the classes are flaws of."""

# Lines of the data section that only the layouts with lists of their own have.
_LAYOUT_LINES = {
    "voc": """\
  kind: voc                   # PASCAL VOC 2012: JPEGImages, Annotations, ImageSets/Segmentation
  train_list: null            # e.g. SBD's train_aug.txt; null: train.txt
  val_list: null              # null: val.txt, where it is there
  labels: null                # cls_labels.npy, a .csv, "masks"; null: the XML annotations
""",
    "coco": """\
  kind: coco                  # train2014, val2014, annotations/instances_*.json; or 2017
  train_list: null            # images to train on, a name a line; null: all
  val_list: null              # images to score; null: all
  labels: null                # a .npy or .csv file; null: the classes of the instances
  masks: null                 # folder to paint masks into; null: data/masks of the run
""",
}


def configuration(
    folder: Path,
    images: int,
    weights: Path | None,
    layout: Layout = "folder",
    train_list: Path | None = None,
    labels: Literal["masks"] | None = None,
    *,
    paper: bool = False,
    drawn: Path | None = None,
    backbone: str | None = None,
    texture: bool = False,
    flawless: bool = False,
    object_value: int = 0,
    untold: bool = False,
) -> str:
    """The shipped configuration with its comments, filled in for a folder.

    Parameters
    ----------
    folder : Path
    images : int
        Training images; fewer than 309 are gone through more often.
    weights : Path or None
    layout : {"folder", "voc", "coco"}, default "folder"
    train_list, labels : optional
        Of the section data; not for a plain folder.
    paper : bool, default False
        The paper's supervision and retraining instead of those that are best on photographs.
    drawn : Path or None, default None
        What people have drawn on the pictures.
    backbone : str or None, default None
        The one that the weights are of, with the rates that suit it. None: the default.
    texture : bool, default False
        Whether the pictures are textures with objects on them: cues and masks go by local contrast
        then.
    flawless : bool, default False
        Whether some pictures show the thing that the classes are flaws of. It stands out in all of
        them, so that cues go by what flawless pictures do not have. Not looked at where `texture`
        is set.
    object_value : int, default 0
        Of the section data.
    untold : bool, default False
        Whether every image shows the same one class, which a classifier has nothing to tell from.
    """
    steps = max(1, math.ceil(images / 16))
    classify = min(_MOST_EPOCHS, max(8, math.ceil(_CLASSIFY_STEPS / steps)))
    train = min(_MOST_EPOCHS, max(7, math.ceil(_TRAIN_STEPS / steps)))
    name = folder.resolve().name
    template = TEMPLATE.read_text(encoding="utf-8")
    values: dict[str, object] = {
        "out": f"runs/{name}",
        "data.root": str(folder.resolve()),
        "model.weights": None if weights is None else str(weights.resolve()),
        "classify.epochs": classify,
        "train.epochs": train,
        "train.step_size": max(3, math.ceil(train / 2)),
        "cues.drawn": None if drawn is None else str(drawn.resolve()),
    }
    if drawn is not None and not paper:
        # Strokes cover little: what early networks make of the rest is worse (docs/results.md).
        if weights is not None:
            values["cues.refine"] = "random_walker"
        else:
            values["supervision.graph_cut.cues_only_epochs"] = math.ceil(train / 2)
    if backbone is not None:
        kind = find_backbone(backbone)
        values |= {"model.backbone": backbone, **kind.rates, **({} if paper else kind.chain)}
    if texture and not paper:
        values |= TEXTURE_SETTINGS
    elif flawless and not paper:
        values |= FLAW_SETTINGS
    if values.get("classify.frozen"):
        values["classify.epochs"] = max(_FROZEN_EPOCHS, classify)  # after the first they are cheap
    elif untold and not paper:
        values["classify.epochs"] = _UNTOLD_EPOCHS
    if untold and "train.init" in values:
        values["train.init"] = "weights"  # a head of such a classifier knows nothing
    if object_value:
        values["data.object_value"] = object_value
    if layout != "folder":
        values["data.train_list"] = None if train_list is None else str(train_list.resolve())
        values["data.labels"] = labels
        template = re.sub(r"(?m)^  root:.*\n", rf"\g<0>{_LAYOUT_LINES[layout]}", template)
    if paper:
        remark = (
            "# The epochs suit {} training images. The supervision is the paper's.\n"
            "# 'dgcn run --help-all' explains each setting.\n"
        )
    else:
        values |= {
            "supervision.graph_cut.image_labels_only": True,
            "supervision.graph_cut.unary": "crf",
            "supervision.graph_cut.cut_background": True,
            "retrain.init": "classifier",
            "retrain.loss": "balanced",
            "evaluate.classifier": True,
        }
        remark = (
            "# The epochs suit {} training images. Of 'graph_cut', 'image_labels_only', 'unary'\n"
            "# and 'cut_background' depart from the paper (false, network, false), of 'retrain'\n"
            "# 'init' and 'loss' (weights, cross_entropy), of 'evaluate' 'classifier' (false):\n"
            "# 'dgcn init --paper' keeps to it. 'dgcn run --help-all' explains each.\n"
        )
        if "cues.refine" in values:
            remark += "# 'refine' of 'cues' (none) spreads what is drawn over the pictures.\n"
        if texture:
            remark += (
                f"# The pictures look like textures with objects on them, hence\n"
                f"# {', '.join(TEXTURE_SETTINGS)}.\n"
            )
        elif flawless:
            remark += (
                f"# The thing stands out in every picture, hence\n# {', '.join(FLAW_SETTINGS)}.\n"
            )
    text = filled(template, values)
    body = text[text.index("out:") :]
    config = shlex.quote(str(folder / CONFIG))
    return (
        f"# Settings for the images in {folder.resolve()}, written by 'dgcn init'.\n"
        f"#\n"
        f"#   dgcn doctor --config {config}    checks images, labels and machine\n"
        f"#   dgcn run --config {config}       trains, predicts, scores\n"
        f"#   dgcn report {shlex.quote(f'runs/{name}')}\n"
        f"#\n"
        f"{remark.format(images)}"
        f"\n{body}"
    )


def filled(text: str, values: Mapping[str, object]) -> str:
    """A YAML file of sections with some values replaced and every comment kept.

    Parameters
    ----------
    text : str
        Sections at the margin, what is in them indented by two, one field a line.
    values : mapping
        From "field" or "section.field" to the value.

    Raises
    ------
    KeyError
        The text has no such field.
    """
    missing = dict(values)
    sections: list[str] = []
    lines = []
    for line in text.splitlines():
        match = re.match(r"( *)(\w+): *([^#]*?)(\s*#.*)?$", line)
        if match:
            indent, field, value, comment = match.groups()
            sections = [*sections[: len(indent) // 2], field]
            key = ".".join(sections)
            if key in missing and value:
                new = f"{indent}{field}: {json.dumps(missing.pop(key), ensure_ascii=False)}"
                remark = (comment or "").strip()
                line = f"{new:<29} {remark}" if remark else new
        lines.append(line)
    if missing:
        raise KeyError(next(iter(missing)))
    return "\n".join(lines) + "\n"
