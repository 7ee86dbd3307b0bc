"""A folder of drawings, or a file of them, and which image each belongs to."""

from __future__ import annotations

import filecmp
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dgcn.annotations.cvat import read_cvat
from dgcn.annotations.drawing import Drawing
from dgcn.annotations.read_labelme import is_labelme, read_labelme
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
        A folder, searched to any depth, of label images ``NAME.png`` and LabelMe's ``NAME.json``;
        or an XML file of CVAT. The pictures themselves may lie in the folder as well.
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
        entries = read_cvat(path)
        found = {name: entry for name, entry in entries.items() if _says(entry)}
    elif path.is_dir():
        for file in _files(path):
            record = known.get(file.stem)
            if record is not None and _is_picture(file, record):
                continue
            if file.suffix.lower() == ".json" and record is None and not is_labelme(file):
                continue  # something else, as annotations.json of COCO
            if record is not None and file.stem in places:
                raise DataError(
                    f"{file}: image {file.stem!r} has another drawing, {places[file.stem]}"
                )
            places[file.stem] = file
            if record is None or file.suffix.lower() == ".png":
                found[file.stem] = file
            elif _says(drawing := read_labelme(file)):
                found[file.stem] = drawing
    else:
        raise FileNotFoundError(f"no such file or folder of drawings: {path}")
    strangers = tuple(sorted(name for name in found if name not in known))
    mine = {name: entry for name, entry in found.items() if name in known}
    if not mine:
        example = f", e.g. {strangers[0]!r} is the name of no image" if strangers else ""
        raise DataError(
            f"{path}: no drawing of an image of this data set{example} (expected are NAME.png, "
            f"NAME.json of LabelMe, or an XML file of CVAT)"
        )
    files = (path,) if path.is_file() else tuple(places[name] for name in mine)
    return Drawings(path, mine, strangers, files)


def _says(drawing: Drawing) -> bool:
    """Whether something is drawn: tags alone say nothing of where."""
    return any(shape.kind != "other" for shape in drawing.shapes)


def _files(folder: Path) -> list[Path]:
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(parent, name) for name in sorted(names) if not name.startswith(".")]
    return [path for path in found if path.suffix.lower() in (".png", ".json")]


def _is_picture(file: Path, record: Record) -> bool:
    """Whether a file is the picture of a record, or a link to it, or its copy; or its mask."""
    for own in (record.image, record.mask):
        if own is None or own.suffix.lower() != file.suffix.lower() or not own.is_file():
            continue
        if own.samefile(file) or filecmp.cmp(own, file, shallow=True):
            return True
    return False
