"""The text lists of a data set: class names, image labels, splits."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dgcn.data.errors import DataError

__all__ = ["BACKGROUND", "LabelRow", "infer_classes", "read_classes", "read_labels", "read_names"]

BACKGROUND = "background"
"""Name of class 0."""

_MAX_CLASSES = 255


@dataclass(frozen=True)
class LabelRow:
    """One line of ``labels.csv``.

    Attributes
    ----------
    image : str
        The image's file name or stem, as written.
    labels : tuple of str
        Class names, as written.
    line : int
        Line of the file, from 1.
    """

    image: str
    labels: tuple[str, ...]
    line: int


def read_classes(path: Path) -> tuple[str, ...]:
    """Read class names, one a line, the background first.

    Parameters
    ----------
    path : Path
        UTF-8 text; blank lines are ignored.

    Returns
    -------
    tuple of str
        Names; the position is the class id.

    Raises
    ------
    DataError
        The first name is not ``background``, a name contains a space or occurs twice, there is no
        foreground class, or there are more than 255 classes.
    """
    classes: list[str] = []
    for line, name in _lines(path):
        if not classes and name != BACKGROUND:
            raise DataError(f"{path}:{line}: the first class must be {BACKGROUND!r}, got {name!r}")
        if len(name.split()) != 1:
            raise DataError(f"{path}:{line}: a class name must not contain spaces, got {name!r}")
        if name in classes:
            raise DataError(f"{path}:{line}: class {name!r} occurs twice")
        classes.append(name)
    return _sensible_count(tuple(classes), path)


def infer_classes(rows: Sequence[LabelRow], path: Path) -> tuple[str, ...]:
    """Class names where no list is given: the background, then the labels used, sorted.

    Parameters
    ----------
    rows : sequence of LabelRow
    path : Path
        The file the rows came from, for the message.

    Returns
    -------
    tuple of str

    Raises
    ------
    DataError
        No row has a label, or there are more than 255 classes.
    """
    names = {label for row in rows for label in row.labels} - {BACKGROUND}
    return _sensible_count((BACKGROUND, *sorted(names)), path)


def read_labels(path: Path) -> list[LabelRow]:
    """Read ``labels.csv``: the header ``image,labels``, then one line an image.

    Parameters
    ----------
    path : Path
        UTF-8 CSV, its fields separated by commas or, as spreadsheets of many countries write them,
        by semicolons or tabs; labels are class names separated by spaces (in quotes by commas
        or semicolons too) and may be empty; blank lines are ignored.

    Returns
    -------
    list of LabelRow
        In the file's order.

    Raises
    ------
    DataError
        The header or a line is malformed, or there is no line; the message names the line.
    """
    rows: list[LabelRow] = []
    header_seen = False
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            separator = next((each for each in ";\t" if each in header), ",")
            reader = csv.reader(file, strict=True, delimiter=separator)
            for fields in reader:
                line = reader.line_num
                if not any(field.strip() for field in fields) and len(fields) < 2:
                    continue
                if not header_seen:
                    if [field.strip().lower() for field in fields] != ["image", "labels"]:
                        found = ",".join(fields)
                        raise DataError(
                            f"{path}:{line}: the first line must be 'image,labels', got {found!r}"
                        )
                    header_seen = True
                    continue
                rows.append(_label_row(path, line, fields))
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: malformed CSV ({error})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error}); save it as CSV UTF-8") from error
    if not rows:
        raise DataError(f"{path}: lists no image")
    return rows


def read_names(path: Path) -> list[tuple[int, str]]:
    """Read a split: one image name a line.

    Parameters
    ----------
    path : Path
        UTF-8 text; blank lines are ignored.

    Returns
    -------
    list of (int, str)
        Line number from 1, and the name as written.

    Raises
    ------
    DataError
        The file lists no name, or one twice.
    """
    names: list[tuple[int, str]] = []
    seen: dict[str, int] = {}
    for line, name in _lines(path):
        if name in seen:
            raise DataError(f"{path}:{line}: {name!r} occurs twice, first in line {seen[name]}")
        seen[name] = line
        names.append((line, name))
    if not names:
        raise DataError(f"{path}: lists no image")
    return names


def _label_row(path: Path, line: int, fields: list[str]) -> LabelRow:
    if len(fields) != 2:
        raise DataError(
            f"{path}:{line}: expected 2 fields, image and labels separated by spaces, "
            f"got {len(fields)}: {','.join(fields)!r}"
        )
    image = fields[0].strip()
    if not image:
        raise DataError(f"{path}:{line}: the image name is empty")
    return LabelRow(image, tuple(re.findall(r"[^\s,;]+", fields[1])), line)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error})") from error
    for line, content in enumerate(text.splitlines(), start=1):
        if content.strip():
            yield line, content.strip()


def _sensible_count(classes: tuple[str, ...], path: Path) -> tuple[str, ...]:
    if len(classes) < 2:
        raise DataError(f"{path}: names no foreground class")
    if len(classes) > _MAX_CLASSES:
        raise DataError(f"{path}: at most {_MAX_CLASSES} classes are possible, got {len(classes)}")
    return classes
