"""Families of problems with fixed seeds, one module per kind."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.families import dimacs, expansion, grid, knn, scenes, sparse
from benchmarks.problem import Batch

# generate(scale, graphs): ``scale`` multiplies the sides of every graph; ``graphs`` is the size of
# a batch of K-nearest-neighbour graphs and means nothing to the other families.
Generate = Callable[[float, int], Batch]

FAMILIES: dict[str, Generate] = {
    "knn41": partial(knn.batch, "weighted", 41),
    "dgcn41": partial(knn.batch, "unit", 41),
    "knn161": partial(knn.single, 161),
    "knn321": partial(knn.single, 321),
    "photo4": partial(grid.photographs, 4),
    "photo8": partial(grid.photographs, 8),
    "sphere3d": grid.sphere,
    "stereo": expansion.stereo,
    "random2": partial(sparse.uniform, 2),
    "random4": partial(sparse.uniform, 4),
    "genrmf-long": partial(dimacs.genrmf, 11, 128),
    "genrmf-wide": partial(dimacs.genrmf, 48, 7),
    "washington-long": partial(dimacs.random_level, 64, 256),
    "washington-wide": partial(dimacs.random_level, 256, 64),
    "denoise4": scenes.denoise,
    "scribbles8": scenes.scribbles,
    "mesh": scenes.mesh,
    "matching": sparse.matching,
    "hubs": sparse.hubs,
    "volume26": scenes.volume,
    "surface": scenes.surface,
    "visibility": scenes.visibility,
    "roof-duality": sparse.roof_duality,
    "scribbles3d": scenes.scribbles_in_volume,
}

# Not for tuning: no rule and no constant of the core may be chosen by what these show.
HELD_OUT = frozenset({"volume26", "surface", "visibility", "roof-duality", "scribbles3d"})
