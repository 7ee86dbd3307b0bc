"""Boundary IoU against loops over pixels and hand-made masks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dgcn.boundary import BoundaryScore, boundary, boundary_distance


def boundary_by_loops(mask, distance, void=None):
    height, width = mask.shape
    void = np.zeros_like(mask) if void is None else void
    result = np.zeros_like(mask)
    for y in range(height):
        for x in range(width):
            around = [
                (y + dy, x + dx)
                for dy in range(-distance, distance + 1)
                for dx in range(-distance, distance + 1)
            ]
            outside = any(
                not (0 <= v < height and 0 <= u < width) or not (mask[v, u] or void[v, u])
                for v, u in around
            )
            result[y, x] = mask[y, x] and outside and not void[y, x]
    return result


@pytest.mark.parametrize("distance", [1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_boundary_equals_loops(distance, seed):
    rng = np.random.default_rng(seed)
    mask = np.zeros((14, 17), dtype=bool)
    for _ in range(3):
        y, x = rng.integers(0, 10, 2)
        mask[y : y + 8, x : x + 9] ^= True
    np.testing.assert_array_equal(boundary(mask, distance), boundary_by_loops(mask, distance))
    assert boundary(np.ones((9, 9), dtype=bool), 2).sum() == 81 - 25


@pytest.mark.parametrize("seed", range(4))
def test_scores_equal_loops_over_images_and_classes(seed):
    rng = np.random.default_rng(seed)
    score = BoundaryScore(4, fraction=0.1)
    both, either = [0] * 4, [0] * 4
    for shape in ((12, 9), (15, 20)):
        blocks = np.kron(rng.integers(0, 3, (5, 7)), np.ones((3, 3), dtype=int))
        target = blocks[: shape[0], : shape[1]]
        prediction = np.roll(target, 1, 1)
        target = np.where(rng.random(target.shape) < 0.05, 255, target)
        score.add(target, prediction)
        distance = max(1, round(0.1 * math.sqrt(target.shape[0] ** 2 + target.shape[1] ** 2)))
        for c in range(4):
            g = boundary_by_loops(target == c, distance, target == 255)
            p = boundary_by_loops(prediction == c, distance, target == 255)
            both[c] += int((g & p).sum())
            either[c] += int((g | p).sum())
    expected = [b / e if e else math.nan for b, e in zip(both, either, strict=True)]
    np.testing.assert_allclose(score.iou(), expected)
    assert math.isnan(score.iou()[3])
    assert score.miou() == pytest.approx(np.nanmean(expected))


def test_shift_costs_the_boundary_more_than_the_area():
    target = np.zeros((100, 100), dtype=int)
    target[20:80, 20:80] = 1
    prediction = np.roll(target, 2, 1)
    score = BoundaryScore(2)
    score.add(target, prediction)
    area = (60 * 58) / (60 * 62)
    # Two frames, 3 wide at 2 % of the diagonal of 141: 684 pixels each.
    frame = 60**2 - 54**2
    common = 2 * 3 * 58 + 2 * 54 * 1
    assert boundary_distance(100, 100) == 3
    assert score.iou()[1] == pytest.approx(common / (2 * frame - common))
    assert score.iou()[1] < area


def test_ring_of_void_costs_a_perfect_prediction_nothing():
    prediction = np.zeros((100, 100), dtype=int)
    prediction[20:80, 20:80] = 1
    target = prediction.copy()
    target[18:82, 18:82] = 255
    target[22:78, 22:78] = 1
    score = BoundaryScore(2, fraction=0.05)
    score.add(target, prediction)
    np.testing.assert_array_equal(score.iou(), [1, 1])
    # Of the 7 pixels next to the background, 4 are void.
    assert boundary(target == 1, 7, target == 255).sum() == 56**2 - 50**2
    score.add(target, np.roll(prediction, 3, 1))
    assert (score.iou() < 1).all()


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"classes must be in 1\.\.255, got 0"):
        BoundaryScore(0)
    with pytest.raises(ValueError, match=r"fraction must be in \(0, 1\), got 1"):
        BoundaryScore(2, fraction=1)
    with pytest.raises(ValueError, match=r"target must have shape \(H, W\), got \(3,\)"):
        BoundaryScore(2).add([0, 1, 1], [0, 1, 1])
    with pytest.raises(ValueError, match=r"prediction must have the target's shape \(1, 2\)"):
        BoundaryScore(2).add([[0, 1]], [[0]])
    assert boundary_distance(5, 5) == 1
