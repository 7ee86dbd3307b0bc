"""The legend of the classes as a picture, and the text in pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dgcn.report.colours import class_colours

__all__ = ["INK", "PAPER", "QUIET", "Font", "font_of", "legend", "shortened", "with_legend"]

PAPER = (250, 250, 251)
INK = (28, 32, 42)
QUIET = (112, 119, 133)
_SWATCH = 16

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


def legend(
    classes: Sequence[str],
    width: int,
    *,
    only: Sequence[int] | None = None,
    unlabelled: bool = True,
    margin: int = 28,
) -> Image.Image:
    """Swatches and names, wrapped: a picture of the given width.

    Parameters
    ----------
    classes : sequence of str
        Class names by id.
    width : int
    only : sequence of int or None, default None
        Ids to show; None: every class.
    unlabelled : bool, default True
        Whether "no label" is explained.
    margin : int, default 28
        Pixels left free at both sides.
    """
    font = font_of(15, "".join(classes))
    colours = class_colours(len(classes))
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    entries: list[tuple[str, tuple[int, ...] | None]] = [
        (classes[index], tuple(map(int, colours[index])))
        for index in (range(len(classes)) if only is None else only)
    ]
    if unlabelled:
        entries.append(("no label", None))
    positions: list[tuple[float, int]] = []
    left, line = float(margin), 0
    names = [
        shortened(measure, name, font, width - 2 * margin - _SWATCH - 7) for name, _ in entries
    ]
    for name in names:
        needed = _SWATCH + 7 + measure.textlength(name, font)
        if left > margin and left + needed > width - margin:
            left, line = float(margin), line + 1
        positions.append((left, line))
        left += needed + 20
    picture = Image.new("RGB", (width, 26 * (line + 1) + 6), PAPER)
    draw = ImageDraw.Draw(picture)
    for name, (_, colour), (left, line) in zip(names, entries, positions, strict=True):
        middle = 26 * line + 13
        box = (left, middle - _SWATCH / 2, left + _SWATCH, middle + _SWATCH / 2)
        draw.rounded_rectangle(box, 4, colour or PAPER, None if colour else QUIET)
        draw.text((left + _SWATCH + 7, middle), name, INK, font, anchor="lm")
    return picture


def with_legend(
    image: NDArray[np.uint8], classes: Sequence[str], only: Sequence[int]
) -> NDArray[np.uint8]:
    """A picture (H, W, 3) with the legend of some classes below it, at least 200 pixels wide."""
    height, width = image.shape[:2]
    below = legend(classes, max(width, 200), only=only, unlabelled=False, margin=8)
    sheet = Image.new("RGB", (below.width, height + 6 + below.height), PAPER)
    sheet.paste(Image.fromarray(image), (0, 0))
    sheet.paste(below, (0, height + 6))
    return np.asarray(sheet)


def shortened(draw: ImageDraw.ImageDraw, text: str, font: Font, length: float) -> str:
    """The text, or its beginning and an ellipsis, at most `length` pixels long."""
    if draw.textlength(text, font) <= length:
        return text
    while text and draw.textlength(text + "…", font) > length:
        text = text[:-1]
    return text + "…"


def font_of(size: int, text: str) -> Font:
    """A font at a size in pixels that has the letters of a text.

    Pillow's own, which has no letters but English ones, or else matplotlib's: European alphabets.
    """
    if all(letter.isascii() or letter == "…" for letter in text):
        return ImageFont.load_default(size)
    return ImageFont.truetype(str(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), size)
