"""Kinds of graphs that vision and geometry meet beside photographs: made data, fixed seeds."""

from __future__ import annotations

import itertools

import numpy as np

from benchmarks.families.grid import lattice, photograph, single_precision
from benchmarks.problem import Array, Batch, Problem

DENOISE_SIDE, FLIPPED, DENOISE_LINK = 400, 0.2, 0.6
VOLUME_SIDE, VOLUME_NOISE, VOLUME_LINK = 44, 0.9, 0.3
SCRIBBLE_SIDE = 400
COLUMNS, DEPTH, STEEPEST = 40, 40, 2  # of a surface
FACES, MESH_LINK = 24_000, 2.0
CELL_POINTS = 8_000
HARD = 1_000_000


def blobs(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """(shape) bool: smooth regions, from a coarse field of random numbers."""
    from scipy.ndimage import zoom

    coarse = rng.standard_normal((5,) * len(shape))
    smooth = zoom(coarse, [side / 5 for side in shape], order=3)
    return np.asarray(smooth[tuple(slice(side) for side in shape)] > 0.2)


def denoise(scale: float, graphs: int, seed: int = 0) -> Batch:
    """A binary image with a fifth of its pixels flipped, 4-connected (Greig et al. 1989)."""
    side = max(8, round(DENOISE_SIDE * scale))
    rng = np.random.default_rng(seed)
    seen = blobs((side, side), rng) ^ (rng.random((side, side)) < FLIPPED)
    tail, head, _ = lattice((side, side), [(0, 1), (1, 0)])
    capacity = np.full(len(tail), DENOISE_LINK)
    return Batch((single_precision(tail, head, capacity, seen.ravel(), ~seen.ravel()),))


def volume(scale: float, graphs: int, seed: int = 0) -> Batch:
    """A noisy volume of two grey values, 26-connected, links weighted by contrast."""
    side = max(6, round(VOLUME_SIDE * scale))
    rng = np.random.default_rng(seed)
    shape = (side, side, side)
    values = (blobs(shape, rng) + VOLUME_NOISE * rng.standard_normal(shape)).ravel()
    offsets = [o for o in itertools.product((-1, 0, 1), repeat=3) if o > (0, 0, 0)]
    tail, head, length = lattice(shape, offsets)
    contrast = np.square(values[tail] - values[head])
    capacity = VOLUME_LINK * (0.3 + 0.7 * np.exp(-contrast / 2)) / length
    return Batch((single_precision(tail, head, capacity, values**2, (values - 1) ** 2),))


def scribbles(scale: float, graphs: int, name: str = "coffee") -> Batch:
    """A photograph with scribbles alone, no colour models: a disc against the border, 8-connected.

    The first energy of Boykov and Jolly, ICCV 2001, without regional terms.
    """
    side = max(12, round(SCRIBBLE_SIDE * scale))
    pixels = photograph(name, side).reshape(-1, 3)
    tail, head, length = lattice((side, side), [(0, 1), (1, 0), (1, 1), (1, -1)])
    contrast = np.square(pixels[tail] - pixels[head]).sum(axis=1)
    capacity = np.exp(-contrast / (2 * contrast.mean())) / length + 1e-3
    rows, columns = np.indices((side, side)) / (side - 1) - 0.5
    inside = (np.square(rows) + np.square(columns) < 0.05**2).ravel()
    border = (np.maximum(np.abs(rows), np.abs(columns)) > 0.5 - 2 / side).ravel()
    return Batch((single_precision(tail, head, capacity, 1000.0 * inside, 1000.0 * border),))


def scribbles_in_volume(scale: float, graphs: int, seed: int = 0) -> Batch:
    """A volume with seeds alone: a small ball inside against the border, 6-connected."""
    side = max(8, round(VOLUME_SIDE * scale))
    rng = np.random.default_rng(seed)
    shape = (side, side, side)
    values = (blobs(shape, rng) + 0.3 * rng.standard_normal(shape)).ravel()
    tail, head, _ = lattice(shape, [(0, 0, 1), (0, 1, 0), (1, 0, 0)])
    contrast = np.square(values[tail] - values[head])
    capacity = np.exp(-contrast / (2 * contrast.mean())) + 1e-3
    axes = np.indices(shape) - (side - 1) / 2
    inside = (np.square(axes).sum(axis=0) < 9).ravel()
    border = (np.abs(axes).max(axis=0) > (side - 2) / 2).ravel()
    return Batch((single_precision(tail, head, capacity, 1000.0 * inside, 1000.0 * border),))


def surface(scale: float, graphs: int, seed: int = 0) -> Batch:
    """The best surface through a volume, as a closure (Li, Wu, Chen, Sonka, PAMI 2006).

    Arcs of capacity HARD, for infinite, lead down every column and to the neighbours' columns.
    """
    side, depth = max(4, round(COLUMNS * scale)), max(6, round(DEPTH * scale))
    rng = np.random.default_rng(seed)
    shape = (side, side, depth)
    height = depth / 2 + 2 * np.sin(np.arange(side) / 4)[:, None] + np.cos(np.arange(side) / 5)
    cost = np.abs(np.arange(depth) - height[..., None]).clip(0, 8)
    cost = np.rint(100 * (cost + 2.5 * rng.standard_normal(shape)))
    weight = np.diff(cost, axis=2, prepend=0)
    weight[..., 0] = -HARD // 100
    node = np.arange(weight.size).reshape(shape)
    parts = [(node[..., 1:], node[..., :-1])]
    for a, b in ((node[:-1], node[1:]), (node[:, :-1], node[:, 1:])):
        parts += [(p[..., STEEPEST:], q[..., :-STEEPEST]) for p, q in ((a, b), (b, a))]
    tail = np.concatenate([p.ravel() for p, _ in parts])
    head = np.concatenate([q.ravel() for _, q in parts])
    capacity = np.full(len(tail), HARD, dtype=np.int32)
    return Batch((terminals_of(tail, head, capacity, np.zeros_like(capacity), -weight.ravel()),))


def mesh(scale: float, graphs: int, seed: int = 0) -> Batch:
    """Faces of a closed triangle mesh, joined across edges: three neighbours each."""
    from scipy.spatial import ConvexHull

    rng = np.random.default_rng(seed)
    points = rng.standard_normal((max(12, round(FACES * scale / 2)), 3))
    hull = ConvexHull(points / np.linalg.norm(points, axis=1, keepdims=True))
    centre = hull.points[hull.simplices].mean(axis=1)
    tail, head = pairs_once(hull.neighbors)
    bend = 1 - np.einsum("ij,ij->i", hull.equations[tail, :3], hull.equations[head, :3])
    capacity = MESH_LINK * np.exp(-bend / bend.mean())
    evidence = np.sin(6 * centre[:, 0]) * np.cos(4 * centre[:, 1]) + rng.standard_normal(
        len(centre)
    )
    sides = np.maximum(evidence, 0), np.maximum(-evidence, 0)
    return Batch((single_precision(tail, head, capacity, *sides),))


def visibility(scale: float, graphs: int, seed: int = 0) -> Batch:
    """Cells of a Delaunay tetrahedralisation, inside or outside.

    After Labatut, Pons and Keriven, ICCV 2007. Lines of sight from outside add to the arcs that
    they cross inwards. A few end in wrong cells.
    """
    from scipy.spatial import Delaunay

    rng = np.random.default_rng(seed)
    count = max(20, round(CELL_POINTS * scale))
    points = rng.standard_normal((count, 3))
    points *= (1 + 0.03 * rng.standard_normal((count, 1))) / np.linalg.norm(
        points, axis=1, keepdims=True
    )
    points[: count // 6] = rng.uniform(-1.6, 1.6, (count // 6, 3))
    cells = Delaunay(points)
    radius = np.linalg.norm(points[cells.simplices].mean(axis=1), axis=1)
    tail, head = pairs_once(cells.neighbors)
    crossed = 6.0 * (np.minimum(radius[tail], radius[head]) > 1) + 0.3
    outwards = radius[tail] < radius[head]
    with_sight, against = rng.poisson(crossed), rng.poisson(np.full(len(tail), 0.3))
    forward, backward = (320 * v + 50 for v in (with_sight, against))
    forward, backward = (
        np.where(outwards, a, b) for a, b in ((forward, backward), (backward, forward))
    )
    source = np.where(radius > 1.35, HARD // 10, 0) + 320 * rng.poisson(2.0 * (radius > 1.05))
    sink = 320 * rng.poisson(np.where(radius < 0.97, 3.0, 0.2))
    parts = (a.astype(np.int32) for a in (forward, backward, source, sink))
    return Batch((Problem(tail, head, *parts),))


def pairs_once(neighbours: Array) -> tuple[Array, Array]:
    """(E,) each: pairs of an (N, k) table of neighbours, -1 for none, every pair once."""
    tail = np.repeat(np.arange(len(neighbours)), neighbours.shape[1])
    head = neighbours.ravel().astype(np.int64)
    return tail[tail < head], head[tail < head]


def terminals_of(
    tail: Array, head: Array, forward: Array, backward: Array, supply: Array
) -> Problem:
    """Integer problem whose terminals are the signed ``supply`` (N,)."""
    source, sink = np.maximum(supply, 0), np.maximum(-supply, 0)
    parts = (a.astype(np.int32) for a in (forward, backward, source, sink))
    return Problem(tail, head, *parts)
