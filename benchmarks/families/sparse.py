"""Sparse random graphs, which have no geometry."""

from __future__ import annotations

import numpy as np

from benchmarks.problem import Batch, Problem

NODES, LARGEST_LINK, LARGEST_TERMINAL = 50_000, 20, 40


def uniform(edges_per_node: int, scale: float, graphs: int) -> Batch:
    """One graph of NODES * scale nodes, directed both ways, half of the terminals random."""
    nodes = max(2, round(NODES * scale))
    rng = np.random.default_rng(0)
    edges = edges_per_node * nodes
    tail, head = rng.integers(nodes, size=(2, edges))
    forward, backward = rng.integers(LARGEST_LINK, size=(2, edges), endpoint=True, dtype=np.int32)
    terminals = rng.integers(LARGEST_TERMINAL, size=(2, nodes), endpoint=True, dtype=np.int32)
    source, sink = terminals * (rng.random((2, nodes)) < 0.5).astype(np.int32)
    return Batch((Problem(tail, head, forward, backward, source, sink),))
