"""Backbones by name."""

from __future__ import annotations

import os

from dgcn.models.backbone import Backbone
from dgcn.models.resnet import ResNet18, ResNet50, ResNet101
from dgcn.models.resnet38 import ResNet38
from dgcn.models.small import SmallNet
from dgcn.models.squeezenet import SqueezeNet
from dgcn.models.vgg16 import VGG16
from dgcn.models.weights import load_weights

BACKBONES: dict[str, type[Backbone]] = {
    "small": SmallNet,
    "squeezenet": SqueezeNet,
    "vgg16": VGG16,
    "resnet18": ResNet18,
    "resnet50": ResNet50,
    "resnet101": ResNet101,
    "resnet38": ResNet38,
}
"""Names and classes of the backbones."""


def build_backbone(name: str, weights: str | os.PathLike[str] | None = None) -> Backbone:
    """Make a backbone, randomly initialised or with weights from a file.

    Parameters
    ----------
    name : str
        A key of `BACKBONES`.
    weights : path or None, default None
        File for `load_weights`. The ImageNet classifier of a published file (the backbone's
        `left_out`) is not read. None: random initialisation.

    Returns
    -------
    Backbone
        In training mode, on the CPU.

    Raises
    ------
    ValueError
        Unknown name.
    FileNotFoundError, WeightsError
        As `load_weights`.
    """
    if name not in BACKBONES:
        raise ValueError(f"name must be one of {', '.join(BACKBONES)}, got {name!r}")
    backbone = BACKBONES[name]()
    if weights is not None:
        load_weights(backbone, weights, ignore=backbone.left_out)
    return backbone
