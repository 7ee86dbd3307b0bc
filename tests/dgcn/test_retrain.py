"""Retraining: the masks it is done on, and the network that comes of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import graphcut_ext as gx
from dgcn.cli import main
from dgcn.cues import load_cues
from dgcn.data import read_image, read_mask
from dgcn.data.batches import TrainingSet
from dgcn.data.masks import mask_to_grid
from dgcn.models.inference import image_logits, predict_image
from dgcn.options import load_config
from dgcn.pipeline.networks import load_segmenter
from dgcn.pipeline.report import report
from dgcn.pipeline.run import Run, open_run
from dgcn.supervision import GraphCut
from dgcn.training.checkpoint import load_checkpoint
from dgcn.training.console import Console
from dgcn.training.objective import supervise_sample

OPTIONS = (
    "--data.size=81",
    "--data.synthetic_images=5",
    "--data.synthetic_val_images=1",
    "--data.synthetic_size=72",
    "--model.backbone=small",
    "--classify.epochs=1",
    "--classify.batch_size=5",
    "--train.epochs=1",
    "--train.batch_size=5",
    "--supervision.kind=static",
    "--retrain.enabled=true",
    "--retrain.epochs=2",
    "--retrain.batch_size=5",
    "--evaluate.pictures=0",
    "--evaluate.scales=[1]",
    "--runtime.device=cpu",
)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run with retraining."""
    out = tmp_path_factory.mktemp("retrain") / "run"
    assert main(["run", *OPTIONS, "--out", str(out)]) == 0
    return out


def opened(out: Path, *overrides: str) -> Run:
    config = load_config(out / "config.yaml", f"--out={out}", *overrides)
    return open_run(config, console=Console(quiet=True))


def test_masks_to_retrain_on_have_the_images_classes_only(chain: Path) -> None:
    run = opened(chain)
    model = load_segmenter(run, "last")
    right = total = 0
    for record in run.records("train"):
        mask = read_mask(chain / "static" / "training_masks" / f"{record.name}.png")
        allowed = [0, *record.labels]
        assert np.isin(mask, allowed).all()
        image = read_image(record.image)
        logits = image_logits(model, image, 81, (1.0,)).numpy()
        expected = np.array(allowed)[logits[allowed].argmax(0)]
        found = predict_image(model, image, 81, scales=(1.0,), labels=record.labels)
        np.testing.assert_array_equal(found, expected)
        assert record.mask is not None
        truth = mask_to_grid(read_mask(record.mask), run.grid, run.grid)
        right += int((mask_to_grid(mask, run.grid, run.grid) == truth).sum())
        total += truth.size
    scores = json.loads((chain / "static" / "retrained" / "supervision.json").read_text())
    assert scores["pixel_accuracy"] == pytest.approx(right / total)
    assert 0.5 < scores["coverage"] <= 1


def test_retrained_network_is_another_and_is_what_is_predicted_with(chain: Path) -> None:
    folder = chain / "static" / "retrained"
    trained = load_checkpoint(chain / "static" / "last.pt")
    again = load_checkpoint(folder / "last.pt")
    assert again.epoch == 2
    assert [set(row) for row in again.history] == [{"epoch", "cross_entropy", "loss", "score"}] * 2
    assert any(not torch.equal(again.model[n], t) for n, t in trained.model.items())
    scores = json.loads((folder / "metrics.json").read_text())["val"]
    assert "network retrained" in scores["protocol"]
    run = opened(chain, "--evaluate.network=retrained")
    record = run.records("val")[0]
    image = read_image(record.image)
    shares = image_logits(load_segmenter(run, "last"), image, 81, (1.0,)).softmax(0)
    crf = run.config.crf
    refined = gx.dense_crf(
        shares[None],
        torch.from_numpy(image).permute(2, 0, 1)[None],
        iterations=crf.iterations,
        gaussian=(crf.gaussian_xy, crf.gaussian_weight),
        bilateral=(crf.bilateral_xy, crf.bilateral_rgb, crf.bilateral_weight),
        floor=crf.floor,
    )[0]
    found = read_mask(folder / "predictions" / "val" / f"{record.name}.png")
    np.testing.assert_array_equal(found, refined.argmax(0).numpy())
    assert (found != shares.argmax(0).numpy()).any()  # else the CRF could be missing


def test_report_names_the_retrained_network_and_its_masks(chain: Path, tmp_path: Path) -> None:
    page = report(chain, page=tmp_path / "report.html").path.read_text(encoding="utf-8")
    for folder, name in (
        ("static/metrics.json", "mean IoU (static cues, val)"),
        ("static/retrained/metrics.json", "mean IoU (static cues, retrained, val)"),
        ("static/retrained/supervision.json", "mean IoU of the static cues masks to retrain on"),
    ):
        scores = json.loads((chain / folder).read_text())
        miou = scores.get("val", scores)["miou"]
        assert f"<b>{100 * miou:.1f} %</b><span>{name}</span>" in page


def test_report_tells_trainings_of_one_kind_apart(chain: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(chain, out)
    named = (f"--out={out}", "--supervision.name=other_cues", "--retrain.enabled=false")
    assert main(["run", *named]) == 0
    page = report(out).path.read_text(encoding="utf-8")
    for folder, name in (("static", "static cues"), ("other_cues", "other cues")):
        miou = json.loads((out / folder / "metrics.json").read_text())["val"]["miou"]
        assert f"<b>{100 * miou:.1f} %</b><span>mean IoU ({name}, val)</span>" in page


def test_retraining_that_goes_on_from_the_trained_network_starts_there(
    chain: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--retrain.init=trained", "--retrain.epochs=1", "--retrain.lr=1e-12", "--overwrite")
    assert main(["retrain", "--out", str(chain), *options]) == 0
    printed = capsys.readouterr().out
    assert "masks to retrain on: 5 done" not in printed  # they were predicted before
    trained = load_checkpoint(chain / "static" / "last.pt").model
    again = load_checkpoint(chain / "static" / "retrained" / "last.pt").model
    weights = [name for name in trained if name.endswith("weight")]
    for name in weights:
        torch.testing.assert_close(again[name], trained[name])


def test_masks_by_a_cut_are_those_of_the_trained_network(chain: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(chain, tmp_path / "run"))
    options = ("--retrain.masks=graph_cut", "--retrain.cut.k=4", "--overwrite")
    assert main(["retrain", "--out", str(out), *options]) == 0
    run = opened(out, "--retrain.masks=graph_cut", "--retrain.cut.k=4", "--retrain.epochs=1")
    cut = run.config.retrain.cut
    assert cut == GraphCut(
        k=4,
        theta=0,
        cue_capacity=5,
        edge_sum=3,
        image_labels_only=True,
        unary="crf",
        cut_background=True,
    )
    cues = load_cues(out / "cues" / "cues.npz")
    model = load_segmenter(run.with_network("trained"), "last")
    records = run.records("train")
    samples = TrainingSet(records, run.classes, 81, cues=cues, mirror=False)
    for index, record in enumerate(records):
        mask = read_mask(out / "static" / "training_masks" / f"{record.name}.png")
        assert mask.shape == (11, 11)
        assert np.isin(mask, [0, *record.labels, 255]).all()  # void where no cut claims a cell
        labels = supervise_sample(
            model, cut, samples[index], run.config.crf.on_grid(), run.fabric.device
        )
        np.testing.assert_array_equal(mask, np.where(labels.any(0), labels.argmax(0), 255))
    scores = json.loads((out / "static" / "retrained" / "supervision.json").read_text())
    assert 0.5 < scores["coverage"] <= 1
