"""The search behind :func:`graphcut_ext.knn` on the CPU where points have few channels.

The core finds them by a tree of boxes, and measures points as it does elsewhere, so that the result
is the same to the last bit, ties included.
"""

from __future__ import annotations

import numpy as np
import torch

from graphcut_ext import _core
from graphcut_ext._knn.clouds import Clouds, Found, output_dtype, work_dtype
from graphcut_ext._knn.cpu import ROUNDS

MIN_POINTS = (250, 500, 2_000, 6_000, 11_000, 21_000, 24_000, 26_000)
"""Of 1, 2, ... channels: from so many points on, the tree is faster than products of integers.

Measured for 9 neighbours of normally distributed points; it is slower where there are more.
"""
USUAL_NEIGHBOURS = 24
MAX_NEIGHBOURS = 256
MIN_RESULTS = 500
"""For fewer points the tree is not worth building."""


def suits_tree(clouds: Clouds, k: int) -> bool:
    """Whether the tree is expected to be faster than products of blocks."""
    _, points, channels = clouds.x.shape
    if channels > len(MIN_POINTS) or not k <= points <= np.iinfo(np.int32).max:
        return False
    least = MIN_POINTS[channels - 1] * max(k, USUAL_NEIGHBOURS) // USUAL_NEIGHBOURS
    if not (ROUNDS and work_dtype(clouds.x) == torch.float32):
        least //= 2  # other products take longer
    results = clouds.results.shape[1]
    return points >= least and results >= min(MIN_RESULTS, points) and k <= MAX_NEIGHBOURS


def search_tree(clouds: Clouds, k: int) -> Found:
    """Neighbours on the CPU."""
    clouds.check_lengths()
    work = work_dtype(clouds.x)
    found = Found.empty(clouds, k, work)
    cloud = clouds.group(slice(None), work)
    bad = _core.knn_search_tree(
        cloud.numpy(),
        clouds.x.shape[1],
        None if clouds.lengths is None else clouds.lengths.contiguous().numpy(),
        found.distances.numpy(),
        found.indices.numpy(),
        found.measured.numpy(),
        torch.get_num_threads(),
    )
    if bad >= 0:
        raise clouds.not_finite()
    return found._replace(distances=found.distances.to(output_dtype(clouds.x.dtype)))
