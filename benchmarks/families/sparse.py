"""Sparse graphs of combinatorial problems: random ones, matchings, roof duality."""

from __future__ import annotations

import numpy as np

from benchmarks.families.grid import lattice
from benchmarks.problem import Batch, Problem

NODES, LARGEST_LINK, LARGEST_TERMINAL = 50_000, 20, 40
MATCHED, DOUBLED_SIDE = 10_000, 200
HUB_NODES, HUBS = 10_000, 6


def uniform(edges_per_node: int, scale: float, graphs: int, seed: int = 0) -> Batch:
    """One graph of NODES * scale nodes, directed both ways, half of the terminals random."""
    nodes = max(2, round(NODES * scale))
    rng = np.random.default_rng(seed)
    edges = edges_per_node * nodes
    tail, head = rng.integers(nodes, size=(2, edges))
    forward, backward = rng.integers(LARGEST_LINK, size=(2, edges), endpoint=True, dtype=np.int32)
    terminals = rng.integers(LARGEST_TERMINAL, size=(2, nodes), endpoint=True, dtype=np.int32)
    source, sink = terminals * (rng.random((2, nodes)) < 0.5).astype(np.int32)
    return Batch((Problem(tail, head, forward, backward, source, sink),))


def hubs(scale: float, graphs: int, seed: int = 0) -> Batch:
    """A random graph of degree 6 in which a few nodes are joined to a third of all others."""
    nodes = max(HUBS, round(HUB_NODES * scale))
    rng = np.random.default_rng(seed)
    tail, head = rng.integers(nodes, size=(2, 3 * nodes))
    hub = np.repeat(rng.choice(nodes, HUBS, replace=False), nodes // 3)
    tail, head = np.append(tail, hub), np.append(head, rng.integers(nodes, size=len(hub)))
    capacity = rng.integers(1, 1000, size=len(tail), dtype=np.int32)
    capacity[3 * nodes :] //= 20
    supply = rng.integers(-2000, 2000, size=nodes, endpoint=True, dtype=np.int32)
    source, sink = np.maximum(supply, 0), np.maximum(-supply, 0)
    return Batch((Problem(tail, head, capacity, None, source, sink),))


def matching(scale: float, graphs: int, seed: int = 0) -> Batch:
    """The largest matching of a random bipartite graph, four edges for each node on the left."""
    side = max(2, round(MATCHED * scale))
    rng = np.random.default_rng(seed)
    tail = np.repeat(np.arange(side), 4)
    pair = np.unique(tail * side + rng.integers(side, size=len(tail)))
    tail, head = pair // side, side + pair % side
    one = np.ones(len(tail), dtype=np.int32)
    left = (np.arange(2 * side) < side).astype(np.int32)
    return Batch((Problem(tail, head, one, 0 * one, left, 1 - left),))


def roof_duality(scale: float, graphs: int, seed: int = 0) -> Batch:
    """The doubled graph of a binary grid with links of either sign (Boros and Hammer 2002).

    Every pixel has a second node for its complement; a link that wants its ends to differ joins
    each end to the other's complement.
    """
    side = max(4, round(DOUBLED_SIDE * scale))
    pixels = side * side
    rng = np.random.default_rng(seed)
    u, v, _ = lattice((side, side), [(0, 1), (1, 0)])
    weight = np.rint(rng.normal(60, 400, len(u))).astype(np.int32)
    supply = np.rint(rng.normal(0, 900, pixels)).astype(np.int32)
    other = np.where(weight < 0, pixels, 0)
    tail = np.concatenate([u, u + pixels])
    head = np.concatenate([v + other, v + pixels - other])
    capacity = np.abs(np.concatenate([weight, weight]))
    both = np.concatenate([supply, -supply])
    source, sink = np.maximum(both, 0), np.maximum(-both, 0)
    return Batch((Problem(tail, head, capacity, None, source, sink),))
