"""What people draw on pictures: shapes with the name of a class, and tags of the whole picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dgcn.data.lists import BACKGROUND

__all__ = ["Drawing", "Kind", "Points", "Shape", "drawn_name", "ellipse", "pairs"]

Kind: TypeAlias = Literal["points", "line", "box", "polygon", "mask", "other"]
Points: TypeAlias = tuple[tuple[float, float], ...]

_BACKGROUND = frozenset({BACKGROUND, "_background_", "__background__"})
_IGNORED = frozenset({"__ignore__"})


@dataclass(frozen=True)
class Shape:
    """One shape.

    Attributes
    ----------
    label : str
        As written.
    kind : {"points", "line", "box", "polygon", "mask", "other"}
        "other": a kind that says what is in the picture, but not where.
    points : tuple of (float, float)
        (x, y) in pixels; pixel (i, j) is the square from (i, j) to (i + 1, j + 1). Of a box two
        opposite corners, of a mask its first pixel.
    pixels : numpy.ndarray, shape (h, w), bool, or None
        Of a mask.
    """

    label: str
    kind: Kind
    points: Points
    pixels: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Drawing:
    """What is drawn on one picture.

    Attributes
    ----------
    where : str
        File, and place in it, for messages.
    shapes : tuple of Shape
    tags : tuple of str
        Classes of the whole picture.
    size : (int, int) or None
        Height and width of the picture, as the file says them.
    """

    where: str
    shapes: tuple[Shape, ...]
    tags: tuple[str, ...] = ()
    size: tuple[int, int] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the foreground classes in it, sorted."""
        named = (drawn_name(name) for name in [*(s.label for s in self.shapes), *self.tags])
        return tuple(sorted({name for name in named if name and name != BACKGROUND}))


def drawn_name(label: str) -> str:
    """The class that a label names: LabelMe's ways to write the background too; "" for ignored."""
    name = label.strip()
    if name.lower() in _BACKGROUND:
        return BACKGROUND
    return "" if name in _IGNORED else name


def ellipse(x: float, y: float, across: float, down: float, angle: float = 0.0) -> Points:
    """Corners of a polygon for an ellipse: centre, half axes, radians clockwise as it is seen."""
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    along = np.stack([across * np.cos(turn), down * np.sin(turn)])
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return pairs((rotation @ along).T + np.array([x, y]))


def pairs(values: NDArray[np.float64] | Iterable[Sequence[Any]]) -> Points:
    """Points as tuples of numbers."""
    return tuple((float(x), float(y)) for x, y in values)
