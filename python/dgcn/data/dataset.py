"""What every data set offers: records in splits, and a look at every file of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dgcn.data.errors import DataError
from dgcn.data.images import read_image
from dgcn.data.mask_colours import MaskColours
from dgcn.data.masks import VOID, read_mask

__all__ = [
    "IMAGE_SUFFIXES",
    "OTHER_SUFFIXES",
    "SPLITS",
    "ImageDataset",
    "Progress",
    "Record",
    "existing_folder",
    "pictures_by_stem",
]

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff"})
"""Endings of a data set's images."""
OTHER_SUFFIXES = frozenset({".heic", ".heif", ".avif", ".gif"})
"""Endings of images that a data set does not take."""
SPLITS = ("train", "val")

Progress = Callable[[int, int], None]
"""Called with the number of records done and their total."""


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
        Ids of the foreground classes in the image, ascending; empty = only background.
    mask : Path or None
        The pixel labels, for evaluation only; `truth` reads them.
    shown : tuple of two ints or None, default None
        A value in the mask's file and the class it stands for; every other value but 0 is void.
        None: the values are class ids, and 255 is void.
    colours : MaskColours or None, default None
        What the colours of the mask's file mean; then `shown` is None.
    """

    name: str
    image: Path
    labels: tuple[int, ...]
    mask: Path | None
    shown: tuple[int, int] | None = None
    colours: MaskColours | None = None

    def truth(self) -> NDArray[np.uint8]:
        """Read the mask: class ids (H, W), 255 where void.

        Raises
        ------
        ValueError
            There is no mask.
        FileNotFoundError, DataError
            As `dgcn.data.read_mask`; or it holds a colour that the list does not have.
        """
        if self.mask is None:
            raise ValueError(f"image {self.name} has no mask")
        if self.colours is not None:
            return self.colours.read(self.mask)
        values = read_mask(self.mask)
        if self.shown is None:
            return values
        value, label = self.shown
        meaning = np.full(256, VOID, np.uint8)
        meaning[0], meaning[value] = 0, label
        return meaning[values]


class ImageDataset:
    """Records in splits.

    Parameters
    ----------
    root : Path
        The folder of the data set.
    classes : sequence of str
        Class names by id; 0 is ``background``.
    records : sequence of Record
        Every image that has labels.
    splits : mapping
        Those of ``train`` and ``val``.
    saliency : path, optional
        Folder of saliency maps, one ``<stem>.png`` (or jpg) for each image.

    Attributes
    ----------
    root : Path
    saliency : Path or None
    classes : tuple of str

    Raises
    ------
    FileNotFoundError
        ``saliency`` does not exist.
    DataError
        A record is in both splits.
    """

    def __init__(
        self,
        root: Path,
        classes: Sequence[str],
        records: Sequence[Record],
        splits: Mapping[str, Sequence[Record]],
        *,
        saliency: str | os.PathLike[str] | None = None,
    ) -> None:
        self.root = root
        self.classes = tuple(classes)
        self.saliency = None
        if saliency is not None:
            self.saliency = existing_folder(Path(saliency), "saliency folder")
        train, val = ([*splits[name]] for name in SPLITS)
        if shared := {record.name for record in train} & {record.name for record in val}:
            raise DataError(
                f"{root}: {min(shared)!r} is in both splits, train and val ({len(shared)} are)"
            )
        self._splits = {"train": train, "val": val}
        self._records = tuple(records)

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {len(self._splits[name])}" for name in SPLITS)
        return f"{type(self).__name__}({str(self.root)!r}: {len(self.classes)} classes, {counts})"

    def split(self, name: str) -> list[Record]:
        """Records of a split.

        Parameters
        ----------
        name : {"train", "val", "all"}
            ``all`` is every image that has labels.

        Returns
        -------
        list of Record
            In the order of the split's list. Empty for ``val`` where nothing is held out.

        Raises
        ------
        ValueError
            Another name.
        """
        if name == "all":
            return list(self._records)
        if name not in self._splits:
            raise ValueError(f"name must be 'train', 'val' or 'all', got {name!r}")
        return list(self._splits[name])

    def prepare(self, records: Sequence[Record]) -> None:
        """Make the files of records that the layout does not have as such; here there are none."""

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
            class id nor 255, or its saliency map is missing; the message names the file. Or all
            masks together hold nothing but 0 and 255.
        """
        if not records:
            raise DataError(f"{self.root}: the split holds no image")
        self.prepare(records)
        saliency_stems: set[str] | None = None
        if self.saliency is not None:
            saliency_stems = set(pictures_by_stem(self.saliency))

        def check_one(record: Record) -> tuple[bool, bool]:
            if saliency_stems is not None and record.name not in saliency_stems:
                raise DataError(f"{self.saliency}: no saliency map for image {record.name!r}")
            return _check_pixels(record, len(self.classes))

        # Pillow decodes without the GIL; map() yields in order, so the first bad record is named.
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            objects = void = False
            for done, (has_object, has_void) in enumerate(pool.map(check_one, records), start=1):
                objects, void = objects or has_object, void or has_void
                if progress is not None:
                    progress(done, len(records))
        if len(records) > 1 and void and not objects and any(record.labels for record in records):
            raise DataError(
                f"{self.root}: the masks hold 0 and {VOID} only, and {VOID} is void: no object "
                f"would be scored. If {VOID} is the object, set data.object_value {VOID}, or write "
                f"class ids (1 {self.classes[1]})"
            )


def _check_pixels(record: Record, classes: int) -> tuple[bool, bool]:
    """Whether the mask holds an object, and whether it holds void."""
    try:
        image = read_image(record.image)
        mask = None if record.mask is None else record.truth()
    except FileNotFoundError as error:
        raise DataError(str(error)) from error
    if mask is None:
        return False, False
    if mask.shape != image.shape[:2]:
        raise DataError(
            f"{record.mask}: the mask is {mask.shape[1]} x {mask.shape[0]} pixels, its image "
            f"{record.image.name} (upright, as its EXIF orientation says) "
            f"{image.shape[1]} x {image.shape[0]}"
        )
    counts = np.bincount(mask.ravel(), minlength=256)
    wrong = np.flatnonzero(counts[classes:VOID])
    if wrong.size:
        value = classes + int(wrong[0])
        hint = f" (if {value} is the object, set data.object_value {value})"
        raise DataError(
            f"{record.mask}: holds value {value}, but class ids are 0..{classes - 1} and {VOID} is "
            f"void{hint if np.count_nonzero(counts[1:]) == 1 else ''}"
        )
    return bool(counts[1:classes].any()), bool(counts[VOID])


def pictures_by_stem(folder: Path, suffixes: Iterable[str] = IMAGE_SUFFIXES) -> dict[str, Path]:
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


def existing_folder(path: Path, what: str) -> Path:
    if not path.is_dir():
        raise FileNotFoundError(f"{what} not found: {path}")
    return path
