"""Expansions of many nodes, far from what changed last, against cuts by SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import maximum_flow

import graphcut_ext as gx


def best_expansion(
    ends: np.ndarray, unary: np.ndarray, weight: int, labels: np.ndarray, alpha: int
):
    """What the best labelling costs in which nodes keep their label or take alpha; Potts.

    Ends of different labels that both keep them pay as well: a node of the cut for such an edge,
    joined to both ends and, at the price of the edge, to the side of what keeps its label.
    """
    nodes = len(unary)
    first, second = labels[ends]
    apart = np.flatnonzero(first != second)
    extra = nodes + np.arange(len(apart))
    source, sink = nodes + len(apart), nodes + len(apart) + 1
    own = unary[np.arange(nodes), labels]
    shift = np.minimum(own, unary[:, alpha])
    never = np.full(nodes, 10**6)
    tails, heads, capacities = [], [], []

    def add(tail, head, capacity):
        tail, head, capacity = np.broadcast_arrays(tail, head, capacity)
        tails.append(tail)
        heads.append(head)
        capacities.append(capacity)

    # On the source's side a node takes alpha and pays for it by its edge to the sink.
    everyone = np.arange(nodes)
    add(everyone, sink, unary[:, alpha] - shift)
    add(source, everyone, np.where(labels == alpha, never, own - shift))
    same = np.flatnonzero(first == second)
    for a, b in (ends[:, same], ends[::-1, same]):
        add(a, b, weight)
    for end in (0, 1):
        add(ends[end, apart], extra, weight * (labels[ends[end, apart]] != alpha))
        add(extra, ends[end, apart], weight * (labels[ends[end, apart]] != alpha))
    both_kept = (first[apart] != alpha) & (second[apart] != alpha)
    add(source, extra, weight * both_kept)
    for end in (0, 1):  # an end that is alpha stays; the other pays for keeping its label
        other = ends[1 - end, apart[labels[ends[end, apart]] == alpha]]
        add(source, other, weight)
    graph = coo_array(
        (np.concatenate(capacities), (np.concatenate(tails), np.concatenate(heads))),
        shape=(sink + 1, sink + 1),
    )
    return shift.sum() + maximum_flow(graph.tocsr().astype(np.int32), source, sink).flow_value


def energy(ends: np.ndarray, unary: np.ndarray, weight: int, labels: np.ndarray) -> int:
    own = unary[np.arange(len(unary)), labels].sum()
    return int(own + weight * np.count_nonzero(labels[ends[0]] != labels[ends[1]]))


@pytest.mark.parametrize("seed", range(2))
def test_no_expansion_improves_on_a_strongly_smoothed_picture(seed):
    rng = np.random.default_rng(seed)
    size, labels = 30, 6
    ends = np.asarray(gx.Graph.grid((size, size), 1).edge_index)
    rows, columns = np.mgrid[:size, :size] / size
    level = (labels * (rows + np.sin(5 * columns)) / 2) % labels
    noisy = level.ravel() + rng.normal(0, 1.2, size * size)
    unary = np.rint(20 * np.abs(noisy[:, None] - np.arange(labels))).astype(np.int64)
    weight = 25
    found = gx.alpha_expansion(
        torch.from_numpy(ends),
        torch.from_numpy(unary),
        torch.full((ends.shape[1],), weight),
    )
    final = found.labels.numpy()
    assert found.energy.item() == energy(ends, unary, weight, final)
    best = [best_expansion(ends, unary, weight, final, alpha) for alpha in range(labels)]
    assert best == [found.energy.item()] * labels


def test_a_gain_that_reaches_far_from_the_last_change_is_found():
    """Node 0 leaves label 1, then node 1 may, then a chain of 40 gains by label 2 as a whole.

    In turn, first to last or last to first, the chain's label comes before what makes it gain. No
    part of the chain makes up for the edge that parts it from the rest.
    """
    chain = 40
    ends = torch.stack([torch.arange(chain + 1), torch.arange(1, chain + 2)])
    weights = torch.full((chain + 1,), 50)
    weights[0] = 30
    unary = torch.tensor([[1000, 40, 0], [0, 60, 1000]] + [[1000, 1, 0]] * chain)
    init = torch.ones(chain + 2, dtype=torch.int64)
    found = gx.alpha_expansion(ends, unary, weights, init=init)
    assert found.labels.tolist() == [2, 0] + [2] * chain
    assert found.energy.item() == 80
