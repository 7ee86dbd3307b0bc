"""Backbones by name."""

from __future__ import annotations

import os
from typing import Any

from dgcn.models.backbone import Backbone, checked_output_stride
from dgcn.models.efficientnet_lite import EfficientNetLite0
from dgcn.models.recognise import recognise
from dgcn.models.resnet import ResNet18, ResNet50, ResNet101
from dgcn.models.resnet38 import ResNet38
from dgcn.models.small import SmallNet
from dgcn.models.squeezenet import SqueezeNet
from dgcn.models.timm_networks import TIMM, timm_backbone
from dgcn.models.vgg16 import VGG16
from dgcn.models.weights import WeightsError, load_weights
from dgcn.registry import find

BACKBONES: dict[str, type[Backbone]] = {
    "small": SmallNet,
    "squeezenet": SqueezeNet,
    "efficientnet_lite0": EfficientNetLite0,
    "vgg16": VGG16,
    "resnet18": ResNet18,
    "resnet50": ResNet50,
    "resnet101": ResNet101,
    "resnet38": ResNet38,
}
"""The registry: a class here is a value of ``model.backbone``."""


def find_backbone(name: str) -> type[Backbone]:
    """A backbone by its key in `BACKBONES`, ``timm:NAME``, or the user's own.

    Parameters
    ----------
    name : str
        A key, ``timm:`` and a name of the timm package, or ``package.module:Class``.

    Raises
    ------
    ValueError
        As `dgcn.registry.find` and `dgcn.models.timm_networks.timm_backbone`.
    """
    if name.startswith(TIMM):
        return timm_backbone(name[len(TIMM) :])
    backbone: type[Backbone] = find(BACKBONES, name, "backbone", Backbone)
    return backbone


def build_backbone(
    name: str, weights: str | os.PathLike[str] | None = None, output_stride: int = 8
) -> Backbone:
    """Make a backbone, randomly initialised or with weights from a file.

    Parameters
    ----------
    name : str
        As `find_backbone`.
    weights : path or None, default None
        File for `load_weights`. The ImageNet classifier of a published file (the backbone's
        `left_out`) is not read. None: random initialisation.
    output_stride : int, default 8
        One of the backbone's `output_strides`.

    Returns
    -------
    Backbone
        In training mode, on the CPU.

    Raises
    ------
    ValueError
        As `find_backbone`; the backbone has no such output stride.
    FileNotFoundError, WeightsError
        As `load_weights`; where the file is that of another backbone, the message names it.
    """
    kind: Any = find_backbone(name)
    checked_output_stride(kind, output_stride)
    backbone: Backbone = kind() if output_stride == 8 else kind(output_stride=output_stride)
    if weights is not None:
        try:
            load_weights(backbone.published, weights, ignore=backbone.left_out)
        except WeightsError:
            fitting = recognise(weights, BACKBONES)
            if fitting in (None, name):
                raise
            raise WeightsError(
                f"{weights} has the weights of the backbone {fitting}, not of {name}: set "
                f"model.backbone (or classify.backbone) to {fitting}"
            ) from None
    return backbone
