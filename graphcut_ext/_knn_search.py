"""The search behind :func:`graphcut_ext.knn`: matrix products by torch, selection by the core."""

from __future__ import annotations

import os
from typing import NamedTuple

import torch
from torch import Tensor

from graphcut_ext import _core


class Budget(NamedTuple):
    """Bytes of workspace."""

    whole: int  # the whole product of an item, or of several small ones
    block: int  # some rows of a larger product
    centred: int  # centred copies of several items; a single one may exceed it


# On the CPU a block stays in the cache; on CUDA it is large enough to occupy the device.
CPU_BUDGET = Budget(whole=32 << 20, block=4 << 20, centred=16 << 20)
CUDA_BUDGET = Budget(whole=64 << 20, block=64 << 20, centred=128 << 20)
BLOCK_ROWS = 128
"""A block has at least so many rows, for the sake of the BLAS..."""
BLOCK_BYTES = 64 << 20
"""...while it stays below this."""
SYMMETRY_POINTS = 512
"""From this size on only one half of the symmetric product of an item is computed..."""
SYMMETRY_BLOCKS = 8
"""...in so many blocks of rows, each a multiple of the core's CHUNK_ROWS."""
CHUNK_ROWS = 16
SINGLE_CHANNELS = 1 << 20
"""Above this many channels float32 sums carry too little for a useful error bound."""

# Relative error of a matrix product's operands, twice the rounding of the format: hardware may
# truncate.
OPERAND_ERROR = {"none": 0.0, "ieee": 0.0, "tf32": 2.0**-10, "bf16": 2.0**-7}


def output_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of the distances of points of a dtype."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def search_cpu(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Neighbours of x (B, N, C) on the CPU; arguments as checked by :func:`graphcut_ext.knn`."""
    batch, points, channels = x.shape
    work = _work_dtype(x)
    distances = torch.empty((batch, points, k), dtype=work)
    indices = torch.empty((batch, points, k), dtype=torch.int64)
    error = _operand_error("cpu", work)
    threads = torch.get_num_threads()
    group, rows = _blocks(x.shape, work, CPU_BUDGET)
    size = min(group, batch)
    centred = torch.empty((size, points, channels), dtype=work)
    norm = torch.empty((size, points), dtype=work)
    rescale = torch.empty(size, dtype=torch.float64)
    product = torch.empty(size * rows * points, dtype=work)
    with torch.autocast("cpu", enabled=False):
        for first in range(0, batch, group):
            items = min(group, batch - first)
            cloud = x[first : first + items].to(work).contiguous()
            y, norms, scales = centred[:items], norm[:items], rescale[:items]
            bad = _core.knn_center(cloud.numpy(), y.numpy(), norms.numpy(), scales.numpy(), threads)
            if bad >= 0:
                raise _not_finite(cloud, first)
            for start in range(0, points, rows):
                count = min(rows, points - start)
                part = product[: items * count * points].view(items, count, points)
                _core.knn_select(
                    cloud.numpy(),
                    norms.numpy(),
                    scales.numpy(),
                    part.numpy(),
                    start,
                    _multiply(y, start, part),
                    error,
                    distances[first : first + items].numpy(),
                    indices[first : first + items].numpy(),
                    threads,
                )
    return distances.to(output_dtype(x.dtype)), indices


def _multiply(y: Tensor, start: int, product: Tensor) -> int:
    """Write rows of y y^T, y (G, N, C), from row `start` on to product (G, R, N).

    A single item's whole product is symmetric: then only the part right of diagonal blocks is
    written. Returns the size of these blocks, else 0.
    """
    items, rows, points = product.shape
    if items > 1:
        torch.bmm(y, y.mT, out=product)
        return 0
    if rows < points or points < SYMMETRY_POINTS:
        torch.mm(y[0, start : start + rows], y[0].T, out=product[0])
        return 0
    block = CHUNK_ROWS * -(-points // (SYMMETRY_BLOCKS * CHUNK_ROWS))
    for top in range(0, points, block):
        bottom = min(top + block, points)
        torch.mm(y[0, top:bottom], y[0, top:].T, out=product[0, top:bottom, top:])
    return block


def search_cuda(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Neighbours of x (B, N, C) on x's device; arguments as checked by :func:`graphcut_ext.knn`."""
    if not hasattr(_core, "knn_select_cuda_float32"):
        raise RuntimeError(
            "x is on a CUDA device but graphcut_ext was built without CUDA; install nvcc and build "
            "with GRAPHCUT_CUDA=ON, or move x to the CPU"
        )
    batch, points, channels = x.shape
    work = _work_dtype(x)
    select = (
        _core.knn_select_cuda_float64 if work == torch.float64 else _core.knn_select_cuda_float32
    )
    error = _operand_error("cuda", work)
    group, rows = _blocks(x.shape, work, CUDA_BUDGET)
    distances = x.new_empty((batch, points, k), dtype=work)
    indices = x.new_empty((batch, points, k), dtype=torch.int64)
    largest = x.new_zeros(batch, dtype=work)
    with torch.cuda.device(x.device), torch.autocast("cuda", enabled=False):
        stream = torch.cuda.current_stream().cuda_stream
        for first in range(0, batch, group):
            cloud = x[first : first + group].to(work).contiguous()
            items = cloud.shape[0]
            peak = torch.linalg.vector_norm(cloud, ord=float("inf"), dim=(1, 2))
            largest[first : first + items] = peak
            y, norm, rescale = center_on_device(cloud, peak)
            for start in range(0, points, rows):
                count = min(rows, points - start)
                product = torch.bmm(y[:, start : start + count], y.mT)
                workspace = x.new_empty((items, count, k), dtype=torch.float64)
                select(
                    cloud.data_ptr(),
                    norm.data_ptr(),
                    rescale.data_ptr(),
                    product.data_ptr(),
                    items,
                    points,
                    channels,
                    start,
                    count,
                    error,
                    k,
                    distances[first].data_ptr(),
                    indices[first].data_ptr(),
                    workspace.data_ptr(),
                    x.device.index,
                    stream,
                )
        if not torch.cuda.is_current_stream_capturing() and not largest.isfinite().all().item():
            raise _not_finite(x, 0)
    return distances.to(output_dtype(x.dtype)), indices


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


def _work_dtype(x: Tensor) -> torch.dtype:
    wide = x.dtype == torch.float64 or x.shape[2] > SINGLE_CHANNELS
    return torch.float64 if wide else torch.float32


def _blocks(shape: torch.Size, work: torch.dtype, budget: Budget) -> tuple[int, int]:
    """Items per group and rows per block: (G, N) or (1, R)."""
    _, points, channels = shape
    row = points * work.itemsize
    if points * row <= budget.whole:
        centred = points * channels * work.itemsize
        return max(1, min(budget.whole // (points * row), budget.centred // centred)), points
    return 1, max(1, min(max(budget.block // row, BLOCK_ROWS), BLOCK_BYTES // row))


def _operand_error(device: str, work: torch.dtype) -> float:
    """Relative error to which torch may round the operands of a product."""
    if work == torch.float64:
        return 0.0
    if device == "cuda":
        if os.environ.get("NVIDIA_TF32_OVERRIDE") == "1":
            return OPERAND_ERROR["tf32"]
        # Where torch offers fp32_precision, asking by the older names may raise.
        precision = getattr(torch.backends.cuda.matmul, "fp32_precision", None)
        if precision is None:
            precision = "tf32" if torch.backends.cuda.matmul.allow_tf32 else "ieee"
    else:
        matmul = getattr(torch.backends.mkldnn, "matmul", None)
        precision = getattr(matmul, "fp32_precision", None)
        if precision is None:
            medium = torch.get_float32_matmul_precision() == "medium"
            precision = "bf16" if medium else "ieee"
    return OPERAND_ERROR.get(precision, OPERAND_ERROR["bf16"])


def _not_finite(x: Tensor, first: int) -> ValueError:
    """Name the first NaN or infinity of x, whose first item is `first` of the batch."""
    item, point, channel = (~x.isfinite()).nonzero()[0].tolist()
    value = x[item, point, channel].item()
    return ValueError(
        f"x must be finite, but x[{first + item}, {point}, {channel}] is {value} "
        "(item, point, channel)"
    )
