"""Moves on a grid one by one: by the compiled core where it can, by graphs in NumPy elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from graphcut_ext import _core
from graphcut_ext._moves.conditions import is_metric, is_semi_metric

LIMIT = {"i": 2.0**60, "f": float(np.finfo(np.float64).max) / 16}


class Steps(Protocol):
    """Labels that moves change."""

    def expand(self, alpha: int) -> bool:
        """Expand a label; returns whether the energy falls."""

    def swap(self, alpha: int, beta: int, keep_equal: bool) -> bool:
        """Swap two labels, to the fewest alphas of the best; returns whether the energy falls.

        Labels of the same energy are kept if asked.
        """

    def write(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Write the labels into an array and return it."""


class CoreSteps:
    """Moves of the compiled core, which needs no list of edges."""

    def __init__(
        self, costs: NDArray[Any], pairwise: NDArray[Any], labels: NDArray[np.int64]
    ) -> None:
        missing = 3 - labels.ndim
        shape = [1] * missing + list(labels.shape)
        offsets = np.eye(3, dtype=int)[missing:].tolist()
        edges = sum(labels.size // size * (size - 1) for size in labels.shape)
        nodes = np.ascontiguousarray(costs.reshape(labels.size, costs.shape[-1]))
        # The later node's label comes first in PyMaxflow's costs, the earlier one's in the core's.
        ordered = np.ascontiguousarray(pairwise.T[None])
        weights = np.ones(edges, costs.dtype)
        held = _core.MoveProblem(
            None, (shape, offsets), nodes, nodes.shape[1], None, weights, ordered, *[None] * 3
        )
        start = np.ascontiguousarray(labels).ravel()
        self._steps = _core.MoveSteps(held, start, torch.get_num_threads())

    def expand(self, alpha: int) -> bool:
        return self._steps.expand(alpha)

    def swap(self, alpha: int, beta: int, keep_equal: bool) -> bool:
        return self._steps.swap(beta, alpha, keep_equal)

    def write(self, labels: NDArray[Any]) -> NDArray[Any]:
        labels[...] = self._steps.labels().reshape(labels.shape)
        return labels


class ArraySteps:
    """Moves that are functions of labels, which they change and whose energy they return."""

    def __init__(
        self,
        labels: NDArray[Any],
        expand: Callable[[int, NDArray[Any]], Any],
        swap: Callable[[int, int, NDArray[Any]], Any],
    ) -> None:
        self._labels, self._expand, self._swap = labels.copy(), expand, swap
        self._energy: Any = np.inf

    def expand(self, alpha: int) -> bool:
        energy = self._expand(alpha, self._labels)
        fell = bool(energy < self._energy)
        self._energy = min(energy, self._energy)
        return fell

    def swap(self, alpha: int, beta: int, keep_equal: bool) -> bool:
        labels = self._labels.copy()
        energy = self._swap(alpha, beta, labels)
        fell = bool(energy < self._energy)
        if fell or keep_equal:
            self._labels, self._energy = labels, min(energy, self._energy)
        return fell

    def write(self, labels: NDArray[Any]) -> NDArray[Any]:
        labels[...] = self._labels
        return labels


def suits_core(
    costs: NDArray[Any], pairwise: NDArray[Any], labels: NDArray[Any], swaps: bool
) -> bool:
    """Whether every move is a minimum cut whose sums the core can hold."""
    if not 1 <= labels.ndim <= 3 or labels.size == 0:
        return False
    units = float(np.finfo(np.float64).eps) if costs.dtype.kind == "f" else 0.0
    holds = is_semi_metric if swaps else is_metric
    if not holds(torch.from_numpy(np.ascontiguousarray(pairwise)), units):
        return False
    own = np.take_along_axis(costs, labels[..., None].astype(np.int64), -1)
    if not np.isfinite(own).all() or np.isneginf(costs).any():
        return False
    largest = np.abs(np.where(np.isinf(costs), 0, costs).astype(np.float64)).max(-1).sum()
    steepest = float(np.abs(pairwise.astype(np.float64)).max())
    return bool(largest + labels.ndim * labels.size * steepest <= LIMIT[costs.dtype.kind])
