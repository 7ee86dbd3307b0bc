"""A small data set drawn by rule, for demonstrations and tests.

Note [What makes the set weakly supervised in earnest]
    Every object has a *core*, a patch with the pattern of its class, and a *body* that shows the
    pattern faintly, in a colour of its class's family; families are wide, some objects wear another
    class's colours, and the background has patches of like colours. A classifier that sees image
    labels only therefore settles on the cores, as it does on the heads of animals. With a receptive
    field of about a quarter of the image its activation maps leave out much of the bodies, which
    a graph over features can still join to the core; a wider field smears the maps over the
    object's surroundings instead.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dgcn.data.folder import FolderDataset
from dgcn.data.lists import BACKGROUND
from dgcn.data.masks import write_mask
from dgcn.data.shapes import SHAPES, Field
from dgcn.data.textures import MARKS, background, hsv, smooth_noise

__all__ = ["SYNTHETIC_CLASSES", "draw_scene", "write_synthetic"]

SYNTHETIC_CLASSES: tuple[str, ...] = (BACKGROUND, *SHAPES)
"""``background`` and the five shapes."""

_SMALLEST = 32
_HUES = {"disc": 0.01, "square": 0.59, "triangle": 0.35, "star": 0.14, "ring": 0.82}
_HUE_SPREAD = 0.06
_BORROWED_HUE = 0.3
_FAINT = 0.6  # contrast of the pattern on the body
_NEIGHBOUR = 0.65
_VISIBLE = 0.55
_TRIES = 60


@dataclass(frozen=True)
class _Pose:
    """Where an object lies: centre and radius in pixels, angle in radians."""

    row: float
    column: float
    radius: float
    angle: float

    def window(self, size: int) -> tuple[slice, slice]:
        """The part of an image of a side that the object can touch."""
        reach = 1.2 * self.radius + 2
        rows = slice(max(0, int(self.row - reach)), min(size, int(self.row + reach) + 1))
        columns = slice(max(0, int(self.column - reach)), min(size, int(self.column + reach) + 1))
        return rows, columns

    def frame(self, window: tuple[slice, slice]) -> tuple[Field, Field]:
        """Coordinates of the window's pixels in the object's frame: two fields."""
        rows, columns = np.ogrid[window]
        down, right = (rows - self.row) / self.radius, (columns - self.column) / self.radius
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        return cosine * right + sine * down, cosine * down - sine * right


def draw_scene(seed: int, index: int, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw one image of one to three objects, and its mask.

    Parameters
    ----------
    seed, index : int
        Not negative; together they decide the picture. ``index % 5`` decides the class of the first
        object, so that the classes are balanced.
    size : int
        Side in pixels, at least 32.

    Returns
    -------
    image : numpy.ndarray, shape (size, size, 3), uint8
    mask : numpy.ndarray, shape (size, size), uint8
        0 is background, 1..5 are disc, square, triangle, star, ring. At least 55 % of every object
        stays visible.

    Raises
    ------
    ValueError
        ``seed`` or ``index`` is negative, or ``size`` is below 32.
    """
    for name, value, least in (("seed", seed, 0), ("index", index, 0), ("size", size, _SMALLEST)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    rng = np.random.default_rng([seed, index])
    scene = background(rng, size)
    owner = np.full((size, size), -1, dtype=np.int64)
    mask = np.zeros((size, size), dtype=np.uint8)
    poses: list[_Pose] = []
    areas: list[int] = []
    names = list(SHAPES)
    for number in range(int(rng.integers(1, 4))):
        label = index % len(names) if number == 0 else int(rng.integers(len(names)))
        name = names[label]
        placed = _place(rng, name, size, poses, owner, areas)
        if placed is None:
            continue
        pose, window, distance = placed
        inside = distance < 0
        owner[window][inside] = len(poses)
        mask[window][inside] = label + 1
        poses.append(pose)
        areas.append(int(inside.sum()))
        cover = np.clip(0.5 - distance * pose.radius, 0, 1)[..., None]
        scene[window] += cover * (_surface(rng, name, pose, size) - scene[window])
    scene += 0.015 * rng.standard_normal(scene.shape)
    return np.round(255 * np.clip(scene, 0, 1)).astype(np.uint8), mask


def write_synthetic(
    root: str | os.PathLike[str],
    *,
    images: int = 200,
    val_images: int = 50,
    size: int = 161,
    seed: int = 0,
) -> FolderDataset:
    """Draw a data set of textured shapes and write it as a plain folder.

    Five classes (disc, square, triangle, star, ring) lie on textured backgrounds, one to three to a
    image, often touching or covering one another. Image labels, masks, class names and both
    splits are written. The folder appears under its name only when complete.

    Parameters
    ----------
    root : path
        A folder that does not exist or is empty; missing parents are made.
    images : int, default 200
        Training images, at least 1.
    val_images : int, default 50
        Validation images; 0 = no ``val.txt``.
    size : int, default 161
        Side in pixels, at least 32.
    seed : int, default 0
        Not negative. The same arguments give the same pixels, and the first images do not depend
        on how many follow.

    Returns
    -------
    FolderDataset

    Raises
    ------
    FileExistsError
        ``root`` is a file or a folder that is not empty.
    ValueError
        An argument is out of range.
    """
    for name, value, least in (
        ("images", images, 1),
        ("val_images", val_images, 0),
        ("size", size, _SMALLEST),
        ("seed", seed, 0),
    ):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    root = Path(root)
    if root.exists() and not root.is_dir():
        raise FileExistsError(f"root is a file: {root}")
    if root.is_dir() and any(root.iterdir()):
        raise FileExistsError(f"root is not empty: {root}")
    root.parent.mkdir(parents=True, exist_ok=True)
    partial = root.with_name(f".{root.name}.{uuid.uuid4().hex}.partial")
    try:
        _write(partial, images, val_images, size, seed)
        if root.is_dir():
            root.rmdir()
        os.replace(partial, root)
    finally:
        rmtree(partial, ignore_errors=True)
    return FolderDataset(root)


def _write(root: Path, images: int, val_images: int, size: int, seed: int) -> None:
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    lines = ["image,labels"]
    # Odd and even seeds of the two splits never meet.
    for split, count, split_seed in (
        ("train", images, 2 * seed),
        ("val", val_images, 2 * seed + 1),
    ):
        stems = [f"{split}_{index:05d}" for index in range(count)]
        for index, stem in enumerate(stems):
            image, mask = draw_scene(split_seed, index, size)
            Image.fromarray(image).save(root / "images" / f"{stem}.png", compress_level=3)
            write_mask(root / "masks" / f"{stem}.png", mask)
            present = [SYNTHETIC_CLASSES[label] for label in np.unique(mask) if label]
            lines.append(f"{stem}.png,{' '.join(present)}")
        if stems:
            (root / f"{split}.txt").write_text("\n".join(stems) + "\n", encoding="utf-8")
    names = "\n".join(SYNTHETIC_CLASSES) + "\n"
    (root / "classes.txt").write_text(names, encoding="utf-8")
    (root / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _place(
    rng: np.random.Generator,
    name: str,
    size: int,
    poses: list[_Pose],
    owner: NDArray[np.int64],
    areas: list[int],
) -> tuple[_Pose, tuple[slice, slice], Field] | None:
    """Find room: the pose, its window and signed distance there (in radii); None if there is none.

    Every object, the new one in the frame included, keeps at least `_VISIBLE` of its area.
    """
    for _ in range(_TRIES):
        radius = size * rng.uniform(0.19, 0.33)
        if poses and rng.random() < _NEIGHBOUR:
            other = poses[int(rng.integers(len(poses)))]
            reach = rng.uniform(0.75, 1.1) * (other.radius + radius)
            turn = rng.uniform(0, 2 * np.pi)
            row, column = other.row + reach * np.sin(turn), other.column + reach * np.cos(turn)
        else:
            row, column = rng.uniform(0, size, 2)
        pose = _Pose(float(row), float(column), float(radius), float(rng.uniform(0, 2 * np.pi)))
        margin = 0.7 * radius
        if not (margin < row < size - margin and margin < column < size - margin):
            continue
        window = pose.window(size)
        distance = SHAPES[name](*pose.frame(window))
        covered = np.bincount(owner[window][distance < 0] + 1, minlength=len(poses) + 1)[1:]
        if all(_keeps(owner, k, int(covered[k]), areas[k]) for k in range(len(poses))):
            return pose, window, distance
    return None


def _keeps(owner: NDArray[np.int64], which: int, covered: int, area: int) -> bool:
    return covered == 0 or int((owner == which).sum()) - covered >= _VISIBLE * area


def _surface(rng: np.random.Generator, name: str, pose: _Pose, size: int) -> Field:
    """Colours of an object in its window, as if it filled it: shape (rows, columns, 3)."""
    family = name if rng.random() >= _BORROWED_HUE else str(rng.choice(list(_HUES)))
    hue = _HUES[family] + rng.uniform(-_HUE_SPREAD, _HUE_SPREAD)
    saturation, value = rng.uniform(0.45, 0.75), rng.uniform(0.5, 0.85)
    x, y = pose.frame(pose.window(size))
    shade = 0.82 + 0.3 * smooth_noise(rng, x.shape, 3)
    shade += 0.03 * rng.standard_normal(x.shape)
    turn = rng.uniform(0, 2 * np.pi)
    off, reach = (0.7, 0.5) if name == "ring" else (rng.uniform(0, 0.3), rng.uniform(0.36, 0.46))
    outside = np.hypot(x - off * np.cos(turn), y - off * np.sin(turn)) - reach
    outside += 0.25 * (smooth_noise(rng, x.shape, 5) - 0.5)
    core = np.clip(0.5 - outside * pose.radius / 2, 0, 1)[..., None]

    pitch = size * rng.uniform(0.042, 0.056) / pose.radius
    ink = hsv(hue + rng.uniform(-0.03, 0.03), 0.8, rng.uniform(0.12, 0.28))
    paper = hsv(hue, rng.uniform(0.1, 0.3), rng.uniform(0.88, 1.0))
    pattern = MARKS[name](x / pitch, y / pitch)[..., None]
    body = hsv(hue, saturation, value) * shade[..., None] * (1 - _FAINT * pattern)
    mark: Field = ink * pattern + paper * (1 - pattern)
    return np.asarray(body * (1 - core) + core * mark)
