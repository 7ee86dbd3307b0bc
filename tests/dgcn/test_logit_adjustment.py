"""What the balanced loss raises is taken back at test."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from even_network import Even
from torch import Tensor
from wares import write_wares

import dgcn
from dgcn.cli import main
from dgcn.cues import load_cues, log_rarity
from dgcn.data import FolderDataset
from dgcn.losses import floored_softmax, seeding_loss
from dgcn.models.inference import image_probabilities
from dgcn.pipeline.portable import load_portable


def test_rarity_by_hand() -> None:
    first = np.zeros((4, 2, 5), dtype=bool)
    first[0, 0], first[1, 1, 0] = True, True  # 5 of the background, 1 of class 1
    second = np.zeros((4, 2, 5), dtype=bool)
    second[0, 0], second[1, 1, :2], second[2, 1, 2:] = True, True, True  # 5 and 5
    without = np.zeros((4, 2, 5), dtype=bool)
    without[3] = True
    found = log_rarity([(first, [1]), (second, [1, 2]), (without, [3])], 4)
    np.testing.assert_allclose(found, [0, np.log(5) / 2, 0, 0])
    full = np.stack([~first[1], first[1]])
    np.testing.assert_allclose(log_rarity([(full[::-1], [1])], 2), [0, 0])
    assert log_rarity([], 3) == (0, 0, 0)


def test_adjusted_logits_of_the_balanced_loss_are_the_true_odds() -> None:
    """Of cells that look alike one in ten is an object: the loss alone makes it even odds."""
    cues = torch.zeros(1, 2, 4, 10, dtype=torch.bool)
    cues[0, 1, :, 0] = True
    cues[0, 0] = ~cues[0, 1]
    logits = torch.zeros(1, 2, 1, 1, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=50)

    def step() -> Tensor:
        optimizer.zero_grad()
        loss = seeding_loss(floored_softmax(logits.expand(1, 2, 4, 10)), cues)
        loss.backward()
        return loss

    optimizer.step(step)
    found = logits.detach().flatten() - torch.tensor(log_rarity([(cues[0].numpy(), [1])], 2))
    assert logits.detach().softmax(1)[0, 1].item() == pytest.approx(0.5, abs=1e-3)
    assert found.softmax(0)[1].item() == pytest.approx(0.1, abs=1e-3)


def test_logits_of_every_scale_are_lowered() -> None:
    image = np.zeros((20, 30, 3), dtype=np.uint8)
    found = image_probabilities(
        Even(1.0, 3.0, -1.0),  # type: ignore[arg-type]
        image,
        97,
        scales=(1, 1.25),
        logit_adjustment=(0.0, 1.5, 0.5),
    )
    wanted = torch.tensor([2.0, 3.0, -3.0]).softmax(0)
    np.testing.assert_allclose(found[:, 7, 11], wanted, rtol=1e-5)
    with pytest.raises(ValueError, match="logit_adjustment must have 3 numbers, got 2"):
        image_probabilities(Even(1.0, 3.0, -1.0), image, 97, logit_adjustment=(0.0, 1.0))  # type: ignore[arg-type]


def test_checkpoint_and_export_hold_the_numbers(tmp_path: Path) -> None:
    root, out = tmp_path / "wares", tmp_path / "run"
    write_wares(root, 6, 6)
    assert main(["init", str(root)]) == 0
    small = ["--model.backbone=small", "--data.size=97", "--model.dilation=2"]
    brief = ["--classify.epochs=1", "--train.epochs=1", "--evaluate.pictures=0"]
    options = ["--config", str(root / "config.yaml"), *small, *brief, "--out", str(out)]
    assert main(["run", *options]) == 0
    cues = load_cues(out / "cues" / "cues.npz")
    records = FolderDataset(root).split("train")
    wanted = log_rarity(((cues[each.name], each.labels) for each in records), 2)
    assert wanted[1] > 2
    model = dgcn.load(out)
    assert model.settings.evaluate.logit_adjustment == pytest.approx(wanted)
    plain = dgcn.load(out, evaluate={"logit_adjustment": [], "crf": False})
    adjusted = dgcn.load(out, evaluate={"logit_adjustment": "auto", "crf": False})
    with pytest.raises(ValueError, match="logit_adjustment must be 'auto' or finite numbers"):
        dgcn.load(out, evaluate={"logit_adjustment": [0.0, float("nan")]})
    image = root / "images" / "11.png"
    lower, higher = (each.predict(image).probabilities for each in (adjusted, plain))
    odds = (higher[1] / higher[0]) / (lower[1] / lower[0])
    np.testing.assert_allclose(odds, np.exp(wanted[1]), rtol=1e-3)
    portable = load_portable(out)
    assert portable.settings["evaluate"]["logit_adjustment"] == pytest.approx(wanted)
    exported = tmp_path / "net.pt2"
    assert main(["export", str(out), "--format", "torch", "--file", str(exported)]) == 0
    batch = torch.rand(1, 3, 97, 97)
    logits = torch.export.load(exported).module()(batch)
    with torch.no_grad():
        own = portable.model(batch).logits - torch.tensor(wanted)[:, None, None]
    torch.testing.assert_close(logits.detach(), own, rtol=1e-4, atol=1e-4)
    scores = json.loads((out / "graph_cut" / "metrics.json").read_text())["val"]
    assert "logits summed at image size, adjusted" in scores["protocol"]


def test_wrong_number_of_numbers_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "wares"
    write_wares(root, 4, 4)
    assert main(["init", str(root)]) == 0
    small = ["--model.backbone=small", "--data.size=97", "--train.epochs=1", "--classify.epochs=1"]
    options = ["--config", str(root / "config.yaml"), *small, f"--out={tmp_path / 'run'}"]
    assert main(["run", *options, "--evaluate.logit_adjustment=[0,1,2]"]) != 0
    shown = " ".join(capsys.readouterr().err.split())
    assert "evaluate.logit_adjustment must have 2 numbers" in shown
