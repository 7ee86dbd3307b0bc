"""The data set: files, labels, sizes, balance, and images on both sides of the split."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from dgcn.config import Config
from dgcn.data import DataError, FolderDataset, ImageDataset, Record
from dgcn.data.coco import find_year
from dgcn.data.lists import quoted
from dgcn.data.voc import find_voc
from dgcn.doctor.duplicates import Fingerprint, fingerprint, near_duplicates
from dgcn.doctor.finding import Finding
from dgcn.doctor.masks import check_masks, check_widths
from dgcn.doctor.names import LISTED, check_names, some_of
from dgcn.doctor.novelty import check_novelty
from dgcn.doctor.textures import check_textures
from dgcn.new_pictures import new_pictures
from dgcn.pipeline.run import dataset_of
from dgcn.training.console import Console

_FEW = 5  # training images of a class
_UNEVEN = 20  # times as many of one class as of another
_SMALL = 64  # pixels
_LONG = 3  # times as long as wide


@dataclass(frozen=True)
class _Examined:
    record: Record
    error: str = ""
    size: tuple[int, int] = (0, 0)
    print: Fingerprint | None = None


@dataclass(frozen=True)
class _Lists:
    """Where a layout says what is trained on, what is scored, and what images are labelled with."""

    train: str
    val: str
    absent: str
    unscored: str
    lines: str


_FOLDER = _Lists(
    train="train.txt",
    val="val.txt",
    absent="label some, correct labels.csv where it misspells the class, or take it out of "
    "classes.txt (and its images out of val.txt)",
    unscored="name some images in val.txt (one name a line), e.g. 'dgcn init --force' does",
    lines="labels.csv and the splits",
)
_LAYOUT = _Lists(
    train="the list data.train_list",
    val="the list data.val_list",
    absent="name images of it in the list data.train_list, or expect no masks of it",
    unscored="name some images (one a line) in a file, and the file in data.val_list",
    lines="the lists data.train_list and data.val_list",
)


def check_dataset(config: Config, root: Path, console: Console) -> Iterator[Finding]:
    """Everything about a data set that a run would stumble over, or suffer from in silence."""
    try:
        dataset = dataset_of(config, root)
        dataset.prepare(dataset.split("all"))
    except (DataError, FileNotFoundError) as error:
        yield Finding("error", str(error), _fix_of(str(error), root))
        return
    train, val = dataset.split("train"), dataset.split("val")
    yield Finding("ok", f"{root}: {len(train)} training and {len(val)} validation images")
    if isinstance(dataset, FolderDataset) and dataset.unlabelled:
        names = [path.name for path in dataset.unlabelled]
        yield Finding(
            "warning",
            f"images not in labels.csv, which are not used ({len(names)}): {some_of(names)}",
            "add a line for each, or take them out of images/",
        )
    new = new_pictures(dataset) if isinstance(dataset, FolderDataset) else []
    if new:
        names = [str(path.relative_to(root)) for path in new]
        yield Finding(
            "warning",
            f"pictures that are new since 'dgcn init', and not used ({len(new)}): {some_of(names)}",
            f"dgcn init {root} --force",
        )
    lists = _FOLDER if isinstance(dataset, FolderDataset) else _LAYOUT
    if isinstance(dataset, FolderDataset):
        yield from check_names(dataset)
    yield from _classes(dataset, train, val, lists)
    yield from _masks(train, val, lists)
    examined = list(_examined(dataset, console))
    yield from _files(examined, lists)
    sound = [each.record for each in examined if not each.error]
    yield from check_masks(sound, dataset.classes)
    yield from check_widths(sound, dataset.classes, config.data.size, config.evaluate.contrast)
    yield from check_textures([record.image for record in sound], config)
    yield from check_novelty(train, config)
    yield from _sizes(examined)
    yield from _shared(examined, train, val)


def _fix_of(message: str, root: Path) -> str:
    plain = find_voc(root) is None and find_year(root) is None
    if plain and any(
        part in message for part in ("no known layout", "labels not found", "folder of images")
    ):
        return f"dgcn init {root}"
    if "unknown label" in message:
        return "correct the label, or add the class to classes.txt"
    if "names no foreground class" in message:
        return f"fill in the labels in {root / 'labels.csv'}: beach.jpg,dog boat"
    return "correct the line or the file that is named"


def _classes(
    dataset: ImageDataset, train: Sequence[Record], val: Sequence[Record], lists: _Lists
) -> Iterator[Finding]:
    counts = Counter(label for record in train for label in record.labels)
    held_out = Counter(label for record in val for label in record.labels)
    names = tuple(map(quoted, dataset.classes))  # as they hold commas
    listed = ", ".join(f"{names[label]} {counts[label]}" for label in range(1, len(names)))
    yield Finding("ok", f"training images of each class: {listed}")
    absent = [names[label] for label in range(1, len(names)) if not counts[label]]
    if absent:
        yield Finding(
            "error" if len(absent) == len(names) - 1 else "warning",
            f"no training image is labelled {some_of(absent)}",
            lists.absent,
        )
    few = [names[label] for label in counts if counts[label] < _FEW]
    if few:
        yield Finding(
            "warning",
            f"fewer than {_FEW} training images: {some_of(sorted(few))}",
            "add images of these classes, or leave them out; masks of them will be poor",
        )
    if counts and max(counts.values()) > _UNEVEN * min(counts.values()):
        most, least = counts.most_common()[0][0], counts.most_common()[-1][0]
        yield Finding(
            "warning",
            f"{counts[most]} training images of {names[most]}, {counts[least]} of {names[least]}",
            f"add images of {names[least]}, or leave some of {names[most]} out of {lists.train}",
        )
    if val and set(counts) - set(held_out):
        missing = sorted(names[label] for label in set(counts) - set(held_out))
        yield Finding(
            "warning",
            f"no validation image of {some_of(missing)}: their scores say nothing",
            f"put some of their images into {lists.val}",
        )
    if len(counts) == 1 and all(record.labels for record in train):
        only = names[next(iter(counts))]
        yield Finding(
            "warning",
            f"every training image is labelled {only}: the classifier has nothing to tell it from, "
            f"and its cues come from the saliency alone",
            f"add images without {only} (empty labels), or of another class",
        )


def _masks(train: Sequence[Record], val: Sequence[Record], lists: _Lists) -> Iterator[Finding]:
    masked = sum(record.mask is not None for record in val or train)
    if not val:
        yield Finding(
            "warning",
            "no validation images: the training images are predicted, nothing is held out",
            lists.unscored,
        )
    if masked:
        yield Finding("ok", f"{masked} of {len(val or train)} images to be scored have masks")
    else:
        yield Finding("ok", "no masks: masks are predicted, not scored; training needs none")


def _examined(dataset: ImageDataset, console: Console) -> Iterator[_Examined]:
    records = dataset.split("all")

    def examine(record: Record) -> _Examined:
        try:
            dataset.check([record])
            with Image.open(record.image) as opened:
                size = opened.size
            return _Examined(record, size=size, print=fingerprint(record.image))
        except (DataError, OSError, SyntaxError, ValueError) as error:
            return _Examined(record, error=str(error))

    with (
        ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool,
        console.bar("doctor: reading every image", len(records)) as advance,
    ):
        for each in pool.map(examine, records):
            advance("")
            yield each


def _files(examined: Sequence[_Examined], lists: _Lists) -> Iterator[Finding]:
    wrong = [each for each in examined if each.error]
    for each in wrong[:LISTED]:
        fix = f"replace the file, or take its image out of {lists.lines}"
        if each.record.mask is not None and each.error.startswith(f"{each.record.mask}:"):
            fix = "correct the mask, or take it away: masks are used for scores alone"
        yield Finding("error", each.error, fix)
    if len(wrong) > LISTED:
        yield Finding("error", f"and {len(wrong) - LISTED} more files", "as above")
    if not wrong:
        yield Finding("ok", f"all {len(examined)} images open")


def _sizes(examined: Sequence[_Examined]) -> Iterator[Finding]:
    sized = [each for each in examined if not each.error]
    if not sized:
        return
    widths, heights = zip(*(each.size for each in sized), strict=True)
    yield Finding(
        "ok",
        f"widths from {min(widths)} to {max(widths)}, heights from {min(heights)} to "
        f"{max(heights)} pixels",
    )
    small = [each.record.name for each in sized if min(each.size) < _SMALL]
    if small:
        yield Finding(
            "warning",
            f"images below {_SMALL} pixels ({len(small)}): {some_of(small)}",
            "use larger versions; enlarging adds no detail",
        )
    long = [each.record.name for each in sized if max(each.size) > _LONG * min(each.size)]
    if long:
        yield Finding(
            "warning",
            f"images more than {_LONG} times as long as wide ({len(long)}): {some_of(long)}",
            "cut them into parts: every image is warped to a square",
        )


def _shared(
    examined: Sequence[_Examined], train: Sequence[Record], val: Sequence[Record]
) -> Iterator[Finding]:
    prints = {each.record.name: each.print for each in examined if each.print is not None}
    ours = [record.name for record in val if record.name in prints]
    theirs = [record.name for record in train if record.name in prints]
    pairs = near_duplicates([prints[name] for name in ours], [prints[name] for name in theirs])
    if pairs:
        shown = some_of([f"{ours[i]} and {theirs[j]}" for i, j in pairs])
        images = len({i for i, _ in pairs})
        yield Finding(
            "warning",
            f"validation images that look like training images ({images}): {shown}",
            "move them to one side of the split: scores on them say nothing",
        )
    elif val:
        yield Finding("ok", "no validation image looks like a training image")
