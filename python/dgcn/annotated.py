"""Labels of a folder's pictures from what people have drawn on them, in several programs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dgcn.annotations.drawing import Drawing
from dgcn.annotations.read_files import read_drawings, written_by
from dgcn.class_folders import Survey
from dgcn.data.errors import DataError
from dgcn.data.lists import require_name

__all__ = ["Annotated", "read_annotated"]


@dataclass
class Annotated:
    """What is drawn on the pictures of a folder.

    Attributes
    ----------
    labels : dict
        Classes drawn on a picture, by its file name in ``images/``; none of a picture that has been
        looked at and has none.
    drawn : Path or None
        Folder or file for ``cues.drawn``; None where nothing says where something is.
    remarks : list of str
    """

    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    drawn: Path | None = None
    remarks: list[str] = field(default_factory=list)


def read_annotated(found: Survey, names: Iterable[str]) -> Annotated:
    """The drawings among the files that a survey has left aside; those used no longer are.

    Parameters
    ----------
    found : Survey
    names : iterable of str
        Files in ``images/``.

    Raises
    ------
    DataError
        A file is damaged, two belong to one picture, or a name cannot be that of a class.
    """
    result = Annotated()
    by_stem = {Path(name).stem: name for name in names}
    where: dict[str, str] = {}
    says: list[Path] = []
    alone = True  # whether no drawing is one of LabelMe's, which are many files

    def take(stem: str, drawing: Drawing) -> None:
        name = by_stem[stem]
        if name in where:
            raise DataError(f"{drawing.where}: {name} has another drawing, {where[name]}")
        where[name] = drawing.where
        for label in drawing.labels:
            try:
                require_name(label)
            except ValueError as error:
                raise DataError(f"{drawing.where}: {error}") from error
        result.labels[name] = drawing.labels

    mine, lonely = [], []
    for path in _aside(found, ".json") + _aside(found, ".xml"):
        program = written_by(path)
        if program is None:
            continue
        drawings = read_drawings(path) if program != "LabelMe" or path.stem in by_stem else {}
        entries = {stem: each for stem, each in drawings.items() if stem in by_stem}
        if not entries:
            lonely.append(path)
            continue
        mine.append(path)
        for stem, drawing in entries.items():
            take(stem, drawing)
        bare = sum(not (drawing.shapes or drawing.tags) for drawing in entries.values())
        if bare and program != "LabelMe":
            result.remarks.append(
                f"{path.name}: {bare} pictures without annotation are taken as background alone"
            )
        if any(shape.kind != "other" for each in entries.values() for shape in each.shapes):
            says.append(path)
            alone = alone and program != "LabelMe"
    if len(says) == 1 and alone:
        result.drawn = says[0]
    elif says:
        result.drawn = Path(os.path.commonpath([path.parent for path in says]))
    found.use(*mine)
    if lonely:
        found.use(*lonely)
        found.aside["drawings that belong to no picture"] += lonely
    if result.labels:
        said = f"labels of {len(result.labels)} pictures are those drawn on them"
        result.remarks.insert(0, f"{said} ({len(mine)} files)")
    if result.drawn is not None:
        result.remarks.append(
            f"what is drawn is used as cues: cues.drawn is {result.drawn} (null: it is not)"
        )
    return result


def _aside(found: Survey, ending: str) -> list[Path]:
    return sorted(found.aside.get(f"files that are no pictures ({ending})", []))
