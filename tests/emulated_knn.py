"""The search of neighbours on CUDA, its kernels' source run by emulated warps."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._knn import cuda
from graphcut_ext._knn.clouds import Clouds, Found


class Problem(NamedTuple):
    """One search."""

    x: Tensor
    k: int
    query: Tensor | None = None
    lengths: Tensor | None = None


def emulated_products(
    problem: Problem,
    multiply: Callable[[Tensor, Tensor], tuple[Tensor, float]],
    descending: bool = False,
) -> Found:
    """What a device would write, given products and the relative error of their operands."""
    cloud, centred, found = _prepared(problem)
    searched, first = problem.x.shape[1], 0 if problem.query is None else problem.x.shape[1]
    product, error = multiply(centred.y[:, first:], centred.y[:, :searched].mT)
    _core.knn_select_emulated(
        cloud.numpy(), centred.norm.numpy(), centred.rescale.numpy(), _sizes(problem),
        product.contiguous().numpy(), first, error,
        found.distances.numpy(), found.indices.numpy(), found.measured.numpy(), descending,
    )  # fmt: skip
    return found


def emulated_tiles(problem: Problem, descending: bool = False) -> Found:
    """What a device would write by the kernel that stores no products."""
    cloud, centred, found = _prepared(problem)
    _core.knn_search_tiles_emulated(
        cloud.numpy(), centred.y.numpy(), centred.norm.numpy(), centred.rescale.numpy(),
        _sizes(problem), problem.x.shape[1],
        found.distances.numpy(), found.indices.numpy(), found.measured.numpy(), descending,
    )  # fmt: skip
    return found


def _prepared(problem: Problem) -> tuple[Tensor, cuda.Centred, Found]:
    """The points, the same as the kernels take them, and memory for results, none of them right."""
    x, k, query, lengths = problem
    clouds = Clouds(x, query, lengths)
    cloud = clouds.group(slice(None), x.dtype)
    centred = cuda.Centred(cloud, *cuda.center_on_device(cloud, cloud.abs().amax((1, 2))))
    found = Found.empty(clouds, k, x.dtype)
    for output in found:
        output.fill_(-7)
    return cloud, centred, found


def _sizes(problem: Problem) -> object:
    return None if problem.lengths is None else problem.lengths.numpy()
