"""Object cues from activation and saliency, and thresholds that are chosen without masks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dgcn.cli import main
from dgcn.cues import (
    foreground_cues,
    load_cues,
    make_cues,
    normalised_cam,
    object_maps,
    thresholds,
)
from dgcn.cues.evidence import CEILING, FLOOR, certain_background, doubtful_cells, salient_shares


def most_active(cam: NDArray[np.floating[Any]], own: list[int], cell: tuple[int, ...]) -> int:
    """Of the largest activation over the root of its maximum; of equal ones the first class."""
    values = np.maximum(cam, 0).astype(np.float32)
    scaled = {c: values[c][cell] / np.sqrt(values[c].max()) if values[c].any() else 0 for c in own}
    return max(own, key=lambda c: (scaled[c], -c))


def test_map_is_activation_plus_saliency_of_the_most_active_class() -> None:
    cam = np.array([[[4.0, 2.0, 0.0]], [[1.0, 5.0, 0.0]], [[9.0, 9.0, 9.0]]])
    saliency = np.array([[0.2, 0.4, 0.0]])
    present = np.array([True, True, True, False])
    # Activation over its maximum: (1, 0.5, 0) and (0.2, 1, 0); saliency over its own: (0.5, 1, 0).
    first, second = np.array([1.5, 0.5, 0.0]) / 1.5, np.array([0.2, 2.0, 0.0]) / 2
    found = object_maps(cam, saliency, present)
    np.testing.assert_allclose(found[:, 0], [first, second, [0, 0, 0]], rtol=1e-6)
    half = object_maps(cam, saliency, present, 0.5)
    np.testing.assert_allclose(half[0, 0], np.array([1.25, 0.5, 0]) / 1.25, rtol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_map_equals_a_loop_over_cells(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cam, saliency = rng.random((4, 3, 5)), rng.random((3, 5))
    present = np.array([True, *(rng.random(4) < 0.7)])
    weight = float(rng.random() * 2)
    found = object_maps(cam, saliency, present, weight)
    own = [c for c in range(4) if present[c + 1]]
    wanted = np.zeros((4, 3, 5))
    for c in own:
        wanted[c] = cam[c] / cam[c].max()
    for y, x in np.ndindex(3, 5):
        if own:
            most = most_active(cam, own, (y, x))
            wanted[most, y, x] += weight * saliency[y, x] / saliency.max()
    for c in own:
        wanted[c] /= wanted[c].max()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


def test_without_saliency_the_map_is_the_activation() -> None:
    rng = np.random.default_rng(7)
    cam, saliency = rng.random((2, 6, 6)), rng.random((6, 6))
    present = np.array([True, True, True])
    flat = np.zeros((6, 6))
    np.testing.assert_array_equal(
        object_maps(cam, flat, present), object_maps(cam, saliency, present, 0)
    )
    plain = make_cues(cam, saliency, present, foreground=0.4)
    np.testing.assert_array_equal(
        plain, make_cues(cam, saliency, present, foreground=[0.4, 0.4], saliency_weight=0)
    )
    both = make_cues(cam, saliency, present, foreground=0.4, saliency_weight=1, background=0)
    maps = object_maps(cam, saliency, present)
    np.testing.assert_array_equal(both[1:].any(0), (maps > 0.4).any(0))


def test_saliency_alone_marks_the_object_where_nothing_is_active() -> None:
    saliency = np.array([[0.0, 0.3, 0.6]])
    maps = object_maps(np.zeros((1, 1, 3)), saliency, np.array([True, True]))
    np.testing.assert_allclose(maps[0, 0], [0, 0.5, 1])


def test_each_class_has_its_own_threshold() -> None:
    cam = np.array([[[1.0, 0.5, 0.1]], [[1.0, 0.5, 0.1]]])
    found = foreground_cues(cam, np.ones(3, dtype=bool), [0.05, 0.6])
    np.testing.assert_array_equal(found[:, 0], [[True] * 3, [True, False, False]])


@given(st.data())
def test_threshold_is_what_98_of_100_cells_of_background_stay_below(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    top = data.draw(st.floats(0.05, 1))
    images = []
    for _ in range(3):
        maps = (rng.random((2, 8, 8)) * top).astype(np.float32)
        images.append((maps, rng.random((8, 8)) < 0.7, [1] if rng.random() < 0.5 else [1, 2]))
    found = thresholds(images, 3)
    for c in (1, 2):
        values = np.concatenate([[0], *(m[c - 1][b] for m, b, own in images if c in own)])[1:]
        if not len(values):
            assert found[c - 1].value == FLOOR
            assert np.isnan(found[c - 1].noise)
            continue
        noise = found[c - 1].noise
        assert (values <= noise).mean() >= 0.98
        assert (values < noise - 0.002).mean() < 0.98
        every = np.concatenate([m[c - 1].ravel() for m, _, own in images if c in own])
        kept = np.sort(every)[int(0.9 * len(every))]  # a tenth of the cells is above
        wanted = min(max(min(noise, kept), FLOOR), CEILING)
        assert found[c - 1].value == pytest.approx(wanted, abs=0.03)


@given(st.data())
def test_share_of_a_class_s_peak_that_is_salient(data: st.DataObject) -> None:
    """Against a plain loop over the cells."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    classes = data.draw(st.integers(1, 4))
    steps = data.draw(st.sampled_from([3, 1000]))  # few values: ties
    cam = (rng.integers(-1, steps, (classes, 4, 5)) / steps).astype(np.float32)
    present = np.concatenate([[True], rng.random(classes) < 0.7])
    quiet = rng.random((4, 5)) < 0.5
    found = salient_shares(cam, present, quiet)
    own = [c for c in range(classes) if present[c + 1]]
    certain = certain_background(cam, present, quiet)
    for c in range(classes):
        if c not in own or len(own) == 1 or cam[c].max() <= 0:
            assert found[c] == 1
        else:
            level = {k: np.maximum(cam[k], 0) / max(cam[k].max(), 1e-9) for k in own}
            peak = [cell for cell in np.ndindex(4, 5) if level[c][cell] >= np.float32(0.8)]
            alone = [u for u in peak if most_active(cam, own, u) == c]
            cells = alone or peak
            assert found[c] == pytest.approx(np.mean([not quiet[u] for u in cells]), abs=1e-6)
        np.testing.assert_array_equal(certain[c], quiet if found[c] >= 0.5 else quiet & False)
    doubted = [c for c in own if found[c] < 0.5]
    wanted = np.zeros((4, 5), dtype=bool)
    for c in doubted:
        wanted |= np.maximum(cam[c], 0) / cam[c].max() > np.float32(0.15)
    np.testing.assert_array_equal(doubtful_cells(cam, present, quiet), wanted)


def test_objects_share_their_cells_by_the_higher_map() -> None:
    """Without saliency the smaller claim has them, as Kolesnikov and Lampert."""
    small, large = np.zeros((4, 6)), np.zeros((4, 6))
    small[1:3, 1:3], small[1, 1] = 0.5, 1
    large[:, :4] = 0.8
    saliency, present = np.ones((4, 6)), np.array([True, True, True])
    cam = np.stack([small, large])
    alone = make_cues(cam, saliency, present, foreground=0.4)
    assert alone[1].sum() == 4
    assert alone[2].sum() == 12
    both = make_cues(cam, saliency, present, foreground=0.4, saliency_weight=1e-3)
    maps = object_maps(cam, saliency, present, 1e-3, saliency < 0.07)
    wanted = np.where((maps > 0.4).any(0), 1 + maps.argmax(0), 0)
    np.testing.assert_array_equal(wanted[1:3, 1:3], [[1, 2], [2, 2]])
    np.testing.assert_array_equal(both.argmax(0), wanted)


def test_what_stands_out_goes_to_the_class_that_is_there() -> None:
    """A salient person on a sofa: the sofa's cues follow its own activation."""
    person, sofa = np.zeros((8, 8)), np.zeros((8, 8))
    person[2:4, 2:4], person[2:6, 2:6] = 1, 0.9
    sofa[5:, :], sofa[6:, :2], sofa[3, 6] = 0.7, 1, 0.1
    saliency = np.where(person > 0, 1.0, 0.01)
    saliency[3, 6] = 0.9  # a salient cell that the sofa has a little activation in
    both, cam = np.array([True, True, True]), np.stack([person, sofa])
    settings = {"foreground": 0.3, "saliency_weight": 2.0}
    cues = make_cues(cam, saliency, both, **settings)
    np.testing.assert_array_equal(cues[2] | cues[1], (sofa > 0.3) | (person > 0))
    assert cues[2, 6:, :].all()
    dim = np.stack([person, np.where(sofa == 0, 0.2, sofa)])  # the sofa may be everywhere
    assert not make_cues(dim, saliency, both, **settings)[0].any()
    assert cues[0, 0].all()
    quiet = saliency < 0.07
    maps = object_maps(cam, saliency, both, 2.0, quiet)
    np.testing.assert_allclose(maps[1], normalised_cam(sofa))
    assert not certain_background(cam, both, quiet)[1].any()
    alone = np.array([True, False, True])  # an image of the sofa alone: the saliency is its own
    one = object_maps(cam, saliency, alone, 2.0, quiet)
    np.testing.assert_array_equal(one, object_maps(cam, saliency, alone, 2.0))
    assert one[1, 3, 6] > one[1, 7, 7]


def test_noisy_class_gets_a_higher_threshold_than_a_clean_one() -> None:
    background = np.ones((10, 10), dtype=bool)
    background[:3] = False
    clean, noisy = np.zeros((10, 10)), np.full((10, 10), 0.6)
    clean[:3] = noisy[:3] = 1
    maps = np.stack([clean, noisy])
    found = thresholds([(maps, background, [1, 2])], 3)
    assert found[0].value == FLOOR
    assert found[1].value == pytest.approx(0.6, abs=0.002)
    assert not (maps[1][background] > found[1].value).any()


def test_threshold_keeps_a_tenth_of_the_cells_where_the_prior_sees_no_object() -> None:
    ramp = np.linspace(0, 1, 400).reshape(1, 20, 20)
    nowhere = np.ones((20, 20), dtype=bool)
    scaled = ramp * 0.8
    (found,) = thresholds([(scaled, nowhere, [1])], 2)
    assert found.noise == pytest.approx(0.98 * 0.8, abs=0.003)
    assert found.value == pytest.approx(0.9 * 0.8, abs=0.003)
    assert (scaled > found.value).mean() == pytest.approx(0.1, abs=0.004)


def test_bad_maps_are_refused() -> None:
    cam, present = np.ones((2, 3, 3)), np.ones(3, dtype=bool)
    with pytest.raises(ValueError, match="saliency_weight must not be negative, got -1"):
        object_maps(cam, np.ones((3, 3)), present, -1)
    with pytest.raises(ValueError, match=r"saliency must have shape \(3, 3\), got \(2, 3\)"):
        object_maps(cam, np.ones((2, 3)), present)
    with pytest.raises(ValueError, match=r"quiet must have shape \(3, 3\), got \(3, 2\)"):
        object_maps(cam, np.ones((3, 3)), present, quiet=np.ones((3, 2), dtype=bool))
    with pytest.raises(ValueError, match="foreground threshold must be one or 2, got 3"):
        foreground_cues(cam, present, [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match=r"foreground threshold must be in \[0, 1\), got 1.5"):
        foreground_cues(cam, present, [0.1, 1.5])


def test_run_keeps_its_thresholds_and_the_control_is_still_to_be_had(
    tiny_run: Path, tmp_path: Path
) -> None:
    chosen = json.loads((tiny_run / "cues" / "thresholds.json").read_text())
    assert chosen
    assert all(FLOOR <= each["threshold"] <= CEILING for each in chosen.values())
    out = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    options = ["--config", str(out / "config.yaml"), "--out", str(out), "--overwrite"]
    fixed = ["--cues.foreground=0.2", "--cues.saliency_weight=0"]
    assert main(["cues", *options, *fixed]) == 0
    paper = load_cues(out / "cues" / "cues.npz")
    ours = load_cues(tiny_run / "cues" / "cues.npz")
    assert any((paper[name] != ours[name]).any() for name in ours)
    assert not (out / "cues" / "thresholds.json").exists()
    verdict = json.loads((out / "cues" / "verdict.json").read_text())["classes"]
    assert {each["threshold"] for name, each in verdict.items() if name != "background"} == {0.2}
