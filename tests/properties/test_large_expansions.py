"""No expansion lowers the energy of a result, on graphs large enough for cuts near changes.

The best expansion of each label is a minimum cut of SciPy's: V. Kolmogorov, R. Zabih, "What energy
functions can be minimized via graph cuts?", TPAMI 2004; with costs of labels as A. Delong, A.
Osokin, H. Isack, Y. Boykov, "Fast approximate energy minimization with label costs", IJCV 2012.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import maximum_flow

import graphcut_ext as gx

FOREVER = 1 << 29


class Scene:
    """Integer costs of a grid of side x side nodes with some edges across it."""

    def __init__(self, seed: int, side: int, labels: int, truncation: int, opening: int) -> None:
        rng = np.random.default_rng(seed)
        place = np.arange(side * side).reshape(side, side)
        across = rng.integers(0, side * side, (2, side))
        rows = np.stack([place[:, :-1].ravel(), place[:, 1:].ravel()])
        columns = np.stack([place[:-1].ravel(), place[1:].ravel()])
        self.edge_index = np.concatenate([rows, columns, across[:, across[0] != across[1]]], 1)
        self.weights = rng.integers(1, 12, self.edge_index.shape[1])
        centres = rng.integers(0, labels, (side // 4 + 1, side // 4 + 1))
        truth = centres.repeat(4, 0)[:side].repeat(4, 1)[:, :side].ravel()
        steps = np.arange(labels)
        distance = abs(steps[:, None] - steps)
        self.unary = 4 * np.minimum(distance[truth], 3) + rng.integers(0, 16, (side * side, labels))
        self.pairwise = np.minimum(distance, truncation)
        self.opening = rng.integers(0, opening + 1, labels)

    def energy(self, labels: np.ndarray) -> int:
        head, tail = labels[self.edge_index]
        own = self.unary[np.arange(len(labels)), labels].sum()
        shared = (self.weights * self.pairwise[head, tail]).sum()
        return int(own + shared + self.opening[np.unique(labels)].sum())

    def best_expansion(self, labels: np.ndarray, alpha: int) -> int:
        """The least energy one expansion away, the present one among them."""
        nodes, used = len(labels), np.unique(labels)
        source, sink = nodes, nodes + 1
        own = self.unary[:, alpha] - self.unary[np.arange(nodes), labels]
        first, second = self.edge_index
        a, b = labels[first], labels[second]
        keep, one, other = (self.pairwise[p, q] for p, q in ((a, b), (a, alpha), (alpha, b)))
        arcs = [(first, second, self.weights * (one + other - keep))]
        np.add.at(own, first, self.weights * (other - keep))
        np.add.at(own, second, -self.weights * other)
        total = self.energy(labels) + int(np.minimum(own, 0).sum())
        every = np.arange(nodes)
        arcs.append((np.full(nodes, source), every, np.maximum(own, 0)))
        arcs.append((every, np.full(nodes, sink), np.maximum(-own, 0)))
        # Its own cost is left out: where it comes into use, it is added below.
        closing = [label for label in used if label != alpha]
        for at, label in enumerate(closing, start=nodes + 2):
            users = np.flatnonzero(labels == label)
            arcs.append((users, np.full(len(users), at), np.full(len(users), FOREVER)))
            arcs.append((np.array([at]), np.array([sink]), self.opening[[label]]))
            total -= int(self.opening[label])
        row, column, capacity = (np.concatenate(each) for each in zip(*arcs, strict=True))
        size = nodes + 2 + len(closing)
        graph = coo_array((capacity, (row, column)), (size, size)).tocsr().astype(np.int32)
        least = total + int(maximum_flow(graph, source, sink).flow_value)
        opened = 0 if alpha in used else int(self.opening[alpha])
        return min(self.energy(labels), least + opened)


@pytest.mark.parametrize("opening", [0, 60, 600])
@given(
    seed=st.integers(0, 2**32),
    side=st.integers(12, 26),
    labels=st.integers(2, 9),
    truncation=st.integers(1, 3),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.int32, torch.int64]),
)
@settings(max_examples=25, deadline=None)
def test_no_expansion_lowers_the_energy(
    opening: int, seed: int, side: int, labels: int, truncation: int, dtype: torch.dtype
) -> None:
    scene = Scene(seed, side, labels, truncation, opening)
    costs = {"label_costs": torch.as_tensor(scene.opening).to(dtype)} if opening else {}
    found = gx.alpha_expansion(
        torch.as_tensor(scene.edge_index),
        torch.as_tensor(scene.unary).to(dtype),
        torch.as_tensor(scene.weights).to(dtype),
        torch.as_tensor(scene.pairwise).to(dtype),
        **costs,
    )
    result = found.labels.numpy()
    energy = scene.energy(result)
    assert found.energy.item() == energy
    assert [scene.best_expansion(result, alpha) for alpha in range(labels)] == [energy] * labels


def test_the_oracle_finds_an_expansion_that_pays() -> None:
    scene = Scene(0, 14, 4, 2, 60)
    start = np.zeros(14 * 14, int)
    best = [scene.best_expansion(start, alpha) for alpha in range(4)]
    assert best[0] == scene.energy(start)
    assert min(best) < scene.energy(start)
