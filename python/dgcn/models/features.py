"""Features of several stages on one grid, as the neighbour graph wants them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def aggregate(stages: Sequence[Tensor], taps: Sequence[int]) -> Tensor:
    """Bring stages to the last one's grid and stack their channels.

    Bilinear with corners on corners; neither normalised nor differentiable (Feng et al. 2021).

    Parameters
    ----------
    stages : sequence of Tensor, shape (B, C_s, h_s, w_s) each
        Output of a backbone; the last one sets the grid h x w.
    taps : sequence of int
        Stages to take, in the order of the result's channels; negative ones count from the end.

    Returns
    -------
    Tensor, shape (B, sum of C_s, h, w), float32 (float64 where a stage is)
        Detached.

    Raises
    ------
    ValueError
        `stages` or `taps` is empty.
    IndexError
        A tap names no stage.
    """
    if not stages:
        raise ValueError("stages must hold at least one stage")
    if not taps:
        raise ValueError("taps must name at least one stage")
    for tap in taps:
        if not -len(stages) <= tap < len(stages):
            raise IndexError(f"taps: no stage {tap}, there are {len(stages)}")
    grid = stages[-1].shape[2:]
    resized = []
    for tap in taps:
        stage = stages[tap].detach()
        stage = stage.to(torch.promote_types(stage.dtype, torch.float32))
        if stage.shape[2:] != grid:
            stage = functional.interpolate(stage, grid, mode="bilinear", align_corners=True)
        resized.append(stage)
    return torch.cat(resized, 1)
