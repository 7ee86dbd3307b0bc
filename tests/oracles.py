"""Slow, independent answers to compare with."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow


@dataclass
class Problem:
    """One graph with terminals; arrays of float64 or int64."""

    edge_index: np.ndarray  # (2, E)
    capacity: np.ndarray  # (E,)
    reverse: np.ndarray  # (E,)
    source: np.ndarray  # (N,)
    sink: np.ndarray  # (N,)

    @property
    def nodes(self) -> int:
        return len(self.source)

    def reversed(self) -> Problem:
        """Return the graph with all arcs the other way round, terminals included."""
        return Problem(self.edge_index, self.reverse, self.capacity, self.sink, self.source)

    def cost(self, side: np.ndarray) -> float:
        """Capacity of the cut that leaves ``side`` (N,) bool with the source."""
        total = self.source[~side].sum() + self.sink[side].sum()
        tail, head = side[self.edge_index[0]], side[self.edge_index[1]]
        return total + self.capacity[tail & ~head].sum() + self.reverse[head & ~tail].sum()


def brute_force(problem: Problem) -> tuple[float, np.ndarray]:
    """Value and minimal source set by trying every labelling.

    Minimum cuts are a lattice, so the intersection of all optimal source sets is optimal.
    """
    best, meet = np.inf, np.ones(problem.nodes, dtype=bool)
    for labels in itertools.product((False, True), repeat=problem.nodes):
        side = np.array(labels, dtype=bool)
        cost = problem.cost(side)
        if cost < best:
            best, meet = cost, side
        elif cost == best:
            meet = meet & side
    return best, meet


def scipy_mincut(problem: Problem) -> tuple[int, np.ndarray]:
    """Value and minimal source set by SciPy's maximum flow; integer capacities only."""
    n = problem.nodes
    s, t = n, n + 1
    node = np.arange(n)
    tail, head = problem.edge_index
    rows = np.concatenate([tail, head, np.full(n, s), node])
    columns = np.concatenate([head, tail, node, np.full(n, t)])
    values = np.concatenate([problem.capacity, problem.reverse, problem.source, problem.sink])
    dense = np.zeros((n + 2, n + 2), dtype=np.int64)
    np.add.at(dense, (rows, columns), values.astype(np.int64))
    np.fill_diagonal(dense, 0)
    result = maximum_flow(csr_array(dense.astype(np.int32)), s, t)
    residual = csr_array(dense - result.flow.toarray())
    residual.eliminate_zeros()
    reached = breadth_first_order(residual, s, return_predecessors=False)
    side = np.zeros(n + 2, dtype=bool)
    side[reached] = True
    return int(result.flow_value), side[:n]
