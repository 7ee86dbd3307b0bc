"""Graphs of many kinds, as many of each as are asked for, that no other family holds.

A draw is a number: seeds, pictures, sizes and strengths follow from it. Even draws are there to
derive rules from, odd ones to check them on: the two halves share no picture and no seed, but
for the one stereo pair.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.families import dimacs, expansion, grid, knn, scenes, sparse
from benchmarks.problem import Array, Batch

# Of scikit-image's wheel; for even draws, for odd draws.
PICTURES = (("astronaut", "chelsea", "retina"), ("hubble_deep_field", "camera", "coins"))
PHOTO_SIDE, CLUSTERS = 320, 6
SEEDS = 1000, 7000  # of the first draw of either half; those of the other families are below


def seed(draw: int) -> int:
    """A seed of its own for every draw."""
    return SEEDS[draw % 2] + draw


def picture(draw: int) -> str:
    """Name of a picture that only draws of this half have."""
    mine = PICTURES[draw % 2]
    return mine[draw // 2 % len(mine)]


def size(draw: int) -> float:
    """Scale of the sides, 0.6 to 1.1."""
    return float(np.random.default_rng(seed(draw)).uniform(0.6, 1.1))


def strength(draw: int, low: float, high: float) -> float:
    """Strength of links, as often in any octave."""
    exponent = np.random.default_rng([SEEDS[draw % 2], draw]).uniform(np.log(low), np.log(high))
    return float(np.exp(exponent))


def photographs(neighbours: int, low: float, high: float, draw: int) -> Batch:
    """A picture, regularised by ``low`` to ``high``."""
    image = grid.photograph(picture(draw), round(PHOTO_SIDE * size(draw)))
    return Batch((grid.segmentation(image, neighbours, strength(draw, low, high)),))


def scribbles(draw: int) -> Batch:
    """A picture with scribbles alone."""
    return scenes.scribbles(size(draw), 1, picture(draw))


def seeded(family: Callable[..., Batch], *arguments: object, draw: int) -> Batch:
    """A family by another seed, and of another size."""
    return family(*arguments, size(draw), 8, seed=seed(draw))


def stereo(draw: int) -> Batch:
    """Moves of stereo matching for the upper half of the pair; for odd draws for the lower one.

    That one is seen in a mirror, where the right picture is the left one.
    """
    left, right = expansion.pair(size(draw))
    middle = len(left) // 2
    if draw % 2 == 0:
        left, right = left[:middle], right[:middle]
    else:
        left, right = right[middle:, ::-1], left[middle:, ::-1]
    cost = expansion.matching_cost(left, right, round(expansion.DISPARITIES * size(draw)))
    return expansion.sweep(left, cost, round(strength(draw, 5, 20)), expansion.JUMP_LIMIT)


def potts(draw: int) -> Batch:
    """Moves of a segmentation by colour, six clusters."""
    image = 255 * grid.photograph(picture(draw), round(PHOTO_SIDE * size(draw)))
    distance = colour_distance(image.reshape(-1, 3), seed(draw))
    cost = np.rint(1000 * np.minimum(distance / distance.min(axis=0).mean(), 12)).astype(np.int64)
    return expansion.sweep(image, cost, round(1000 * strength(draw, 0.3, 5)), limit=1)


def colour_distance(pixels: Array, seed: int) -> Array:
    """(CLUSTERS, N): squared distances to the means of clusters of colours."""
    rng = np.random.default_rng(seed)
    means = pixels[rng.choice(len(pixels), CLUSTERS, replace=False)]
    for _ in range(5):
        distance = np.square(pixels[None] - means[:, None]).sum(axis=2)
        nearest = distance.argmin(axis=0)
        members = [pixels[nearest == k] for k in range(CLUSTERS)]
        means = np.stack(
            [m.mean(axis=0) if len(m) else old for m, old in zip(members, means, strict=True)]
        )
    return np.asarray(np.square(pixels[None] - means[:, None]).sum(axis=2))


KINDS: dict[str, Callable[[int], Batch]] = {
    "neighbours, weighted links": lambda draw: seeded(knn.batch, "weighted", 41, draw=draw),
    "neighbours, unit links": lambda draw: seeded(knn.batch, "unit", 41, draw=draw),
    "photograph, 4 neighbours, weak": partial(photographs, 4, 0.3, 2),
    "photograph, 4 neighbours, medium": partial(photographs, 4, 2, 10),
    "photograph, 4 neighbours, strong": partial(photographs, 4, 10, 80),
    "photograph, 8 neighbours, weak": partial(photographs, 8, 0.3, 2),
    "photograph, 8 neighbours, medium": partial(photographs, 8, 2, 10),
    "photograph, 8 neighbours, strong": partial(photographs, 8, 10, 80),
    "binary denoising": lambda draw: seeded(scenes.denoise, draw=draw),
    "volume, 26 neighbours": lambda draw: seeded(scenes.volume, draw=draw),
    "scribbles on a photograph": scribbles,
    "scribbles in a volume": lambda draw: seeded(scenes.scribbles_in_volume, draw=draw),
    "moves of stereo matching": stereo,
    "Potts moves": potts,
    "surface in a volume": lambda draw: seeded(scenes.surface, draw=draw),
    "mesh": lambda draw: seeded(scenes.mesh, draw=draw),
    "tetrahedra, visibility": lambda draw: seeded(scenes.visibility, draw=draw),
    "matching": lambda draw: seeded(sparse.matching, draw=draw),
    "random graph, 2 edges a node": lambda draw: seeded(sparse.uniform, 2, draw=draw),
    "random graph, 4 edges a node": lambda draw: seeded(sparse.uniform, 4, draw=draw),
    "random graph with hubs": lambda draw: seeded(sparse.hubs, draw=draw),
    "roof duality": lambda draw: seeded(sparse.roof_duality, draw=draw),
    "Washington, random levels": lambda draw: seeded(dimacs.random_level, 64, 128, draw=draw),
    "GENRMF": lambda draw: seeded(dimacs.genrmf, 24, 12, draw=draw),
}
