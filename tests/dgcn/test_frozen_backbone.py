"""A classifier whose last layer alone is trained: the same gradients, and nothing else moves."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from tiny_run import OPTIONS

import dgcn
from dgcn.cli import main
from dgcn.config import ClassifyConfig, Config
from dgcn.models import Classifier, SmallNet
from dgcn.pipeline.report import opened
from dgcn.training.checkpoint import load_checkpoint
from dgcn.training.frozen import FrozenLosses, KeptFeatures
from dgcn.training.objective import classification_losses


def small_weights(path: Path) -> Path:
    torch.manual_seed(0)
    network = SmallNet()
    for module in network.modules():  # statistics that are not those of any batch
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean += torch.randn_like(module.running_mean)
    save_file(network.state_dict(), path)
    return path


def test_the_last_layer_gets_the_gradient_of_the_whole_network() -> None:
    torch.manual_seed(0)
    model = Classifier(SmallNet(), 4).train()
    model.freeze_backbone()
    assert model.head.training
    assert not model.backbone.training
    batch = {
        "image": torch.randn(3, 3, 41, 49),
        "present": torch.rand(3, 5) > 0.5,
        "index": torch.tensor([5, 2, 7]),
        "mirrored": torch.tensor([False, True, False]),
    }
    losses = FrozenLosses(KeptFeatures(model, nullcontext), repeats=True)
    found = []
    for each in (classification_losses, losses, losses):
        model.zero_grad()
        values, labelled = each(model, batch)
        assert labelled == 3
        values["labels"].backward()
        assert all(parameter.grad is None for parameter in model.backbone.parameters())
        found.append((values["labels"].detach(), model.head.weight.grad, model.head.bias.grad))
    for values in found[1:]:
        torch.testing.assert_close(values, found[0])


@pytest.mark.parametrize(("repeats", "passes"), [(True, 3), (False, 6)])
def test_an_image_goes_through_the_backbone_once_for_each_mirroring(
    repeats: bool, passes: int
) -> None:
    model = Classifier(SmallNet(), 2).freeze_backbone()
    calls: list[int] = []
    model.backbone.register_forward_hook(lambda module, given, output: calls.append(len(given[0])))
    losses = FrozenLosses(KeptFeatures(model, nullcontext), repeats=repeats)
    for index, mirrored in (([0, 1], [False, False]), ([1, 0], [False, True]), ([0, 1], [True, 0])):
        batch = {
            "image": torch.randn(2, 3, 33, 33),
            "present": torch.ones(2, 3, dtype=torch.bool),
            "index": torch.tensor(index),
            "mirrored": torch.tensor(mirrored, dtype=torch.bool),
        }
        losses(model, batch)
    assert calls == [1] * passes


def test_a_resumed_training_ends_with_the_same_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = small_weights(tmp_path / "start.safetensors")
    own = ["--classify.frozen=true", f"--model.weights={start}", "--classify.lr=0.1"]
    own += ["--model.batch_norm=train"]
    for name, epochs in (("whole", [4]), ("parts", [1, 4])):
        for count in epochs:
            options = [*OPTIONS, *own, f"--classify.epochs={count}", f"--out={tmp_path / name}"]
            assert main(["classify", *options]) == 0
    assert "classifier: resumed after epoch 1" in capsys.readouterr().out
    whole, parts = (
        load_checkpoint(tmp_path / name / "classifier" / "last.pt").model
        for name in ("whole", "parts")
    )
    assert whole.keys() == parts.keys()
    for key, values in whole.items():
        assert torch.equal(values, parts[key]), key
    for key, values in load_file(start).items():
        assert torch.equal(whole[f"backbone.{key}"], values), key
    assert whole["head.weight"].abs().max() > 0.05  # it began with a deviation of 0.01


def test_a_backbone_that_starts_at_random_is_not_frozen() -> None:
    with pytest.raises(ValueError, match=r"frozen must be false .* model\.weights is not"):
        Config(classify=ClassifyConfig(frozen=True))
    own = ClassifyConfig(frozen=True, backbone="small")
    with pytest.raises(ValueError, match=r"classify\.weights is not given"):
        Config(classify=own)


def test_a_run_is_looked_at_without_the_files_it_was_made_from(
    tiny_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(tiny_run, out)
    settings = yaml.safe_load((out / "config.yaml").read_text())
    settings["model"]["weights"] = settings["classify"]["weights"] = "gone.safetensors"
    settings["classify"] |= {"backbone": "small", "frozen": True}
    settings["cues"]["saliency"] = "gone.onnx"
    settings["train"]["init"] = "weights"
    (out / "config.yaml").write_text(yaml.safe_dump(settings))
    assert opened(out).dataset.split("train")
    assert dgcn.Run.open(out).pictures()
