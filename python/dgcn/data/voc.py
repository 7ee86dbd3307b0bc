"""The folder layout of PASCAL VOC 2012."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from dgcn.data.dataset import ImageDataset, Record, existing_folder
from dgcn.data.errors import DataError
from dgcn.data.image_labels import Labels, label_file, labels_from_mask, labels_from_xml
from dgcn.data.lists import BACKGROUND, read_names

__all__ = ["VOC_CLASSES", "VOCDataset", "find_voc"]

VOC_CLASSES = (
    BACKGROUND,
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)
"""The background and the 20 classes in the order of their ids."""

_MASK_FOLDERS = ("SegmentationClass", "SegmentationClassAug")


class VOCDataset(ImageDataset):
    """PASCAL VOC 2012 as its development kit unpacks, with SBD's training list or without.

    ::

        root/                              also: the folder above, which holds VOC2012/
          JPEGImages/<id>.jpg
          Annotations/<id>.xml             image-level labels
          SegmentationClass/<id>.png       masks, for evaluation only
          SegmentationClassAug/<id>.png    those of SBD, where the first folder has none
          ImageSets/Segmentation/          train.txt, val.txt

    Parameters
    ----------
    root : path
    train_list, val_list : path, optional
        Lists of images, an id a line, e.g. the 10,582 of ``train_aug.txt``; also the lists of
        DeepLab, ``/JPEGImages/<id>.jpg /SegmentationClassAug/<id>.png``. By default train.txt and,
        where it is there, val.txt of ImageSets/Segmentation.
    labels : {"masks"} or path, optional
        Where the image-level labels come from: the masks, or a file as
        `dgcn.data.image_labels.label_file` reads. By default the XML annotations.
    saliency : path, optional
        Folder of saliency maps, one ``<id>.png`` (or jpg) for each image.

    Raises
    ------
    FileNotFoundError
        A folder or a list is not there.
    DataError
        A list names an image that is not there, or twice, or an image has no labels, or unknown
        ones. The message names the file.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        train_list: str | os.PathLike[str] | None = None,
        val_list: str | os.PathLike[str] | None = None,
        labels: Literal["masks"] | Path | None = None,
        saliency: str | os.PathLike[str] | None = None,
    ) -> None:
        root = find_voc(Path(root)) or Path(root)
        images = existing_folder(root / "JPEGImages", "folder of images")
        lists = root / "ImageSets" / "Segmentation"
        train_list = Path(train_list or lists / "train.txt")
        if not train_list.is_file():
            raise FileNotFoundError(f"list of training images not found: {train_list}")
        labels_of = _label_source(root, labels)
        train = _records(root, images, train_list, labels_of)
        val: list[Record] = []
        if val_list is not None or (lists / "val.txt").is_file():
            val = _records(root, images, Path(val_list or lists / "val.txt"), labels_of)
        splits = {"train": train, "val": val}
        super().__init__(root, VOC_CLASSES, [*train, *val], splits, saliency=saliency)


def find_voc(root: Path) -> Path | None:
    """The folder that holds JPEGImages: `root`, or VOC2012 in it; None where neither does."""
    for folder in (root, root / "VOC2012", root / "VOCdevkit" / "VOC2012"):
        if (folder / "JPEGImages").is_dir():
            return folder
    return None


LabelsOf = Callable[[str, "Path | None"], Labels]
"""From name and mask of an image to its labels."""


def _label_source(root: Path, labels: Literal["masks"] | Path | None) -> LabelsOf:
    if labels is None:
        annotations = existing_folder(
            root / "Annotations", "folder of XML annotations (or set data.labels)"
        )
        return lambda name, mask: labels_from_xml(annotations / f"{name}.xml", VOC_CLASSES)
    if isinstance(labels, Path):
        listed = label_file(labels, VOC_CLASSES, _number)
        return lambda name, mask: listed(name)

    def from_mask(name: str, mask: Path | None) -> Labels:
        if mask is None:
            raise DataError(f"{root}: no mask to take the labels of image {name!r} from")
        return labels_from_mask(mask, VOC_CLASSES)

    return from_mask


def _records(root: Path, images: Path, listing: Path, labels_of: LabelsOf) -> list[Record]:
    records: dict[str, Record] = {}
    for line, written in read_names(listing):
        # DeepLab's lists name the mask's file behind the image's.
        first = Path(written.split()[0])
        name = first.stem if first.suffix.lower() == ".jpg" else first.name
        image = images / f"{name}.jpg"
        if name in records:
            raise DataError(f"{listing}:{line}: {name!r} occurs twice")
        if not image.is_file():
            raise DataError(f"{listing}:{line}: image not found: {image}")
        mask = _mask(root, name)
        records[name] = Record(name, image, labels_of(name, mask), mask)
    return list(records.values())


def _mask(root: Path, name: str) -> Path | None:
    candidates: Sequence[Path] = [root / folder / f"{name}.png" for folder in _MASK_FOLDERS]
    return next((path for path in candidates if path.is_file()), None)


def _number(name: str) -> int:
    """2007_000032 -> 2007000032, the key of some dictionaries of labels; -1: no number."""
    digits = name.replace("_", "")
    return int(digits) if digits.isascii() and digits.isdigit() else -1
