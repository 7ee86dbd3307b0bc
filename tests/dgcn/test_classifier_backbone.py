"""A backbone of the classifier's own: what each network is built from, and what depends on it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny_run import OPTIONS
from torch.nn import functional

from dgcn.cli import main
from dgcn.config import Config
from dgcn.data import read_mask
from dgcn.models import SmallNet, SqueezeNet
from dgcn.options import config_from, config_parser, load_config, parse
from dgcn.pipeline.networks import load_classifier, new_segmenter
from dgcn.pipeline.portable import load_classifier_beside, load_portable
from dgcn.pipeline.run import open_run

OWN = """
from dgcn.models import SmallNet

class Mine(SmallNet):
    pass
"""


def settings(*options: str) -> Config:
    return config_from(parse(config_parser(), list(options)))


def stage(out: Path, name: str) -> dict[str, object]:
    record: dict[str, object] = json.loads((out / name / "stage.json").read_text())
    return record


def test_the_chain_runs_with_two_backbones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The classifier from a file of weights and of a class of one's own, the other from scratch."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_backbone.py").write_text(OWN)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    torch.manual_seed(0)
    start = SmallNet()
    save_file(start.state_dict(), tmp_path / "start.safetensors")
    options = [each for each in OPTIONS if not each.startswith(("--train.init", "--model.back"))]
    options += ["--model.backbone=squeezenet", "--train.init=weights", "--evaluate.classifier=true"]
    own = ["--classify.backbone=own_backbone:Mine", "--classify.weights=start.safetensors"]
    out = tmp_path / "run"
    assert main(["run", *options, *own, "--out", str(out)]) == 0
    assert type(load_portable(out / "graph_cut" / "last.pt").model.backbone) is SqueezeNet

    # A file does not decide what is imported.
    with pytest.raises(ValueError, match=r"--classify.backbone own_backbone:Mine allows it"):
        load_classifier_beside(out / "graph_cut" / "last.pt")
    classifier = load_classifier_beside(out / "graph_cut" / "last.pt", backbone="own_backbone:Mine")
    assert type(classifier.backbone).__name__ == "Mine"
    # Weights were given: batch normalisation is as the file has it, the convolutions have learnt.
    state, before = classifier.backbone.state_dict(), start.state_dict()
    assert torch.equal(state["stages.0.1.running_mean"], before["stages.0.1.running_mean"])
    assert not torch.equal(state["stages.0.0.weight"], before["stages.0.0.weight"])

    # The same again keeps everything; another backbone of the classifier concerns what is built on.
    capsys.readouterr()
    assert main(["run", *options, *own, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "classifier: finished before, kept" in said
    assert "cues: finished before, kept" in said
    assert main(["run", *options, "--classify.backbone=small", "--out", str(out)]) == 2
    assert "classify.backbone" in capsys.readouterr().err

    image = next((out / "data").glob("*/images/val_*.png"))
    command = ["predict", "--checkpoint", str(out / "graph_cut" / "last.pt"), "--images"]
    command += [str(image), "--evaluate.classifier=true", "--out", str(tmp_path / "found")]
    assert main(command) == 2
    assert "--classify.backbone own_backbone:Mine allows it" in capsys.readouterr().err
    assert main([*command, "--classify.backbone=own_backbone:Mine"]) == 0
    expected = read_mask(out / "graph_cut" / "predictions" / "val" / image.name)
    assert (read_mask(tmp_path / "found" / "masks" / image.name) == expected).all()


def test_without_one_the_stages_record_what_they_did_before(tiny_run: Path) -> None:
    made = stage(tiny_run, "classifier")["fingerprint"]
    assert isinstance(made, dict)
    assert made["model"] == {"backbone": "small", "weights": None, "batch_norm": "auto"}
    assert not {"backbone", "weights"} & set(made["classify"])


def test_classifier_model_is_the_models_or_its_own(tmp_path: Path) -> None:
    weights = tmp_path / "w.pth"
    weights.write_bytes(b"")
    shared = settings("--model.backbone=resnet18", f"--model.weights={weights}")
    assert shared.classifier_model == shared.model
    own = settings(f"--model.weights={weights}", "--classify.backbone=vgg16")
    assert own.classifier_model.backbone == "vgg16"
    assert own.classifier_model.weights is None
    assert not own.classifier_model.freezes_norm
    assert own.model.freezes_norm
    # VGG16's usual head wants an even dilation; a classifier has none.
    odd = settings("--model.dilation=5", "--classify.backbone=vgg16")
    assert odd.classifier_model.backbone == "vgg16"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--classify.weights", "W"), "classify.weights must be None without classify.backbone"),
        (("--classify.backbone", "vgg"), "classify.backbone must be one of small, .*, got 'vgg'"),
        (
            ("--classify.backbone", "small", "--classify.weights", "/no.pth"),
            "classify.weights: no such file: /no.pth",
        ),
        (
            ("--classify.backbone", "vgg16", "--train.init", "classifier"),
            r"train.init must not be 'classifier' where classify.backbone \(vgg16\) is not "
            r"model.backbone \(squeezenet\)",
        ),
        (
            ("--train.init", "classifier_and_head"),
            "train.init must not be 'classifier_and_head' on squeezenet: it needs",
        ),
        (
            ("--model.backbone=small", "--model.head=aspp", "--train.init=classifier_and_head"),
            "train.init must not be 'classifier_and_head' on small: it needs the head 'conv'",
        ),
        (
            ("--classify.backbone", "vgg16", "--retrain.init", "classifier"),
            "retrain.init must not be 'classifier' where",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(
    options: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    (tmp_path / "w.pth").write_bytes(b"")
    arguments = [str(tmp_path / "w.pth") if each == "W" else each for each in options]
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        settings(*arguments)


def test_the_head_starts_with_the_classifiers_last_layer(tiny_run: Path) -> None:
    """The first scores are the activation maps with their biases, beside 0 for the background."""
    run = open_run(load_config(tiny_run / "config.yaml"), reads_only=True)
    classifier, x = load_classifier(run), torch.randn(2, 3, 65, 65)
    with torch.no_grad():
        model = new_segmenter(run, "classifier_and_head", 0.5).eval()
        maps = functional.conv2d(
            classifier.backbone(x)[-1], classifier.head.weight, classifier.head.bias
        )
        logits = model(x).logits
    torch.testing.assert_close(logits[:, 1:], maps)
    assert (logits[:, 0] == 0).all()
    assert maps.std() > 0
    # Without the head only the backbone is the classifier's.
    with torch.no_grad():
        other = new_segmenter(run, "classifier", 0.5).eval()
    torch.testing.assert_close(other.backbone.state_dict(), classifier.backbone.state_dict())
    assert not torch.equal(other.head.weight, model.head.weight)
