"""The optimiser of a training, and the schedule of its learning rate."""

from __future__ import annotations

import torch

from dgcn.config import Optimisation
from dgcn.models import Classifier, Segmenter, param_groups

__all__ = ["make_optimizer", "rate_factor"]

_SQUARES = 0.999  # how slowly AdamW's mean of squared gradients changes


def make_optimizer(model: Classifier | Segmenter, options: Optimisation) -> torch.optim.Optimizer:
    """SGD with momentum, or AdamW; new layers learn ``head_lr_factor`` times faster.

    AdamW (Loshchilov and Hutter, ICLR 2019) has `momentum` as its first decay rate, 0.999 as its
    second, and weight decay beside the gradient. Every group has its "base_lr".
    """
    groups = param_groups(
        model,
        options.lr,
        head_lr_factor=options.head_lr_factor,
        weight_decay=options.weight_decay,
    )
    for group in groups:
        group["base_lr"] = group["lr"]
    if options.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=options.lr, betas=(options.momentum, _SQUARES))
    return torch.optim.SGD(groups, lr=options.lr, momentum=options.momentum)


def rate_factor(options: Optimisation, step: int, steps_per_epoch: int) -> float:
    """Factor on the learning rates at a step, counted from 0 over the whole training.

    "step": ``gamma ** (epoch // step_size)``. "poly": ``(1 - step / total) ** 0.9``. During the
    first ``warmup_steps`` steps it is multiplied by ``(step + 1) / warmup_steps``.
    """
    factor = 1.0
    if options.schedule == "poly":
        factor = float((1 - step / (steps_per_epoch * options.epochs)) ** 0.9)
    elif options.step_size:
        factor = float(options.gamma ** (step // steps_per_epoch // options.step_size))
    if step < options.warmup_steps:
        factor *= (step + 1) / options.warmup_steps
    return factor
