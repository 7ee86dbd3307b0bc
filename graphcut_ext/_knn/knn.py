"""K nearest neighbours of every point, as a torch operator."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Literal, NamedTuple, get_args, overload

import torch
from numpy.typing import NDArray
from torch import Tensor

from graphcut_ext._arguments import (
    check_devices,
    check_index_dtype,
    check_no_tangents,
    check_tensor,
)
from graphcut_ext._arrays import takes_arrays
from graphcut_ext._knn.operator import find_neighbours

Precision = Literal["exact", "fast"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class KNN(NamedTuple):
    """What :func:`knn` returns.

    Attributes
    ----------
    distances : Tensor, shape (B, N, k)
        Squared Euclidean distances (or Euclidean ones), ascending; (N, k) for points without a
        batch dimension; M in place of N where queries are given.
    indices : Tensor, shape (B, N, k), int64
        The neighbours' positions within their item.
    """

    distances: Tensor
    indices: Tensor


class KNNMeasured(NamedTuple):
    """What :func:`knn` returns with ``return_measured``.

    Attributes
    ----------
    distances, indices : Tensor
        As in :class:`KNN`.
    measured : Tensor, shape (B, N), int64
        For how many points the distance was computed in float64; (N,) for points without a batch
        dimension, M in place of N where queries are given.
    """

    distances: Tensor
    indices: Tensor
    measured: Tensor


@overload
def knn(
    x: Tensor,
    k: int,
    *,
    query: Tensor | None = None,
    lengths: Tensor | None = None,
    squared: bool = True,
    precision: Precision = "exact",
    return_measured: Literal[False] = False,
) -> KNN: ...


@overload
def knn(
    x: Tensor,
    k: int,
    *,
    query: Tensor | None = None,
    lengths: Tensor | None = None,
    squared: bool = True,
    precision: Precision = "exact",
    return_measured: Literal[True],
) -> KNNMeasured: ...


@overload
def knn(
    x: NDArray[Any],
    k: int,
    *,
    query: NDArray[Any] | None = None,
    lengths: NDArray[Any] | None = None,
    squared: bool = True,
    precision: Precision = "exact",
    return_measured: bool = False,
) -> Any: ...


@takes_arrays("x", "query", indices=("lengths",))
def knn(
    x: Tensor,
    k: int,
    *,
    query: Tensor | None = None,
    lengths: Tensor | None = None,
    squared: bool = True,
    precision: Precision = "exact",
    return_measured: bool = False,
) -> KNN | KNNMeasured:
    """K nearest neighbours of every point among the other points of its item, or of queries.

    A point is excluded from its own neighbours by its index, so a duplicate of it counts as a
    neighbour at distance 0. Equal distances are ordered by index. The result does not depend on the
    rest of the batch, on the number of threads or on how the matrix product rounds: a product in
    the working precision, or of 16-bit integers, only discards points that provably are no
    neighbours (error bounds in ``csrc/knn/bounds.hpp``), and the distances of the rest are
    recomputed from ``x`` in float64.
    Two distances that differ by less than the rounding of that sum (about C * 1e-16, relative)
    count as the sum orders them.

    Parameters
    ----------
    x : Tensor, shape (B, N, C) or (N, C), float16, bfloat16, float32 or float64
        Points, finite, on the CPU or a CUDA device.
    k : int
        Number of neighbours, 1 <= k <= N - 1; with queries 1 <= k <= N.
    query : Tensor, shape (B, M, C) or (M, C), same dtype, optional
        Points whose neighbours among ``x`` are found. A query is no point of ``x``: one that equals
        a point has it as a neighbour at distance 0. Default: the points themselves, each among the
        others.
    lengths : Tensor, shape (B,), int64, optional
        Only the first ``lengths[b]`` points of item b exist, what stands behind them is not looked
        at. Places for which there is no neighbour, all those of such padding among them, get the
        index -1 and the distance ``inf``. Default: N everywhere.
    squared : bool, default True
        Whether distances are squared. Otherwise they are Euclidean, and their gradient is 0 where
        points coincide, where that of ``.sqrt()`` is NaN.
    precision : {"exact", "fast"}, default "exact"
        ``"fast"`` lets CUDA devices discard points by float32 products of TF32 operands, with
        bounds as much wider. The result is the same; on the CPU there is no difference. torch's
        setting, which all threads share, is changed only while such a product is queued.
    return_measured : bool, default False
        Whether to tell how many distances were recomputed for each row. A row with more than k was
        not settled by the product and its bounds: ``(measured > k).sum()`` rows had to be redone,
        and the count shows what ``"fast"`` costs there. The numbers depend on how the product
        rounds; where no product is stored (the tree, the CUDA kernel for few channels) points
        are measured as they come, and nearly every row counts more than k.

    Returns
    -------
    KNN, or KNNMeasured with ``return_measured``
        ``distances`` (B, N, k) in the dtype of ``x``, float32 for half types, and ``indices``
        (B, N, k) int64, with M in place of N where queries are given; without B where ``x`` has
        none. ``distances`` are differentiable in ``x`` and ``query``, twice too. A distance beyond
        the dtype's range is ``inf``, its rank is right all the same.

    Raises
    ------
    TypeError
        ``x`` is no strided tensor of a supported dtype, ``query`` has another one, ``lengths`` is
        not int64, or ``k`` is no int.
    ValueError
        ``x`` has other than 2 or 3 dimensions or no channels; shapes or devices do not fit each
        other; a point has a NaN or an infinity, or a length is out of range (the message names the
        first position); ``k`` is out of range; ``precision`` is unknown.
    RuntimeError
        ``x`` is on a CUDA device and the package was built without CUDA.
    NotImplementedError
        ``x`` or ``query`` carries a tangent: derivatives are of reverse mode only.

    Notes
    -----
    Memory beyond inputs and outputs: centred copies of some items (one item, or less than 24 MB,
    on CUDA 128 MB) and a block of the product of at most 64 MB, whatever N and B; the N x N matrix
    of a large item never exists. On CUDA points of at most 64 channels, 4096 of them or more, with
    k up to 32 are searched without storing products (the limit of 4096 is not yet measured; such
    products are float32, or float64 ones, whatever the ``precision``). A product costs N^2 C
    multiplications per item; on the CPU about half of them where the item's matrix fits in 32 MB,
    by symmetry. CPUs with AVX512-VNNI, or AVX2 without AVX512, multiply points rounded to 16-bit
    integers, but for float64, and repeat items that these do not settle in float32. Many points of
    few channels (from 500 of 1 or 2 on) on the CPU are searched by a tree of boxes, with the same
    result. Where thousands of points lie within the rounding of the product of each other, though
    not on each other, their distances are all recomputed. Of few points on the CPU every pair is
    measured.

    NumPy arrays are taken in place of tensors, all or none of them, and the result then is of
    arrays; ``lengths`` may be of any integer type there.

    On CUDA the check for NaN and infinity reads one flag at the end of the call and so waits for
    the device; within :func:`graphcut_ext.no_value_checks` and while a CUDA graph is captured
    neither is looked at: points of an item with such values get the index -1 or arbitrary
    neighbours, and a length below 0 or above N counts as 0 or N. The backward pass on CUDA adds up
    in an order that varies unless ``torch.use_deterministic_algorithms(True)`` is set; on the CPU
    it is always the same, whatever the number of threads.

    Under autocast the operator keeps the dtype of ``x``. Where TF32 or bfloat16 products are
    allowed for float32 (``torch.set_float32_matmul_precision``) they are used, with wider bounds
    and an unchanged result.

    Examples
    --------
    >>> x = torch.tensor([[0.0], [1.0], [3.0]])
    >>> knn(x, 1).indices.flatten().tolist()
    [1, 0, 1]
    >>> knn(x, 2, query=torch.tensor([[2.5]])).indices.tolist()
    [[2, 1]]
    """
    _check_points(x, query, lengths)
    if isinstance(k, Integral) and not isinstance(k, int):
        k = int(k)  # NumPy's
    if isinstance(k, bool) or not isinstance(k, (int, torch.SymInt)):
        raise TypeError(f"k must be an int, not {type(k).__name__}")
    points = x.shape[-2]
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    if query is None and k > points - 1:
        raise ValueError(
            f"k must be at most N - 1 = {points - 1}: x has N = {points} points, k is {k}"
        )
    if query is not None and k > points:
        raise ValueError(f"k must be at most N = {points}, the points of x, but k is {k}")
    if precision not in PRECISIONS:
        raise ValueError(
            f"precision must be one of {', '.join(map(repr, PRECISIONS))}, not {precision!r}"
        )
    distances, indices, measured = find_neighbours(x, k, query, lengths, precision)
    if not squared:
        distances = _root(distances)
    return KNNMeasured(distances, indices, measured) if return_measured else KNN(distances, indices)


def _root(distances: Tensor) -> Tensor:
    coincide = distances == 0
    return torch.where(coincide, 0.0, torch.where(coincide, 1.0, distances).sqrt())


def _check_points(x: Tensor, query: Tensor | None, lengths: Tensor | None) -> None:
    check_tensor("x", x)
    check_no_tangents({"x": x})
    if x.dtype not in DTYPES:
        raise TypeError(
            f"x must be float16, bfloat16, float32 or float64, not {str(x.dtype)[len('torch.') :]}"
        )
    if x.dim() not in (2, 3):
        raise ValueError(f"x must have shape (B, N, C) or (N, C), not {tuple(x.shape)}")
    if x.shape[-1] == 0:
        raise ValueError(f"x must have at least one channel, not shape {tuple(x.shape)}")
    if query is not None:
        check_tensor("query", query)
        check_no_tangents({"query": query})
        if query.dtype != x.dtype:
            raise TypeError(f"query must have the dtype of x, {x.dtype}, not {query.dtype}")
        check_devices({"x": x, "query": query})
        batch = x.shape[:-2]
        if query.dim() != x.dim() or query.shape[:-2] != batch or query.shape[-1] != x.shape[-1]:
            expected = ", ".join(map(str, [*batch, "M", x.shape[-1]]))
            raise ValueError(f"query must have shape ({expected}), not {tuple(query.shape)}")
    if lengths is not None:
        check_tensor("lengths", lengths)
        check_index_dtype("lengths", lengths)
        check_devices({"x": x, "lengths": lengths})
        if x.dim() != 3:
            raise ValueError("lengths needs x of shape (B, N, C)")
        if lengths.shape != x.shape[:1]:
            raise ValueError(f"lengths must have shape ({x.shape[0]},), not {tuple(lengths.shape)}")
