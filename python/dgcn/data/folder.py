"""A data set that is a plain folder of images with a list of labels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
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
from dgcn.data.errors import DataError
from dgcn.data.lists import (
    BACKGROUND,
    LabelRow,
    infer_classes,
    read_classes,
    read_labels,
    read_names,
)

__all__ = ["FolderDataset", "Progress", "Record"]


class FolderDataset(ImageDataset):
    """Images in a folder, labelled by a CSV file.

    ::

        root/
          images/      *.jpg, *.jpeg, *.png
          labels.csv   image,labels     e.g.  beach.jpg,dog boat   (labels may be empty)
          classes.txt  optional; one name a line, the first is "background"
          masks/       optional; <stem>.png, class ids, 255 = void; for evaluation only
          train.txt    optional; one stem a line
          val.txt      optional

    Without ``classes.txt`` the classes are the background and the sorted names in ``labels.csv``.
    Without any split file every image is in ``train``; with ``val.txt`` alone the others are; with
    ``train.txt`` alone ``val`` is empty. Only lists are read here, no image: see `check`.

    Parameters
    ----------
    root : path
        The folder.
    saliency : path, optional
        Folder of saliency maps, one ``<stem>.png`` (or jpg) for each image.

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
        there, an unknown label, a name in a split that is not in ``labels.csv`` or is in both
        splits. The message names the file and the line.
    """

    def __init__(
        self, root: str | os.PathLike[str], *, saliency: str | os.PathLike[str] | None = None
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
            raise DataError(f"{images_folder}: holds no jpg, jpeg or png image")
        masks_folder = root / "masks"
        masks = pictures_by_stem(masks_folder, {".png"}) if masks_folder.is_dir() else {}

        rows = read_labels(labels_file)
        classes_file = root / "classes.txt"
        if classes_file.is_file():
            classes = read_classes(classes_file)
        else:
            classes = infer_classes(rows, labels_file)
        records = _records(rows, labels_file, classes, images, masks)
        super().__init__(
            root, classes, [*records.values()], _splits(root, records), saliency=saliency
        )
        self.unlabelled = tuple(
            path for stem, path in sorted(images.items()) if stem not in records
        )


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
    labels_file: Path,
    classes: tuple[str, ...],
    images: dict[str, Path],
    masks: dict[str, Path],
) -> dict[str, Record]:
    ids = {name: index for index, name in enumerate(classes)}
    records: dict[str, Record] = {}
    for row in rows:
        where = f"{labels_file}:{row.line}"
        # A stem may itself end in ".jpg" where the file is "a.jpg.png".
        stem = row.image if row.image in images else _stem(row.image)
        image = images.get(stem)
        if image is None:
            raise DataError(
                f"{where}: image {row.image!r} is not in {labels_file.parent / 'images'}"
            )
        if row.image.lower() not in {stem.lower(), image.name.lower()}:
            raise DataError(f"{where}: image {row.image!r} is not there, but {image.name!r} is")
        if stem in records:
            raise DataError(f"{where}: image {row.image!r} is listed twice")
        for label in row.labels:
            if label not in ids:
                raise DataError(
                    f"{where}: unknown label {label!r}; known are {', '.join(classes[1:])} "
                    f"(several labels are separated by spaces)"
                )
        labels = sorted({ids[label] for label in row.labels if label != BACKGROUND})
        records[stem] = Record(stem, image, tuple(labels), masks.get(stem))
    return records


def _stem(written: str) -> str:
    path = Path(written)
    return path.stem if path.suffix.lower() in IMAGE_SUFFIXES else written
