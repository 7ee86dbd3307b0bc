"""Stereo matching by expansion moves: the minimum cuts of one sweep over eight disparities."""

from __future__ import annotations

import numpy as np
import torch

import graphcut_ext as gx
from benchmarks.families.grid import lattice
from benchmarks.problem import Array, Batch, Problem

MOVES = 8
SHRINK = 2  # the pair has 500 x 741 pixels and disparities up to 60
DISPARITIES = 32
COST_LIMIT = 60  # of the mean absolute colour difference, 0..255
JUMP_LIMIT, JUMP_COST, FLAT_CONTRAST = 2, 10, 8


def stereo(scale: float, graphs: int) -> Batch:
    """The motorcycle pair of the Middlebury 2014 set, bundled with scikit-image, at half size.

    Moves start from the disparities of least cost, each from the result of the one before.
    """
    left, right = pair(scale)
    labels = max(2, round(DISPARITIES * scale))
    cost = matching_cost(left, right, labels)  # (labels, N) int64
    return sweep(left, cost, JUMP_COST, JUMP_LIMIT)


def sweep(image: Array, cost: Array, jump_cost: int, limit: int) -> Batch:
    """MOVES moves over a labelling of ``image`` (rows, columns, 3) of least ``cost`` (labels, N).

    Neighbours with other labels pay ``jump_cost``, twice where the image is flat, for each step
    from one label to the other, and for ``limit`` steps at most: 1 is Potts.
    """
    tail, head, _ = lattice(image.shape[:2], [(0, 1), (1, 0)])
    colour = image.reshape(-1, 3)
    contrast = np.abs(colour[tail] - colour[head]).mean(axis=1)
    weight = np.where(contrast < FLAT_CONTRAST, 2 * jump_cost, jump_cost)
    current = cost.argmin(axis=0)
    moves = min(MOVES, len(cost))
    problems = []
    for move in range(moves):
        alpha = (2 * move + 1) * len(cost) // (2 * moves)
        problem = expansion_move(current, alpha, cost, tail, head, weight, limit)
        problems.append(problem)
        current = np.where(source_side(problem), current, alpha)
    return Batch(tuple(problems))


def pair(scale: float) -> tuple[Array, Array]:
    """Left and right image, (rows, columns, 3) float64 in 0..255."""
    import skimage.data
    import skimage.transform

    left, right, _ = skimage.data.stereo_motorcycle()
    shape = tuple(max(8, round(side * scale / SHRINK)) for side in left.shape[:2])
    shrunk = (skimage.transform.resize(i / 1.0, shape, anti_aliasing=True) for i in (left, right))
    return next(shrunk), next(shrunk)


def matching_cost(left: Array, right: Array, labels: int) -> Array:
    """(labels, N) int64: truncated colour difference to the pixel ``label`` further left."""
    cost = np.full((labels, *left.shape[:2]), COST_LIMIT, dtype=np.int64)
    for d in range(labels):
        difference = np.abs(left[:, d:] - right[:, : right.shape[1] - d]).mean(axis=2)
        cost[d, :, d:] = np.minimum(np.rint(difference), COST_LIMIT)
    return cost.reshape(labels, -1)


def expansion_move(
    labels: Array,
    alpha: int,
    cost: Array,
    tail: Array,
    head: Array,
    weight: Array,
    limit: int = JUMP_LIMIT,
) -> Problem:
    """The move as a minimum cut: nodes that end on the sink side take the label ``alpha``.

    With x = 1 for taking alpha, a pair costs A, B, C, 0 for (0, 0), (0, 1), (1, 0), (1, 1), that is
    A + (C - A) x_p - C x_q + (B + C - A) (1 - x_p) x_q: two unaries and one arc p -> q
    (Kolmogorov and Zabih, PAMI 2004), no auxiliary node. B + C >= A, the costs being a metric.
    """

    def jump(a: Array, b: Array | int) -> Array:
        return np.asarray(weight * np.minimum(np.abs(a - b), limit))

    here, there = labels[tail], labels[head]
    stay, enter, leave = jump(here, there), jump(here, alpha), jump(there, alpha)
    unary = cost[alpha] - cost[labels, np.arange(len(labels))]
    np.add.at(unary, tail, leave - stay)
    np.subtract.at(unary, head, leave)
    capacity = (enter + leave - stay).astype(np.int32)
    source, sink = np.maximum(unary, 0), np.maximum(-unary, 0)
    return Problem(
        tail, head, capacity, np.zeros_like(capacity), *(t.astype(np.int32) for t in (source, sink))
    )


def source_side(problem: Problem) -> Array:
    """(N,) bool."""
    ends = torch.from_numpy(np.stack([problem.tail, problem.head]))
    capacity, reverse, source, sink = map(
        torch.from_numpy, (problem.capacity, problem.backward, problem.source, problem.sink)
    )
    cut = gx.maxflow(ends, capacity, source, sink, reverse_capacity=reverse, solver="bk")
    return np.asarray(cut.source_side.numpy())
