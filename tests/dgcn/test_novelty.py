"""Cues of flaws by what flawless pictures do not have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from torch.nn import functional
from wares import SIDE, write_wares

from dgcn.cli import main
from dgcn.cues import Novelty, early_features, learn_novelty, load_cues
from dgcn.cues.novelty import Verdict
from dgcn.data import FolderDataset
from dgcn.models import build_backbone

CELLS = 13


def plain_features(image: torch.Tensor) -> torch.Tensor:
    """The three stages of the small backbone down to stride 8, one after the other."""
    torch.manual_seed(0)
    backbone = build_backbone("small").eval()
    found = []
    for stage in backbone(image[None])[:3]:
        padded = functional.pad(stage, (1, 1, 1, 1))
        height, width = stage.shape[2:]
        shifted = [padded[0, :, y : y + height, x : x + width] for y in range(3) for x in range(3)]
        smooth = torch.stack(shifted).mean(0)
        step = (height - 1) // (CELLS - 1)
        sampled = smooth[:, ::step, ::step]
        found.append(sampled / sampled.square().sum(0).sqrt().mean())
    return torch.cat(found)


@torch.no_grad()
def test_features_are_those_of_the_early_stages() -> None:
    image = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    found = early_features(build_backbone("small").eval(), image[None])
    assert found.shape[1:] == (CELLS, CELLS)
    torch.testing.assert_close(found, plain_features(image), rtol=1e-4, atol=1e-4)


def pictures(count: int, seed: int, channels: int = 5) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(channels, 3, 4, generator=generator) for _ in range(count)]


def test_level_and_verdict_are_those_of_a_tree() -> None:
    flawless, flawed = pictures(6, 1), pictures(5, 2)
    for index, features in enumerate(flawed):
        features[:, 1, 1] += index
    known = learn_novelty(flawless, flawed)
    cells = [features.flatten(1).T.double().numpy() for features in flawless]
    own = []
    for index, each in enumerate(cells):
        others = np.concatenate(cells[:index] + cells[index + 1 :])
        own.append(cKDTree(others).query(each)[0])
    level = np.quantile(np.concatenate(own), 0.98)
    assert known.level == pytest.approx(level, rel=1e-5)
    tree = cKDTree(np.concatenate(cells))
    new = [tree.query(features.flatten(1).T.double().numpy())[0] for features in flawed]
    newest = [[np.sort(each)[-8:].mean() for each in group] for group in (new, own)]
    pairs = [float(a > b) for a in newest[0] for b in newest[1]]
    assert 0.5 < np.mean(pairs) < 1
    assert known.verdict.told == pytest.approx(np.mean(pairs))
    quiet = np.median([(each <= level).mean() for each in new])
    assert known.verdict.quiet == pytest.approx(quiet)
    above = np.maximum(new[4].reshape(3, 4) - level, 0)
    np.testing.assert_allclose(known.saliency(flawed[4]), above / above.max(), atol=1e-5)
    assert not known.saliency(flawless[0]).any()


def test_many_channels_are_projected_and_cells_thinned() -> None:
    generator = torch.Generator().manual_seed(3)
    flawless = [torch.rand(300, 41, 41, generator=generator) for _ in range(8)]
    flawed = [flawless[0].clone()]
    flawed[0][:, 20, 20] += 1
    known = learn_novelty(flawless, flawed)
    assert known.cells.shape == (6724, 128)  # every second of 8 x 1,681
    torch.testing.assert_close(known.owners.bincount(minlength=8).sum(), torch.tensor(6724))
    saliency = known.saliency(flawed[0])
    assert saliency[20, 20] == 1
    assert np.sort(saliency.ravel())[-2] < 0.5


@pytest.mark.parametrize(
    ("told", "quiet", "trusted"),
    [(0.75, 0.5, True), (0.74, 1.0, False), (1.0, 0.49, False), (1.0, 1.0, True)],
)
def test_trust_needs_pictures_told_apart_and_quiet_cells(
    told: float, quiet: float, trusted: bool
) -> None:
    assert Verdict(told, quiet).trusted is trusted


def test_too_few_pictures_are_named() -> None:
    with pytest.raises(ValueError, match="flawless must hold at least 4 pictures, got 3"):
        learn_novelty(pictures(3, 1), pictures(3, 2))
    with pytest.raises(ValueError, match="flawed must hold at least one picture"):
        learn_novelty(pictures(4, 1), [])


def test_saved_is_what_is_loaded(tmp_path: Path) -> None:
    flawed = pictures(3, 2)
    known = learn_novelty(pictures(6, 1), flawed)
    known.save(tmp_path / "novelty.npz")
    again = Novelty.load(tmp_path / "novelty.npz", torch.device("cpu"))
    assert (again.level, again.verdict) == (known.level, known.verdict)
    np.testing.assert_array_equal(again.distances(flawed[0]), known.distances(flawed[0]))


def options(root: Path, out: Path) -> list[str]:
    small = ["--model.backbone=small", f"--data.size={SIDE}", "--classify.epochs=2"]
    return ["--config", str(root / "config.yaml"), *small, "--out", str(out)]


@dataclass
class Found:
    """Cells of spots in the cues of a folder: cued as spots, wrongly so, and as background."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    cells: int = 0

    @property
    def overlap(self) -> float:
        """Intersection over union."""
        return self.right / (self.cells + self.wrong)


def spots_found(root: Path, out: Path) -> Found:
    """What the cues of a run say of the spots; flawless pictures must be background throughout."""
    cues, found = load_cues(out / "cues" / "cues.npz"), Found()
    for record in FolderDataset(root).split("train"):
        mask, cue = record.truth()[::8, ::8], cues[record.name]
        assert record.labels or cue[0].all()
        found.right += int((cue[1] & (mask == 1)).sum())
        found.wrong += int((cue[1] & (mask == 0)).sum())
        found.missed += int((cue[0] & (mask == 1)).sum())
        found.cells += int((mask == 1).sum())
    return found


def test_cues_find_the_spots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = tmp_path / "wares", tmp_path / "run"
    write_wares(root, 12, 8)
    assert main(["init", str(root), "--val", "0"]) == 0
    assert main(["doctor", *options(root, out)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "cues.saliency novelty: 12 training images have no class" in shown
    assert main(["classify", *options(root, out)]) == 0
    assert main(["cues", *options(root, out)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "newer than one without in 100 % of pairs" in shown
    assert "cues go by the novelty" in shown
    by_novelty = spots_found(root, out)
    assert by_novelty.missed == 0  # no spot is background
    # The classifier has learnt nothing in two epochs: the control without novelty finds less.
    plain = [*options(root, tmp_path / "control"), "--cues.saliency=activation"]
    assert main(["classify", *plain]) == 0
    assert main(["cues", *plain]) == 0
    control = spots_found(root, tmp_path / "control")
    assert by_novelty.overlap > 0.5 > 2 * control.overlap


def test_pictures_that_are_not_told_apart_go_by_the_activation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = tmp_path / "wares", tmp_path / "run"
    write_wares(root, 8, 6, same=True)
    assert main(["init", str(root), "--val", "0"]) == 0
    assert main(["classify", *options(root, out)]) == 0
    assert main(["cues", *options(root, out)]) == 0
    assert "cues go by the activation alone" in " ".join(capsys.readouterr().out.split())
    by_novelty = load_cues(out / "cues" / "cues.npz")
    activation = [*options(root, out), "--cues.saliency=activation", "--overwrite"]
    assert main(["cues", *activation]) == 0
    assert not (out / "cues" / "novelty.npz").exists()
    for name, cues in load_cues(out / "cues" / "cues.npz").items():
        np.testing.assert_array_equal(cues, by_novelty[name])


def test_too_few_flawless_pictures_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = tmp_path / "wares", tmp_path / "run"
    write_wares(root, 3, 6)
    assert main(["init", str(root), "--val", "0"]) == 0
    main(["doctor", *options(root, out)])
    shown = " ".join(capsys.readouterr().out.split())
    assert "3 training images have no class, it takes 4" in shown
    assert main(["classify", *options(root, out)]) == 0
    assert main(["cues", *options(root, out)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "3 training images without a class, the novelty takes 4" in shown
