"""One optimisation step: a batch in parts, over all processes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn


class StepLosses(NamedTuple):
    """What a network's pass over some images gives."""

    losses: dict[str, Tensor]
    """Named scalars, means over the images, whose sum is minimised."""
    labelled: Tensor | int
    """Positions (or images) that are supervised; 0: there is nothing to learn from."""


Losses = Callable[[nn.Module, Mapping[str, Tensor]], StepLosses]
"""From the (set-up) network and a batch to its losses."""


class Outcome(NamedTuple):
    """Figures of a step, equal on all processes."""

    losses: dict[str, float]
    labelled: bool
    """False: no position of the batch was supervised, and no step was taken."""
    terminate: bool
    """Whether some process was asked to end."""
    finite: bool
    """False: a loss is infinite or not a number, and no step was taken."""


def take_step(
    fabric: Fabric,
    model: Any,
    optimizer: Any,
    losses: Losses,
    batch: Mapping[str, Tensor],
    *,
    parts: int = 1,
    terminate: bool = False,
) -> Outcome:
    """Forward, backward and update on one batch.

    Parameters
    ----------
    fabric : Fabric
    model, optimizer
        As `Fabric.setup` gives them.
    losses : Losses
    batch : mapping
        This process's share.
    parts : int, default 1
        The share is computed in this many parts, whose gradients are averaged by their sizes.
    terminate : bool, default False
        Whether this process was asked to end; the outcome says whether any was.
    """
    images = len(batch["index"])
    shares = list(split(batch, parts))
    figures: list[Tensor] = []
    names: list[str] = []
    for position, part in enumerate(shares):
        last = position == len(shares) - 1
        with fabric.no_backward_sync(model, enabled=fabric.world_size > 1 and not last):
            result = losses(model, part)
            names = list(result.losses)
            values = torch.stack(list(result.losses.values())) * (len(part["index"]) / images)
            fabric.backward(values.sum())
        labelled = torch.as_tensor(result.labelled, device=values.device)[None]
        figures.append(torch.cat([labelled.to(torch.float64), values.detach().double()]))
    # One transfer from the device, and one exchange between the processes, per step.
    local = torch.stack(figures).sum(0).cpu()
    local = torch.cat([torch.tensor([float(terminate)], dtype=torch.float64), local])
    if fabric.world_size > 1:
        total = torch.as_tensor(fabric.all_reduce(local.to(fabric.device), reduce_op="mean")).cpu()
    else:
        total = local
    ended, supervised, *means = total.tolist()
    finite = all(math.isfinite(value) for value in means)
    if finite and supervised:
        optimizer.step()
    optimizer.zero_grad()
    return Outcome(
        losses=dict(zip(names, means, strict=True)),
        labelled=bool(supervised),
        terminate=bool(ended),
        finite=finite,
    )


def split(batch: Mapping[str, Tensor], parts: int) -> Iterator[dict[str, Tensor]]:
    """A batch in at most `parts` parts of nearly equal size, none of them empty."""
    images = len(batch["index"])
    parts = min(parts, images)
    for part in range(parts):
        rows = slice(part * images // parts, (part + 1) * images // parts)
        yield {name: values[rows] for name, values in batch.items()}
