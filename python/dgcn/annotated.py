"""Labels of a folder's pictures from what people have drawn on them: LabelMe's files, CVAT's."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dgcn.annotations.cvat import is_cvat, read_cvat
from dgcn.annotations.drawing import Drawing
from dgcn.annotations.read_labelme import is_labelme, read_labelme
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

    jsons = [path for path in _aside(found, ".json") if is_labelme(path)]
    mine = [path for path in jsons if path.stem in by_stem]
    for path in mine:
        drawing = read_labelme(path)
        take(path.stem, drawing)
        says += [path] * any(shape.kind != "other" for shape in drawing.shapes)
    if says:
        result.drawn = Path(os.path.commonpath([path.parent for path in says]))
    xmls = [path for path in _aside(found, ".xml") if is_cvat(path)]
    for path in xmls:
        entries = {stem: each for stem, each in read_cvat(path).items() if stem in by_stem}
        for stem, drawing in entries.items():
            take(stem, drawing)
        bare = sum(not (drawing.shapes or drawing.tags) for drawing in entries.values())
        if bare:
            result.remarks.append(
                f"{path.name}: {bare} pictures without annotation are taken as background alone"
            )
        drawn = any(s.kind != "other" for each in entries.values() for s in each.shapes)
        if drawn and result.drawn is None:
            result.drawn = path
        elif drawn:
            result.remarks.append(f"{path.name}: only its labels are used, not its shapes")
    _used(found, {*mine, *xmls})
    lonely = [path for path in jsons if path.stem not in by_stem]
    if lonely:
        _used(found, set(lonely))
        found.aside["drawings that belong to no picture"] += lonely
    if result.labels:
        files = len(mine) + len(xmls)
        result.remarks.insert(
            0, f"labels of {len(result.labels)} pictures are those drawn on them ({files} files)"
        )
    if result.drawn is not None:
        result.remarks.append(
            f"what is drawn is used as cues: cues.drawn is {result.drawn} (null: it is not)"
        )
    return result


def _aside(found: Survey, ending: str) -> list[Path]:
    return sorted(found.aside.get(f"files that are no pictures ({ending})", []))


def _used(found: Survey, used: set[Path]) -> None:
    """Take files off the list of those left aside."""
    for why in list(found.aside):
        found.aside[why] = [path for path in found.aside[why] if path not in used]
        if not found.aside[why]:
            del found.aside[why]
