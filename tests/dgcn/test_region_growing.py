"""Region growing against flood fills by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dgcn.supervision import RegionGrowing


def grown_by_flood_fill(
    marginals: NDArray[np.float32],
    cues: NDArray[np.bool_],
    present: NDArray[np.bool_],
    foreground: float,
    background: float,
) -> NDArray[np.bool_]:
    """One image (L, h, w), position by position."""
    classes, h, w = cues.shape
    accepted = np.zeros_like(cues)
    for y in range(h):
        for x in range(w):
            c = max(np.flatnonzero(present), key=lambda c: marginals[c, y, x])
            accepted[c, y, x] = marginals[c, y, x] > (foreground if c else background)
    result = np.zeros_like(cues)
    for c in range(classes):
        reached = [tuple(at) for at in np.argwhere(cues[c])]
        while reached:
            y, x = reached.pop()
            if result[c, y, x]:
                continue
            result[c, y, x] = True
            for v in range(max(y - 1, 0), min(y + 2, h)):
                for u in range(max(x - 1, 0), min(x + 2, w)):
                    elsewhere = np.delete(cues, c, 0)[:, v, u].any()
                    if (accepted[c, v, u] or cues[c, v, u]) and not elsewhere:
                        reached.append((v, u))
    return result


def scene(rng: np.random.Generator) -> tuple[NDArray[np.float32], ...]:
    """Marginals that are sure in places, cues, and labels, of four classes on 9 x 8."""
    logits = rng.standard_normal((4, 9, 8)) * 2
    logits[rng.integers(0, 4)] += 2
    marginals = (np.exp(logits) / np.exp(logits).sum(0)).astype(np.float32)
    present = np.array([True, *(rng.random(3) < 0.7)])
    label = rng.integers(0, 4, (9, 8))
    cues = (np.arange(4)[:, None, None] == label) & (rng.random((9, 8)) < 0.15)
    return marginals, cues & present[:, None, None], present


@pytest.mark.parametrize("thresholds", [(0.85, 0.99), (0.4, 0.6), (0.0, 0.0)])
def test_equals_flood_fill(thresholds: tuple[float, float]) -> None:
    rng = np.random.default_rng(1)
    items = [scene(rng) for _ in range(12)]
    expected = np.stack([grown_by_flood_fill(*item, *thresholds) for item in items])
    marginals, cues, present = (torch.from_numpy(np.stack(x)) for x in zip(*items, strict=True))
    rule = RegionGrowing(*thresholds)
    # The softmax itself must not matter: only the CRF's marginals do.
    softmax = torch.full_like(marginals, 0.25)
    found = rule(softmax, torch.zeros(12, 1, 9, 8), cues, present, lambda: marginals)
    np.testing.assert_array_equal(found.numpy(), expected)
    assert expected.sum() > cues.sum().item(), "nothing grew: nothing is proved"
    assert int(found.sum(1).max()) == 1


def one_row(label: list[float], cues: dict[int, int]) -> tuple[torch.Tensor, ...]:
    """Marginals of class 1 along a row; classes 0 and 1."""
    p = torch.tensor(label)
    grid = torch.zeros(1, 2, 1, len(label), dtype=torch.bool)
    for position, c in cues.items():
        grid[0, c, 0, position] = True
    return torch.stack([1 - p, p])[None, :, None, :], grid


def test_growth_stops_at_doubt_and_at_cues_of_another_class() -> None:
    marginals, cues = one_row([0.9, 0.9, 0.9, 0.8, 0.9, 0.9, 0.9], {1: 1, 4: 0})
    rule, present = RegionGrowing(), torch.tensor([[True, True]])
    found = rule(marginals, torch.zeros(1, 1, 1, 7), cues, present, lambda: marginals)[0, :, 0]
    assert found[1].tolist() == [True, True, True, False, False, False, False]
    assert found[0].tolist() == [False, False, False, False, True, False, False]


def test_marginals_over_the_image_labels_accept_what_confusion_hides() -> None:
    marginals = torch.tensor([0.05, 0.5, 0.45])[None, :, None, None].expand(1, 3, 1, 3)
    cues = torch.zeros(1, 3, 1, 3, dtype=torch.bool)
    cues[0, 1, 0, 0] = True
    present = torch.tensor([[True, True, False]])
    features = torch.zeros(1, 1, 1, 3)

    def grown(rule: RegionGrowing) -> int:
        return int(rule(marginals, features, cues, present, lambda: marginals)[0, 1].sum())

    assert grown(RegionGrowing()) == 1
    assert grown(RegionGrowing(image_labels_only=True)) == 3  # 0.5 / 0.55 > 0.85


def test_marginals_are_asked_for() -> None:
    cues = torch.zeros(1, 2, 3, 3, dtype=torch.bool)
    arguments = (torch.full((1, 2, 3, 3), 0.5), torch.zeros(1, 1, 3, 3), cues)
    present = torch.tensor([[True, True]])
    with pytest.raises(ValueError, match="marginals must be given"):
        RegionGrowing()(*arguments, present)
    with pytest.raises(ValueError, match=r"marginals must give the shape .*got \(1, 2, 3, 4\)"):
        RegionGrowing()(*arguments, present, lambda: torch.zeros(1, 2, 3, 4))
