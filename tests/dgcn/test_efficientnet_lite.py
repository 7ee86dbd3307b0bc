"""EfficientNet-Lite0 against its published table and the classification network in plain torch."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from dgcn.data import to_tensor
from dgcn.models import Classifier, EfficientNetLite0, build_backbone
from dgcn.models.inputs import Restandardise

# Kernel, stride, expansion, channels before and after, of every block of the published network.
TABLE = [
    (3, 1, 1, 32, 16),
    *((3, 2, 6, 16, 24), (3, 1, 6, 24, 24)),
    *((5, 2, 6, 24, 40), (5, 1, 6, 40, 40)),
    *((3, 2, 6, 40, 80), (3, 1, 6, 80, 80), (3, 1, 6, 80, 80)),
    *((5, 1, 6, 80, 112), (5, 1, 6, 112, 112), (5, 1, 6, 112, 112)),
    *((5, 2, 6, 112, 192), (5, 1, 6, 192, 192), (5, 1, 6, 192, 192), (5, 1, 6, 192, 192)),
    (3, 1, 6, 192, 320),
]
EPSILON = 1e-3


def norm_shapes(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    kinds = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{kind}": (channels,) for kind in kinds} | {f"{name}.num_batches_tracked": ()}


def published_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"_conv_stem.weight": (32, 3, 3, 3)}
    shapes |= norm_shapes("_bn0", 32)
    for index, (kernel, _, expansion, before, after) in enumerate(TABLE):
        at, wide = f"_blocks.{index}", before * expansion
        if expansion > 1:
            shapes[f"{at}._expand_conv.weight"] = (wide, before, 1, 1)
            shapes |= norm_shapes(f"{at}._bn0", wide)
        shapes[f"{at}._depthwise_conv.weight"] = (wide, 1, kernel, kernel)
        shapes |= norm_shapes(f"{at}._bn1", wide)
        shapes[f"{at}._project_conv.weight"] = (after, wide, 1, 1)
        shapes |= norm_shapes(f"{at}._bn2", after)
    return shapes | {"_conv_head.weight": (1280, 320, 1, 1)} | norm_shapes("_bn1", 1280)


def randomised(seed: int) -> EfficientNetLite0:
    """A network whose normalisation layers would be missed if one were left out."""
    torch.manual_seed(seed)
    backbone = EfficientNetLite0()
    with torch.no_grad():
        for module in backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_var is not None
                assert module.running_mean is not None
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 1.5)
    return backbone.eval()


def classification_stages(rgb: Tensor, w: dict[str, Tensor]) -> list[Tensor]:
    """The published network: five strides of 2, no dilation, TensorFlow's "same" padding."""

    def conv(x: Tensor, name: str, stride: int = 1, groups: int = 1) -> Tensor:
        weight = w[f"{name}.weight"]
        kernel = weight.shape[-1]
        pads = []
        for side in (x.shape[3], x.shape[2]):
            total = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
            pads += [total // 2, total - total // 2]
        return functional.conv2d(functional.pad(x, pads), weight, stride=stride, groups=groups)

    def norm(x: Tensor, name: str) -> Tensor:
        mean, variance, scale, offset = (
            w[f"{name}.{kind}"][:, None, None]
            for kind in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (variance + EPSILON).sqrt() * scale + offset

    def relu6(x: Tensor) -> Tensor:
        return x.clamp(0, 6)

    x = relu6(norm(conv((rgb - 127) / 128, "_conv_stem", 2), "_bn0"))
    after = []
    for index, (_, stride, expansion, before, channels) in enumerate(TABLE):
        at, y = f"_blocks.{index}", x
        if expansion > 1:
            y = relu6(norm(conv(y, f"{at}._expand_conv"), f"{at}._bn0"))
        wide = before * expansion
        y = relu6(norm(conv(y, f"{at}._depthwise_conv", stride, wide), f"{at}._bn1"))
        y = norm(conv(y, f"{at}._project_conv"), f"{at}._bn2")
        x = x + y if stride == 1 and before == channels else y
        after.append(x)
    return [after[0], after[2], after[4], after[10], relu6(norm(conv(x, "_conv_head"), "_bn1"))]


def test_published_names_and_shapes() -> None:
    with torch.device("meta"):
        backbone = build_backbone("efficientnet_lite0")
    found = {name: tuple(tensor.shape) for name, tensor in backbone.state_dict().items()}
    assert found == published_shapes()
    # The published 4,652,008 less the layer to the 1000 classes.
    assert sum(p.numel() for p in backbone.parameters()) == 4_652_008 - 1280 * 1000 - 1000
    assert "3,371,008" in (EfficientNetLite0.__doc__ or "")


@pytest.mark.parametrize("output_stride", [8, 16])
@pytest.mark.parametrize("side", [65, 97])
def test_values_are_the_classification_networks_where_that_has_cells(
    side: int, output_stride: int
) -> None:
    backbone = EfficientNetLite0(output_stride)
    backbone.load_state_dict(randomised(0).state_dict())
    backbone.eval()
    rgb = np.random.default_rng(1).integers(0, 256, (side, side, 3), dtype=np.uint8)
    raw = torch.from_numpy(rgb).permute(2, 0, 1)[None].double()
    # The pipeline's own reading of an image, in single precision.
    x = to_tensor(rgb, side)[None].double()
    with torch.no_grad():
        found = backbone.double()(x)
        wanted = classification_stages(raw, dict(backbone.state_dict()))
    sides = [math.ceil(side / stride) for stride in (2, 4, 8, 16, 32)]
    assert [stage.shape[-1] for stage in wanted] == sides
    for stage, reference, step in zip(found, wanted, (1, 1, 1, 2, 4), strict=True):
        at = stage[:, :, ::step, ::step]
        torch.testing.assert_close(at, reference, rtol=1e-3, atol=1e-3)
        assert reference.std() > 0.05
    # At stride 16 the cells in between are computed from their neighbours, and so are cheaper.
    between = (found[3][:, :, :-2:2] + found[3][:, :, 2::2]) / 2
    assert torch.allclose(found[3][:, :, 1::2], between) == (output_stride == 16)


@pytest.mark.parametrize("old", [True, False])
def test_a_published_file_gives_every_value(tmp_path: Path, old: bool) -> None:
    """In half precision, without counters of batches, with the layer to the classes."""
    content = {
        name: tensor.half()
        for name, tensor in randomised(2).state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    content |= {"_fc.weight": torch.zeros(1000, 1280), "_fc.bias": torch.zeros(1000)}
    path = tmp_path / ("lite0.pth" if old else "lite0.safetensors")
    if old:
        torch.save(content, path)
    else:
        save_file(content, path)
    state = build_backbone("efficientnet_lite0", path).state_dict()
    for name in content:
        if not name.startswith("_fc."):
            assert torch.equal(state[name], content[name].float()), name


def test_images_are_brought_to_127_and_128() -> None:
    rgb = torch.arange(256.0).expand(3, 1, 256)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    standardised = (rgb / 255 - mean[:, None, None]) / std[:, None, None]
    convert = Restandardise((127 / 255,) * 3, (128 / 255,) * 3)
    torch.testing.assert_close(convert(standardised[None])[0], (rgb - 127) / 128)
    assert not convert.state_dict()


def test_frozen_normalisation_and_the_rest_learns() -> None:
    torch.manual_seed(3)
    model = Classifier(randomised(3), 2).train()
    model.backbone.freeze_norm()
    norms = {
        f"backbone.{name}.{kind}"
        for name, module in model.backbone.named_modules()
        if isinstance(module, nn.BatchNorm2d)
        for kind in module.state_dict()
    }
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, 0.1)
    model(torch.randn(2, 3, 33, 33)).square().sum().backward()
    optimizer.step()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]) == (name in norms), name
