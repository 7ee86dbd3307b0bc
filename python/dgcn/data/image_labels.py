"""Image-level labels from XML annotations, masks, .npy dictionaries and CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from dgcn.data.array_unpickler import DAMAGE, load_object
from dgcn.data.errors import DataError
from dgcn.data.lists import BACKGROUND, read_labels
from dgcn.data.masks import VOID, read_mask

__all__ = ["label_file", "labels_from_mask", "labels_from_xml"]

Labels = tuple[int, ...]
"""Ids of the foreground classes of one image, ascending."""


def labels_from_xml(path: Path, classes: Sequence[str]) -> Labels:
    """The classes of the objects in one annotation of PASCAL VOC.

    Difficult and truncated objects count as well, parts of objects do not.

    Parameters
    ----------
    path : Path
        File with ``<object><name>dog</name> ...</object>`` elements.
    classes : sequence of str
        Class names by id, the background first.

    Raises
    ------
    DataError
        The file is missing or malformed, or names another class.
    """
    if not path.is_file():
        raise DataError(f"annotation not found: {path}")
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError) as error:
        raise DataError(f"{path}: malformed XML ({error})") from error
    found = set()
    for entry in root.findall("object"):
        name = (entry.findtext("name") or "").strip()
        found.add(_class_id(name, classes, str(path)))
    return tuple(sorted(found))


def labels_from_mask(path: Path, classes: Sequence[str]) -> Labels:
    """The classes that occur in a mask.

    Raises
    ------
    DataError
        The mask is missing, damaged or holds a value that is neither a class id nor 255.
    """
    try:
        present = np.flatnonzero(np.bincount(read_mask(path).ravel(), minlength=256))
    except FileNotFoundError as error:
        raise DataError(str(error)) from error
    labels = [int(value) for value in present if value not in (0, VOID)]
    for label in labels:
        if label >= len(classes):
            raise DataError(f"{path}: holds value {label}, but class ids are 0..{len(classes) - 1}")
    return tuple(labels)


def label_file(path: Path, classes: Sequence[str], number: Callable[[str], int]) -> LabelFile:
    """Labels of many images in one file.

    Parameters
    ----------
    path : Path
        ``.npy``: a pickled dictionary from the image's name, or its number, to one 0 or 1 for each
        foreground class (the field's ``cls_labels.npy``), read without executing anything from it.
        ``.csv``: lines ``image,labels`` as in a plain folder.
    classes : sequence of str
        Class names by id, the background first.
    number : callable
        From the name of an image to its number.

    Raises
    ------
    FileNotFoundError
        No such file.
    DataError
        The file is damaged, of another kind, or holds labels that fit no class.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such file of labels: {path}")
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return LabelFile(path, _from_csv(path, classes), number)
    if suffix == ".npy":
        return LabelFile(path, _from_npy(path, len(classes) - 1), number)
    raise DataError(f"{path}: labels must be a .npy or .csv file")


class LabelFile:
    """The labels that a file gives to images, by name or by number."""

    def __init__(
        self, path: Path, labels: Mapping[str | int, Labels], number: Callable[[str], int]
    ) -> None:
        self._path, self._labels, self._number = path, labels, number

    def __call__(self, name: str) -> Labels:
        """Labels of an image.

        Raises
        ------
        DataError
            The file does not have it.
        """
        found = self._labels.get(name)
        if found is None:
            found = self._labels.get(self._number(name))
        if found is None:
            raise DataError(f"{self._path}: has no labels of image {name!r}")
        return found


def _from_csv(path: Path, classes: Sequence[str]) -> dict[str | int, Labels]:
    labels: dict[str | int, Labels] = {}
    for row in read_labels(path):
        where, name = f"{path}:{row.line}", Path(row.image).stem
        if name in labels:
            raise DataError(f"{where}: image {row.image!r} is listed twice")
        ids = {_class_id(label, classes, where) for label in row.labels if label != BACKGROUND}
        labels[name] = tuple(sorted(ids))
    return labels


def _from_npy(path: Path, foreground: int) -> dict[str | int, Labels]:
    try:
        content: Any = load_object(path.read_bytes())
    except (*DAMAGE, OSError) as error:
        raise DataError(f"{path} cannot be read as labels: {error!s:.200}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} holds a {type(content).__name__} instead of a dictionary")
    labels: dict[str | int, Labels] = {}
    for key, value in content.items():
        if not isinstance(key, (str, int)):
            raise DataError(f"{path}: key {key!r} is neither a name nor a number")
        if not isinstance(value, np.ndarray) or value.shape != (foreground,):
            shape = getattr(value, "shape", type(value).__name__)
            raise DataError(f"{path}: labels of {key!r} must have shape ({foreground},): {shape}")
        if not ((value == 0) | (value == 1)).all():
            raise DataError(f"{path}: labels of {key!r} are not all 0 or 1")
        labels[key] = tuple(int(index) + 1 for index in np.flatnonzero(value))
    return labels


def _class_id(name: str, classes: Sequence[str], where: str) -> int:
    if name not in classes[1:]:
        raise DataError(f"{where}: unknown class {name!r}; known are {', '.join(classes[1:])}")
    return classes.index(name, 1)
