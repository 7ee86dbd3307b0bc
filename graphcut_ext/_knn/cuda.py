"""The search behind :func:`graphcut_ext.knn` on a CUDA device."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._knn.clouds import (
    Budget,
    Clouds,
    Found,
    blocks,
    operand_error,
    output_dtype,
    work_dtype,
)
from graphcut_ext._value_checks import values_are_checked

# Large enough to keep the device busy.
BUDGET = Budget(whole=64 << 20, block=64 << 20, centred=128 << 20)
TILE_CHANNELS: int = _core.KNN_MAX_TILE_CHANNELS
TILE_NEIGHBOURS: int = _core.KNN_MAX_TILE_NEIGHBOURS
"""Limits of the CUDA kernel that stores no products."""
TILE_POINTS = 4096
"""From so many points on that kernel is taken; the number is not yet measured."""


def search_cuda(clouds: Clouds, k: int, precision: str) -> Found:
    """Neighbours on the points' device."""
    if not hasattr(_core, "knn_select_cuda_float32"):
        raise RuntimeError(
            "x is on a CUDA device but graphcut_ext was built without CUDA; install nvcc and build "
            "with GRAPHCUT_CUDA=ON, or move x to the CPU"
        )
    x = clouds.x
    work = work_dtype(x)
    tiles = suits_tiles(clouds, k)
    group = _tile_items(clouds, work) if tiles else blocks(clouds, work, BUDGET)[0]
    found = Found.empty(clouds, k, work)
    largest = x.new_zeros(len(x), dtype=work)
    lengths = None if clouds.lengths is None else clouds.lengths.contiguous()
    with torch.cuda.device(x.device), torch.autocast("cuda", enabled=False):
        watched = values_are_checked()
        if watched:
            clouds.check_lengths()
        for first in range(0, len(x), group):
            some = slice(first, first + group)
            cloud = clouds.group(some, work)
            largest[some] = peak = torch.linalg.vector_norm(cloud, ord=float("inf"), dim=(1, 2))
            centred = Centred(cloud, *center_on_device(cloud, peak))
            part = Found(*(output[some] for output in found))
            of_items = None if lengths is None else lengths[some]
            if tiles:
                _search_tiles(centred, of_items, x.shape[1], part)
            else:
                _search_products(clouds, centred, of_items, precision, part)
        if watched and not largest.isfinite().all().item():
            raise clouds.not_finite()
    return found._replace(distances=found.distances.to(output_dtype(x.dtype)))


class Centred(NamedTuple):
    """Points of some items on a device, as the kernels take them."""

    x: Tensor  # (G, P, C), dense
    y: Tensor  # (G, P, C): scaled and centred
    norm: Tensor  # (G, P): |y|^2
    rescale: Tensor  # (G,): power of two by which distances are recomputed


def suits_tiles(clouds: Clouds, k: int) -> bool:
    """Whether the kernel without a matrix of products is taken on a CUDA device."""
    _, points, channels = clouds.x.shape
    if clouds.results.shape[1] == 0:  # the kernel would take the points for their own queries
        return False
    return channels <= TILE_CHANNELS and k <= TILE_NEIGHBOURS and points >= TILE_POINTS


def _tile_items(clouds: Clouds, work: torch.dtype) -> int:
    """Items per group where only their centred copies take memory."""
    _, searched, channels = clouds.x.shape
    points = searched + (0 if clouds.query is None else clouds.query.shape[1])
    return max(1, BUDGET.centred // (points * channels * work.itemsize))


def _search_tiles(centred: Centred, lengths: Tensor | None, searched: int, found: Found) -> None:
    x = centred.x
    search = (
        _core.knn_search_tiles_cuda_float64
        if x.dtype == torch.float64
        else _core.knn_search_tiles_cuda_float32
    )
    items, points, channels = x.shape
    search(
        x.data_ptr(),
        centred.y.data_ptr(),
        centred.norm.data_ptr(),
        centred.rescale.data_ptr(),
        0 if lengths is None else lengths.data_ptr(),
        items,
        points,
        channels,
        searched,
        found.indices.shape[2],
        found.distances.data_ptr(),
        found.indices.data_ptr(),
        found.measured.data_ptr(),
        x.device.index,
        torch.cuda.current_stream().cuda_stream,
    )


def _search_products(
    clouds: Clouds, centred: Centred, lengths: Tensor | None, precision: str, found: Found
) -> None:
    x, y = centred.x, centred.y
    select = (
        _core.knn_select_cuda_float64 if x.dtype == torch.float64 else _core.knn_select_cuda_float32
    )
    items, points, channels = x.shape
    _, results, k = found.indices.shape
    searched = clouds.x.shape[1]
    rows = blocks(clouds, x.dtype, BUDGET)[1]
    for start in range(points - results, points, rows):
        count = min(rows, points - start)
        product, error = multiply(y[:, start : start + count], y[:, :searched].mT, precision)
        workspace = x.new_empty((items, count, k), dtype=torch.float64)
        select(
            x.data_ptr(),
            centred.norm.data_ptr(),
            centred.rescale.data_ptr(),
            0 if lengths is None else lengths.data_ptr(),
            product.data_ptr(),
            items,
            points,
            channels,
            searched,
            start,
            count,
            error,
            k,
            found.distances.data_ptr(),
            found.indices.data_ptr(),
            found.measured.data_ptr(),
            workspace.data_ptr(),
            x.device.index,
            torch.cuda.current_stream().cuda_stream,
        )


_multiplying = threading.Lock()
"""Held while a product is queued: torch has one setting of its precision for all threads."""


def multiply(a: Tensor, b: Tensor, precision: str) -> tuple[Tensor, float]:
    """Queue the products of two batches of matrices on CUDA.

    Returns them and the relative error to which their operands are rounded. Where the setting is
    changed meanwhile, by others than this function, the larger error counts.
    """
    fast = contextlib.nullcontext() if precision == "exact" else _tf32_products()
    with _multiplying, fast:
        error = operand_error("cuda", a.dtype)
        product = torch.bmm(a, b)
        return product, max(error, operand_error("cuda", a.dtype))


@contextlib.contextmanager
def _tf32_products() -> Iterator[None]:
    """Let float32 matrix products on CUDA round their operands to TF32 meanwhile."""
    matmul = torch.backends.cuda.matmul
    name = "fp32_precision" if hasattr(matmul, "fp32_precision") else "allow_tf32"
    before = getattr(matmul, name)
    setattr(matmul, name, "tf32" if name == "fp32_precision" else True)
    try:
        yield
    finally:
        setattr(matmul, name, before)


def center_on_device(x: Tensor, peak: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Centred points, their squared norms and the factors of recomputation, as `center` does.

    Scales are put together from their bits: a power that is off by one ulp would not be exact.
    """
    exponent = torch.frexp(peak).exponent.to(torch.int64)
    if x.dtype == torch.float64:
        scale = ((1023 - exponent.clamp(-1022, 1022)) << 52).view(torch.float64)
        rescale = ((1023 + (480 - exponent).clamp(-1000, 1000)) << 52).view(torch.float64)
    else:
        bits = (127 - exponent.clamp(-126, 126)) << 23
        scale = bits.to(torch.int32).view(torch.float32)
        rescale = torch.ones_like(peak, dtype=torch.float64)
    y = x * scale[:, None, None]
    y -= y.mean(1, keepdim=True)
    return y, (y * y).sum(-1, dtype=torch.float64).to(x.dtype), rescale
