"""Cues from activation and saliency, by hand and by loops."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dgcn.cues import (
    make_cues,
    saliency_to_grid,
)
from dgcn.cues.make import background_cues, resolve_conflicts


def label_map(cues: NDArray[np.bool_]) -> NDArray[np.int64]:
    assert cues.sum(0).max() <= 1
    return np.where(cues.any(0), cues.argmax(0), -1)


def test_cues_by_hand() -> None:
    cam = np.zeros((2, 2, 4))
    cam[0] = np.array([[10, 9, 8, 2], [1, 1, 1, 1]])  # claims 3 cells: over 0.2 * 10
    cam[1] = np.array([[0, 0, 3, 0], [0, 0, 1, 0.5]])  # claims 2 cells: over 0.2 * 3
    saliency = np.array([[0.01, 0.9, 0.9, 0.9], [0.01, 0.069, 0.01, 0.07]])  # claims 4 cells
    present = np.array([True, True, True])
    found = label_map(make_cues(cam, saliency, present))
    np.testing.assert_array_equal(found, [[1, 1, 2, -1], [0, 0, 2, -1]])


def test_absent_classes_have_no_cue() -> None:
    rng = np.random.default_rng(1)
    cam, saliency = rng.random((3, 6, 6)), rng.random((6, 6))
    found = make_cues(cam, saliency, np.array([False, False, True, False]), background=1.0)
    assert set(np.unique(label_map(found))) == {-1, 2}


@pytest.mark.parametrize("seed", range(5))
def test_conflicts_equal_a_loop_over_cells(seed: int) -> None:
    rng = np.random.default_rng(seed)
    claims = rng.random((5, 8, 9)) < rng.random((5, 1, 1))
    found = resolve_conflicts(claims)
    areas = [int(claims[c].sum()) for c in range(5)]
    for y, x in np.ndindex(8, 9):
        claimants = [c for c in range(5) if claims[c, y, x]]
        wanted = min(claimants, key=lambda c: (areas[c], -c)) if claimants else None
        assert [c for c in range(5) if found[c, y, x]] == ([] if wanted is None else [wanted])


def test_equal_areas_favour_the_object_over_the_background() -> None:
    claims = np.ones((3, 2, 2), dtype=bool)
    assert (label_map(resolve_conflicts(claims)) == 2).all()


def test_saliency_of_any_size_is_brought_to_the_grid() -> None:
    rng = np.random.default_rng(2)
    cam, present = rng.random((1, 5, 6)), np.array([True, False])
    large = np.kron(rng.random((6, 8)), np.ones((10, 10)))
    found = make_cues(cam, large, present, background=0.5)
    np.testing.assert_array_equal(found[0], saliency_to_grid(large, 5, 6) < 0.5)
    assert found[0].any()
    assert not found[0].all()


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.5, 1.0])
def test_background_fraction_takes_the_least_salient(fraction: float) -> None:
    saliency = np.random.default_rng(3).permutation(60).reshape(6, 10) / 60
    found = background_cues(saliency, 0.0, fraction)
    assert found.sum() == max(1, round(60 * fraction))
    assert saliency[found].max() < saliency[~found].min(initial=1)
    cues = make_cues(
        np.zeros((1, 6, 10)), saliency, np.array([True, True]), background_fraction=fraction
    )
    np.testing.assert_array_equal(cues[0], found)


def test_background_is_not_claimed_where_a_class_of_the_image_is_active() -> None:
    cam = np.array([[[8.0, 2.0, 1.6, 0.0]], [[0.0, 1.0, 0.0, 0.5]], [[0.0, 0.0, 0.0, 9.0]]])
    present = np.array([True, True, True, False])  # the third class is not in the image
    quiet = np.zeros((1, 4), dtype=np.float32)

    def background(limit: float) -> list[bool]:
        cues = make_cues(cam, quiet, present, foreground=0.9, background_activation=limit)
        return [bool(each) for each in cues[0, 0]]

    # Of its maximum the first class has 1, 1/4, 1/5, 0, the second 0, 1, 0, 1/2.
    assert background(1.0) == [False, False, True, True]  # the others are cues of objects
    assert background(0.5) == [False, False, True, True]
    assert background(0.3) == [False, False, True, False]
    assert background(0.1) == [False, False, False, False]
    with pytest.raises(ValueError, match=r"background_activation must be in \[0, 1\], got 1.5"):
        background(1.5)


def test_background_fraction_takes_ties_together() -> None:
    saliency = np.array([[0.0, 0.0, 0.0, 0.5]])
    np.testing.assert_array_equal(background_cues(saliency, 0.0, 0.25), [[True, True, True, False]])


def test_make_cues_errors() -> None:
    cam, saliency, present = np.ones((2, 3, 3)), np.ones((3, 3)), np.ones(3, dtype=bool)
    with pytest.raises(ValueError, match=r"background must be in \[0, 1\], got 7"):
        make_cues(cam, saliency, present, background=7)
    with pytest.raises(ValueError, match=r"background_fraction must be in \(0, 1\], got 0"):
        make_cues(cam, saliency, present, background_fraction=0)
    with pytest.raises(ValueError, match="present must have shape"):
        make_cues(cam, saliency, np.ones(2, dtype=bool))
    with pytest.raises(ValueError, match="saliency must be finite"):
        make_cues(cam, saliency * np.nan, present)
