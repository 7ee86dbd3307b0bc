"""Backbones by name."""

from __future__ import annotations

import os
from collections.abc import Callable

from dgcn.models.backbone import Backbone
from dgcn.models.small import SmallNet
from dgcn.models.squeezenet import SqueezeNet
from dgcn.models.weights import load_weights

BACKBONES: dict[str, Callable[[], Backbone]] = {"small": SmallNet, "squeezenet": SqueezeNet}
"""Names and constructors of the backbones."""

_IGNORED = {"squeezenet": ("classifier.",), "small": ()}


def build_backbone(name: str, weights: str | os.PathLike[str] | None = None) -> Backbone:
    """Make a backbone, randomly initialised or with weights from a file.

    Parameters
    ----------
    name : {"small", "squeezenet"}
    weights : path or None, default None
        File for `load_weights`. The ImageNet classifier (``classifier.*``) of a SqueezeNet file is
        left out. None: random initialisation.

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
        load_weights(backbone, weights, ignore=_IGNORED[name])
    return backbone
