"""A folder of drawings, or a file of them, and which image each belongs to."""

from __future__ import annotations

import filecmp
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dgcn.annotations.drawing import Drawing
from dgcn.annotations.read_files import read_drawings, written_by
from dgcn.data.dataset import Record
from dgcn.data.errors import DataError

__all__ = ["Drawings", "find_drawings"]


@dataclass(frozen=True)
class Drawings:
    """What is drawn, by the name of the image.

    Attributes
    ----------
    path : Path
        Folder or file.
    found : dict
        A label image, or a `Drawing`.
    strangers : tuple of str
        Names of drawings that belong to no image.
    files : tuple of Path
        What they were read from.
    """

    path: Path
    found: dict[str, Path | Drawing]
    strangers: tuple[str, ...]
    files: tuple[Path, ...]

    @property
    def digest(self) -> str:
        """Short hash of the names and contents of the files."""
        found = hashlib.sha256()
        for path in self.files:
            found.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
        return f"digest {found.hexdigest()[:16]}"


def find_drawings(path: Path, records: Sequence[Record]) -> Drawings:
    """The drawings of some images.

    Parameters
    ----------
    path : Path
        A folder, searched to any depth, of label images ``NAME.png``, LabelMe's ``NAME.json`` and
        files for many pictures: CVAT's XML, JSON of COCO or Label Studio; or one of these files.
        The pictures themselves may lie in the folder as well.
    records : sequence of Record
        All images of the data set.

    Raises
    ------
    FileNotFoundError
        There is no such file or folder.
    DataError
        An image has two drawings; a file is damaged; or no image has one.
    """
    known = {record.name: record for record in records}
    found: dict[str, Path | Drawing] = {}
    places: dict[str, Path] = {}
    if path.is_file():
        files = [path]
    elif path.is_dir():
        files = _files(path)
    else:
        raise FileNotFoundError(f"no such file or folder of drawings: {path}")
    for file in files:
        for name, entry in _entries(file, known, alone=path.is_file()).items():
            if name in known and name in places:
                raise DataError(f"{file}: image {name!r} has another drawing, {places[name]}")
            places[name] = file
            if not isinstance(entry, Drawing) or _says(entry):
                found[name] = entry
    strangers = tuple(sorted(name for name in found if name not in known))
    mine = {name: entry for name, entry in found.items() if name in known}
    if not mine:
        example = f", e.g. {strangers[0]!r} is the name of no image" if strangers else ""
        raise DataError(
            f"{path}: no drawing of an image of this data set{example} (expected are NAME.png, "
            f"NAME.json of LabelMe, or a file of CVAT, COCO or Label Studio)"
        )
    used = tuple(sorted({places[name] for name in mine}))
    return Drawings(path, mine, strangers, used)


def _entries(
    file: Path, known: Mapping[str, Record], *, alone: bool
) -> Mapping[str, Path | Drawing]:
    """What a file draws, by the name of the image; nothing, where it is something else."""
    record = known.get(file.stem)
    if record is not None and _is_picture(file, record):
        return {}
    if file.suffix.lower() == ".png":
        return {file.stem: file}
    if alone or record is not None or written_by(file) is not None:
        return read_drawings(file)
    return {}


def _says(drawing: Drawing) -> bool:
    """Whether something is drawn: tags alone say nothing of where."""
    return any(shape.kind != "other" for shape in drawing.shapes)


def _files(folder: Path) -> list[Path]:
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(parent, name) for name in sorted(names) if not name.startswith(".")]
    return [path for path in found if path.suffix.lower() in (".png", ".json", ".xml")]


def _is_picture(file: Path, record: Record) -> bool:
    """Whether a file is the picture of a record, or a link to it, or its copy; or its mask."""
    for own in (record.image, record.mask):
        if own is None or own.suffix.lower() != file.suffix.lower() or not own.is_file():
            continue
        if own.samefile(file) or filecmp.cmp(own, file, shallow=True):
            return True
    return False
