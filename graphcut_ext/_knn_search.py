"""What :func:`graphcut_ext.knn` searches, and the search on CUDA."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._value_checks import values_are_checked


class Budget(NamedTuple):
    """Bytes of workspace."""

    whole: int  # the whole product of an item, or of several small ones
    block: int  # some rows of a larger product
    centred: int  # centred copies of several items; a single one may exceed it


# Large enough to occupy the device.
CUDA_BUDGET = Budget(whole=64 << 20, block=64 << 20, centred=128 << 20)
BLOCK_ROWS = 128
"""A block has at least so many rows, for the sake of the BLAS..."""
BLOCK_BYTES = 64 << 20
"""...while it stays below this."""
SINGLE_CHANNELS = 1 << 20
"""Above this many channels float32 sums carry too little for a useful error bound."""
TILE_CHANNELS: int = _core.KNN_MOST_TILE_CHANNELS
TILE_NEIGHBOURS: int = _core.KNN_MOST_TILE_NEIGHBOURS
"""What the CUDA kernel without a matrix of products can do at most."""
TILE_POINTS = 4096
"""From this number of points on it is taken; not yet measured."""

# Relative error of a matrix product's operands, twice the rounding of the format: hardware may
# truncate.
OPERAND_ERROR = {"none": 0.0, "ieee": 0.0, "tf32": 2.0**-10, "bf16": 2.0**-7}


def output_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of the distances of points of a dtype."""
    return torch.float64 if dtype == torch.float64 else torch.float32


class Found(NamedTuple):
    """What a search finds for M points of each item."""

    distances: Tensor  # (B, M, k)
    indices: Tensor  # (B, M, k), int64
    measured: Tensor  # (B, M), int64: how many points' distances were computed in float64

    @classmethod
    def empty(cls, clouds: Clouds, k: int, dtype: torch.dtype) -> Found:
        """Memory for the results, on the points' device."""
        rows = clouds.results.shape[:2]
        return cls(
            clouds.x.new_empty((*rows, k), dtype=dtype),
            clouds.x.new_empty((*rows, k), dtype=torch.int64),
            clouds.x.new_empty(rows, dtype=torch.int64),
        )


class Clouds(NamedTuple):
    """What is searched, as checked by :func:`graphcut_ext.knn`."""

    x: Tensor  # (B, N, C): neighbours are found among these points
    query: Tensor | None  # (B, M, C): of these points; None: of x, each among the others
    lengths: Tensor | None  # (B,): how many of x there are in an item; None: all

    @property
    def results(self) -> Tensor:
        """The points whose neighbours are found."""
        return self.x if self.query is None else self.query

    def group(self, items: slice, dtype: torch.dtype) -> Tensor:
        """Searched points and then queries of some items, dense, with nothing odd for padding."""
        points = self.x[items].to(dtype)
        if self.lengths is not None:
            lengths = self.lengths[items, None, None]
            some = torch.where(lengths > 0, points[:, :1], 0)
            points = torch.where(_positions(self.x)[:, None] < lengths, points, some)
        if self.query is not None:
            points = torch.cat([points, self.query[items].to(dtype)], 1)
        return points.contiguous()

    def check_lengths(self) -> None:
        """Refuse lengths that no item can have."""
        if self.lengths is None:
            return
        wrong = ((self.lengths < 0) | (self.lengths > self.x.shape[1])).nonzero()
        if len(wrong):
            item = int(wrong[0])
            raise ValueError(
                f"lengths must be from 0 to N = {self.x.shape[1]}, but lengths[{item}] is "
                f"{self.lengths[item]}"
            )

    def not_finite(self) -> ValueError:
        """Name the first NaN or infinity."""
        for name, points in (("query", self.query), ("x", self.x)):
            if points is None:
                continue
            wrong = ~points.isfinite()
            if name == "x" and self.lengths is not None:
                wrong &= _positions(points)[:, None] < self.lengths[:, None, None]
            found = wrong.nonzero()
            if len(found):
                item, point, channel = found[0].tolist()
                return ValueError(
                    f"{name} must be finite, but {name}[{item}, {point}, {channel}] is "
                    f"{points[item, point, channel].item()} (item, point, channel)"
                )
        raise AssertionError("all values are finite")


def _positions(points: Tensor) -> Tensor:
    return torch.arange(points.shape[1], device=points.device)


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
    group = _tile_items(clouds, work) if tiles else blocks(clouds, work, CUDA_BUDGET)[0]
    found = Found.empty(clouds, k, work)
    largest = x.new_zeros(len(x), dtype=work)
    lengths = None if clouds.lengths is None else clouds.lengths.contiguous()
    fast = contextlib.nullcontext() if precision == "exact" else tf32_products()
    with torch.cuda.device(x.device), torch.autocast("cuda", enabled=False), fast:
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
                _search_products(clouds, centred, of_items, part)
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
    return max(1, CUDA_BUDGET.centred // (points * channels * work.itemsize))


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
    clouds: Clouds, centred: Centred, lengths: Tensor | None, found: Found
) -> None:
    x, y = centred.x, centred.y
    select = (
        _core.knn_select_cuda_float64 if x.dtype == torch.float64 else _core.knn_select_cuda_float32
    )
    items, points, channels = x.shape
    _, results, k = found.indices.shape
    searched = clouds.x.shape[1]
    error = operand_error("cuda", x.dtype)
    rows = blocks(clouds, x.dtype, CUDA_BUDGET)[1]
    for start in range(points - results, points, rows):
        count = min(rows, points - start)
        product = torch.bmm(y[:, start : start + count], y[:, :searched].mT)
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


@contextlib.contextmanager
def tf32_products() -> Iterator[None]:
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


def work_dtype(x: Tensor) -> torch.dtype:
    wide = x.dtype == torch.float64 or x.shape[2] > SINGLE_CHANNELS
    return torch.float64 if wide else torch.float32


def blocks(clouds: Clouds, work: torch.dtype, budget: Budget) -> tuple[int, int]:
    """Items per group and rows per block: (G, all) or (1, R)."""
    _, searched, channels = clouds.x.shape
    results = clouds.results.shape[1]
    row = searched * work.itemsize
    if results * row <= budget.whole:
        points = searched + (0 if clouds.query is None else results)
        centred = points * channels * work.itemsize
        return max(1, min(budget.whole // max(results * row, 1), budget.centred // centred)), max(
            results, 1
        )
    return 1, max(1, min(max(budget.block // row, BLOCK_ROWS), BLOCK_BYTES // row))


def operand_error(device: str, work: torch.dtype) -> float:
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
