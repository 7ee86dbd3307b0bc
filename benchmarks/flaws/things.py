"""Things of five kinds, and the flaws that each may have."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.flaws.canvas import (
    SIDE,
    Field,
    blob,
    line,
    noise,
    paint,
    place_in,
    places,
    polygon,
    walk,
)

Painted = tuple[Field, Field]
"""A picture, and the mask of the thing or of its flaw."""


class Kind(NamedTuple):
    """A kind of thing."""

    thing: Callable[[np.random.Generator], Painted]
    flaw: Callable[[np.random.Generator, Field, Field, int], Painted]
    """From a picture, the thing's mask and a number from 0 to 2."""
    flaws: tuple[str, str, str]
    flawless: str
    """The folder of those without."""
    share: float
    """Of the pictures that are flawless."""


def _through(picture: Field, mask: Field, colours: Field) -> Field:
    return picture * (1 - mask[..., None]) + colours * mask[..., None]


def _rough(rng: np.random.Generator, mask: Field, base: float, cells: int, by: float) -> Field:
    return np.asarray(mask * np.clip(base + noise(rng, cells, by), 0, 1))


def _leaf(rng: np.random.Generator) -> Painted:
    grey = np.array([rng.uniform(150, 215)] * 3) + rng.normal(0, 8, 3)
    picture = grey + noise(rng, 5, 30)[..., None] + noise(rng, 40, 10)[..., None]
    length, width = rng.uniform(85, 110), rng.uniform(38, 58)
    angle = rng.uniform(-0.6, 0.6) + math.pi / 2 * rng.integers(2)
    x, y = SIDE / 2 + rng.uniform(-14, 14), SIDE / 2 + rng.uniform(-14, 14)
    along = np.linspace(-1, 1, 40)
    across = width * (1 - along**2) ** rng.uniform(0.8, 1.2) * (1 - 0.2 * along)
    cos, sin = math.cos(angle), math.sin(angle)

    def at(u: float, v: float) -> tuple[float, float]:
        return x + u * cos - v * sin, y + u * sin + v * cos

    upper = [at(length * u, v) for u, v in zip(along, across, strict=True)]
    lower = [at(length * u, -v) for u, v in zip(along[::-1], across[::-1], strict=True)]
    mask = polygon(upper + lower)
    green = np.array([rng.uniform(40, 90), rng.uniform(110, 160), rng.uniform(30, 70)])
    colours = green + noise(rng, 6, 30)[..., None] + noise(rng, 30, 16)[..., None]
    shadow = np.roll(np.roll(mask, 6, 0), 5, 1)
    picture = _through(picture * (1 - 0.25 * shadow[..., None]), mask, colours)
    picture = paint(picture, 0.6 * line([at(-length, 0), at(length, 0)], 3) * mask, green + 45)
    for u in np.linspace(-0.8, 0.7, 8):
        for side in (-1, 1):
            vein = line([at(length * u, 0), at(length * (u + 0.25), side * width)], 1.5)
            picture = paint(picture, 0.4 * vein * mask, green + 40)
    return picture, mask


def _leaf_flaw(rng: np.random.Generator, picture: Field, mask: Field, kind: int) -> Painted:
    found = np.zeros((SIDE, SIDE))
    for _ in range(rng.integers(*((6, 22), (1, 4), (2, 6))[kind])):
        x, y = place_in(rng, mask)
        if kind == 0:
            radius = rng.uniform(2, 6)
            spot = blob(rng, x, y, radius) * (mask > 0.5)
            picture = paint(picture, 0.9 * spot, [150 + rng.normal() * 10, 75, 30])
        elif kind == 1:
            spot = blob(rng, x, y, rng.uniform(10, 24), 0.5) * (mask > 0.5)
            middle = blob(rng, x, y, 4) * spot
            picture = paint(picture, 0.85 * spot, [85, 62, 40])
            picture = paint(picture, 0.6 * middle, [130, 110, 80])
        else:
            spot = blob(rng, x, y, rng.uniform(8, 20), 0.6) * (mask > 0.5)
            picture = paint(picture, 0.6 * _rough(rng, spot, 0.7, 40, 0.6), [228, 230, 222])
        found = np.maximum(found, spot)
    return picture, found


def _capsule(rng: np.random.Generator) -> Painted:
    picture = np.array([232, 230, 226.0]) + rng.normal(0, 4, 3) + noise(rng, 4, 10)[..., None]
    angle = rng.uniform(-0.15, 0.15)
    x, y = SIDE / 2 + rng.uniform(-6, 6), SIDE / 2 + rng.uniform(-6, 6)
    length, radius = 82 + rng.normal() * 2, 40 + rng.normal() * 1
    columns, rows = places()
    cos, sin = math.cos(angle), math.sin(angle)
    u = (columns - x) * cos + (rows - y) * sin
    v = -(columns - x) * sin + (rows - y) * cos
    straight = length - radius
    mask = np.clip(0.5 - (np.hypot(np.maximum(np.abs(u) - straight, 0), v) - radius), 0, 1)
    beside = np.hypot(np.maximum(np.abs(u - 4) - straight, 0), v - 7)
    shadow = np.clip(1 - beside / (radius + 8), 0, 1)
    picture = picture * (1 - 0.4 * np.minimum(shadow * 4, 1)[..., None])
    red = np.array([196, 64, 32.0]) + rng.normal(0, 6, 3)
    black = np.array([40, 34, 36.0]) + rng.normal(0, 4, 3)
    colours = np.where((u < 0)[..., None], red, black)
    colours = colours * (1.15 - 0.55 * np.abs(v / radius) ** 1.6)[..., None]
    gleam = np.exp(-(((v + radius * 0.45) / 5) ** 2)) * (np.abs(u) < length - radius * 0.8)
    picture = _through(picture, mask, colours + 70 * gleam[..., None])
    picture = paint(picture, 0.5 * np.exp(-((u / 1.5) ** 2)) * mask, [90, 60, 50])
    for stroke in range(5):
        left = -50 + stroke * 9
        ends = [
            (x + left * cos, y + left * sin - 6),
            (x + (left + 5) * cos, y + (left + 5) * sin + 6),
        ]
        picture = paint(picture, 0.8 * line(ends, 2) * mask, [240, 235, 220])
    return picture, mask


def _capsule_flaw(rng: np.random.Generator, picture: Field, mask: Field, kind: int) -> Painted:
    x, y = place_in(rng, mask, 14)
    if kind == 0:
        found = blob(rng, x, y, rng.uniform(7, 13), 0.3)
        columns, rows = places()
        slope = np.clip(((columns - x) + (rows - y)) / 20, -1, 1)
        return picture + (found * slope * 60)[..., None] - (found * 20)[..., None], found
    if kind == 1:
        path = walk(rng, x, y, int(rng.integers(4, 9)), 7, 0.25)
        found = line(path, rng.uniform(1.5, 3)) * (mask > 0.5)
        return paint(picture, 0.75 * found, [225, 215, 205]), found
    found = blob(rng, x, y, rng.uniform(8, 15), 0.6) * (mask > 0.5)
    return paint(picture, 0.5 * _rough(rng, found, 0.8, 20, 0.6), [120, 130, 60]), found


_CHIPS = ((-70, -50, 44, 30), (-10, -55, 30, 30), (40, -50, 34, 20), (-60, 10, 30, 44))
_CHIPS += ((0, 5, 50, 34),)


def _board(rng: np.random.Generator) -> Painted:
    picture = np.array([222, 220, 214.0]) + rng.normal(0, 4, 3) + noise(rng, 4, 10)[..., None]
    angle = rng.uniform(-0.06, 0.06)
    x, y = SIDE / 2 + rng.uniform(-5, 5), SIDE / 2 + rng.uniform(-5, 5)
    cos, sin = math.cos(angle), math.sin(angle)

    def at(u: float, v: float) -> tuple[float, float]:
        return x + u * cos - v * sin, y + u * sin + v * cos

    def box(left: float, top: float, right: float, bottom: float) -> Field:
        return polygon([at(left, top), at(right, top), at(right, bottom), at(left, bottom)])

    mask = box(-95, -75, 95, 75)
    green = np.array([24, 96, 52.0]) + rng.normal(0, 5, 3)
    picture = _through(picture, mask, green + noise(rng, 30, 10)[..., None])
    layout = np.random.default_rng(5)  # of all boards
    for _ in range(26):
        u, v = layout.uniform(-88, 88), layout.uniform(-68, 68)
        path = [at(u, v)]
        for _ in range(3):
            if layout.random() < 0.5:
                u = float(np.clip(u + layout.uniform(-40, 40), -90, 90))
            else:
                v = float(np.clip(v + layout.uniform(-40, 40), -70, 70))
            path.append(at(u, v))
        picture = paint(picture, 0.7 * line(path, 2) * mask, green + 45)
    for left, top, width, height in _CHIPS:
        picture = paint(picture, box(left, top, left + width, top + height), [34, 34, 38])
        label = box(left + 3, top + 4, left + width * 0.6, top + 7)
        picture = paint(picture, 0.6 * label, [150, 150, 150])
        for leg in np.arange(left + 2, left + width - 2, 6):
            picture = paint(picture, box(leg, top - 5, leg + 3, top), [190, 190, 185])
            bottom = top + height
            picture = paint(picture, box(leg, bottom, leg + 3, bottom + 5), [190, 190, 185])
    for part in range(4):
        picture = paint(picture, box(62, -10 + part * 18, 80, -2 + part * 18), [188, 150, 96])
    return picture, mask


def _board_flaw(rng: np.random.Generator, picture: Field, mask: Field, kind: int) -> Painted:
    x, y = place_in(rng, mask, 16)
    if kind == 0:
        found = polygon([(x - 9, y - 6), (x + 9, y - 6), (x + 9, y + 6), (x - 9, y + 6)])
        pad = polygon([(x - 9, y - 6), (x - 5, y - 6), (x - 5, y + 6), (x - 9, y + 6)])
        return paint(paint(picture, found, [30, 100, 56]), 0.8 * pad, [200, 196, 180]), found
    if kind == 1:
        found = blob(rng, x, y, rng.uniform(5, 9), 0.4)
        return paint(picture, 0.95 * found, [205, 208, 212]), found
    found = blob(rng, x, y, rng.uniform(10, 18), 0.5)
    return paint(picture, 0.75 * found, [40, 24, 14]), found


def _nut(rng: np.random.Generator) -> Painted:
    picture = np.array([70, 72, 78.0]) + rng.normal(0, 4, 3)
    picture = picture + noise(rng, 5, 12)[..., None] + noise(rng, 60, 8)[..., None]
    x, y = SIDE / 2 + rng.uniform(-25, 25), SIDE / 2 + rng.uniform(-25, 25)
    radius = rng.uniform(72, 84)
    angle = rng.random() * 6.28
    sixths = [angle + corner * math.pi / 3 for corner in range(6)]
    corners = [(x + radius * math.cos(each), y + radius * math.sin(each)) for each in sixths]
    columns, rows = places()
    far = np.hypot(columns - x, rows - y)
    hole = np.clip(radius * 0.45 - far, 0, 1)
    mask = polygon(corners) * (1 - hole)
    light = rng.random() * 6.28
    slope = ((columns - x) * math.cos(light) + (rows - y) * math.sin(light)) / radius
    grey = 165 + 25 * slope + 10 * np.sin(far * 1.2) + noise(rng, 8, 14)
    grey = grey + np.exp(-(((far - radius * 0.55) / 3) ** 2)) * 40
    picture = _through(picture, mask, grey[..., None] * np.array([1, 0.98, 0.94]))
    picture = paint(picture, 0.8 * hole, [28, 28, 30])
    thread = np.exp(-(((far - radius * 0.42) / 2) ** 2))
    return paint(picture, 0.5 * thread, [120, 118, 112]), mask


def _nut_flaw(rng: np.random.Generator, picture: Field, mask: Field, kind: int) -> Painted:
    x, y = place_in(rng, mask, 5)
    if kind == 0:
        path = walk(rng, x, y, int(rng.integers(4, 8)), 6, 0.15)
        found = line(path, rng.uniform(1.5, 2.5)) * (mask > 0.5)
        return paint(picture, 0.8 * found, [235, 235, 235]), found
    if kind == 1:
        found = blob(rng, x, y, rng.uniform(8, 18), 0.6) * (mask > 0.5)
        return paint(picture, 0.7 * _rough(rng, found, 0.8, 30, 0.8), [140, 70, 30]), found
    found = blob(rng, x, y, rng.uniform(6, 11), 0.4) * (mask > 0.5)
    return paint(picture, 0.7 * found, [60, 130, 70]), found


def _fruit(rng: np.random.Generator) -> Painted:
    columns, rows = places()
    wood = np.array([168, 122, 78.0]) + rng.normal(0, 8, 3)
    grain = 14 * np.sin((rows + noise(rng, 4, 40)) * 0.25) + noise(rng, 50, 14)
    picture = wood + grain[..., None]
    radius = rng.uniform(68, 88)
    x, y = SIDE / 2 + rng.uniform(-22, 22), SIDE / 2 + rng.uniform(-22, 22)
    mask = blob(rng, x, y, radius, 0.08)
    far = np.hypot((columns - x - 12) / 1.1, rows - y - 16)
    shadow = np.clip(1 - far / (radius * 1.05), 0, 1)
    picture = picture * (1 - 0.45 * np.minimum(3 * shadow, 1)[..., None])
    ripe = rng.random()
    colour = np.array([190, 40, 36]) * (1 - ripe) + np.array([190, 180, 60]) * ripe
    lit = np.hypot(columns - x + radius * 0.3, rows - y + radius * 0.35) / radius
    freckles = noise(rng, 14, 40) + noise(rng, 40, 16)
    colours = colour * (1.25 - 0.5 * lit)[..., None]
    colours = colours + freckles[..., None] * np.array([1, 0.6, 0.2])
    colours = colours + (80 * np.exp(-((lit / 0.16) ** 2)))[..., None]
    picture = _through(picture, mask, colours)
    stalk = line([(x, y - radius * 0.2), (x + 6, y - radius * 0.75)], 5)
    return paint(picture, stalk, [84, 60, 34]), mask


def _fruit_flaw(rng: np.random.Generator, picture: Field, mask: Field, kind: int) -> Painted:
    if kind == 0:
        x, y = place_in(rng, mask, 14)
        found = blob(rng, x, y, rng.uniform(12, 24), 0.4) * (mask > 0.5)
        return paint(picture, 0.6 * found, [96, 66, 34]), found
    if kind == 1:
        found = np.zeros((SIDE, SIDE))
        for _ in range(rng.integers(5, 14)):
            x, y = place_in(rng, mask)
            spot = blob(rng, x, y, rng.uniform(2.5, 6)) * (mask > 0.5)
            picture = paint(picture, 0.85 * spot, [52, 44, 36])
            found = np.maximum(found, spot)
        return picture, found
    x, y = place_in(rng, mask, 12)
    found = blob(rng, x, y, rng.uniform(9, 18), 0.6) * (mask > 0.5)
    return paint(picture, 0.8 * _rough(rng, found, 0.7, 60, 0.8), [214, 220, 214]), found


KINDS = {
    "leaves": Kind(_leaf, _leaf_flaw, ("rust", "blight", "mildew"), "healthy", 0.25),
    "capsules": Kind(_capsule, _capsule_flaw, ("dent", "scratch", "stain"), "good", 0.4),
    "boards": Kind(_board, _board_flaw, ("missing", "bridge", "burn"), "good", 0.4),
    "nuts": Kind(_nut, _nut_flaw, ("scratch", "rust", "paint"), "good", 0.3),
    "fruit": Kind(_fruit, _fruit_flaw, ("bruise", "scab", "mould"), "normal", 0.35),
}
"""Every kind of thing by name."""
