"""K nearest neighbours by measuring every pair."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def brute_force(
    x: Tensor, k: int, query: Tensor | None = None, lengths: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Squared distances in float64 and indices among x (B, N, C), ties by the lower index.

    Of the points of x themselves, or of queries (B, M, C); (inf, -1) where there is none.
    """
    points = x.double().numpy()
    rows = points if query is None else query.double().numpy()
    distances = np.empty((x.shape[0], rows.shape[1], x.shape[1]))
    for i in range(rows.shape[1]):
        distances[:, i] = np.square(points - rows[:, i : i + 1]).sum(-1)
        if query is None:
            distances[:, i, i] = np.inf
    for item, length in enumerate([] if lengths is None else lengths.tolist()):
        distances[item, :, length:] = np.inf
        if query is None:
            distances[item, length:] = np.inf
    order = np.argsort(distances, axis=-1, kind="stable")[..., :k]
    nearest = np.take_along_axis(distances, order, axis=-1)
    order[np.isinf(nearest)] = -1
    return torch.from_numpy(nearest), torch.from_numpy(order)
