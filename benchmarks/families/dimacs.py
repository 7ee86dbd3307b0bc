"""Networks of the first DIMACS challenge, with their source and sink nodes made terminals."""

from __future__ import annotations

import itertools

import numpy as np

from benchmarks.problem import Array, Batch, Problem

LARGEST = 10_000  # random capacities are uniform in 1 .. LARGEST
OUT_DEGREE = 3  # of a random level graph


def genrmf(side: int, frames: int, scale: float, graphs: int, seed: int = 0) -> Batch:
    """RMF networks of Goldfarb and Grigoriadis (Ann. Oper. Res. 13, 1988).

    ``frames`` frames of ``side`` x ``side`` nodes; grid neighbours in a frame are joined both ways
    by LARGEST * side^2, and a random permutation joins each frame to the next by random capacities.
    The source is the first node of the first frame, the sink the last of the last.
    """
    side, frames = max(2, round(side * scale)), max(2, round(frames * scale))
    rng = np.random.default_rng(seed)
    node = np.arange(frames * side * side).reshape(frames, side, side)
    beside = [(node[:, :, :-1], node[:, :, 1:]), (node[:, :-1], node[:, 1:])]
    one_way = [np.stack([a.ravel(), b.ravel()]) for a, b in beside]
    in_frame = np.concatenate([*one_way, *(arcs[::-1] for arcs in one_way)], axis=1)
    layers = node.reshape(frames, -1)
    onward = np.concatenate(
        [np.stack([a, rng.permutation(b)]) for a, b in itertools.pairwise(layers)],
        axis=1,
    )
    capacity = np.concatenate(
        [
            np.full(in_frame.shape[1], LARGEST * side * side),
            rng.integers(1, LARGEST, onward.shape[1], endpoint=True),
        ]
    )
    tail, head = np.concatenate([in_frame, onward], axis=1)
    return Batch((between_terminals(tail, head, capacity, node.size),))


def random_level(width: int, levels: int, scale: float, graphs: int, seed: int = 0) -> Batch:
    """Anderson's random level graphs of the Washington generator.

    Each node has arcs of random capacity to three nodes of the next level. Source and sink join all
    nodes of the first and last level, by capacities that those arcs cannot exceed on leaving.
    """
    width, levels = max(OUT_DEGREE, round(width * scale)), max(2, round(levels * scale))
    rng = np.random.default_rng(seed)
    heads = distinct(rng, (levels - 1, width), width)
    level = np.arange(levels - 1)[:, None, None]
    tail = np.broadcast_to(level * width + np.arange(width)[:, None], heads.shape).ravel()
    head = ((level + 1) * width + heads).ravel()
    capacity = rng.integers(1, LARGEST, len(tail), endpoint=True).astype(np.int32)
    source = np.zeros(levels * width, dtype=np.int32)
    sink = np.zeros_like(source)
    source[:width] = sink[-width:] = OUT_DEGREE * LARGEST
    return Batch((Problem(tail, head, capacity, np.zeros_like(capacity), source, sink),))


def distinct(rng: np.random.Generator, shape: tuple[int, ...], count: int) -> Array:
    """(..., OUT_DEGREE): different numbers below ``count``, every choice equally likely."""
    chosen = rng.integers(count, size=(*shape, OUT_DEGREE))
    while True:
        ordered = np.sort(chosen, axis=-1)
        repeated = (ordered[..., 1:] == ordered[..., :-1]).any(axis=-1)
        if not repeated.any():
            return chosen
        chosen[repeated] = rng.integers(count, size=(repeated.sum(), OUT_DEGREE))


def between_terminals(tail: Array, head: Array, capacity: Array, nodes: int) -> Problem:
    """Directed arcs as a problem: arcs out of the source and into the sink become terminals.

    The source is node 0, the sink node ``nodes - 1``. Arcs into the source and out of the sink
    carry no flow and are left out.
    """
    source, sink = np.zeros((2, nodes - 2), dtype=np.int32)
    leaves, enters = tail == 0, head == nodes - 1
    if (leaves & enters).any():
        raise ValueError("an arc joins the terminals")
    np.add.at(source, head[leaves] - 1, capacity[leaves])
    np.add.at(sink, tail[enters] - 1, capacity[enters])
    inner = ~(leaves | enters | (head == 0) | (tail == nodes - 1))
    kept = capacity[inner].astype(np.int32)
    return Problem(tail[inner] - 1, head[inner] - 1, kept, np.zeros_like(kept), source, sink)
