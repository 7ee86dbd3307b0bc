"""What :func:`graphcut_ext.knn` searches, what it finds, and by which blocks of a product."""

from __future__ import annotations

import os
from typing import NamedTuple

import torch
from torch import Tensor


class Budget(NamedTuple):
    """Bytes of workspace."""

    whole: int  # the whole product of an item, or of several small ones
    block: int  # some rows of a larger product
    centred: int  # centred copies of several items; a single one may exceed it


BLOCK_ROWS = 128
"""A block has at least so many rows, which the BLAS needs to be fast."""
BLOCK_BYTES = 64 << 20
"""But a block takes no more memory than this."""
SINGLE_CHANNELS = 1 << 20
"""With more channels, float32 sums are too coarse for a useful error bound."""

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
        """Return points and then queries of some items; padding holds the item's first point."""
        points = self.x[items].to(dtype)
        if self.lengths is not None:
            lengths = self.lengths[items, None, None]
            some = torch.where(lengths > 0, points[:, :1], 0)
            points = torch.where(_positions(self.x)[:, None] < lengths, points, some)
        if self.query is not None:
            points = torch.cat([points, self.query[items].to(dtype)], 1)
        return points.contiguous().resolve_neg()

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
