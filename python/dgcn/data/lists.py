"""The text lists of a data set: class names, image labels, splits."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dgcn.data.errors import DataError, Faults

__all__ = [
    "BACKGROUND",
    "LabelRow",
    "infer_classes",
    "labels_csv",
    "quoted",
    "read_classes",
    "read_labels",
    "read_names",
    "require_name",
]

BACKGROUND = "background"
"""Name of class 0."""

_MAX_CLASSES = 255
_COMPUTED = frozenset("=+-@")  # what a cell begins with that a spreadsheet computes
_SEPARATORS = " \t\r\n\v\f,;"
# What the columns may be called.
_IMAGE = {"image", "images", "img", "picture", "photo", "file", "filename", "file_name", "name"}
_IMAGE |= {"path", "image_name", "image_id", "image_path", "file_path", "filepath"}
_LABELS = {"labels", "label", "classes", "class", "categories", "category", "tags", "tag"}
_YES = frozenset({"1", "1.0", "x", "true", "yes"})
_NO = frozenset({"", "0", "0.0", "false", "no"})


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


def require_name(name: str) -> None:
    """Raise `ValueError` unless a class may be called so.

    A table of scores is opened by spreadsheets, which would compute a cell that begins with one
    of = + - @.
    """
    if not name or name != name.strip():
        raise ValueError(f"a class name must not be empty or begin or end with a space: {name!r}")
    if name[0] in _COMPUTED:
        raise ValueError(
            f"a class name must not begin with {name[0]}, which spreadsheets compute: {name!r}"
        )
    if not name.isprintable():
        raise ValueError(f"a class name must not hold control characters: {name!r}")


def quoted(name: str) -> str:
    """A name as it stands in a field of ``labels.csv``: in double quotes where it needs them.

    It needs them where it holds a space, comma, semicolon or double quote, or begins with what a
    spreadsheet would compute; double quotes in it are doubled. `read_labels` takes them off.
    """
    plain = name and not re.search(r'[\s,;"]', name) and name[0] not in _COMPUTED
    return name if plain else '"' + name.replace('"', '""') + '"'


def labels_csv(labels: Mapping[str, Sequence[str]]) -> str:
    """The text of a ``labels.csv`` that `read_labels` reads back.

    Parameters
    ----------
    labels : mapping from str to sequence of str
        Class names of every image, by its file name.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    all_quoted = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(("image", "labels"))
    for image, names in labels.items():
        # A file name may hold spaces as it is: it is alone in its field.
        safe = quoted(image) if image[:1] in {*_COMPUTED, '"'} else image
        # Before Python 3.13 a carriage return alone is not quoted.
        row = all_quoted if "\r" in image else writer
        row.writerow((safe, " ".join(map(quoted, names))))
    return stream.getvalue()


def read_classes(path: Path) -> tuple[str, ...]:
    """Read class names, one a line, the background first.

    Parameters
    ----------
    path : Path
        UTF-8 text; a line is a name, spaces and commas included; blank lines are ignored.

    Returns
    -------
    tuple of str
        Names; the position is the class id.

    Raises
    ------
    DataError
        The first name is not ``background``, a name occurs twice or is none (`require_name`), there
        is no foreground class, or there are more than 255 classes.
    """
    classes: dict[str, int] = {}
    faults = Faults(path)
    for line, name in _lines(path):
        if not classes and name != BACKGROUND:
            faults.add(line, f"the first class must be {BACKGROUND!r}, got {name!r}")
        if name in classes:
            faults.add(line, f"class {name!r} occurs twice, first in line {classes[name]}")
        try:
            require_name(name)
        except ValueError as error:
            faults.add(line, str(error))
        classes.setdefault(name, line)
    faults.raise_any()
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


def read_labels(path: Path, faults: Faults | None = None) -> list[LabelRow]:
    """Read ``labels.csv``: a header, then one line an image.

    ::

        image,labels                          image,cat,"traffic light"
        a.jpg,cat                             a.jpg,1,0
        b.jpg,"cat ""traffic light"" "        b.jpg,1,1
        c.jpg,                                c.jpg,0,0

    Left: labels are separated by spaces, in a quoted field by commas or semicolons too; a name that
    holds one of these stands in double quotes, which CSV doubles. Right: a column for each class,
    with 0 or 1 (or empty, x, true, false, yes, no). The first column may also be called filename,
    file, name, path or the like, the second label, class, category or tags.

    Parameters
    ----------
    path : Path
        UTF-8 CSV, its fields separated by commas or, as spreadsheets of many countries write them,
        by semicolons or tabs; blank lines are ignored.
    faults : Faults or None, default None
        Takes what is wrong with single lines, for the caller to raise. None: it is raised here.

    Returns
    -------
    list of LabelRow
        In the file's order.

    Raises
    ------
    DataError
        The header or a line is malformed, or there is no line. The message names the first ten
        lines that are wrong.
    """
    found = faults or Faults(path)
    rows: list[LabelRow] = []
    columns: tuple[str, ...] | None = None
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
                try:
                    if not header_seen:
                        header_seen = True
                        columns = _columns(fields)
                    else:
                        rows.append(_label_row(line, fields, columns))
                except _HeaderError as error:
                    raise DataError(f"{path}:{line}: {error}") from None
                except ValueError as error:
                    found.add(line, str(error))
    except csv.Error as error:
        found.add(reader.line_num, f"malformed CSV ({error})")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error}); save it as CSV UTF-8") from error
    if faults is None or not rows:
        found.raise_any()
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


class _HeaderError(ValueError):
    """The first line names no columns."""


def _columns(fields: Sequence[str]) -> tuple[str, ...] | None:
    """The classes that have a column each; None: one column holds all labels."""
    names = [field.strip() for field in fields]
    lower = [name.lower() for name in names]
    image = bool(lower) and lower[0].replace(" ", "_") in _IMAGE
    if image and len(lower) == 2 and lower[1] in _LABELS:
        return None
    if not image or len(names) < 2:
        raise _HeaderError(
            f"the first line must be 'image,labels', or 'image' and a column for each class, "
            f"got {','.join(fields)!r}"
        )
    for index, name in enumerate(names[1:], start=1):
        try:
            require_name(name)
        except ValueError as error:
            raise _HeaderError(str(error)) from None
        if name in names[1:index]:
            raise _HeaderError(f"class {name!r} has two columns")
    return tuple(names[1:])


def _label_row(line: int, fields: Sequence[str], columns: tuple[str, ...] | None) -> LabelRow:
    if columns is None and len(fields) != 2:
        raise ValueError(
            f"expected 2 fields, image and labels separated by spaces, got {len(fields)}: "
            f"{','.join(fields)!r}"
        )
    if columns is not None and len(fields) != len(columns) + 1:
        raise ValueError(
            f"expected {len(columns) + 1} fields, as in the first line, got {len(fields)}: "
            f"{','.join(fields)!r}"
        )
    image = _unquoted(fields[0].strip())
    if not image:
        raise ValueError("the image name is empty")
    if columns is None:
        labels = _split(fields[1])
        for name in labels:
            require_name(name)
        return LabelRow(image, labels, line)
    marks = [field.strip().lower() for field in fields[1:]]
    for name, mark in zip(columns, marks, strict=True):
        if mark not in _YES | _NO:
            raise ValueError(f"column {name!r} must hold 0 or 1, got {mark!r}")
    return LabelRow(
        image, tuple(name for name, mark in zip(columns, marks, strict=True) if mark in _YES), line
    )


def _split(field: str) -> tuple[str, ...]:
    """Names of a field: in double quotes, or free of what separates them."""
    names, rest = [], field.strip(_SEPARATORS)
    while rest:
        match = re.match(r'"((?:[^"]|"")*)"(?=[\s,;]|$)|[^\s,;"][^\s,;]*', rest)
        if match is None:
            raise ValueError(f"a double quote is open, or stands within a name: {field.strip()!r}")
        names.append(_unquoted(match[0]))
        rest = rest[match.end() :].lstrip(_SEPARATORS)
    return tuple(names)


def _unquoted(text: str) -> str:
    quotes = len(text) > 1 and text[0] == text[-1] == '"'
    return text[1:-1].replace('""', '"') if quotes else text


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
