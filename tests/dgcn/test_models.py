"""Geometry, names and outputs of the networks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dgcn.models import (
    BACKBONES,
    Backbone,
    Classifier,
    Segmenter,
    SmallNet,
    SqueezeNet,
    aggregate,
    build_backbone,
    param_groups,
)


def fire_names(index: int) -> list[str]:
    parts = ("squeeze", "expand1x1", "expand3x3")
    return [f"features.{index}.{part}.{kind}" for part in parts for kind in ("weight", "bias")]


@pytest.fixture(scope="module")
def squeezenet() -> SqueezeNet:
    torch.manual_seed(0)
    return SqueezeNet().eval()


def test_squeezenet_has_torchvisions_names_and_shapes(squeezenet: SqueezeNet) -> None:
    state = squeezenet.state_dict()
    names = ["features.0.weight", "features.0.bias"]
    for index in (3, 4, 6, 7, 9, 10, 11, 12):
        names += fire_names(index)
    assert sorted(state) == sorted(names)
    assert state["features.0.weight"].shape == (64, 3, 3, 3)
    # squeeze in, squeeze out, expand: SqueezeNet 1.1's published table.
    table = {3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128)}
    table |= {9: (256, 48, 192), 10: (384, 48, 192), 11: (384, 64, 256), 12: (512, 64, 256)}
    for index, (before, squeeze, expand) in table.items():
        assert state[f"features.{index}.squeeze.weight"].shape == (squeeze, before, 1, 1)
        assert state[f"features.{index}.expand1x1.weight"].shape == (expand, squeeze, 1, 1)
        assert state[f"features.{index}.expand3x3.weight"].shape == (expand, squeeze, 3, 3)
    # The published 1,235,496 less the ImageNet classifier's 512 * 1000 + 1000.
    assert sum(tensor.numel() for tensor in state.values()) == 722_496


@pytest.mark.parametrize("name", sorted(BACKBONES))
@pytest.mark.parametrize(("height", "width"), [(81, 81), (65, 97), (60, 43), (9, 9), (1, 1)])
def test_stages_have_the_documented_shapes(name: str, height: int, width: int) -> None:
    # Shapes are found without computing anything.
    with torch.device("meta"):
        backbone = build_backbone(name).eval()
        stages = backbone(torch.empty(2, 3, height, width))
    assert len(stages) == len(backbone.channels) == len(backbone.strides) == 5
    for stage, channels, stride in zip(stages, backbone.channels, backbone.strides, strict=True):
        assert stage.shape == (2, channels, math.ceil(height / stride), math.ceil(width / stride))
    assert all(0 <= tap < 5 for tap in backbone.taps)


@pytest.mark.parametrize(("size", "cells"), [(321, 41), (161, 21)])
def test_grid_of_the_usual_sizes(size: int, cells: int) -> None:
    for name in BACKBONES:
        with torch.device("meta"):
            stages = build_backbone(name).eval()(torch.empty(1, 3, size, size))
        assert stages[-1].shape[2:] == (cells, cells)


@pytest.mark.parametrize("name", ["small", "squeezenet"])
def test_cells_are_centred_on_every_eighth_pixel(name: str) -> None:
    """Where one pixel reaches, the cells it changes lie symmetrically about pixel / stride."""
    torch.manual_seed(1)
    backbone = build_backbone(name).double().eval()
    # Positive weights: nothing cancels, so that every cell in reach changes.
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.abs_()
    base = torch.rand(1, 3, 161, 161, dtype=torch.float64)
    changed = base.clone()
    changed[:, :, 80, 80] += 100.0
    with torch.no_grad():
        pairs = zip(backbone(base), backbone(changed), backbone.strides, strict=True)
        for before, after, stride in pairs:
            rows = torch.nonzero((before != after).any(1)[0].any(1)).flatten()
            assert (rows.min() + rows.max()).item() == 2 * 80 // stride


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_every_layer_is_centred(name: str) -> None:
    """What `test_cells_are_centred_on_every_eighth_pixel` sees, of networks that see too far."""
    with torch.device("meta"):
        modules = list(build_backbone(name).modules())
    strided = 1
    for layer in modules:
        if isinstance(layer, (nn.Conv2d, nn.MaxPool2d)):
            kernel, stride, padding, dilation = (
                value[0] if isinstance(value, tuple) else value
                for value in (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
            )
            assert kernel % 2 == 1
            assert padding == dilation * (kernel - 1) // 2
            strided = max(strided, int(stride))
    assert strided == 2


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_every_parameter_of_a_backbone_learns(name: str) -> None:
    torch.manual_seed(2)
    backbone = build_backbone(name)
    backbone(torch.randn(2, 3, 17, 17))[-1].square().mean().backward()
    for key, parameter in backbone.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().sum() > 0, key


def test_squeezenet_equals_the_layers_written_out(squeezenet: SqueezeNet) -> None:
    weights = dict(squeezenet.named_parameters())
    x = torch.randn(1, 3, 49, 57, generator=torch.Generator().manual_seed(3))

    def conv(x: Tensor, name: str, **options: int) -> Tensor:
        out = functional.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **options)
        return functional.relu(out)

    def fire(x: Tensor, index: int, d: int) -> Tensor:
        name = f"features.{index}"
        x = conv(x, f"{name}.squeeze")
        wide = conv(x, f"{name}.expand3x3", padding=d, dilation=d)
        return torch.cat([conv(x, f"{name}.expand1x1"), wide], 1)

    wanted = [conv(x, "features.0", stride=2, padding=1)]
    for first, stride, d, indices in ((3, 2, 1, (3, 4)), (6, 2, 1, (6, 7)), (9, 1, 2, (9, 10))):
        y = functional.max_pool2d(wanted[-1], 3, stride, padding=1)
        for index in indices:
            y = fire(y, index, d)
        assert first == indices[0]
        wanted.append(y)
    wanted.append(fire(fire(wanted[-1], 11, 2), 12, 2))
    for found, stage in zip(squeezenet(x), wanted, strict=True):
        torch.testing.assert_close(found, stage, rtol=1e-5, atol=1e-4)  # sums in another order


def test_small_net_size_and_normalisation() -> None:
    net = SmallNet()
    count = sum(parameter.numel() for parameter in net.parameters())
    assert count == 206_160
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    normalisations = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(convolutions) == len(normalisations) == 8
    assert all(convolution.bias is None for convolution in convolutions)


def test_small_net_sees_55_pixels() -> None:
    torch.manual_seed(10)
    net = SmallNet().double().eval()
    x = torch.randn(1, 3, 161, 161, dtype=torch.float64, requires_grad=True)
    net(x)[-1][0, :, 10, 10].abs().sum().backward()
    assert x.grad is not None
    rows = x.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert (rows.min().item(), rows.max().item()) == (80 - 27, 80 + 27)


def test_small_net_learns_a_texture() -> None:
    """Stripes across against stripes down: the global average colour says nothing."""
    torch.manual_seed(4)
    generator = torch.Generator().manual_seed(4)
    wave = torch.sin(torch.arange(41) * 0.9)
    across, down = wave[:, None].expand(41, 41), wave[None, :].expand(41, 41)

    def draw(n: int) -> tuple[Tensor, Tensor]:
        kind = torch.randint(0, 2, (n,), generator=generator)
        images = torch.stack([(across, down)[k] for k in kind])[:, None].repeat(1, 3, 1, 1)
        return images + 0.5 * torch.randn(n, 3, 41, 41, generator=generator), kind

    model = Classifier(SmallNet(), 2)
    optimizer = torch.optim.SGD(param_groups(model, 0.01), momentum=0.9)
    for _ in range(10):
        images, kind = draw(16)
        loss = functional.cross_entropy(model(images), kind)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    images, kind = draw(32)
    with torch.no_grad():
        assert (model(images).argmax(1) == kind).float().mean() > 0.95


def test_classifier_logits_are_linear_in_the_averaged_features() -> None:
    torch.manual_seed(5)
    model = Classifier(SmallNet(), 4).eval()
    nn.init.normal_(model.head.weight)
    nn.init.normal_(model.head.bias)  # type: ignore[arg-type]
    x = torch.randn(3, 3, 33, 41)
    with torch.no_grad():
        features = model.backbone(x)[-1]
        weight, bias = model.head.weight[:, :, 0, 0], model.head.bias
        wanted = features.mean((2, 3)) @ weight.T + bias
        torch.testing.assert_close(model(x), wanted, rtol=1e-4, atol=1e-4)


def test_cam_is_the_weighted_sum_without_bias_cut_at_zero() -> None:
    torch.manual_seed(6)
    model = Classifier(SmallNet(), 2).eval()
    nn.init.normal_(model.head.weight)
    nn.init.constant_(model.head.bias, 100.0)  # type: ignore[arg-type]
    x = torch.randn(2, 3, 25, 33)
    with torch.no_grad():
        features, weight = model.backbone(x)[-1].numpy(), model.head.weight.numpy()[:, :, 0, 0]
        found = model.cam(x).numpy()
    wanted = np.zeros((2, 2, 4, 5), dtype=np.float64)
    for b, c, y, z in np.ndindex(wanted.shape):
        wanted[b, c, y, z] = max(0.0, float(features[b, :, y, z].astype(float) @ weight[c]))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    assert (wanted == 0).any()
    assert (wanted > 0).any()


def test_segmenter_logits_are_the_dilated_convolution_of_the_last_stage() -> None:
    torch.manual_seed(7)
    model = Segmenter(SmallNet(), 3, dilation=2).eval()
    x = torch.randn(1, 3, 33, 33)
    with torch.no_grad():
        output = model(x)
        last = output.features[-1].numpy()[0]
        weight = model.head.weight.numpy()
    assert [stage.shape[1] for stage in output.features] == list(SmallNet.channels)
    wanted = np.zeros((3, 5, 5))
    for c, y, z, i, j in np.ndindex(3, 5, 5, 3, 3):
        row, column = y + 2 * (i - 1), z + 2 * (j - 1)
        if 0 <= row < 5 and 0 <= column < 5:
            wanted[c, y, z] += weight[c, :, i, j] @ last[:, row, column]
    np.testing.assert_allclose(output.logits.numpy()[0], wanted, rtol=1e-4, atol=1e-5)


def test_segmenter_defaults() -> None:
    model = Segmenter(SmallNet(), 21)
    assert model.head.dilation == model.head.padding == (12, 12)
    assert model.head.kernel_size == (3, 3)
    assert model.dropout.p == 0.5
    assert model.head.bias is not None
    assert (model.head.bias == 0).all()
    assert model.head.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert model.head.weight.mean().item() == pytest.approx(0, abs=3e-4)


def test_dropout_drops_half_and_doubles_the_rest_in_training_only() -> None:
    torch.manual_seed(8)
    model = Segmenter(SmallNet(), 2)
    model.backbone.eval()
    x = torch.randn(2, 3, 33, 33)
    with torch.no_grad():
        dropped = model.dropout(torch.ones(2, 192, 5, 5))
        assert set(dropped.unique().tolist()) == {0.0, 2.0}
        assert 0.45 < (dropped == 0).float().mean() < 0.55
        assert not torch.equal(model(x).logits, model(x).logits)
        model.eval()
        assert torch.equal(model(x).logits, model(x).logits)


def test_large_features_reach_the_head_at_unit_scale() -> None:
    torch.manual_seed(11)
    model = Segmenter(SqueezeNet(), 2)
    with torch.no_grad():
        for parameter in model.backbone.parameters():
            parameter.mul_(3)
        seen = model.norm(model.backbone(torch.randn(4, 3, 65, 65))[-1])
    torch.testing.assert_close(seen.mean((0, 2, 3)), torch.zeros(512), atol=1e-3, rtol=0)
    deviation = seen.std((0, 2, 3), correction=0)
    assert torch.allclose(deviation[deviation > 0.5], torch.ones(()), atol=1e-2)
    assert (deviation > 0.5).float().mean() > 0.5
    assert isinstance(Segmenter(SmallNet(), 2).norm, nn.Identity)


def test_aggregate_resamples_corner_to_corner_and_detaches() -> None:
    generator = torch.Generator().manual_seed(9)
    fine = torch.randn(2, 3, 17, 9, generator=generator, requires_grad=True)
    other = torch.randn(2, 2, 4, 3, generator=generator)
    last = torch.randn(2, 4, 5, 3, generator=generator)
    found = aggregate([fine, other, last], (0, 2, 1))
    assert found.shape == (2, 9, 5, 3)
    assert not found.requires_grad
    # 17 -> 5 rows and 9 -> 3 columns: every fourth sample exactly.
    torch.testing.assert_close(found[:, :3], fine.detach()[:, :, ::4, ::4])
    assert torch.equal(found[:, 3:7], last)
    for row in range(5):
        at = row * 3 / 4
        low = min(int(at), 2)
        wanted = other[:, :, low] * (1 - (at - low)) + other[:, :, low + 1] * (at - low)
        torch.testing.assert_close(found[:, 7:, row], wanted)


def test_aggregate_computes_in_single_precision_at_least() -> None:
    stages = [torch.ones(1, 1, 3, 3, dtype=torch.bfloat16), torch.ones(1, 1, 2, 2)]
    assert aggregate(stages, (0,)).dtype == torch.float32
    assert aggregate([stage.double() for stage in stages], (0,)).dtype == torch.float64


def test_aggregate_errors() -> None:
    stage = torch.zeros(1, 1, 2, 2)
    with pytest.raises(IndexError, match="taps: no stage 1, there are 1"):
        aggregate([stage], (1,))
    with pytest.raises(ValueError, match="taps must name"):
        aggregate([stage], ())
    with pytest.raises(ValueError, match="stages must hold"):
        aggregate([], (0,))


@pytest.mark.parametrize("make", [Classifier, Segmenter])
def test_param_groups_hold_every_trainable_parameter_once(
    make: type[Classifier] | type[Segmenter],
) -> None:
    model = make(SmallNet(), 5)
    frozen = next(model.backbone.parameters())
    frozen.requires_grad_(False)
    backbone, new = param_groups(model, 0.01, head_lr_factor=10, weight_decay=1e-4)
    found = [id(parameter) for group in (backbone, new) for parameter in group["params"]]
    wanted = [id(p) for p in model.parameters() if p is not frozen]
    assert sorted(found) == sorted(wanted)
    assert {id(p) for p in new["params"]} == {id(p) for p in model.head.parameters()}
    assert (backbone["lr"], backbone["weight_decay"]) == (0.01, 1e-4)
    assert (new["lr"], new["weight_decay"]) == (pytest.approx(0.1), 1e-4)


def test_one_sgd_step_moves_head_lr_factor_ten_times_as_far() -> None:
    model = Segmenter(SmallNet(), 3)
    optimizer = torch.optim.SGD(param_groups(model, 0.01, weight_decay=0))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        step = 0.1 if name.startswith("head.") else 0.01
        torch.testing.assert_close(parameter.detach(), before[name] - step)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0.0}, "lr must be positive"),
        ({"lr": 1.0, "head_lr_factor": math.inf}, "head_lr_factor must be positive"),
        ({"lr": 1.0, "weight_decay": -1.0}, "weight_decay must not be negative"),
    ],
)
def test_param_groups_errors(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        param_groups(Classifier(SmallNet(), 1), **options)


def test_errors_name_the_argument() -> None:
    net: Backbone = SmallNet()
    with pytest.raises(ValueError, match=r"x must have shape \(B, 3, H, W\), got \(3, 8, 8\)"):
        net(torch.zeros(3, 8, 8))
    with pytest.raises(ValueError, match="x must have shape"):
        SqueezeNet()(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match="classes must be at least 1, got 0"):
        Classifier(net, 0)
    with pytest.raises(ValueError, match="classes must be at least 2, got 1"):
        Segmenter(net, 1)
    with pytest.raises(ValueError, match=r"dropout must be in \[0, 1\), got 1"):
        Segmenter(net, 2, dropout=1.0)
    with pytest.raises(ValueError, match="dilation must be at least 1, got 0"):
        Segmenter(net, 2, dilation=0)
    with pytest.raises(
        ValueError, match=r"backbone must be one of small, squeezenet, .*, got 'vgg'"
    ):
        build_backbone("vgg")


def test_clean_logits_are_those_of_evaluation_and_leave_the_modes() -> None:
    torch.manual_seed(0)
    model = Segmenter(SqueezeNet(), 3, dropout=0.5, dilation=2)
    x = torch.randn(4, 3, 65, 65)
    for _ in range(3):
        model(x)  # moves the running statistics of the normalisation before the head
    model.train()
    stages = model(x).features
    assert not torch.equal(model(x).logits, model(x).logits)  # dropout
    clean = model.clean_logits(stages)
    assert all(module.training for module in model.modules())
    torch.testing.assert_close(clean, model.eval()(x).logits)
    assert not clean.requires_grad
