"""The search behind :func:`graphcut_ext.knn` where points have few channels: SciPy's k-d tree.

The tree finds all points in a ball around every point that holds its neighbours; they are measured
again as the core does, so that the result is the same to the last bit, ties included.
"""

from __future__ import annotations

import importlib.util
import itertools

import numpy as np
import torch
from numpy.typing import NDArray

from graphcut_ext._knn.clouds import Clouds, Found, output_dtype
from graphcut_ext._knn.cpu import ROUNDS

MAX_CHANNELS = 4 if ROUNDS else 6
"""Up to so many channels the tree is faster than products (``python -m benchmarks knn``)."""
MIN_POINTS = 20_000
"""The tree is taken from so many points on."""
CROWD = 64
"""The tree is given up where a ball has more points on average, as with many equal distances."""
PART = 1 << 16
"""Points that are looked for at once; between parts Ctrl-C is heard."""
SLACK = 1e-9
"""By so much, relatively, a ball is larger than the distance it must hold: far above rounding."""


def suits_tree(clouds: Clouds) -> bool:
    """Whether the tree is expected to be faster than products of blocks."""
    _, points, channels = clouds.x.shape
    return (
        channels <= MAX_CHANNELS
        and points >= MIN_POINTS
        and clouds.results.shape[1] > 0
        and clouds.lengths is None
        and importlib.util.find_spec("scipy") is not None
    )


def search_tree(clouds: Clouds, k: int) -> Found | None:
    """Neighbours on the CPU, or None where the tree is of no use."""
    batch, results, _ = clouds.results.shape
    distances = np.empty((batch, results, k))
    indices = np.empty((batch, results, k), dtype=np.int64)
    measured = np.empty((batch, results), dtype=np.int64)
    for item in range(batch):
        points = clouds.x[item].double().numpy()
        own = clouds.query is None
        queries = points if clouds.query is None else clouds.query[item].double().numpy()
        peak = max(np.abs(points).max(), np.abs(queries).max())
        if not np.isfinite(peak):
            raise clouds.not_finite()
        rescale = 1.0
        if clouds.x.dtype == torch.float64:  # as the core does, against overflow and underflow
            rescale = float(np.ldexp(1.0, min(480 - int(np.frexp(peak)[1]), 1000)))
        found = _search(points * rescale, queries * rescale, own, k)
        if found is None:
            return None
        undo = 1.0 / rescale
        with np.errstate(over="ignore"):  # distances beyond float64 are infinite
            distances[item] = found[0] * undo * undo
        indices[item], measured[item] = found[1:]
    dtype = output_dtype(clouds.x.dtype)
    return Found(
        torch.from_numpy(distances).to(dtype),
        torch.from_numpy(indices),
        torch.from_numpy(measured),
    )


def _search(
    points: NDArray[np.float64], queries: NDArray[np.float64], own: bool, k: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]] | None:
    from scipy.spatial import cKDTree

    threads = torch.get_num_threads()
    tree = cKDTree(points)
    most = k + own  # a point is found among its own neighbours, at whichever place
    parts = [
        tree.query(queries[at : at + PART], min(most + 1, len(points)), workers=threads)
        for at in range(0, len(queries), PART)
    ]
    reach, near = (np.concatenate(each) for each in zip(*parts, strict=True))
    radius = reach[:, most - 1] * (1 + SLACK)
    # The ball holds only these neighbours where the next one is farther; else it is searched.
    crowded = np.flatnonzero(reach[:, -1] <= radius) if most < len(points) else np.empty(0, int)
    counts = np.full(len(queries), most)
    counts[crowded] = 0
    columns = near[counts > 0, :most].ravel()
    rows = np.repeat(np.arange(len(queries)), counts)
    if len(crowded):
        centres, radius = queries[crowded], radius[crowded]
        inside = tree.query_ball_point(centres, radius, workers=threads, return_length=True)
        if inside.sum() > CROWD * len(queries):
            return None
        balls = tree.query_ball_point(centres, radius, workers=threads)
        counts[crowded] = inside
        rows = np.concatenate([rows, np.repeat(crowded, inside)])
        found = np.fromiter(itertools.chain.from_iterable(balls), np.int64, inside.sum())
        columns = np.concatenate([columns, found])
    if own:
        rows, columns = rows[rows != columns], columns[rows != columns]
        counts -= 1
    squares = _squared_distances(queries, points, rows, columns)
    order = np.lexsort((columns, squares, rows))
    first = np.cumsum(counts) - counts
    nearest = order[first[:, None] + np.arange(k)]
    return squares[nearest], columns[nearest], counts


def _squared_distances(
    queries: NDArray[np.float64],
    points: NDArray[np.float64],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the distances of pairs, summed in the order of the core (its other lanes are zero)."""
    channels = points.shape[1]
    width = 1 << (channels - 1).bit_length()
    lanes = np.zeros((width, len(rows)))
    for channel in range(channels):
        lanes[channel] = np.square(queries[rows, channel] - points[columns, channel])
    width //= 2
    while width > 0:
        lanes[:width] += lanes[width : 2 * width]
        width //= 2
    total: NDArray[np.float64] = lanes[0]
    return total
