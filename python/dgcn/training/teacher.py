"""An average of a training's networks, which the supervision can go by."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from dgcn.models import Segmenter

__all__ = ["Teacher"]


class Teacher:
    """The exponential moving average of the network over the steps (Tarvainen and Valpola 2017).

    Nothing drops out in it, and it changes more slowly than the network: "mean teacher".

    Parameters
    ----------
    model : Segmenter
        Before the first step.
    decay : float
        Share of the former average that a step keeps, in [0, 1). In the first steps it is
        (1 + t) / (10 + t) after t steps, where that is less: the average does not remember the
        beginning for long.
    autocast : callable
        Gives the context of the run's precision.

    Attributes
    ----------
    network : Segmenter
        The average, in evaluation mode, without gradients.
    """

    def __init__(
        self,
        model: Segmenter,
        decay: float,
        autocast: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self.network = copy.deepcopy(model).eval().requires_grad_(False)
        self._decay, self._autocast = decay, autocast

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Logits (B, L, h, w) of images (B, 3, H, W), float32."""
        with self._autocast():
            found: Tensor = self.network(images).logits
        return found.float()

    @torch.no_grad()
    def follow(self, model: nn.Module, steps: int) -> None:
        """Move towards the network as it is after some steps, the one just taken included."""
        keep = min(self._decay, (1 + steps) / (10 + steps))
        theirs = model.state_dict()
        for name, mean in self.network.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(theirs[name], 1 - keep)
            else:
                mean.copy_(theirs[name])
