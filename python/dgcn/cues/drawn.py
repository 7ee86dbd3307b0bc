"""Cues that people have drawn: strokes, points, boxes and areas, brought to the grid.

Note [Boxes]
    The inside of a box is a candidate. Outside of all boxes is background where every class of the
    image has a box. In a box, GrabCut on a part of the image around it says which pixels are the
    object; they are cues, the rest of the box is left open. Where the cut finds hardly anything, or
    the whole box, a fifth of the box around its middle is taken. Smaller boxes lie above larger
    ones. GrabCut within boxes and inner boxes: Khoreva et al., "Simple does it", CVPR 2017.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dgcn.annotations.drawing import Drawing, Shape, drawn_name
from dgcn.data.errors import DataError
from dgcn.data.masks import VOID, mask_to_grid, read_mask

__all__ = ["drawn_cues", "strokes_to_grid"]

_STROKES = ("points", "line")
_MARGIN = 0.5  # of a box's sides, around it: what GrabCut learns the background from
_SIDE = 160  # pixels at most of what is cut
_LEAST, _MOST = 0.1, 0.98  # of a box that an object may take
_INNER = 0.2  # of a box


def drawn_cues(
    drawing: Path | Drawing,
    image: NDArray[np.uint8],
    names: Sequence[str],
    grid: int,
    *,
    not_drawn: int = VOID,
    labels: Sequence[int] = (),
) -> NDArray[np.bool_]:
    """Cues of one image by what is drawn on it.

    Parameters
    ----------
    drawing : Path or Drawing
        A label image: class ids, 0 the background, `not_drawn` and 255 nothing; or shapes.
    image : numpy.ndarray, shape (H, W, 3), uint8
        The picture, upright.
    names : sequence of str, length L
        Classes by id, the background first.
    grid : int
        Cells a side.
    not_drawn : int, default 255
    labels : sequence of int
        Foreground classes of the image.

    Returns
    -------
    numpy.ndarray, shape (L, grid, grid), bool
        At most one class a cell.

    Raises
    ------
    DataError
        A class is unknown, or one that the image is not labelled with; the drawing is of another
        shape than the image; a shape cannot be placed. The message names the file.
    """
    size = image.shape[:2]
    if isinstance(drawing, Path):
        found = _label_image(drawing, size, len(names), grid, not_drawn)
        where = str(drawing)
    else:
        where = drawing.where
        if drawing.size is not None:
            _require_proportions(where, drawing.size, size)
        found = _shapes(drawing, image, names, grid, labels)
    strangers = set(np.unique(found).tolist()) - {0, VOID, *labels}
    if strangers:
        name = names[min(strangers)]
        raise DataError(
            f"{where}: {name!r} is drawn, with which the image is not labelled: add it to its "
            f"labels, or take it out of the drawing"
        )
    cues: NDArray[np.bool_] = found == np.arange(len(names), dtype=np.uint8)[:, None, None]
    return cues


def strokes_to_grid(drawn: NDArray[np.uint8], grid: int) -> NDArray[np.uint8]:
    """Class ids (grid, grid) of strokes (H, W), 255 where there is none; thin strokes stay.

    Every pixel votes in the cell that is nearest to it, undrawn ones do not. Of equal votes the
    higher class id wins, so that the background yields.
    """
    factor = -(-grid // min(drawn.shape))
    pixels = drawn.repeat(factor, 0).repeat(factor, 1)
    rows, columns = (
        np.rint(np.linspace(0, grid - 1, length)).astype(np.int64) for length in pixels.shape
    )
    cells = rows[:, None] * grid + columns
    set_ = pixels != VOID
    top = int(pixels[set_].max(initial=0)) + 1
    keys = pixels[set_].astype(np.int64) * grid**2 + cells[set_]
    votes = np.bincount(keys, minlength=top * grid**2).reshape(top, grid, grid)
    winner = top - 1 - votes[::-1].argmax(0)
    return np.where(votes.any(0), winner, VOID).astype(np.uint8)


def _label_image(
    path: Path, size: tuple[int, int], classes: int, grid: int, not_drawn: int
) -> NDArray[np.uint8]:
    drawn = read_mask(path)
    if drawn.shape != (grid, grid):
        _require_proportions(str(path), drawn.shape, size)
    drawn = np.where(drawn == not_drawn, VOID, drawn).astype(np.uint8)
    wrong = drawn[(drawn >= classes) & (drawn != VOID)]
    if wrong.size:
        raise DataError(
            f"{path}: holds value {wrong[0]}, class ids are 0..{classes - 1}, and {not_drawn} is "
            f"'not drawn' (cues.not_drawn)"
        )
    if not (drawn != VOID).any():
        raise DataError(f"{path}: nothing is drawn, every value is {not_drawn} or {VOID}")
    return strokes_to_grid(drawn, grid)


def _require_proportions(where: str, drawn: Sequence[int], size: Sequence[int]) -> None:
    if abs(drawn[0] * size[1] - drawn[1] * size[0]) > max(drawn) * max(size) * 0.02:
        raise DataError(
            f"{where}: is drawn on {drawn[1]} x {drawn[0]} pixels, its image (upright, as its EXIF "
            f"orientation says) has {size[1]} x {size[0]}"
        )


def _shapes(
    drawing: Drawing,
    image: NDArray[np.uint8],
    names: Sequence[str],
    grid: int,
    labels: Sequence[int],
) -> NDArray[np.uint8]:
    """Class ids on the grid: boxes below areas below strokes."""
    size = image.shape[:2]
    down, across = (
        (1.0, 1.0)
        if drawing.size is None
        else (size[0] / drawing.size[0], size[1] / drawing.size[1])
    )
    ids = {name: index for index, name in enumerate(names)}
    placed: list[tuple[int, Shape]] = []
    for shape in drawing.shapes:
        name = drawn_name(shape.label)
        if not name or shape.kind == "other":
            continue
        if name not in ids:
            known = ", ".join(names)
            raise DataError(f"{drawing.where}: unknown class {name!r} is drawn; known are {known}")
        points = tuple((x * across, y * down) for x, y in shape.points)
        placed.append((ids[name], Shape(name, shape.kind, points, shape.pixels)))
    areas = np.full(size, VOID, dtype=np.uint8)
    strokes = np.full(size, VOID, dtype=np.uint8)
    filled = [(label, _area(shape, size)) for label, shape in placed if shape.kind in _FILLED]
    for label, pixels in sorted(filled, key=lambda item: -int(item[1].sum())):
        areas[pixels] = label
    for label, shape in placed:
        if shape.kind in _STROKES:
            strokes[_stroke(shape, size)] = label
    boxes = [(label, _corners(shape, size)) for label, shape in placed if shape.kind == "box"]
    marks = np.where(strokes == VOID, areas, strokes)
    found = _boxes(boxes, image, marks, grid, labels)
    for layer in (areas, strokes):
        cells = strokes_to_grid(layer, grid)
        found = np.where(cells == VOID, found, cells)
    if (found == VOID).all():
        raise DataError(f"{drawing.where}: what is drawn lies outside of the image")
    return found


_FILLED = ("polygon", "mask")

Corners = tuple[int, int, int, int]
"""Top, left, and one beyond bottom and right."""


def _area(shape: Shape, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels of a polygon or mask; of one that holds the centre of no pixel, its outline."""
    if shape.pixels is not None:
        (left, top), *_ = shape.points
        pixels = np.zeros(size, dtype=np.bool_)
        y, x = round(top), round(left)
        part = shape.pixels[max(0, -y) :, max(0, -x) :]
        window = pixels[max(0, y) :, max(0, x) :]
        height, width = (min(a, b) for a, b in zip(part.shape, window.shape, strict=True))
        window[:height, :width] = part[:height, :width]
        return pixels
    from pycocotools import mask as coco_mask

    flat = [value for point in shape.points for value in point]
    runs = coco_mask.frPyObjects([flat], *size)
    pixels = coco_mask.decode(runs)[:, :, 0].astype(np.bool_)
    closed = Shape(shape.label, "line", (*shape.points, shape.points[0]))
    return pixels if pixels.any() else _stroke(closed, size)


def _stroke(shape: Shape, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels of points and lines, a pixel wide."""
    canvas = Image.new("1", (size[1], size[0]))
    pen = ImageDraw.Draw(canvas)
    # A point on the right or lower border is of the last pixel.
    points = [
        (math.floor(x) - (x == size[1]), math.floor(y) - (y == size[0])) for x, y in shape.points
    ]
    if shape.kind == "line":
        pen.line(points, fill=1)
    pen.point(points, fill=1)
    return np.array(canvas)


def _corners(shape: Shape, size: tuple[int, int]) -> Corners:
    xs, ys = zip(*shape.points, strict=True)
    top, left = (max(0, math.floor(min(values))) for values in (ys, xs))
    bottom, right = (
        min(length, max(math.ceil(max(values)), math.floor(min(values)) + 1))
        for values, length in zip((ys, xs), size, strict=True)
    )
    return top, left, bottom, right


def _boxes(
    boxes: Sequence[tuple[int, Corners]],
    image: NDArray[np.uint8],
    marks: NDArray[np.uint8],
    grid: int,
    labels: Sequence[int],
) -> NDArray[np.uint8]:
    """Class ids on the grid: see Note [Boxes]."""
    found = np.full((grid, grid), VOID, dtype=np.uint8)
    sound = [(label, box) for label, box in boxes if box[2] > box[0] and box[3] > box[1]]
    if not sound:
        return found
    pixels = np.full(image.shape[:2], VOID, dtype=np.uint8)
    if {label for label, _ in sound} >= set(labels):
        outside = np.ones(image.shape[:2], dtype=np.bool_)
        for _, (top, left, bottom, right) in sound:
            outside[top:bottom, left:right] = False
        pixels[outside] = 0
    sound.sort(key=lambda item: -_size_of(item[1]))
    for label, box in sound:
        top, left, bottom, right = box
        part = pixels[top:bottom, left:right]
        part[...] = VOID
        part[_object(image, box, marks, label)] = label
    found = mask_to_grid(pixels, grid, grid)
    for label, (top, left, bottom, right) in sound:
        # A box between the cells has the cell that is nearest to its middle.
        middle = ((top + bottom - 1) / 2, (left + right - 1) / 2)
        y, x = (
            round(at * (grid - 1) / max(length - 1, 1))
            for at, length in zip(middle, image.shape[:2], strict=True)
        )
        cells = strokes_to_grid(_only(pixels, (top, left, bottom, right)), grid)
        if not (found[cells == label] == label).any():
            found[y, x] = label
    return found


def _only(pixels: NDArray[np.uint8], box: Corners) -> NDArray[np.uint8]:
    top, left, bottom, right = box
    result = np.full_like(pixels, VOID)
    result[top:bottom, left:right] = pixels[top:bottom, left:right]
    return result


def _size_of(box: Corners) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _object(
    image: NDArray[np.uint8], box: Corners, marks: NDArray[np.uint8], label: int
) -> NDArray[np.bool_]:
    """Pixels of a box that are its object, shape of the box."""
    cut = _grab_cut(image, box, marks, label)
    share = 0.0 if cut is None else float(cut.mean())
    if cut is not None and _LEAST <= share <= _MOST:
        return cut
    height, width = box[2] - box[0], box[3] - box[1]
    inner = np.zeros((height, width), dtype=np.bool_)
    side = math.sqrt(_INNER)
    down, across = (max(1, round(side * length)) for length in (height, width))
    y, x = (height - down) // 2, (width - across) // 2
    inner[y : y + down, x : x + across] = True
    return inner


def _grab_cut(
    image: NDArray[np.uint8], box: Corners, marks: NDArray[np.uint8], label: int
) -> NDArray[np.bool_] | None:
    """The object by colours; None where the image is the box, or too little of it is left."""
    import graphcut_ext as gx

    top, left, bottom, right = box
    height, width = bottom - top, right - left
    margins = [max(2, round(_MARGIN * length)) for length in (height, width)]
    y0, x0 = max(0, top - margins[0]), max(0, left - margins[1])
    y1, x1 = min(image.shape[0], bottom + margins[0]), min(image.shape[1], right + margins[1])
    if (y1 - y0) * (x1 - x0) == height * width:
        return None
    scale = min(1.0, _SIDE / max(y1 - y0, x1 - x0))
    rows, columns = (max(1, round(scale * length)) for length in (y1 - y0, x1 - x0))
    picture = Image.fromarray(image[y0:y1, x0:x1])
    small = np.asarray(picture.resize((columns, rows), Image.Resampling.BOX))
    inner = [
        math.floor((top - y0) * scale),
        math.floor((left - x0) * scale),
        min(rows, math.ceil((bottom - y0) * scale)),
        min(columns, math.ceil((right - x0) * scale)),
    ]
    if _size_of((inner[0], inner[1], inner[2], inner[3])) == rows * columns:
        return None
    drawn = np.asarray(
        Image.fromarray(marks[y0:y1, x0:x1]).resize((columns, rows), Image.Resampling.NEAREST)
    )
    seeds = np.select([drawn == label, drawn != VOID], [1, 2], 0).astype(np.uint8)
    mask = gx.segment(small, seeds, box=inner).mask
    whole = Image.fromarray(mask.astype(np.uint8) * 255).resize(
        (x1 - x0, y1 - y0), Image.Resampling.NEAREST
    )
    result: NDArray[np.bool_] = (
        np.asarray(whole)[top - y0 : bottom - y0, left - x0 : right - x0] > 0
    )
    return result
