"""Weights from files: everything fits, or an error that says what does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dgcn.models import (
    BACKBONES,
    SmallNet,
    SqueezeNet,
    WeightsError,
    build_backbone,
    load_weights,
    recognise,
)


def tiny() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))


def values(module: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """Random values of the right shapes and types."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(tensor.shape, generator=generator)
        if tensor.is_floating_point()
        else torch.full_like(tensor, 7)
        for name, tensor in module.state_dict().items()
    }


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".PT"])
def test_round_trip(tmp_path: Path, suffix: str) -> None:
    module, wanted = tiny(), values(tiny())
    path = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(wanted, path)
    load_weights(module, path)
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, wanted[name])


def test_half_precision_is_widened(tmp_path: Path) -> None:
    module, wanted = tiny(), values(tiny())
    half = {k: v.half() if v.is_floating_point() else v for k, v in wanted.items()}
    save_file(half, tmp_path / "half.safetensors")
    load_weights(module, tmp_path / "half.safetensors")
    for name, tensor in module.state_dict().items():
        assert tensor.dtype == wanted[name].dtype
        assert torch.equal(tensor, half[name].to(tensor.dtype))


def test_state_dict_inside_a_checkpoint(tmp_path: Path) -> None:
    wanted = values(tiny())
    torch.save({"epoch": 3, "state_dict": wanted}, tmp_path / "a.pth")
    module = tiny()
    load_weights(module, tmp_path / "a.pth")
    assert torch.equal(module.state_dict()["0.weight"], wanted["0.weight"])


def test_squeezenet_leaves_the_imagenet_classifier_out(tmp_path: Path) -> None:
    wanted = {name: tensor.half() for name, tensor in values(SqueezeNet()).items()}
    classifier = {"classifier.1.weight": torch.zeros(1000, 512, 1, 1, dtype=torch.half)}
    path = tmp_path / "squeezenet.safetensors"
    save_file({**wanted, **classifier}, path)
    backbone = build_backbone("squeezenet", path)
    for name, tensor in backbone.state_dict().items():
        assert torch.equal(tensor, wanted[name].float())
    with pytest.raises(WeightsError, match=r"unexpected \(1\): classifier.1.weight"):
        load_weights(SqueezeNet(), path)


def test_small_net_with_its_statistics(tmp_path: Path) -> None:
    trained = SmallNet()
    trained(torch.randn(2, 3, 33, 33))
    torch.save(trained.state_dict(), tmp_path / "small.pth")
    loaded = build_backbone("small", str(tmp_path / "small.pth"))
    x = torch.randn(1, 3, 33, 33)
    assert torch.equal(trained.eval()(x)[-1], loaded.eval()(x)[-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"0.weight": None}, r"missing \(1\): 0.weight"),
        ({"extra": torch.zeros(1)}, r"unexpected \(1\): extra"),
        (
            {"0.weight": torch.zeros(2, 3, 3, 3)},
            r"wrong shape \(1\): 0.weight \(2, 3, 3, 3\) instead of \(2, 3, 1, 1\)",
        ),
        ({"0.bias": torch.tensor([0.0, float("nan")])}, r"not finite \(1\): 0.bias"),
        ({"0.bias": None, "b": torch.zeros(1)}, r"missing \(1\): 0.bias; unexpected \(1\): b"),
    ],
)
def test_what_does_not_fit_is_listed_and_nothing_is_changed(
    tmp_path: Path, change: dict[str, Tensor | None], message: str
) -> None:
    content = {k: v for k, v in {**values(tiny()), **change}.items() if v is not None}
    path = tmp_path / "w.safetensors"
    save_file(content, path)
    module = tiny()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(WeightsError, match=message) as caught:
        load_weights(module, path)
    assert str(path) in str(caught.value)
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_long_lists_are_cut(tmp_path: Path) -> None:
    save_file({"other": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"missing \(50\): .* and 42 more; unexpected \(1\)"):
        load_weights(SqueezeNet(), tmp_path / "w.safetensors")


class Payload:
    """Would run code if it were unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, ("open('owned', 'w')",))


def test_damaged_and_malicious_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"0.weight": Payload()}, "evil.pth")
    torch.save([torch.zeros(1)], "list.pth")
    torch.save({"0.weight": "text"}, "text.pth")
    torch.save(values(tiny()), "whole.pth")
    save_file(values(tiny()), "whole.safetensors")
    for suffix in ("pth", "safetensors"):
        content = Path(f"whole.{suffix}").read_bytes()
        Path(f"short.{suffix}").write_bytes(content[: len(content) // 2])
        Path(f"empty.{suffix}").write_bytes(b"")
        Path(f"noise.{suffix}").write_bytes(bytes(range(256)))
    Path("weights.bin").write_bytes(b"abc")
    names = ["evil.pth", "list.pth", "text.pth", "weights.bin"]
    names += [f"{k}.{s}" for k in ("short", "empty", "noise") for s in ("pth", "safetensors")]
    for name in names:
        with pytest.raises(WeightsError, match=name):
            load_weights(tiny(), name)
    assert not Path("owned").exists()


@pytest.mark.parametrize(
    "kind",
    [
        lambda weight: weight.to_sparse(),
        lambda weight: weight.to_sparse_csr(),
        lambda weight: torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_of_other_kinds_are_refused_by_name(
    kind: Callable[[Tensor], Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "a.pth"
    layer = torch.nn.Linear(3, 2)
    torch.save({**layer.state_dict(), "weight": kind(layer.weight.detach())}, path)
    with pytest.raises(WeightsError, match=r"a\.pth: 'weight' is not a dense tensor|more than"):
        load_weights(layer, path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such file of weights: .*none\.pth"):
        load_weights(tiny(), tmp_path / "none.pth")


@pytest.mark.parametrize("name", ["small", "squeezenet", "efficientnet_lite0", "resnet18"])
def test_a_backbone_is_known_by_its_parameters(tmp_path: Path, name: str) -> None:
    """With the layer to the 1000 classes as without it; counters may be missing."""
    kind = BACKBONES[name]
    state = {
        key: torch.zeros(tensor.shape)
        for key, tensor in kind().state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    path = tmp_path / "w.safetensors"
    save_file({**state, **{f"{each}weight": torch.zeros(1) for each in kind.left_out}}, path)
    assert recognise(path, BACKBONES) == name
    save_file({**state, "more": torch.zeros(1)}, path)
    assert recognise(path, BACKBONES) is None
    key = next(iter(state))
    save_file({**state, key: torch.zeros(1, 1, 1, 1)}, path)
    assert recognise(path, BACKBONES) is None


def test_the_fitting_backbone_is_named(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(SmallNet().state_dict(), path)
    with pytest.raises(WeightsError) as caught:
        build_backbone("squeezenet", path)
    assert str(caught.value) == (
        f"{path} has the weights of the backbone small, not of squeezenet: set model.backbone (or "
        f"classify.backbone) to small"
    )
    save_file({**SmallNet().state_dict(), "more": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match=r"does not fit SmallNet: unexpected \(1\): more"):
        build_backbone("small", path)
