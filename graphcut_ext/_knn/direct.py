"""The search behind :func:`graphcut_ext.knn` on the CPU for few points: every pair is measured.

Nothing is prepared, so that a small call costs little.
"""

from __future__ import annotations

import numpy as np
import torch

from graphcut_ext import _core
from graphcut_ext._knn.clouds import Clouds, Found, output_dtype, work_dtype

MAX_WORK = 1 << 16
"""Pairs of points times channels, and some for a pair, up to which that is faster than products."""
PAIR = 32
"""What a pair costs beside its channels, in channels."""


def suits_direct(clouds: Clouds) -> bool:
    """Whether every pair is measured."""
    batch, points, channels = clouds.x.shape
    results = clouds.results.shape[1]
    work = batch * points * results * (channels + PAIR)
    return clouds.lengths is None and results > 0 and work <= MAX_WORK


def search_directly(clouds: Clouds, k: int) -> Found:
    """Neighbours on the CPU."""
    batch, searched, _ = clouds.x.shape
    work = work_dtype(clouds.x)
    cloud = clouds.group(slice(None), work).numpy()
    rows = (batch, searched if clouds.query is None else clouds.query.shape[1])
    distances = np.empty((*rows, k), cloud.dtype)
    indices, measured = np.empty((*rows, k), np.int64), np.empty(rows, np.int64)
    if _core.knn_search_directly(cloud, searched, distances, indices, measured) >= 0:
        raise clouds.not_finite()
    found = Found(*map(torch.from_numpy, (distances, indices, measured)))
    dtype = output_dtype(clouds.x.dtype)
    return found if dtype == work else found._replace(distances=found.distances.to(dtype))
