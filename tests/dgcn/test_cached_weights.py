"""`dgcn init` takes ImageNet weights out of the caches of torch and Hugging Face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from dgcn.cli import main
from dgcn.models import BACKBONES
from dgcn.models.cached import cached_weights
from dgcn.options import load_config


def published(name: str) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in BACKBONES[name]().published.state_dict().items()}


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Folders of torch's and Hugging Face's cache, and pictures in tmp_path / "set"."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("HF_HUB_CACHE")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for label in ("cat", "dog"):
        folder = tmp_path / "set" / label
        folder.mkdir(parents=True)
        for number in range(2):
            pixels = np.random.default_rng(number).integers(0, 256, (9, 9, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{label}{number}.png")
    torch_folder = tmp_path / "torch" / "hub" / "checkpoints"
    timm_folder = tmp_path / "hf" / "hub" / "models--timm--resnet18.a1_in1k" / "snapshots" / "abc"
    torch_folder.mkdir(parents=True)
    timm_folder.mkdir(parents=True)
    return torch_folder, timm_folder


def test_torchvision_s_file_is_taken(
    caches: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = caches[0] / "squeezenet1_1-b8a52dc0.pth"
    torch.save(published("squeezenet"), path)
    assert main(["init", str(tmp_path / "set")]) == 0
    said = capsys.readouterr().out
    assert f"weights found: {path}" in said
    assert "Without ImageNet weights" not in said
    model = load_config(tmp_path / "set" / "config.yaml").model
    assert (model.backbone, model.weights) == ("squeezenet", path)


def test_timm_s_file_is_taken_and_what_fits_nothing_is_not(
    caches: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (caches[0] / "squeezenet1_1-b8a52dc0.pth").write_bytes(b"broken off")
    torch.save({"strange": torch.zeros(2)}, caches[0] / "efficientnet-lite0-0.pth")
    save_file(published("resnet18"), caches[1] / "model.safetensors")
    assert main(["init", str(tmp_path / "set")]) == 0
    assert f"weights found: {caches[1]}" in capsys.readouterr().out
    assert load_config(tmp_path / "set" / "config.yaml").model.backbone == "resnet18"


def test_without_any_it_says_where_to_get_one(
    caches: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path / "set")]) == 0
    said = capsys.readouterr().out
    assert "squeezenet1_1-b8a52dc0.pth (5 MB, its SHA-256 begins with b8a52dc0)" in said
    assert load_config(tmp_path / "set" / "config.yaml").model.weights is None


def test_files_that_are_only_called_alike_are_not_opened(caches: tuple[Path, Path]) -> None:
    for name in ("squeezenet1_0-1.pth", "vgg16_bn-2.pth", "resnet50-3.pth", "resnet18-4.pth"):
        (caches[0] / name).write_bytes(b"")
    assert [path.name for path in cached_weights()] == ["resnet18-4.pth", "resnet50-3.pth"]
