"""The averaged network: its mean by hand, what goes by it, and that it survives a break."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from tiny_run import OPTIONS
from torch import Tensor

from dgcn.cli import main
from dgcn.config import Config, ModelConfig, TrainConfig
from dgcn.models import Segmenter, SmallNet
from dgcn.training.checkpoint import load_checkpoint
from dgcn.training.objective import SupervisedLosses
from dgcn.training.teacher import Teacher
from dgcn.training.throughput import Stopwatch


def network() -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(SmallNet(), 3, head="conv", dropout=0.5, dilation=1)


def test_the_average_is_the_one_of_the_formula() -> None:
    model = network()
    teacher = Teacher(model, 0.5, nullcontext)
    expected = {name: values.clone() for name, values in model.state_dict().items()}
    for steps, keep in ((1, 2 / 11), (2, 3 / 12), (30, 0.5)):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += torch.randn_like(parameter)
        model.backbone(torch.randn(2, 3, 33, 33))  # batch normalisation counts it
        teacher.follow(model, steps)
        for name, values in model.state_dict().items():
            mixed = keep * expected[name] + (1 - keep) * values
            expected[name] = mixed if values.is_floating_point() else values.clone()
    for name, values in teacher.network.state_dict().items():
        torch.testing.assert_close(values, expected[name])
    assert not any(parameter.requires_grad for parameter in teacher.network.parameters())


def test_the_supervision_goes_by_the_teacher() -> None:
    """The losses and the features are those of the training pass."""
    model = network().train()
    teacher = Teacher(model, 0.9, nullcontext)
    with torch.no_grad():
        teacher.network.head.bias += torch.tensor([0.0, 3.0, -2.0])
    seen: dict[str, Tensor] = {}

    def supervision(p: Tensor, features: Tensor, cues: Tensor, *rest: Tensor) -> Tensor:
        seen.update(p=p, features=features)
        return cues

    cues = torch.zeros(2, 3, 6, 6, dtype=torch.bool)
    cues[:, 1, :3] = True
    batch = {
        "image": torch.randn(2, 3, 41, 41),
        "rgb": torch.randint(0, 256, (2, 41, 41, 3), dtype=torch.uint8),
        "present": torch.ones(2, 3, dtype=torch.bool),
        "cues": cues,
    }
    config = Config(train=TrainConfig(boundary_weight=0, probabilities="teacher"))
    with SupervisedLosses(config, model.taps, Stopwatch(torch.device("cpu")), teacher) as losses:
        losses.supervision = supervision  # type: ignore[assignment]
        losses(model, batch)
    expected = teacher.network(batch["image"]).logits.softmax(1)
    torch.testing.assert_close(seen["p"], expected)
    assert seen["features"].shape == (2, sum(model.backbone.channels[t] for t in model.taps), 6, 6)


def test_a_training_by_a_teacher_goes_on(tiny_run: Path, tmp_path: Path) -> None:
    states = []
    options = [*OPTIONS, "--train.probabilities=teacher", "--train.teacher_decay=0.9"]
    options += ["--model.taps=[1,4]", "--train.supervision_every=1"]
    for name, lengths in (("whole", (2,)), ("parts", (1, 2))):
        out = tmp_path / name
        shutil.copytree(tiny_run, out)
        shutil.rmtree(out / "graph_cut")
        for epochs in lengths:
            last = ["train", *options, f"--train.epochs={epochs}", "--out", str(out)]
            assert main(last) == 0
        states.append(load_checkpoint(out / "graph_cut" / "last.pt"))
    whole, parts = states
    assert whole.history == parts.history
    assert whole.teacher.keys() == whole.model.keys()
    assert not torch.equal(whole.teacher["head.weight"], whole.model["head.weight"])
    for part in ("model", "teacher"):
        for name, values in getattr(whole, part).items():
            assert torch.equal(getattr(parts, part)[name], values), (part, name)


def test_taps_are_stages_of_the_backbone() -> None:
    assert Segmenter(SmallNet(), 3, dilation=1).taps == SmallNet.taps
    assert Segmenter(SmallNet(), 3, dilation=1, taps=[0, 3]).taps == (0, 3)
    for taps in ((), (5,), (-1,)):
        with pytest.raises(ValueError, match=r"taps must be None or stages of small, 0 to 4, got"):
            ModelConfig(backbone="small", taps=taps)
