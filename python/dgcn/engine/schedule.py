"""The optimiser and its learning rate as a function of the step."""

from __future__ import annotations

import torch

from dgcn.config import Optimisation
from dgcn.models import Classifier, Segmenter, param_groups

POLY_POWER = 0.9


def make_optimizer(model: Classifier | Segmenter, options: Optimisation) -> torch.optim.SGD:
    """SGD with momentum; layers outside the backbone learn ``new_layers`` times faster.

    Parameters
    ----------
    model : Classifier or Segmenter
    options : Optimisation
        Rates, momentum, weight decay.
    """
    groups = param_groups(
        model,
        options.lr,
        new_layer_factor=options.new_layers,
        weight_decay=options.weight_decay,
    )
    for group in groups:
        group["base_lr"] = group["lr"]
    return torch.optim.SGD(groups, lr=options.lr, momentum=options.momentum)


def rate_factor(options: Optimisation, step: int, steps_per_epoch: int) -> float:
    """Factor on the learning rates at a step, counted from 0 over the whole training.

    "step": ``decay ** (epoch // decay_every)``. "poly": ``(1 - step / total) ** 0.9``. During the
    first ``warmup_steps`` steps it is multiplied by ``(step + 1) / warmup_steps``.
    """
    if options.schedule == "poly":
        factor = float((1 - step / (steps_per_epoch * options.epochs)) ** POLY_POWER)
    elif options.decay_every:
        factor = float(options.decay ** (step // steps_per_epoch // options.decay_every))
    else:
        factor = 1.0
    if step < options.warmup_steps:
        factor *= (step + 1) / options.warmup_steps
    return factor


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's rate to `factor` times its own base rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor
