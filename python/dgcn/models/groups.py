"""Parameters in groups of different learning rates."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from dgcn.models.classifier import Classifier
from dgcn.models.segmenter import Segmenter


def param_groups(
    model: Classifier | Segmenter,
    lr: float,
    *,
    head_lr_factor: float = 10.0,
    weight_decay: float = 5e-4,
) -> list[dict[str, Any]]:
    """Groups for an optimiser of torch: the backbone, and the layers it does not have.

    Parameters
    ----------
    model : Classifier or Segmenter
    lr : float
        Learning rate of the backbone, positive.
    head_lr_factor : float, default 10
        Factor on `lr` for the layers outside the backbone, positive.
    weight_decay : float, default 5e-4
        Of both groups, not negative.

    Returns
    -------
    list of dict
        Two groups with the keys "params", "lr", "weight_decay" and "name" ("backbone", "head").
        Frozen parameters are left out; every other one is in exactly one group.

    Raises
    ------
    ValueError
        A number is out of range or not finite.
    """
    for name, value in (("lr", lr), ("head_lr_factor", head_lr_factor)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive and finite, got {value}")
    if not 0 <= weight_decay < math.inf:
        raise ValueError(f"weight_decay must not be negative, got {weight_decay}")
    old = {id(parameter) for parameter in model.backbone.parameters()}
    backbone: list[nn.Parameter] = []
    new: list[nn.Parameter] = []
    for parameter in model.parameters():
        if parameter.requires_grad:
            (backbone if id(parameter) in old else new).append(parameter)
    return [
        {"params": backbone, "lr": lr, "weight_decay": weight_decay, "name": "backbone"},
        {"params": new, "lr": lr * head_lr_factor, "weight_decay": weight_decay, "name": "head"},
    ]
