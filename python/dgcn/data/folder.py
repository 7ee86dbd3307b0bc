"""A data set that is a plain folder of images with a list of labels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dgcn.data.errors import DataError
from dgcn.data.images import VOID, read_image, read_mask
from dgcn.data.lists import (
    BACKGROUND,
    LabelRow,
    infer_classes,
    read_classes,
    read_labels,
    read_names,
)

__all__ = ["FolderDataset", "Progress", "Record"]

Progress = Callable[[int, int], None]
"""Called with the number of records done and their total."""

_IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
_SPLITS = ("train", "val")


@dataclass(frozen=True)
class Record:
    """One image of a data set.

    Attributes
    ----------
    name : str
        Stem of the image's file name, unique in the data set.
    image : Path
        The picture.
    labels : tuple of int
        Ids of the foreground classes in the picture, ascending; empty = only background.
    mask : Path or None
        The pixel labels, for evaluation only.
    """

    name: str
    image: Path
    labels: tuple[int, ...]
    mask: Path | None


class FolderDataset:
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
    ``train.txt`` alone ``val`` is empty. Only lists are read here, no picture: see `check`.

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
        Pictures in ``images/`` that ``labels.csv`` does not list; they are in no split.

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
        self.root = _existing_folder(Path(root), "data set folder")
        self.saliency = None
        if saliency is not None:
            self.saliency = _existing_folder(Path(saliency), "saliency folder")
        images_folder = _existing_folder(self.root / "images", "folder of images")
        labels_file = self.root / "labels.csv"
        if not labels_file.is_file():
            raise FileNotFoundError(
                f"list of labels not found: {labels_file} (first line 'image,labels', then e.g. "
                f"'beach.jpg,dog boat' for each image)"
            )
        images = _pictures_by_stem(images_folder)
        if not images:
            raise DataError(f"{images_folder}: holds no jpg, jpeg or png image")
        masks_folder = self.root / "masks"
        masks = _pictures_by_stem(masks_folder, {".png"}) if masks_folder.is_dir() else {}

        rows = read_labels(labels_file)
        classes_file = self.root / "classes.txt"
        if classes_file.is_file():
            self.classes = read_classes(classes_file)
        else:
            self.classes = infer_classes(rows, labels_file)
        self._records = _records(rows, labels_file, self.classes, images, masks)
        self.unlabelled = tuple(
            path for stem, path in sorted(images.items()) if stem not in self._records
        )
        self._splits = self._read_splits()

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {len(self._splits[name])}" for name in _SPLITS)
        return f"FolderDataset({str(self.root)!r}: {len(self.classes)} classes, {counts})"

    def split(self, name: str) -> list[Record]:
        """Records of a split.

        Parameters
        ----------
        name : {"train", "val", "all"}
            ``all`` is every image that ``labels.csv`` lists.

        Returns
        -------
        list of Record
            In the order of the split's file, or of ``labels.csv``. Empty for ``val`` where there is
            no ``val.txt``.

        Raises
        ------
        ValueError
            Another name.
        """
        if name == "all":
            return list(self._records.values())
        if name not in self._splits:
            raise ValueError(f"name must be 'train', 'val' or 'all', got {name!r}")
        return list(self._splits[name])

    def check(self, records: Sequence[Record], *, progress: Progress | None = None) -> None:
        """Decode every image and mask, so that nothing fails in the middle of a run.

        Parameters
        ----------
        records : sequence of Record
            For instance ``dataset.split("train")``.
        progress : callable, optional
            Called as ``progress(done, total)`` after every record, in this thread. For a bar of
            rich: ``lambda done, total: bar.update(task, completed=done, total=total)``.

        Raises
        ------
        DataError
            There is no record; or, for the first bad one: the image is missing or damaged, the mask
            is missing, damaged, of another size than the image or holds a value that is neither a
            class id nor 255, or its saliency map is missing. The message names the file.
        """
        if not records:
            raise DataError(f"{self.root}: the split holds no image")
        saliency_stems: set[str] | None = None
        if self.saliency is not None:
            saliency_stems = set(_pictures_by_stem(self.saliency))

        def check_one(record: Record) -> None:
            if saliency_stems is not None and record.name not in saliency_stems:
                raise DataError(f"{self.saliency}: no saliency map for image {record.name!r}")
            _check_pixels(record, len(self.classes))

        # Pillow decodes without the GIL; map() yields in order, so the first bad record is named.
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            for done, _ in enumerate(pool.map(check_one, records), start=1):
                if progress is not None:
                    progress(done, len(records))

    def _read_splits(self) -> dict[str, list[Record]]:
        named = {
            name: self._read_split(self.root / f"{name}.txt")
            for name in _SPLITS
            if (self.root / f"{name}.txt").is_file()
        }
        train, val = named.get("train"), named.get("val", [])
        if train is None:
            held_out = {record.name for record in val}
            train = [record for record in self._records.values() if record.name not in held_out]
        shared = {record.name for record in train} & {record.name for record in val}
        if shared:
            raise DataError(
                f"{self.root / 'val.txt'}: {min(shared)!r} is in train.txt as well "
                f"({len(shared)} in both)"
            )
        return {"train": train, "val": val}

    def _read_split(self, path: Path) -> list[Record]:
        chosen: dict[str, Record] = {}
        for line, written in read_names(path):
            record = self._records.get(written) or self._records.get(_stem(written))
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


def _check_pixels(record: Record, classes: int) -> None:
    try:
        image = read_image(record.image)
        mask = None if record.mask is None else read_mask(record.mask)
    except FileNotFoundError as error:
        raise DataError(str(error)) from error
    if mask is None:
        return
    if mask.shape != image.shape[:2]:
        raise DataError(
            f"{record.mask}: the mask is {mask.shape[1]} x {mask.shape[0]} pixels, its image "
            f"{record.image.name} (upright, as its EXIF orientation says) "
            f"{image.shape[1]} x {image.shape[0]}"
        )
    wrong = np.flatnonzero(np.bincount(mask.ravel(), minlength=256)[classes:VOID])
    if wrong.size:
        raise DataError(
            f"{record.mask}: holds value {classes + int(wrong[0])}, but class ids are "
            f"0..{classes - 1} and {VOID} is void"
        )


def _pictures_by_stem(folder: Path, suffixes: Iterable[str] = _IMAGE_SUFFIXES) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = folder / entry.name
        if entry.name.startswith(".") or path.suffix.lower() not in suffixes:
            continue
        if not entry.is_file():
            continue
        if path.stem in found:
            raise DataError(
                f"{path}: has the same stem as {found[path.stem].name}; names must be unique "
                f"without their ending"
            )
        found[path.stem] = path
    return found


def _stem(written: str) -> str:
    path = Path(written)
    return path.stem if path.suffix.lower() in _IMAGE_SUFFIXES else written


def _existing_folder(path: Path, what: str) -> Path:
    if not path.is_dir():
        raise FileNotFoundError(f"{what} not found: {path}")
    return path
