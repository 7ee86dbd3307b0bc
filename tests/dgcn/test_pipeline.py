"""The pipeline on a tiny set: its folder, its stages, and resuming."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from dgcn.cli import main
from dgcn.config import RuntimeConfig
from dgcn.cues import load_cues
from dgcn.data import read_image, read_mask, to_tensor, write_synthetic
from dgcn.data.masks import mask_to_grid
from dgcn.models.inference import image_logits, predict_image, scaled_size
from dgcn.options import load_config, save_config
from dgcn.pipeline.classifier import CLASSIFIER
from dgcn.pipeline.evaluation import evaluate
from dgcn.pipeline.networks import load_segmenter
from dgcn.pipeline.run import Run, open_run
from dgcn.pipeline.segmenter import SEGMENTER
from dgcn.pipeline.stage import Stage
from dgcn.training.checkpoint import load_checkpoint
from dgcn.training.console import Console
from dgcn.training.fabric import make_fabric

SIZE = 81
OPTIONS = (
    "--data.size=81",
    "--data.synthetic_images=6",
    "--data.synthetic_val_images=2",
    "--data.synthetic_size=72",
    "--model.backbone=small",
    "--classify.epochs=1",
    "--classify.batch_size=4",
    "--classify.lr=0.01",
    "--train.epochs=1",
    "--train.batch_size=4",
    "--train.init=classifier",
    "--supervision.graph_cut.theta=0.2",
    "--evaluate.pictures=2",
    "--runtime.device=cpu",
)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of the whole chain, with graph cuts and with static cues."""
    out = tmp_path_factory.mktemp("chain") / "run"
    assert main(["run", *OPTIONS, "--out", str(out)]) == 0
    assert main(["run", "--out", str(out), "--supervision.kind", "static"]) == 0
    return out


def opened(out: Path, *overrides: str) -> Run:
    """A run for looking at, whose folder stays unlocked."""
    config = load_config(out / "config.yaml", *overrides)
    return open_run(config, console=Console(quiet=True), reads_only=True)


def test_chain_leaves_a_self_describing_folder(chain: Path) -> None:
    for name in (
        "config.yaml",
        "versions.yaml",
        "classifier/last.pt",
        "classifier/best.pt",
        "cues/cues.npz",
        "cues/quality.json",
        *(
            f"{kind}/{name}"
            for kind in ("graph_cut", "static")
            for name in (
                "config.yaml",
                "versions.yaml",
                "last.pt",
                "best.pt",
                "history.json",
                "supervision.json",
                "metrics.json",
                "contact_sheet.png",
                "predictions/val/val_00000.png",
                "predictions/val/val_00001.png",
            )
        ),
    ):
        assert (chain / name).is_file(), name
    assert not list(chain.rglob(".*.partial"))
    assert load_config(chain / "graph_cut" / "config.yaml").supervision.kind == "graph_cut"
    assert load_config(chain / "static" / "config.yaml").supervision.kind == "static"


def test_metrics_equal_those_of_the_masks_on_disk(chain: Path) -> None:
    run = opened(chain)
    truth, guess = [], []
    for record in run.records("val"):
        assert record.mask is not None
        truth.append(np.asarray(Image.open(record.mask)).ravel())
        path = chain / "static" / "predictions" / "val" / f"{record.name}.png"
        guess.append(np.asarray(Image.open(path)).ravel())
    t, p = np.concatenate(truth), np.concatenate(guess)
    ious = [
        ((t == c) & (p == c)).sum() / ((t == c) | (p == c)).sum()
        for c in range(6)
        if ((t == c) | (p == c)).any()
    ]
    scores = json.loads((chain / "static" / "metrics.json").read_text())["val"]
    assert scores["miou"] == pytest.approx(np.mean(ious))
    assert scores["pixel_accuracy"] == pytest.approx((t == p).mean())
    matrix = np.loadtxt(chain / "static" / "confusion_val.csv", delimiter=",", dtype=str)
    assert matrix[0].tolist() == ["true class", *run.dataset.classes]
    counted = [[((t == i) & (p == j)).sum() for j in range(6)] for i in range(6)]
    np.testing.assert_array_equal(matrix[1:, 1:].astype(int), counted)
    assert 0 <= scores["boundary_miou"] <= 1
    floor = [(t == c).mean() if c == 0 else 0.0 for c in range(6) if (t == c).any()]
    assert scores["baselines"]["all_background"]["miou"] == pytest.approx(np.mean(floor))
    for part in ("val, 2 images", "81 x 81", "scales 0.75, 1, 1.25", "CRF on", "checkpoint last"):
        assert part in scores["protocol"]


def test_quality_of_the_cues_equals_a_count_by_hand(chain: Path) -> None:
    run = opened(chain)
    cues = load_cues(chain / "cues" / "cues.npz")
    labelled = right = total = empty = 0
    truths, filled = [], []
    for record in run.records("train"):
        assert record.mask is not None
        truth = mask_to_grid(read_mask(record.mask), run.grid, run.grid)
        grid = cues[record.name]
        assert grid.shape == (6, 11, 11)
        assert not grid[[c for c in range(1, 6) if c not in record.labels]].any()
        labelled += grid.any(0).sum()
        right += np.take_along_axis(grid, truth[None].astype(int), 0).sum()
        total += truth.size
        empty += (truth == 0).sum()
        truths.append(truth)
        filled.append(grid.argmax(0))
    scores = json.loads((chain / "cues" / "quality.json").read_text())
    t, g = np.stack(truths), np.stack(filled)
    unions = [((t == c) | (g == c)).sum() for c in range(6)]
    ious = [((t == c) & (g == c)).sum() / unions[c] for c in range(6) if unions[c]]
    assert scores["filled_miou"] == pytest.approx(np.mean(ious))
    floor = scores["baselines"]["all_background"]
    assert floor["pixel_accuracy"] == pytest.approx(empty / total)
    assert floor["miou"] == pytest.approx(empty / total / len(np.unique(t)))
    assert scores["coverage"] == pytest.approx(labelled / total)
    assert scores["pixel_accuracy"] == pytest.approx(right / total)
    static = json.loads((chain / "static" / "supervision.json").read_text())
    more = {"filled_miou", "baselines"}
    assert static == {key: value for key, value in scores.items() if key not in more}


def test_finished_stages_are_kept(chain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [*chain.rglob("*.pt"), chain / "cues" / "cues.npz"]
    before = {path: path.stat().st_mtime_ns for path in files}
    assert main(["run", "--out", str(chain)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("finished before, kept") == 4
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_changed_setting_is_named_and_its_stage_made_anew(
    chain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "copy"  # the data in it move along
    subprocess.run(["cp", "-r", str(chain), str(out)], check=True)
    options = ("--evaluate.scales", "[1]", "--evaluate.pictures", "0")
    assert main(["run", "--out", str(out), *options]) == 0
    printed = capsys.readouterr().out
    assert printed.count("finished before, kept") == 3
    assert (
        "prediction: made again, settings changed: evaluate.scales: [0.75, 1.0, 1.25] -> [1.0]"
        in (printed)
    )
    scores = json.loads((out / "static" / "metrics.json").read_text())["val"]
    assert "scales 1," in scores["protocol"]


def test_scores_are_not_given_for_other_settings(chain: Path) -> None:
    run = opened(chain, "--evaluate.crf=false")
    with pytest.raises(ValueError, match=r"made with other settings .*run 'dgcn predict' again"):
        evaluate(run)


def test_folder_of_pictures_is_predicted_at_their_own_size(chain: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "mine").mkdir()
    for name, shape in (("a.png", (40, 70, 3)), ("b.jpg", (90, 33))):
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "mine" / name)
    assert main(["predict", "--out", str(chain), "--images", str(tmp_path / "mine")]) == 0
    folder = chain / "static" / "masks" / "mine"
    assert read_mask(folder / "a.png").shape == (40, 70)
    assert read_mask(folder / "b.png").shape == (90, 33)


def test_logits_of_scales_are_summed_at_image_size(chain: Path) -> None:
    run = opened(chain)
    model = load_segmenter(run, "last")
    image = read_image(run.records("val")[0].image)[:60]
    expected = torch.zeros(6, 60, 72)
    for side in (57, 81, 105):
        with torch.no_grad():
            logits = model(to_tensor(image, side)[None]).logits
        assert logits.shape[2:] == ((side - 1) // 8 + 1, (side - 1) // 8 + 1)
        expected += functional.interpolate(logits, (60, 72), mode="bilinear", align_corners=True)[0]
    found = image_logits(model, image, SIZE, (0.7, 1.0, 1.3))
    torch.testing.assert_close(found, expected)
    mask = predict_image(model, image, SIZE, scales=(0.7, 1.0, 1.3))
    np.testing.assert_array_equal(mask, expected.argmax(0).numpy())


def test_scaled_sizes_keep_the_corners() -> None:
    assert [scaled_size(321, scale) for scale in (0.75, 1, 1.25)] == [241, 321, 401]
    assert all(scaled_size(s, f) % 8 == 1 for s in (81, 161) for f in (0.1, 0.33, 0.9, 2))


@pytest.mark.parametrize("stage", [CLASSIFIER, SEGMENTER], ids=["classifier", "segmenter"])
def test_resumed_training_equals_an_uninterrupted_one(
    chain: Path, tmp_path: Path, stage: Stage
) -> None:
    root = next((chain / "data").glob("shapes-*"))
    section, folder = stage.verb, "classifier" if stage is CLASSIFIER else "static"
    states = []
    for name, lengths in (("whole", (3,)), ("parts", (1, 3))):
        out = tmp_path / name
        out.mkdir()
        for kept in ("classifier", "cues"):
            subprocess.run(["cp", "-r", str(chain / kept), str(out)], check=True)
        shutil.rmtree(out / folder, ignore_errors=True)
        for epochs in lengths:
            options = (f"--{section}.epochs={epochs}", f"--data.root={root}", f"--out={out}")
            options += ("--supervision.kind=static", "--train.supervision_every=1")
            stage.perform(opened(chain, *options))
        states.append(load_checkpoint(out / folder / "last.pt"))
    whole, parts = states
    assert whole.epoch == parts.epoch == 3
    assert whole.history == parts.history
    for name, tensor in whole.model.items():
        assert torch.equal(parts.model[name], tensor), name


def test_loss_that_is_not_finite_names_step_and_images(chain: Path, tmp_path: Path) -> None:
    root = next((chain / "data").glob("shapes-*"))
    options = (f"--data.root={root}", f"--out={tmp_path}", "--classify.lr=1e30")
    run = opened(chain, *options, "--classify.epochs=3")
    save_config(run.config, tmp_path)
    with pytest.raises(FloatingPointError, match=r"at step \d+ \(epoch \d\).*images: train_0000"):
        CLASSIFIER.perform(run)
    assert main(["classify", "--config", str(tmp_path / "config.yaml")]) == 1


def test_two_processes_take_the_same_steps_as_one(tmp_path: Path) -> None:
    # SqueezeNet has no batch statistics, so that halves of a batch add up to the whole.
    write_synthetic(tmp_path / "set", images=8, val_images=0, size=72)
    machines = [
        # Two launchers stand for two machines.
        [*TORCHRUN, "--nproc_per_node=1", "--nnodes=2", f"--node_rank={k}", f"--master_port={port}"]
        for port in (free_port(),)
        for k in range(2)
    ]
    ends = []
    for name, launchers, options in (
        ("one", [[]], ("--classify.accumulate=2",)),
        ("two", [[]], ("--runtime.devices=2",)),
        ("machines", machines, ("--runtime.devices=2",)),
    ):
        out = tmp_path / name
        command = ["-m", "dgcn", "classify", "--out", str(out)]
        command += ["--data.root", str(tmp_path / "set"), "--data.size=81", *options]
        command += ["--classify.epochs=1", "--classify.batch_size=4", "--runtime.device=cpu"]
        started = [
            subprocess.Popen([sys.executable, *launcher, *command], stdout=subprocess.DEVNULL)
            for launcher in launchers
        ]
        assert [process.wait() for process in started] == [0] * len(launchers)
        ends.append(load_checkpoint(out / "classifier" / "last.pt"))
    one, *others = ends
    for other in others:
        assert other.history == [pytest.approx(row, rel=1e-5) for row in one.history]
        for name, tensor in one.model.items():
            torch.testing.assert_close(other.model[name], tensor, rtol=1e-4, atol=1e-6)
    assert sum(float(tensor.abs().sum()) for tensor in one.model.values()) > 0


TORCHRUN = ("-m", "torch.distributed.run", "--master_addr=127.0.0.1")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("here", "message"), [(2, "torchrun has started 4 processes.*must be 4, got 2"), (3, "3 of 4")]
)
def test_devices_are_the_processes_of_torchrun(
    monkeypatch: pytest.MonkeyPatch, here: int, message: str
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(here))
    with pytest.raises(ValueError, match=message):
        make_fabric(RuntimeConfig(device="cpu", devices=2 if here == 2 else 4))
