"""Cues spread before training: what each kind makes of a picture of two halves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_run import OPTIONS
from torch import Tensor

from dgcn.cli import main
from dgcn.crf import CRF
from dgcn.cues import load_cues
from dgcn.cues.refine import OF_DRAWINGS, REFINERS, Refiner, refine_cues, spread_drawn_cues

SIDE = 12


def halves() -> tuple[NDArray[np.bool_], Tensor, NDArray[np.uint8], NDArray[np.bool_]]:
    """Class 2 on the left, background on the right, a few cells of each are cues."""
    cues = np.zeros((4, SIDE, SIDE), bool)
    cues[2, 5:7, 1:3] = cues[0, 5:7, -3:-1] = True
    left = np.zeros((SIDE, SIDE), bool)
    left[:, : SIDE // 2] = True
    rng = np.random.default_rng(0)
    features = np.where(left, 1.0, -1.0) * np.ones((3, 1, 1)) + rng.normal(0, 0.05, (3, SIDE, SIDE))
    image = np.where(left[..., None], [200, 40, 30], [30, 60, 200]).astype(np.uint8)
    present = np.array([True, False, True, False])
    return cues, torch.from_numpy(features).float(), image.repeat(8, 0).repeat(8, 1), present


def test_every_value_of_the_setting_is_a_refiner() -> None:
    assert set(get_args(Refiner)) == {"none", *REFINERS} == {"none", *OF_DRAWINGS}


@pytest.mark.parametrize("kind", list(REFINERS))
def test_cues_spread_to_the_border_of_their_half(kind: str) -> None:
    cues, features, image, present = halves()
    maps = np.zeros((3, SIDE, SIDE), np.float32)
    # The classifier is sure at the cues and wavers elsewhere.
    maps[1, :, : SIDE // 2], maps[1, :, SIDE // 2 :] = 0.55, 0.35
    maps[1][cues[2]], maps[1][cues[0]] = 1.0, 0.0
    found = refine_cues(cues, maps, features, image, present, REFINERS[kind], CRF().on_grid())
    assert found.shape == cues.shape
    assert found.dtype == np.bool_
    assert found.sum(0).max() == 1
    assert not found[[1, 3]].any()
    assert (found & cues).sum() == cues.sum()
    assert found[2, :, : SIDE // 2].mean() > 0.9
    assert found[0, :, SIDE // 2 :].mean() > 0.9


def test_the_walker_goes_by_cues_and_features_alone() -> None:
    cues, features, image, present = halves()
    none = np.zeros((3, SIDE, SIDE), np.float32)
    walker = REFINERS["random_walker"]
    found = refine_cues(cues, none, features, image, present, walker, CRF().on_grid())
    assert found[2, :, : SIDE // 2].all()
    assert found[0, :, SIDE // 2 :].all()


def test_an_image_without_a_class_is_background() -> None:
    cues, features, image, _ = halves()
    cues[2] = False
    present = np.array([True, False, False, False])
    none = np.zeros((3, SIDE, SIDE), np.float32)
    for refiner in REFINERS.values():
        found = refine_cues(cues, none, features, image, present, refiner, CRF().on_grid())
        assert not found[1:].any()
        assert found[0].sum() >= cues[0].sum()


@pytest.mark.parametrize("kind", list(OF_DRAWINGS))
def test_drawn_cues_spread_without_any_map(kind: str) -> None:
    cues, features, image, present = halves()
    cues[0, 0, 0] = True  # a slip of the pen stays, and is outvoted around it
    rule, crf = OF_DRAWINGS[kind], CRF().on_grid()
    found = spread_drawn_cues(cues, None, features, image, present, rule, crf)
    assert found.dtype == np.bool_
    assert found.sum(0).max() == 1
    assert not found[[1, 3]].any()
    assert (found & cues).sum() == cues.sum()
    assert found[2, :, : SIDE // 2].mean() > 0.9
    assert found[0, :, SIDE // 2 :].mean() > 0.9


def test_maps_decide_where_features_and_drawings_are_silent() -> None:
    cues, _, image, present = halves()
    cues[0] = False
    alike = torch.zeros(3, SIDE, SIDE)
    maps = np.zeros((3, SIDE, SIDE), np.float32)
    maps[1, :, : SIDE // 2] = 0.9
    rule, crf = OF_DRAWINGS["min_cut"], CRF().on_grid()
    found = spread_drawn_cues(cues, maps, alike, image, present, rule, crf)
    assert found[2, :, : SIDE // 2].all()
    assert found[0, :, SIDE // 2 :].all()


def test_a_run_trains_on_refined_cues(tiny_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(tiny_run, out)
    before = load_cues(out / "cues" / "cues.npz")
    # The grid of the little run has 11 x 11 cells.
    refined = ["--cues.refine=random_walker", "--overwrite"]
    assert main(["cues", *OPTIONS, *refined, "--out", str(out)]) == 0
    after = load_cues(out / "cues" / "cues.npz")
    assert before.keys() == after.keys()
    for name, cues in before.items():
        assert (after[name] & cues).sum() == cues.sum()  # the walker keeps them
    covered = [sum(each.any(0).mean() for each in found.values()) for found in (before, after)]
    assert covered[1] > covered[0]
    made = json.loads((out / "cues" / "stage.json").read_text())["fingerprint"]["cues"]
    assert made["refine"] == "random_walker"
