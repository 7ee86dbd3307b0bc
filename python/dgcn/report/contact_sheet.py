"""A sheet of pictures: one row an image, one column a stage, and the legend of the classes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dgcn.atomic import atomic_file
from dgcn.report.colours import class_colours
from dgcn.report.legend import INK, PAPER, QUIET, font_of, legend, shortened

__all__ = ["Row", "contact_sheet"]

_RULE = (222, 225, 231)
_EMPTY = (238, 239, 243)
_MARGIN = 28
_GAP = 10
_CAPTION = 30
_ROW_GAP = 16

_Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Row:
    """One image of a sheet.

    Attributes
    ----------
    name : str
        Caption at the left, for instance the image's name.
    panels : mapping from title to numpy.ndarray, shape (H, W, 3), uint8
        Pictures by column title; a column may be missing. See `overlay` and `heat`.
    note : str
        Quiet caption at the right, for instance a score.
    labels : sequence of int
        Class ids shown beside the name as coloured chips.
    """

    name: str
    panels: Mapping[str, NDArray[np.uint8]]
    note: str = ""
    labels: Sequence[int] = field(default=())


def contact_sheet(
    rows: Sequence[Row],
    path: str | os.PathLike[str],
    classes: Sequence[str],
    *,
    columns: Sequence[str] | None = None,
    title: str = "",
    panel: int = 240,
) -> Path:
    """Write a sheet of pictures as PNG.

    Parameters
    ----------
    rows : sequence of Row
    path : path
        Ends in ``.png``; missing folders are made. The file appears only when complete.
    classes : sequence of str
        Class names by id, for the legend.
    columns : sequence of str, optional
        Titles in order from left to right; default: in the order in which the rows bring them.
    title : str
        Headline.
    panel : int, default 240
        Width of a picture in pixels, at least 80. A row is as high as its first picture makes it.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    TypeError
        A panel is not uint8.
    ValueError
        There is no row or no column, a row's panel has no column, is not (H, W, 3), a label is no
        class id, or ``panel`` or ``path`` is unsuitable.
    """
    path = Path(path)
    titles = _titles(rows, columns)
    _check(rows, titles, classes, panel, path)
    width = max(2 * _MARGIN + len(titles) * panel + (len(titles) - 1) * _GAP, 420)
    heights = [_row_height(row, titles, panel) for row in rows]
    key = legend(classes, width)
    head = _MARGIN + (44 if title else 0)
    body = head + key.height + 44
    total = body + sum(heights) + len(rows) * (_CAPTION + _ROW_GAP) + _MARGIN - _ROW_GAP

    sheet = Image.new("RGB", (width, total), PAPER)
    draw = ImageDraw.Draw(sheet)
    if title:
        font = font_of(26, title)
        text = shortened(draw, title, font, width - 2 * _MARGIN)
        draw.text((_MARGIN, _MARGIN - 6), text, INK, font)
    sheet.paste(key, (0, head))
    top = head + key.height
    draw.line((_MARGIN, top + 4, width - _MARGIN, top + 4), _RULE, 1)
    for number, name in enumerate(titles):
        left = _MARGIN + number * (panel + _GAP)
        font = font_of(17, name)
        text = shortened(draw, name, font, panel)
        draw.text((left + panel / 2, top + 25), text, INK, font, anchor="mm")
    top = body
    colours = class_colours(len(classes))
    for row, height in zip(rows, heights, strict=True):
        _draw_caption(draw, row, classes, colours, (_MARGIN, top, width - _MARGIN, top + _CAPTION))
        for number, name in enumerate(titles):
            left = _MARGIN + number * (panel + _GAP)
            _draw_panel(sheet, row.panels.get(name), (left, top + _CAPTION), (panel, height))
        top += _CAPTION + height + _ROW_GAP

    with atomic_file(path) as file:
        sheet.save(file, format="PNG")
    return path


def _titles(rows: Sequence[Row], columns: Sequence[str] | None) -> tuple[str, ...]:
    if columns is not None:
        return tuple(columns)
    return tuple(dict.fromkeys(name for row in rows for name in row.panels))


def _check(
    rows: Sequence[Row], titles: tuple[str, ...], classes: Sequence[str], panel: int, path: Path
) -> None:
    if not rows:
        raise ValueError("rows must hold at least one row")
    if not titles:
        raise ValueError("columns must hold at least one title")
    if panel < 80:
        raise ValueError(f"panel must be at least 80 pixels, got {panel}")
    if path.suffix.lower() != ".png":
        raise ValueError(f"path must end in .png, got {path.name!r}")
    for row in rows:
        for name, picture in row.panels.items():
            where = f"rows: panel {name!r} of {row.name!r}"
            if name not in titles:
                raise ValueError(f"{where} is in no column; columns are {', '.join(titles)}")
            if picture.dtype != np.uint8:
                raise TypeError(f"{where} must be uint8, got {picture.dtype}")
            if picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
                raise ValueError(f"{where} must have shape (H, W, 3), got {picture.shape}")
        for label in row.labels:
            if not 0 <= label < len(classes):
                raise ValueError(f"rows: label {label} of {row.name!r} is not a class id")


def _row_height(row: Row, titles: tuple[str, ...], panel: int) -> int:
    shapes = [row.panels[name].shape for name in titles if name in row.panels]
    if not shapes:
        return panel // 2
    height = round(panel * int(shapes[0][0]) / int(shapes[0][1]))
    return min(max(height, panel // 4), 2 * panel)


def _draw_caption(
    draw: ImageDraw.ImageDraw,
    row: Row,
    classes: Sequence[str],
    colours: NDArray[np.uint8],
    box: _Box,
) -> None:
    left, top, right, bottom = box
    middle = (top + bottom) / 2
    if row.note:
        font = font_of(15, row.note)
        note = shortened(draw, row.note, font, (right - left) / 2)
        draw.text((right, middle), note, QUIET, font, anchor="rm")
        right -= draw.textlength(note, font) + 16
    font = font_of(17, row.name)
    name = shortened(draw, row.name, font, right - left)
    draw.text((left, middle), name, INK, font, anchor="lm")
    left += draw.textlength(name, font) + 14
    for label in row.labels:
        font = font_of(13, classes[label])
        length = draw.textlength(classes[label], font) + 16
        if left + length > right:
            break
        colour = tuple(int(part) for part in colours[label])
        chip = (left, middle - 10, left + length, middle + 10)
        draw.rounded_rectangle(chip, 10, colour)
        ink = INK if _is_light(colour) else PAPER
        draw.text((left + length / 2, middle), classes[label], ink, font, anchor="mm")
        left += length + 6


def _draw_panel(
    sheet: Image.Image,
    picture: NDArray[np.uint8] | None,
    corner: tuple[int, int],
    size: tuple[int, int],
) -> None:
    if picture is None:
        frame = Image.new("RGB", size, _EMPTY)
        middle = (size[0] / 2, size[1] / 2)
        text = "not given"
        ImageDraw.Draw(frame).text(middle, text, QUIET, font_of(14, text), anchor="mm")
    else:
        photograph = Image.fromarray(np.ascontiguousarray(picture))
        frame = photograph.resize(size, Image.Resampling.LANCZOS)
    sheet.paste(frame, corner)


def _is_light(colour: tuple[int, ...]) -> bool:
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 125
