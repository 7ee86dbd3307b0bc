"""A data set that is a plain folder of images with a list of labels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from dgcn.data.dataset import (
    IMAGE_SUFFIXES,
    SPLITS,
    ImageDataset,
    Progress,
    Record,
    existing_folder,
    pictures_by_stem,
)
from dgcn.data.errors import DataError, Faults
from dgcn.data.lists import (
    LabelRow,
    infer_classes,
    quoted,
    read_classes,
    read_labels,
    read_names,
)
from dgcn.data.mask_colours import MASK_COLOURS, read_mask_colours
from dgcn.data.masks import VOID

__all__ = ["FolderDataset", "Progress", "Record"]


class FolderDataset(ImageDataset):
    """Images in a folder, labelled by a CSV file.

    ::

        root/
          images/      jpg, png, webp, bmp or tif
          labels.csv   image,labels     e.g.  beach.jpg,dog boat   (labels may be empty)
          classes.txt  optional; one name a line, the first is "background"
          masks/       optional; <stem>.png, class ids, 255 = void; for evaluation only;
                       or of one value, see object_value, or of colours:
          mask_colours.csv   optional; class,red,green,blue; what the colours of masks mean
          train.txt    optional; one stem a line
          val.txt      optional

    Without ``classes.txt`` the classes are those of ``mask_colours.csv``, without that the
    background and the sorted names in ``labels.csv``.
    Without any split file every image is in ``train``; with ``val.txt`` alone the others are; with
    ``train.txt`` alone ``val`` is empty. Only lists are read here, no image: see `check`.

    Parameters
    ----------
    root : path
        The folder.
    saliency : path, optional
        Folder of saliency maps, one ``<stem>.png`` (or jpg) for each image.
    object_value : int, default 0
        Value in the masks that stands for the one class of the image, such as 255; others than 0
        are void. 0: masks hold class ids, and 255 is void.

    Attributes
    ----------
    root : Path
    saliency : Path or None
    classes : tuple of str
        Class names by id; 0 is ``background``.
    unlabelled : tuple of Path
        Images in ``images/`` that ``labels.csv`` does not list; they are in no split.

    Raises
    ------
    FileNotFoundError
        ``root``, its ``images/`` or ``labels.csv``, or ``saliency`` does not exist.
    DataError
        No image, two images with the same stem, a malformed list, an image listed twice or not
        there, an unknown label, several labels of an image beside `object_value`, a list of colours
        beside it, a class of a colour that ``classes.txt`` lacks, a name in a split that is not in
        ``labels.csv`` or is in both splits. The message names the file and the line.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        saliency: str | os.PathLike[str] | None = None,
        object_value: int = 0,
    ) -> None:
        root = existing_folder(Path(root), "data set folder")
        images_folder = existing_folder(root / "images", "folder of images")
        labels_file = root / "labels.csv"
        if not labels_file.is_file():
            raise FileNotFoundError(
                f"list of labels not found: {labels_file} (first line 'image,labels', then e.g. "
                f"'beach.jpg,dog boat' for each image)"
            )
        images = pictures_by_stem(images_folder)
        if not images:
            raise DataError(f"{images_folder}: holds no jpg, png, webp, bmp or tif image")
        masks_folder = root / "masks"
        masks = pictures_by_stem(masks_folder, {".png"}) if masks_folder.is_dir() else {}

        faults = Faults(labels_file)
        rows = read_labels(labels_file, faults)
        classes_file, colours_file = root / "classes.txt", root / MASK_COLOURS
        colours = read_mask_colours(colours_file) if colours_file.is_file() else None
        if classes_file.is_file():
            classes = read_classes(classes_file)
            colours = None if colours is None else colours.renumbered(classes)
        elif colours is not None:
            classes = colours.classes
        else:
            try:
                classes = infer_classes(rows, labels_file)
            except DataError:
                faults.raise_any()
                raise
        records = _records(rows, faults, classes, images, masks)
        faults.raise_any()
        if colours is not None:
            if object_value:
                raise DataError(f"{colours_file}: says what masks mean, data.object_value does too")
            records = {name: replace(record, colours=colours) for name, record in records.items()}
        if object_value:
            records = {
                name: _of_one_value(record, object_value, classes)
                for name, record in records.items()
            }
        super().__init__(
            root, classes, [*records.values()], _splits(root, records), saliency=saliency
        )
        self.unlabelled = tuple(
            path for stem, path in sorted(images.items()) if stem not in records
        )


def _of_one_value(record: Record, value: int, classes: tuple[str, ...]) -> Record:
    """The record of a mask whose one value stands for the class of its image."""
    if record.mask is None:
        return record
    if len(record.labels) > 1:
        listed = ", ".join(quoted(classes[label]) for label in record.labels)
        raise DataError(
            f"data.object_value {value} needs one class an image: {record.name} has {listed}"
        )
    alone = 1 if len(classes) == 2 else VOID  # what a mask shows in an image without labels
    return replace(record, shown=(value, record.labels[0] if record.labels else alone))


def _splits(root: Path, records: dict[str, Record]) -> dict[str, Sequence[Record]]:
    named = {
        name: _read_split(root / f"{name}.txt", records)
        for name in SPLITS
        if (root / f"{name}.txt").is_file()
    }
    train, val = named.get("train"), named.get("val", [])
    if train is None:
        held_out = {record.name for record in val}
        train = [record for record in records.values() if record.name not in held_out]
    return {"train": train, "val": val}


def _read_split(path: Path, records: dict[str, Record]) -> list[Record]:
    chosen: dict[str, Record] = {}
    for line, written in read_names(path):
        record = records.get(written) or records.get(_stem(written))
        if record is None:
            raise DataError(f"{path}:{line}: {written!r} is not in labels.csv")
        if record.name in chosen:
            raise DataError(f"{path}:{line}: {written!r} occurs twice")
        chosen[record.name] = record
    return list(chosen.values())


def _records(
    rows: Iterable[LabelRow],
    faults: Faults,
    classes: tuple[str, ...],
    images: dict[str, Path],
    masks: dict[str, Path],
) -> dict[str, Record]:
    ids = {name: index for index, name in enumerate(classes)}
    records: dict[str, Record] = {}
    for row in rows:
        name = row.image.replace("\\", "/").removeprefix("./").removeprefix("images/")
        # A stem may itself end in ".jpg" where the file is "a.jpg.png".
        stem = name if name in images else _stem(name)
        image = images.get(stem)
        if image is None:
            faults.add(row.line, f"image {row.image!r} is not in images/")
            continue
        if name.lower() not in {stem.lower(), image.name.lower()}:
            faults.add(row.line, f"image {row.image!r} is not there, but {image.name!r} is")
        elif stem in records:
            faults.add(row.line, f"image {row.image!r} is listed twice")
        for label in dict.fromkeys(row.labels):
            if label not in ids:
                hint = (
                    f"known are {', '.join(map(quoted, classes[1:]))} (several labels are "
                    f"separated by spaces; names that hold a space stand in double quotes)"
                )
                faults.add(row.line, f"unknown label {label!r}", hint)
        labels = sorted({ids.get(label, 0) for label in row.labels} - {0})
        records[stem] = Record(stem, image, tuple(labels), masks.get(stem))
    return records


def _stem(written: str) -> str:
    path = Path(written)
    return path.stem if path.suffix.lower() in IMAGE_SUFFIXES else written
