"""The bindings of the compiled core with sound arguments, in order, for odd_calls.py."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from graphcut_ext import _core

Binding = tuple[Callable[..., object], list[Any]]
KERNELS = (2.0, 1.0, 5.0, 0.5, 2.0)


class Sizes:
    """Small sizes, and arrays of values that the callers would let through."""

    def __init__(self, draw: random.Random) -> None:
        self.values = np.random.default_rng(draw.randrange(1 << 30))
        self.n, self.e = draw.randint(1, 6), draw.randint(0, 8)
        self.k, self.c = draw.randint(1, 3), draw.randint(1, 4)
        self.threads = draw.choice((1, 2))

    def f32(self, *shape: int) -> np.ndarray[Any, Any]:
        """Between 0 and 1."""
        return self.values.random(shape, dtype=np.float32)

    def whole(self, high: int, *shape: int) -> np.ndarray[Any, Any]:
        """Below `high`."""
        return self.values.integers(0, high, shape)


def cuts(s: Sizes) -> list[Binding]:
    """Batches of cuts, on the CPU and by the blocks of the kernels."""
    n, e, k = s.n, s.e, s.k
    lists = [s.whole(n, 1, n, k), s.f32(1, n, k), s.f32(1, 1, n), s.f32(1, 1, n)]
    sides = np.zeros((1, 1, n), np.bool_)
    return [
        (
            _core.solve_edge_list,
            [
                *(s.whole(n, 2, e), s.f32(1, e), None, s.f32(1, n), s.f32(1, n), None),
                *(np.zeros((1, 1)), np.zeros((1, n), np.bool_), None, "auto", s.threads),
            ],
        ),
        (
            _core.write_value_gradient,
            [
                *(s.whole(n, 2, e), s.whole(2, 1, n).astype("?"), np.ones(1), True),
                *(s.f32(1, e), s.f32(1, e), s.f32(1, n), s.f32(1, n)),
            ],
        ),
        (_core.solve_knn, [*lists, np.zeros((1, 1)), sides, "auto", s.threads]),
        (
            _core.solve_knn_emulated,
            [
                *(*lists, np.zeros((1, 1)), sides, np.zeros((1, 1), np.int32)),
                *(np.zeros((1, 1, 3), np.int32), 32, "ascending", 0),
            ],
        ),
    ]


def graphs(s: Sizes) -> list[Binding]:
    """One graph, by a method of each."""
    built = _core.Graph("float32")
    built.add_nodes(s.n)
    ends, capacity = (s.whole(s.n, 3), s.whole(s.n, 3)), s.f32(3)
    built.add_edges(*ends, capacity, capacity)
    built.solve(True, s.threads)
    offsets = [(0, 0, 1), (0, 1, 0)]
    return [
        (built.add_edges, [*ends, s.f32(3), s.f32(3)]),
        (built.add_terminals, [s.whole(s.n, 2), s.f32(2), s.f32(2)]),
        (built.set_terminals, [s.whole(s.n, 2), s.f32(2), None]),
        (built.set_capacities, [s.whole(3, 2), s.f32(2), s.f32(2)]),
        (
            _core.Graph("float32").add_grid,
            [(1, 3, s.n), offsets, s.f32(3 * (s.n - 1) + 2 * s.n), None],
        ),
    ]


def moves(s: Sizes) -> list[Binding]:
    """A problem, and moves on it."""
    labels = s.k + 1

    def minimised(*given: Any) -> None:
        _, start, *problem = given
        made = _core.MoveProblem(*problem)
        _core.make_moves(made, start, "expansion", 2, "auto", s.threads)
        _core.MoveSteps(made, start, 1).expand(0)

    potts = np.stack([1.0 - np.eye(labels)] * 2)
    start = np.zeros(s.n, np.int64)
    listed = [s.whole(s.n, 2, s.e), None]
    grid = [None, ((1, 2, s.n), ((0, 0, 1), (0, 1, 0)))]
    weights, of_grid = np.ones(s.e), np.ones(2 * (s.n - 1) + s.n)
    unary, wide = s.f32(s.n, labels).astype("f8"), s.f32(2 * s.n, labels).astype("f8")
    chosen = np.tile(np.arange(labels), (s.n, 1))
    sets = (np.ones(3), s.f32(3, labels) < 0.5)
    tables = s.whole(2, s.e)
    return [
        (minimised, [0, start, *listed, unary, labels, None, weights, potts[:1], None, *sets]),
        (minimised, [0, start, *listed, unary, labels, chosen, weights, potts, tables, *sets]),
        (
            minimised,
            [0, np.zeros(2 * s.n, np.int64), *grid, wide, labels, *(None, of_grid, *[None] * 4)],
        ),
    ]


def fields(s: Sizes) -> list[Binding]:
    """The dense CRF of images and of features."""
    c, n = s.c, s.n
    scores, image = s.f32(1, 2, c, n), s.f32(1, 3, c, n)
    field = _core.FeatureField(c, n, [s.f32(2, n)], [1.0], [None], ["symmetric"], s.threads)

    def made(feature: Any, matrix: Any) -> None:
        _core.FeatureField(c, n, [feature], [1.0], [matrix], ["none"], s.threads)

    return [
        (
            _core.dense_crf,
            [scores, 0.0, image, None, 2, KERNELS, np.zeros_like(scores), s.threads],
        ),
        (
            _core.dense_crf_gradient,
            [
                *(scores, 0.0, image, s.f32(2, 2), 2, KERNELS, s.f32(1, 2, c, n)),
                *(np.zeros_like(scores), np.zeros((1, 2, 2, 2)), s.threads),
            ],
        ),
        (_core.bounds, [image]),
        (made, [s.f32(2, n), s.f32(c, c)]),
        (field.infer, [s.f32(c, n), 0.0, s.f32(c, n), 2, s.f32(c, n)]),
        (
            field.differentiate,
            [s.f32(c, n), 0.0, 2, s.f32(c, n), s.f32(c, n), np.zeros((1, c, c))],
        ),
        (field.message, [s.f32(c, n), True, s.f32(c, n)]),
    ]


def searches(s: Sizes) -> list[Binding]:
    """Neighbours in every way."""
    n, k, c = s.n, s.k, s.c
    x, norm, rescale = s.f32(1, n, c), s.f32(1, n), np.ones(1)
    found = [np.zeros((1, n, k), np.float32), np.zeros((1, n, k), np.int64)]
    found.append(np.zeros((1, n), np.int64))
    panels = -(-n // _core.KNN_PANEL)
    pairs = np.zeros((1, panels, -(-c // 2), _core.KNN_PANEL), np.int32)
    rounded = [pairs, norm, s.f32(1, n), s.f32(1)]
    return [
        (_core.knn_center, [x, np.empty_like(x), norm, rescale, s.threads]),
        (_core.knn_search_directly, [x, n, *found]),
        (_core.knn_search_tree, [x, n, np.full(1, n), *found, s.threads]),
        (
            _core.knn_add_gradient,
            [x, None, s.whole(n, 1, n, k), s.f32(1, n, k), np.zeros_like(x), None, s.threads],
        ),
        (_core.knn_multiply_rounded_half, [pairs, c, s.f32(1, n, n), s.threads]),
        (
            _core.knn_select,
            [x, norm, rescale, None, s.f32(1, n, n), 0, 0, 0.0, *found, s.threads],
        ),
        (
            _core.knn_select_emulated,
            [x, norm, rescale, None, s.f32(1, n, n), 0, 0.0, *found, False],
        ),
        (
            _core.knn_search_tiles_emulated,
            [x, x.copy(), norm, rescale, None, n, *found, False],
        ),
        (_core.knn_center_rounded, [x, *rounded, rescale, n, s.threads]),
        (_core.knn_search_rounded, [x, *rounded, rescale, None, n, *found, 1 << 20, s.threads]),
    ]


def sound(draw: random.Random) -> Binding:
    """A binding and its arguments."""
    return draw.choice(draw.choice((cuts, graphs, moves, fields, searches))(Sizes(draw)))
