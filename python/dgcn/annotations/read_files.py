"""Which program wrote a file of annotations, by what is in it, and what is drawn there."""

from __future__ import annotations

import json
from pathlib import Path

from dgcn.annotations.cvat import is_cvat, read_cvat
from dgcn.annotations.drawing import Drawing
from dgcn.annotations.read_coco import is_coco, read_coco
from dgcn.annotations.read_label_studio import is_label_studio, read_label_studio
from dgcn.annotations.read_labelme import is_labelme, read_labelme
from dgcn.data.errors import DataError

__all__ = ["PROGRAMS", "read_drawings", "written_by"]

PROGRAMS = ("LabelMe", "CVAT", "COCO", "Label Studio")


def written_by(path: Path) -> str | None:
    """One of `PROGRAMS`, or None: a file of another kind, or one that cannot be read."""
    if path.suffix.lower() == ".xml":
        return "CVAT" if is_cvat(path) else None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if is_labelme(content):
        return "LabelMe"
    if is_coco(content):
        return "COCO"
    return "Label Studio" if is_label_studio(content) else None


def read_drawings(path: Path) -> dict[str, Drawing]:
    """What a file of one of `PROGRAMS` draws, by the pictures' names without ending.

    A file of LabelMe belongs to the picture of its own name.

    Raises
    ------
    FileNotFoundError
        No such file.
    DataError
        The file is damaged, or no program of these wrote it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    program = written_by(path)
    if program == "LabelMe":
        return {path.stem: read_labelme(path)}
    if path.suffix.lower() == ".xml":
        return read_cvat(path)
    if program == "COCO":
        return read_coco(path)
    if program == "Label Studio":
        return read_label_studio(path)
    raise DataError(f"{path}: is no file of {', '.join(PROGRAMS[:-1])} or {PROGRAMS[-1]}")
