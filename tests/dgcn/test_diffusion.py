"""Random walker and label propagation against dense solutions of their equations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from dgcn.supervision import LabelPropagation, RandomWalker, Supervision
from dgcn.supervision.diffusion import neighbour_sums, solve


def scene(seed: int, images: int, classes: int, h: int, w: int) -> list[Tensor]:
    """Probabilities, features in clusters, cues of a few cells, labels."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, (images, h, w))
    features = rng.standard_normal((classes, 4))[truth] + 0.4 * rng.standard_normal(
        (images, h, w, 4)
    )
    logits = rng.standard_normal((images, classes, h, w))
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    present = rng.random((images, classes)) < 0.7
    present[:, 0] = True
    cues = (truth[:, None] == np.arange(classes)[:, None, None]) & (
        rng.random((images, 1, h, w)) < 0.2
    )
    cues &= present[:, :, None, None]
    return [
        torch.from_numpy(probabilities).float(),
        torch.from_numpy(features).float().permute(0, 3, 1, 2),
        torch.from_numpy(cues),
        torch.from_numpy(present),
    ]


def edge_matrix(rule: RandomWalker | LabelPropagation, features: Tensor) -> NDArray[np.float64]:
    """Symmetric weights (N, N) of one image (1, C, h, w), edge by edge."""
    indices, weights = rule.edges(features)
    matrix = np.zeros((indices.shape[1],) * 2)
    for i, row in enumerate(indices[0].tolist()):
        for j, weight in zip(row, weights[0, i].tolist(), strict=True):
            if j >= 0:
                matrix[i, j] += weight
                matrix[j, i] += weight
    return matrix


def walked(
    rule: RandomWalker, w: NDArray[np.float64], cues: NDArray[np.bool_], p: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Shares (L, N) of one image: absorption probabilities by a dense solution."""
    held = cues.any(0)
    free = ~held
    degree = w.sum(1)
    matrix = np.diag(degree + rule.prior + 1e-9 * degree.max()) - w
    shares = cues.astype(float)
    right = w[np.ix_(free, held)] @ shares[:, held].T + rule.prior * p[:, free].T
    shares[:, free] = np.linalg.solve(matrix[np.ix_(free, free)], right).T
    return shares


def propagated(
    rule: LabelPropagation, w: NDArray[np.float64], cues: NDArray[np.bool_], p: object
) -> NDArray[np.float64]:
    """Shares (L, N) of one image by the closed form."""
    scale = 1 / np.sqrt(w.sum(1))
    s = scale[:, None] * w * scale
    f = (1 - rule.alpha) * np.linalg.solve(np.eye(len(w)) - rule.alpha * s, cues.T.astype(float)).T
    return f / np.maximum(f.sum(0), 1e-30)


RULES = [
    (RandomWalker(k=3, iterations=200), walked),
    (RandomWalker(k=4, prior=0.3, theta=0.6, edge_weights="unit", iterations=200), walked),
    (RandomWalker(k=2, spatial=8, spatial_weight=0.5, iterations=200), walked),
    (LabelPropagation(k=3, iterations=200), propagated),
    (LabelPropagation(k=4, alpha=0.6, theta=0.7, edge_weights="unit", iterations=200), propagated),
]


@pytest.mark.parametrize(("rule", "shares_of"), RULES)
@pytest.mark.parametrize("seed", range(4))
def test_equals_a_dense_solution(rule: Supervision, shares_of: object, seed: int) -> None:
    probabilities, features, cues, present = scene(seed, 3, 4, 6, 5)
    found = rule(probabilities, features, cues, present)
    decided = 0
    for b in range(3):
        flat = cues[b].flatten(1).numpy()
        p = probabilities[b].double().flatten(1).numpy() * present[b].numpy()[:, None]
        w = edge_matrix(rule, features[b : b + 1])  # type: ignore[arg-type]
        shares = shares_of(rule, w, flat, p / p.sum(0))  # type: ignore[operator]
        shares[~present[b].numpy()] = -1
        for u in range(30):
            column = found[b].flatten(1)[:, u].tolist()
            if flat[:, u].any():
                assert column == flat[:, u].tolist()
                continue
            best = int(shares[:, u].argmax())
            # Next to the threshold and between equals round-off decides.
            ordered = np.sort(shares[:, u])
            if abs(ordered[-1] - rule.theta) < 1e-6 or ordered[-1] - ordered[-2] < 1e-6:  # type: ignore[attr-defined]
                continue
            decided += 1
            expected = [c == best and shares[best, u] > rule.theta for c in range(4)]  # type: ignore[attr-defined]
            assert column == expected, (b, u)
    assert decided > 30
    assert (found & ~cues).any()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 3))
def test_system_is_solved(seed: int, k: int, columns: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    nodes = 9
    indices = torch.randint(-1, nodes, (2, nodes, k), generator=generator)
    weights = torch.rand(2, nodes, k, generator=generator, dtype=torch.float64)
    right = torch.randn(2, nodes, columns, generator=generator, dtype=torch.float64)
    dense = torch.stack(
        [
            neighbour_sums(
                indices, weights, torch.eye(nodes, dtype=torch.float64)[None].repeat(2, 1, 1)
            )
        ]
    )[0]
    torch.testing.assert_close(dense, dense.transpose(1, 2))
    degree = dense.sum(2, keepdim=True) + 0.5
    found = solve(lambda x: degree * x - neighbour_sums(indices, weights, x), right, degree, 60)
    expected = torch.linalg.solve(torch.diag_embed(degree[..., 0]) - dense, right)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("rule", [RandomWalker(k=1, theta=0.0), LabelPropagation(k=1, theta=0.0)])
def test_part_of_the_graph_without_a_cue_stays_open(rule: Supervision) -> None:
    # Two pairs far from each other; only the first has a cue.
    features = torch.tensor([0.0, 0.1, 9.0, 9.1])[None, None, None, :]
    cues = torch.zeros(1, 2, 1, 4, dtype=torch.bool)
    cues[0, 1, 0, 0] = True
    p = torch.full((1, 2, 1, 4), 0.5)
    rule = replace(rule, edge_weights="unit")  # type: ignore[call-arg]
    found = rule(p, features, cues, torch.tensor([[True, True]]))
    assert found[0, 1, 0].tolist() == [True, True, False, False]
    assert not found[0, 0].any()


def test_items_do_not_depend_on_their_batch() -> None:
    batch = scene(3, 3, 4, 6, 6)
    for rule in (RandomWalker(k=3), LabelPropagation(k=3)):
        whole = rule(*batch)
        for b in range(3):
            assert torch.equal(rule(*(each[b : b + 1] for each in batch))[0], whole[b])
