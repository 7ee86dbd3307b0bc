"""Networks of timm as backbones: their own values, files and refusals; none without timm."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dgcn.config import ModelConfig
from dgcn.models import Segmenter, WeightsError, build_backbone, find_backbone

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


def test_without_timm_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r"needs timm: pip install 'graphcut-ext\[timm\]'"):
        ModelConfig(backbone="timm:no_such_network_here")


def test_nothing_but_such_a_name_imports_timm() -> None:
    code = (
        "import sys, dgcn.config, dgcn.models; dgcn.config.Config(); print('timm' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


# Where timm is not installed there is nothing to compare with.


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2_050", "tf_efficientnet_lite0"])
def test_stages_are_those_of_the_network(name: str) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    backbone = build_backbone(f"timm:{name}").eval()
    assert len(backbone.channels) == len(backbone.strides)
    assert backbone.strides[-1] == 8
    assert backbone.normalised
    x = torch.randn(1, 3, 65, 97)
    plain = timm.create_model(name, num_classes=0, global_pool="", output_stride=8).eval()
    plain.load_state_dict(backbone.published.state_dict())
    cfg = plain.pretrained_cfg
    mean, std = (torch.tensor(cfg[key])[:, None, None] for key in ("mean", "std"))
    with torch.no_grad():
        found = backbone(x)
        wanted = plain.forward_features((x * STD + MEAN - mean) / std)
    torch.testing.assert_close(found[-1], wanted, rtol=1e-3, atol=1e-4)
    for stage, channels, stride in zip(found, backbone.channels, backbone.strides, strict=True):
        assert stage.shape == (1, channels, 64 // stride + 1, 96 // stride + 1)


def test_a_file_of_timm_loads_without_its_classifier(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(1)
    whole = timm.create_model("resnet18").state_dict()
    save_file(whole, tmp_path / "resnet18.safetensors")
    state = build_backbone("timm:resnet18", tmp_path / "resnet18.safetensors").state_dict()
    assert {f"network.{name}" for name in whole if not name.startswith("fc.")} == set(state)
    for name, tensor in state.items():
        assert torch.equal(tensor, whole[name.removeprefix("network.")])
    with pytest.raises(WeightsError, match="missing"):
        build_backbone("timm:resnet34", tmp_path / "resnet18.safetensors")


def test_every_parameter_learns_and_frozen_normalisation_stays() -> None:
    pytest.importorskip("timm")
    torch.manual_seed(2)
    model = Segmenter(build_backbone("timm:mobilenetv2_050"), 3, dilation=2).train()
    model(torch.randn(2, 3, 33, 33)).logits.square().mean().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.backbone.freeze_norm()
    before = {name: tensor.clone() for name, tensor in model.backbone.named_buffers()}
    model(torch.randn(2, 3, 33, 33))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.backbone.named_buffers())


def test_names_that_timm_does_not_have_and_networks_without_maps() -> None:
    pytest.importorskip("timm")
    with pytest.raises(ValueError, match=r"timm:resnet19: timm .* has no such network"):
        find_backbone("timm:resnet19")
    with pytest.raises(ValueError, match="has no such network"):
        find_backbone("timm:hf_hub:timm/resnet18.a1_in1k")
    with pytest.raises(ValueError, match="timm:vit_tiny_patch16_224 does not do stride 8"):
        find_backbone("timm:vit_tiny_patch16_224")
    with pytest.raises(ValueError, match=r"have the sides \[32, 16, 16, 16\] instead of 17"):
        find_backbone("timm:convnext_atto")


def test_efficientnet_lite0_is_timms_own() -> None:
    """The same layers in the same order: values of one network in the other."""
    timm = pytest.importorskip("timm")
    torch.manual_seed(3)
    name = "tf_efficientnet_lite0"
    ours = build_backbone("efficientnet_lite0").eval()
    theirs = timm.create_model(name, num_classes=0, global_pool="", output_stride=8).eval()
    values = list(ours.state_dict().values())
    names = list(theirs.state_dict())
    assert len(values) == len(names)
    theirs.load_state_dict(dict(zip(names, values, strict=True)))
    rgb = torch.randint(0, 256, (1, 3, 129, 97)).float()
    with torch.no_grad():
        found = ours((rgb / 255 - MEAN) / STD)[-1]
        wanted = theirs.forward_features((rgb - 127) / 128)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)
    assert wanted.std() > 0
