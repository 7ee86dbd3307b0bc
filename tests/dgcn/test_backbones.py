"""VGG16 and the residual networks against their published tables and plain torch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from dgcn.config import ModelConfig
from dgcn.models import (
    BACKBONES,
    Backbone,
    Classifier,
    Segmenter,
    SmallNet,
    WeightsError,
    build_backbone,
    param_groups,
)

Shapes = dict[str, tuple[int, ...]]

VGG_WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
DEPTHS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}
# Parameters of the published networks, and of the layers to their 1000 classes.
PUBLISHED = {
    "squeezenet": (1_235_496, 512 * 1000 + 1000),
    "vgg16": (138_357_544, 25088 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000),
    "resnet18": (11_689_512, 512 * 1000 + 1000),
    "resnet50": (25_557_032, 2048 * 1000 + 1000),
    "resnet101": (44_549_160, 2048 * 1000 + 1000),
}


def norm_shapes(name: str, channels: int) -> Shapes:
    kinds = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{kind}": (channels,) for kind in kinds} | {f"{name}.num_batches_tracked": ()}


def vgg_shapes() -> Shapes:
    shapes: Shapes = {}
    before, index = 3, 0
    for width in VGG_WIDTHS:
        if width:
            shapes[f"features.{index}.weight"] = (width, before, 3, 3)
            shapes[f"features.{index}.bias"] = (width,)
            before, index = width, index + 2
        else:
            index += 1
    return shapes


def resnet_shapes(name: str) -> Shapes:
    shapes: Shapes = {"conv1.weight": (64, 3, 7, 7), **norm_shapes("bn1", 64)}
    before, wide = 64, 1 if name == "resnet18" else 4
    for layer, depth in enumerate(DEPTHS[name], 1):
        width = 32 * 2**layer
        for block in range(depth):
            at, out = f"layer{layer}.{block}", width * wide
            if wide == 1:
                sides = [(width, before, 3), (width, width, 3)]
            else:
                sides = [(width, before, 1), (width, width, 3), (out, width, 1)]
            for number, (to, start, kernel) in enumerate(sides, 1):
                shapes[f"{at}.conv{number}.weight"] = (to, start, kernel, kernel)
                shapes |= norm_shapes(f"{at}.bn{number}", to)
            if block == 0 and (layer > 1 or before != out):
                shapes[f"{at}.downsample.0.weight"] = (out, before, 1, 1)
                shapes |= norm_shapes(f"{at}.downsample.1", out)
            before = out
    return shapes


def resnet38_shapes() -> Shapes:
    shapes: Shapes = {"conv1a.weight": (64, 3, 3, 3)}
    # name: input, then every convolution's (output, kernel); "branch1" where the shape changes.
    blocks = {"b2": (64, 128, 128), "b2_1": (128, 128, 128), "b2_2": (128, 128, 128)}
    blocks |= {"b3": (128, 256, 256), "b3_1": (256, 256, 256), "b3_2": (256, 256, 256)}
    blocks |= {"b4": (256, 512, 512)} | {f"b4_{n}": (512, 512, 512) for n in range(1, 6)}
    blocks |= {"b5": (512, 512, 1024), "b5_1": (1024, 512, 1024), "b5_2": (1024, 512, 1024)}
    for name, (before, middle, out) in blocks.items():
        shapes |= norm_shapes(f"{name}.bn_branch2a", before)
        shapes[f"{name}.conv_branch2a.weight"] = (middle, before, 3, 3)
        shapes |= norm_shapes(f"{name}.bn_branch2b1", middle)
        shapes[f"{name}.conv_branch2b1.weight"] = (out, middle, 3, 3)
        if before != out:
            shapes[f"{name}.conv_branch1.weight"] = (out, before, 1, 1)
    for name, before, quarter, half, out in (
        ("b6", 1024, 512, 1024, 2048),
        ("b7", 2048, 1024, 2048, 4096),
    ):
        shapes |= norm_shapes(f"{name}.bn_branch2a", before)
        shapes[f"{name}.conv_branch2a.weight"] = (quarter, before, 1, 1)
        shapes |= norm_shapes(f"{name}.bn_branch2b1", quarter)
        shapes[f"{name}.conv_branch2b1.weight"] = (half, quarter, 3, 3)
        shapes |= norm_shapes(f"{name}.bn_branch2b2", half)
        shapes[f"{name}.conv_branch2b2.weight"] = (out, half, 1, 1)
        shapes[f"{name}.conv_branch1.weight"] = (out, before, 1, 1)
    return shapes | norm_shapes("bn7", 4096)


def on_meta(name: str) -> Backbone:
    with torch.device("meta"):
        return build_backbone(name)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("vgg16", vgg_shapes()),
        *((name, resnet_shapes(name)) for name in DEPTHS),
        ("resnet38", resnet38_shapes()),
    ],
)
def test_published_names_and_shapes(name: str, wanted: Shapes) -> None:
    assert {key: tuple(value.shape) for key, value in on_meta(name).state_dict().items()} == wanted


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_parameters_and_what_is_left_out_add_up_to_the_published_number(name: str) -> None:
    total, classifier = PUBLISHED[name]
    backbone = on_meta(name)
    assert sum(p.numel() for p in backbone.parameters()) == total - classifier
    documented = (type(backbone).__doc__ or "").replace(",", "")
    assert name == "squeezenet" or str(total - classifier) in documented


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("vgg16", 256 + 512 + 512),
        ("resnet18", 64 + 256),
        ("resnet50", 1280),
        ("resnet101", 1280),
        ("resnet38", 512 + 1024 + 4096),
        ("squeezenet", 256 + 384 + 512),
        ("small", 384),
    ],
)
def test_channels_of_the_taps(name: str, channels: int) -> None:
    backbone = on_meta(name)
    stages = backbone(torch.empty(1, 3, 65, 65, device="meta"))
    assert sum(stages[tap].shape[1] for tap in backbone.taps) == channels


def randomised(backbone: Backbone, seed: int) -> dict[str, Tensor]:
    """Give normalisation layers statistics, so that one left out would be seen."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                for name, low in (("weight", 0.5), ("bias", -0.5), ("running_mean", -0.5)):
                    tensor = getattr(module, name)
                    tensor.copy_(low + torch.rand(tensor.shape, generator=generator))
                variance = module.running_var
                assert variance is not None
                variance.copy_(0.5 + torch.rand(variance.shape, generator=generator))
    return backbone.eval().state_dict()


def norm(x: Tensor, w: dict[str, Tensor], name: str) -> Tensor:
    mean, variance = w[f"{name}.running_mean"], w[f"{name}.running_var"]
    return functional.batch_norm(x, mean, variance, w[f"{name}.weight"], w[f"{name}.bias"])


def strided_resnet(x: Tensor, w: dict[str, Tensor], name: str) -> list[Tensor]:
    """The classification network: strides 2 in layer2, layer3 and layer4, no dilation."""

    def conv(x: Tensor, key: str, stride: int = 1) -> Tensor:
        weight = w[f"{key}.weight"]
        return functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    stages = [norm(conv(x, "conv1", 2), w, "bn1").relu()]
    x = functional.max_pool2d(stages[0], 3, 2, padding=1)
    for layer, depth in enumerate(DEPTHS[name], 1):
        for block in range(depth):
            at = f"layer{layer}.{block}"
            stride = 2 if layer > 1 and block == 0 else 1
            if name == "resnet18":
                y = norm(conv(x, f"{at}.conv1", stride), w, f"{at}.bn1").relu()
                y = norm(conv(y, f"{at}.conv2"), w, f"{at}.bn2")
            else:
                y = norm(conv(x, f"{at}.conv1"), w, f"{at}.bn1").relu()
                y = norm(conv(y, f"{at}.conv2", stride), w, f"{at}.bn2").relu()
                y = norm(conv(y, f"{at}.conv3"), w, f"{at}.bn3")
            if f"{at}.downsample.0.weight" in w:
                x = norm(conv(x, f"{at}.downsample.0", stride), w, f"{at}.downsample.1")
            x = (x + y).relu()
        stages.append(x)
    return stages


@pytest.mark.parametrize("output_stride", [8, 16])
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_resnet_has_the_classification_networks_values_where_that_has_cells(
    name: str, output_stride: int
) -> None:
    torch.manual_seed(20)
    backbone = build_backbone(name, output_stride=output_stride).double()
    weights = randomised(backbone, 20)
    x = torch.randn(1, 3, 65, 65, dtype=torch.float64)
    with torch.no_grad():
        found, wanted = backbone(x), strided_resnet(x, weights, name)
    assert [stage.shape[-1] for stage in wanted] == [33, 17, 9, 5, 3]
    for stage, reference, step in zip(found, wanted, (1, 1, 1, 2, 4), strict=True):
        torch.testing.assert_close(stage[:, :, ::step, ::step], reference)
    between = (found[3][:, :, :-2:2] + found[3][:, :, 2::2]) / 2
    assert torch.allclose(found[3][:, :, 1::2], between) == (output_stride == 16)


def test_a_backbone_without_stride_16_is_refused() -> None:
    with pytest.raises(ValueError, match="output_stride must be 8 for SqueezeNet, got 16"):
        build_backbone("squeezenet", output_stride=16)
    with pytest.raises(ValueError, match="output_stride must be 8 for squeezenet, got 16"):
        ModelConfig(output_stride=16)
    with pytest.raises(ValueError, match="output_stride must be 8 or 16 for ResNet18, got 32"):
        build_backbone("resnet18", output_stride=32)


def test_vgg16_equals_the_layers_written_out() -> None:
    torch.manual_seed(21)
    backbone = build_backbone("vgg16").eval()
    w = backbone.state_dict()
    x = torch.randn(1, 3, 33, 41)
    found, wanted, y, index = backbone(x), [], x, 0
    for width in VGG_WIDTHS:
        if width:
            d = 2 if index >= 24 else 1
            weight, bias = w[f"features.{index}.weight"], w[f"features.{index}.bias"]
            y = functional.conv2d(y, weight, bias, padding=d, dilation=d).relu()
            index += 2
        else:
            wanted.append(y)
            y = functional.max_pool2d(y, 3, 2 if index < 20 else 1, padding=1)
            index += 1
    wanted[-1] = y
    for stage, reference in zip(found, wanted, strict=True):
        torch.testing.assert_close(stage, reference, rtol=1e-4, atol=1e-4)


def test_resnet38_equals_the_layers_written_out() -> None:
    torch.manual_seed(22)
    backbone = build_backbone("resnet38")
    w = randomised(backbone, 22)
    x = torch.randn(1, 3, 25, 17)

    def conv(x: Tensor, key: str, stride: int = 1, d: int = 1) -> Tensor:
        weight = w[f"{key}.weight"]
        padding = d * (weight.shape[-1] // 2)
        return functional.conv2d(x, weight, stride=stride, padding=padding, dilation=d)

    def block(x: Tensor, at: str, stride: int, first: int, d: int) -> Tensor:
        active = norm(x, w, f"{at}.bn_branch2a").relu()
        y = norm(conv(active, f"{at}.conv_branch2a", stride, first), w, f"{at}.bn_branch2b1").relu()
        y = conv(y, f"{at}.conv_branch2b1", d=d)
        if f"{at}.bn_branch2b2.weight" in w:
            y = conv(norm(y, w, f"{at}.bn_branch2b2").relu(), f"{at}.conv_branch2b2")
        changes = f"{at}.conv_branch1.weight" in w
        return y + (conv(active, f"{at}.conv_branch1", stride) if changes else x)

    with torch.no_grad():
        found = backbone(x)
        y, after = conv(x, "conv1a"), {}
        names = ["b2", "b2_1", "b2_2", "b3", "b3_1", "b3_2", "b4"]
        names += [*(f"b4_{n}" for n in range(1, 6)), "b5", "b5_1", "b5_2", "b6", "b7"]
        for name in names:
            d = {"b5": 2, "b6": 4, "b7": 4}.get(name[:2], 1)
            y = block(y, name, 2 if name in ("b2", "b3", "b4") else 1, 1 if name == "b5" else d, d)
            after[name] = y
        ends = [("b2_2", "b3.bn_branch2a"), ("b3_2", "b4.bn_branch2a"), ("b4_5", "b5.bn_branch2a")]
        ends += [("b5_2", "b6.bn_branch2a"), ("b7", "bn7")]
        wanted = [norm(after[end], w, key).relu() for end, key in ends]
    for stage, reference in zip(found, wanted, strict=True):
        scale = float(reference.abs().max())
        torch.testing.assert_close(stage / scale, reference / scale, rtol=1e-3, atol=1e-5)


def published_file(path: Path, name: str) -> dict[str, Tensor]:
    """A file as torchvision published it: with the classifier, without counters of batches.

    The older ones hold parameters in the format from before torch 1.6.
    """
    state = randomised(build_backbone(name), 23)
    content = {k: v.clone() for k, v in state.items() if not k.endswith("num_batches_tracked")}
    content |= {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    if path.suffix == ".safetensors":
        save_file(content, path)
    else:
        parameters = {k: nn.Parameter(v) for k, v in content.items()}
        torch.save(parameters, path, _use_new_zipfile_serialization=path.stem != "old")
    return content


@pytest.mark.parametrize("file", ["w.pth", "old.pth", "w.safetensors"])
def test_published_files_load(tmp_path: Path, file: str) -> None:
    content = published_file(tmp_path / file, "resnet18")
    state = build_backbone("resnet18", tmp_path / file).state_dict()
    for key, tensor in state.items():
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(tensor, content[key]), key


def test_a_file_of_another_depth_is_refused_by_name(tmp_path: Path) -> None:
    published_file(tmp_path / "w.pth", "resnet18")
    with pytest.raises(WeightsError, match="backbone resnet18, not of resnet50: set model"):
        build_backbone("resnet50", tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="backbone resnet18, not of vgg16"):
        build_backbone("vgg16", tmp_path / "w.pth")


def test_frozen_normalisation_keeps_statistics_and_parameters() -> None:
    torch.manual_seed(24)
    model = Classifier(SmallNet(), 2)
    randomised(model.backbone, 24)
    model.backbone.freeze_norm()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.train()
    optimizer = torch.optim.SGD(param_groups(model, 0.1), momentum=0.9)
    x = torch.randn(2, 3, 33, 33)
    alone = model(x[:1])
    assert torch.equal(alone, model(x)[:1]) or torch.allclose(alone, model(x)[:1], atol=1e-5)
    model(x).square().sum().backward()
    optimizer.step()
    norms = {
        f"backbone.{name}.{key}"
        for name, module in model.backbone.named_modules()
        if isinstance(module, nn.BatchNorm2d)
        for key in module.state_dict()
    }
    assert len(norms) == 8 * 5
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]) == (name in norms), name


def conv3(x: Tensor, layer: nn.Module, d: int) -> Tensor:
    assert isinstance(layer, nn.Conv2d)
    return functional.conv2d(x, layer.weight, layer.bias, padding=d, dilation=d)


def test_aspp_is_the_sum_of_four_dilated_convolutions() -> None:
    torch.manual_seed(25)
    model = Segmenter(SmallNet(), 3, head="aspp", dilation=4).eval()
    output = model(torch.randn(1, 3, 65, 65))
    branches = model.head.get_submodule("branches")
    wanted = sum(
        conv3(output.features[-1], branches.get_submodule(str(i)), d)
        for i, d in enumerate((2, 4, 6, 8))
    )
    torch.testing.assert_close(output.logits, wanted)


def test_vgg16_has_dsrgs_head_by_default() -> None:
    torch.manual_seed(26)
    backbone = build_backbone("vgg16")
    model = Segmenter(backbone, 21)
    branches = [model.head.get_submodule(f"branches.{i}") for i in range(4)]
    size = 512 * 1024 * 9 + 1024 + 1024 * 1024 + 1024 + 1024 * 21 + 21
    for branch, d in zip(branches, (6, 12, 18, 24), strict=True):
        assert sum(p.numel() for p in branch.parameters()) == size
        first = branch.get_submodule("0")
        assert isinstance(first, nn.Conv2d)
        assert first.dilation == first.padding == (d, d)
        drops = [m.p for m in branch.modules() if isinstance(m, nn.Dropout)]
        assert drops == [0.5, 0.5]
    model.eval()
    x = torch.randn(1, 512, 9, 9)

    def branch_output(branch: nn.Module, d: int) -> Tensor:
        y = conv3(x, branch.get_submodule("0"), d).relu()
        for index in ("3", "6"):
            layer = branch.get_submodule(index)
            assert isinstance(layer, nn.Conv2d)
            y = functional.conv2d(y, layer.weight, layer.bias)
            y = y.relu() if index == "3" else y
        return y

    with torch.no_grad():
        wanted = sum(branch_output(b, d) for b, d in zip(branches, (6, 12, 18, 24), strict=True))
        torch.testing.assert_close(model.head(x), wanted)
        large = Segmenter(backbone, 21, head="largefov").eval()
        torch.testing.assert_close(large.head(x), branch_output(large.head, 12))


def test_heads_by_default_and_their_errors() -> None:
    for name in BACKBONES:
        assert BACKBONES[name].head == ("aspp" if name == "vgg16" else "conv")
    with pytest.raises(ValueError, match="dilation must be even for the head 'aspp', got 5"):
        Segmenter(SmallNet(), 2, head="aspp", dilation=5)
    with pytest.raises(ValueError, match="head must be 'conv', 'largefov' or 'aspp', got 'crf'"):
        Segmenter(SmallNet(), 2, head="crf")  # type: ignore[arg-type]
