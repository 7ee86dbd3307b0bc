"""A configuration for a folder of images, and a list of labels where the layout has none."""

from __future__ import annotations

import itertools
import json
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from dgcn.atomic import write_text
from dgcn.class_folders import survey
from dgcn.class_lists import list_of_values
from dgcn.data.coco import find_year
from dgcn.data.lists import BACKGROUND, labels_csv, quoted, read_classes
from dgcn.data.mask_colours import MASK_COLOURS
from dgcn.data.open import Layout, detect_layout, open_dataset
from dgcn.data.voc import find_voc
from dgcn.folder_labels import class_warnings, folder_labels
from dgcn.mask_labels import mask_labels
from dgcn.models import BACKBONES, WeightsError, recognise
from dgcn.models.cached import WHERE_TO_GET, cached_weights
from dgcn.placing import object_value_of, place_images, place_masks
from dgcn.starter_config import CONFIG, FLAW_SETTINGS, configuration
from dgcn.text import counted, printable
from dgcn.textures import TEXTURE_SETTINGS, TEXTURE_SPREAD, spread_of

LABELS, VAL, CLASSES = "labels.csv", "val.txt", "classes.txt"

_TRAIN_AUG = Path("ImageSets", "Segmentation", "train_aug.txt")  # SBD's list, as it is handed round


@dataclass(frozen=True)
class Start:
    """What `start` found and did.

    Attributes
    ----------
    images : int
        Images.
    classes : tuple of str
        Labels: names of the class folders, or what labels.csv has of a flat folder.
    held_out : int
        Images in val.txt.
    written, kept : tuple of Path
        Files written, and files that were there before and have been left.
    remarks : tuple of str
        What a person should know.
    weights : Path or None
        ImageNet weights in the configuration.
    """

    images: int
    classes: tuple[str, ...]
    held_out: int
    written: tuple[Path, ...]
    kept: tuple[Path, ...]
    remarks: tuple[str, ...]
    weights: Path | None = None


def start(
    folder: Path,
    *,
    weights: Path | None = None,
    val: float = 0.2,
    force: bool = False,
    paper: bool = False,
) -> Start:
    """Write config.yaml, labels.csv and val.txt into a folder of images.

    A folder in the layout of PASCAL VOC or COCO has labels and splits already: config.yaml alone is
    written, with SBD's train_aug.txt where it lies among VOC's lists. Where VOC's annotations are
    left out, the image-level labels are the classes of the masks.

    One folder a class gives every image its folder's name as label; an image that lies in two
    of them (same name, same bytes) gets both. Folders are searched to any depth
    (`dgcn.class_folders.survey`), ``train`` and ``val`` give the split, masks are linked to
    ``masks/``. Where nothing but masks says what images show, their classes are the labels
    (`dgcn.mask_labels`). Images that are not in ``images/`` are linked there (hard links, copies
    where the file system has none); nothing is moved. What is left aside is counted and named.

    Parameters
    ----------
    folder : Path
        With images in folders named after their class, or all in one place.
    weights : Path or None, default None
        ImageNet weights to name in the configuration. None: those of a known backbone in the caches
        of torch and Hugging Face, where there are any (`dgcn.models.cached`).
    val : float, default 0.2
        Share of every class to hold out, in [0, 1); 0: no val.txt. VOC and COCO have their own.
    force : bool, default False
        Replace files that are there; labels that were filled in for a flat folder stay, and a
        former labels.csv is kept as labels.csv.bak, a val.txt that would hold out images where
        none are to be, as val.txt.bak.
    paper : bool, default False
        The paper's supervision and retraining instead of those that are best on photographs.

    Raises
    ------
    FileNotFoundError
        There is no such folder, or no such weights.
    WeightsError
        The file of weights is damaged.
    ValueError
        It holds no image, a folder's name cannot be that of a class, or `val` is out of range.
    DataError
        The labels.csv of a flat folder is malformed; the folder is in the layout of VOC or COCO,
        and not whole; or it has the parts of two layouts.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    if weights is not None and not weights.is_file():
        raise FileNotFoundError(f"weights: no such file: {weights}")
    if not 0 <= val < 1:
        raise ValueError(f"val must be in [0, 1), got {val}")
    weights, backbone, about = _weights_at_hand() if weights is None else _backbone_of(weights)
    if find_voc(folder) is not None or find_year(folder) is not None:
        begun = _start_layout(
            folder, detect_layout(folder), weights, backbone, force=force, paper=paper
        )
        return replace(begun, remarks=(*begun.remarks, *about))
    found = survey(folder)
    if not found.sources and not found.placed:
        none = f"no jpg, png, webp, bmp or tif picture in {folder}"
        raise ValueError("; ".join([none, *found.left_aside()]))
    placed = place_images(found)
    known = folder_labels(folder / LABELS, found, placed)
    labels = known.labels
    named = folder / CLASSES
    ids = read_classes(named)[1:] if named.is_file() else list_of_values(found)
    ids = ids or (found.colours.classes[1:] if found.colours else ())
    classes = sorted({label for row in labels.values() for label in row})
    renamed = ids and not set(classes) <= set(ids) and not any(placed.labels.values())
    shown = mask_labels(found, placed, ids) if renamed or not classes else None
    if shown is not None:
        labels = shown.labels
        classes = sorted({label for row in labels.values() for label in row})
    ids = ids or (shown.classes if shown else tuple(classes))
    place_masks(found, placed, {**placed.labels, **labels}, ids)
    remarks = [*about, *found.remarks, *known.remarks, *(shown.remarks if shown else ())]
    remarks += [*class_warnings(labels), *found.left_aside()]
    texture, about_texture = _texture([folder / "images" / name for name in labels], paper)
    remarks += about_texture
    flawless = bool(found.flawless and classes) and not texture and not paper
    if flawless:
        told = ", ".join(f"{name} {json.dumps(value)}" for name, value in FLAW_SETTINGS.items())
        remarks.append(
            f"{', '.join(map(printable, found.flawless))}: the thing itself stands out in every "
            f"picture, and tells nothing of its flaws: {told}"
        )
    value = 0 if found.colours else object_value_of(folder / "masks", labels, ids)
    if placed.linked:
        remarks.append(f"{placed.linked} images linked into {folder / 'images'}; nothing was moved")
    held_out = hold_out(labels, val)
    if placed.val and val:
        in_folders = [name for name in placed.val if name in labels]
        if classes and not any(labels[name] for name in labels.keys() - set(in_folders)):
            remarks.append("the folders' split is not kept: its training pictures show no object")
        else:
            held_out = in_folders
    contents = {
        LABELS: labels_csv(labels),
        CONFIG: configuration(
            folder,
            len(labels) - len(held_out),
            weights,
            paper=paper,
            drawn=known.drawn,
            backbone=backbone,
            texture=texture,
            flawless=flawless,
            object_value=value,
            untold=len({tuple(row) for row in labels.values()}) == len(classes) == 1,
        ),
    }
    if held_out:
        contents[VAL] = "".join(f"{Path(name).stem}\n" for name in held_out)
    if found.colours is not None and found.colours.source != folder / MASK_COLOURS:
        contents[MASK_COLOURS] = found.colours.csv()
    if found.colours is None and not named.is_file() and ids != tuple(classes):
        contents[CLASSES] = "".join(f"{name}\n" for name in (BACKGROUND, *ids))
    written, kept = [], []
    for name, text in contents.items():
        path = folder / name
        if path.exists() and not force:
            kept.append(path)
            continue
        if path.exists() and name == LABELS and path.read_bytes() != text.encode():
            backup = _unused(path.with_name(f"{LABELS}.bak"))
            shutil.copy2(path, backup)
            remarks.append(f"the former {LABELS} is kept as {backup.name}")
        write_text(path, text)
        written.append(path)
    split = folder / VAL
    if not held_out and split.exists():
        if force:
            backup = _unused(split.with_name(f"{VAL}.bak"))
            split.rename(backup)
            remarks.append(f"the former {VAL} is kept as {backup.name}")
        else:
            kept.append(split)
    if value and folder / CONFIG in kept:
        remarks.append(f"masks/: if {value} is the object, set data.object_value {value}")
    elif value:
        remarks.append(
            f"masks/: {value} is taken as the class of the image, other values than 0 as void "
            f"(data.object_value {value})"
        )
    elif ids and (folder / "masks").is_dir() and not (found.colours or named.is_file()):
        meant = ", ".join(f"{index} {quoted(name)}" for index, name in enumerate(ids, start=1))
        remarks.append(f"masks/: their values are taken as 0 background, {meant} (or {CLASSES})")
    return Start(
        len(labels),
        tuple(classes),
        len(held_out),
        tuple(written),
        tuple(kept),
        tuple(remarks),
        weights,
    )


def next_steps(begun: Start, folder: Path) -> list[str]:
    """What `start` did and what comes next, as lines for a person."""
    lines = [f"wrote {path}" for path in begun.written]
    lines += [f"kept {path}, which was there already (--force replaces it)" for path in begun.kept]
    lines += begun.remarks
    config = shlex.quote(str(folder / CONFIG))
    if folder / LABELS in begun.kept:
        lines.append(f"next: dgcn doctor --config {config}")
    elif begun.classes:
        lines.append(
            f"{begun.images} images, {begun.held_out} of them held out, "
            f"{counted(len(begun.classes))}: {', '.join(map(quoted, begun.classes))}"
        )
        lines.append(f"next: dgcn doctor --config {config}")
    else:
        lines += [
            f"{begun.images} images, no labels yet. Next:",
            f"  1. open {folder / LABELS} in a spreadsheet or an editor and write behind",
            "     every image the classes in it, separated by spaces: beach.jpg,dog boat",
            "     (nothing where there is only background; a name with spaces in double quotes)",
            f"  2. dgcn doctor --config {config}",
        ]
    lines.append(f"then: dgcn run --config {config}")
    if begun.weights is None and folder / CONFIG in begun.written:
        lines.append(
            f"Without ImageNet weights the masks will be poor: set model.weights, or --weights. "
            f"One file: {WHERE_TO_GET}"
        )
    return lines


def _unused(path: Path) -> Path:
    """The path, or the path and the lowest number that makes it new."""
    numbered = (path.with_name(f"{path.name}{number}") for number in itertools.count(2))
    return next(each for each in itertools.chain([path], numbered) if not each.exists())


def _backbone_of(weights: Path) -> tuple[Path, str | None, list[str]]:
    """A file of weights, the backbone that it is of, and what to say about it."""
    found = recognise(weights, BACKBONES)
    if found is None:
        known = ", ".join(BACKBONES)
        return (
            weights,
            None,
            [
                f"{weights} fits none of the backbones {known}: set model.backbone to timm:NAME or "
                f"to a class of your own"
            ],
        )
    suited = [f"{name} {value:g}" for name, value in BACKBONES[found].rates.items()]
    said = f" with {' and '.join(suited)}, which suit it" if suited else ""
    said = f"{weights.name} has the weights of {found}: model.backbone is set to it{said}"
    return weights, found, [said]


def _weights_at_hand() -> tuple[Path | None, str | None, list[str]]:
    """The first file in the caches that fits a backbone, as `_backbone_of`."""
    for path in cached_weights():
        try:
            weights, backbone, about = _backbone_of(path)
        except (OSError, WeightsError):
            continue
        if backbone is not None:
            return weights, backbone, [f"weights found: {path}", *about]
    return None, None, []


def _texture(pictures: Sequence[Path], paper: bool) -> tuple[bool, list[str]]:
    """Whether the pictures are textures with objects on them, and what to say about it."""
    spread = None if paper else spread_of(pictures)
    if spread is None or spread >= TEXTURE_SPREAD:
        return False, []
    chosen = " ".join(f"{name} {json.dumps(value)}," for name, value in TEXTURE_SETTINGS.items())
    return True, [
        f"the pictures look like textures with objects on them (their colours spread by "
        f"{spread:.1f} in CIE Lab, those of scenes by {TEXTURE_SPREAD:g} and more): {chosen[:-1]}"
    ]


def _start_layout(
    folder: Path,
    layout: Layout,
    weights: Path | None,
    backbone: str | None,
    *,
    force: bool,
    paper: bool,
) -> Start:
    """Write config.yaml for a folder that has lists and labels of its own."""
    voc, remarks = find_voc(folder), []
    train_list: Path | None = None
    labels: Literal["masks"] | None = None
    if layout == "voc" and voc is not None:
        if (voc / _TRAIN_AUG).is_file():
            train_list = voc / _TRAIN_AUG
            remarks.append(f"training images are those of {train_list}")
        if not (voc / "Annotations").is_dir():
            labels = "masks"
            remarks.append(
                f"no folder {voc / 'Annotations'}: the image-level labels are the classes of the "
                f"masks, which training uses for nothing else (or set data.labels)"
            )
    # Nothing is painted into the folder of masks before a run asks for it.
    dataset = open_dataset(
        folder, kind=layout, train_list=train_list, labels=labels, masks=folder / "masks"
    )
    train, val = dataset.split("train"), dataset.split("val")
    if not val:
        remarks.append("no validation images: set data.val_list to score masks")
    path = folder / CONFIG
    texture, about_texture = _texture([record.image for record in train], paper)
    remarks += about_texture
    text = configuration(
        folder,
        len(train),
        weights,
        layout,
        train_list,
        labels,
        paper=paper,
        backbone=backbone,
        texture=texture,
    )
    kept = path.exists() and not force
    if not kept:
        write_text(path, text)
    return Start(
        images=len(dataset.split("all")),
        classes=tuple(dataset.classes[1:]),
        held_out=len(val),
        written=() if kept else (path,),
        kept=(path,) if kept else (),
        remarks=tuple(remarks),
        weights=weights,
    )


def hold_out(labels: Mapping[str, Sequence[str]], share: float) -> list[str]:
    """Every n-th image of each class, n = 1 / share, so that a class keeps most of its own.

    Parameters
    ----------
    labels : mapping from str to sequence of str
        Labels of every image; the first decides which class it is counted with.
    share : float
        In [0, 1).

    Returns
    -------
    list of str
        Sorted; a class of one image has none held out.
    """
    by_class: dict[str, list[str]] = {}
    for name, row in sorted(labels.items()):
        by_class.setdefault(row[0] if row else "", []).append(name)
    held_out: list[str] = []
    for names in by_class.values():
        count = min(round(share * len(names)), len(names) - 1)
        held_out += [names[index * len(names) // count] for index in range(count)]
    return sorted(held_out)
