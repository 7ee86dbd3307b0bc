"""K nearest neighbours of every point, as a torch operator."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from graphcut_ext._arguments import check_tensor
from graphcut_ext._knn_search import output_dtype, search_cpu, search_cuda

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class KNN(NamedTuple):
    """What :func:`knn` returns.

    Attributes
    ----------
    distances : Tensor, shape (B, N, k)
        Squared Euclidean distances, ascending; (N, k) for points without a batch dimension.
    indices : Tensor, shape (B, N, k), int64
        The neighbours' positions within their item.
    """

    distances: Tensor
    indices: Tensor


def knn(x: Tensor, k: int, *, precision: str = "exact") -> KNN:
    """K nearest neighbours of every point among the other points of its item.

    A point is excluded from its own neighbours by its index, so a duplicate of it counts as a
    neighbour at distance 0. Equal distances are ordered by index. The result does not depend on the
    rest of the batch, on the number of threads or on how the matrix product rounds: a product in
    the working precision only discards points that provably are no neighbours (error bounds in
    ``csrc/knn/bounds.hpp``), and the distances of the rest are recomputed from ``x`` in float64.
    Two distances that differ by less than the rounding of that sum (about C * 1e-16, relative)
    count as the sum orders them.

    Parameters
    ----------
    x : Tensor, shape (B, N, C) or (N, C), float16, bfloat16, float32 or float64
        Points, finite, on the CPU or a CUDA device.
    k : int
        Number of neighbours, 1 <= k <= N - 1.
    precision : {"exact"}, default "exact"
        Only exact neighbours are offered.

    Returns
    -------
    KNN
        ``distances`` (B, N, k) in the dtype of ``x``, float32 for half types, and ``indices``
        (B, N, k) int64; without B where ``x`` has none. ``distances`` are differentiable in ``x``,
        twice too. A distance beyond the dtype's range is ``inf``, its rank is right all the same.

    Raises
    ------
    TypeError
        ``x`` is no strided tensor of a supported dtype, or ``k`` is no int.
    ValueError
        ``x`` has other than 2 or 3 dimensions or no channels, or has a NaN or an infinity (the
        message names the first position); ``k`` is out of range; ``precision`` is unknown.
    RuntimeError
        ``x`` is on a CUDA device and the package was built without CUDA.

    Notes
    -----
    Memory beyond inputs and outputs: centred copies of some items (one item, or less than 16 MB,
    on CUDA 128 MB) and a block of the product of at most 64 MB, whatever N and B; the N x N matrix
    of a large item never exists. A product costs N^2 C multiplications per item; on the CPU about
    half of them where the item's matrix fits in 32 MB, by symmetry. Where thousands of points lie
    within the rounding of the product of each other, though not on each other, their distances are
    all recomputed.

    On CUDA the check for NaN and infinity reads one flag at the end of the call and so waits for
    the device; while a CUDA graph is captured it is not read, and points of an item with such
    values get the index -1 or arbitrary neighbours. The backward pass on CUDA adds up in an order
    that varies unless ``torch.use_deterministic_algorithms(True)`` is set.

    Under autocast the operator keeps the dtype of ``x``. Where TF32 or bfloat16 products are
    allowed for float32 (``torch.set_float32_matmul_precision``) they are used, with wider bounds
    and an unchanged result.

    Examples
    --------
    >>> x = torch.tensor([[0.0], [1.0], [3.0]])
    >>> knn(x, 1).indices.flatten().tolist()
    [1, 0, 1]
    """
    check_tensor("x", x)
    if x.dtype not in DTYPES:
        raise TypeError(
            f"x must be float16, bfloat16, float32 or float64, not {str(x.dtype)[len('torch.') :]}"
        )
    if x.dim() not in (2, 3):
        raise ValueError(f"x must have shape (B, N, C) or (N, C), not {tuple(x.shape)}")
    if isinstance(k, bool) or not isinstance(k, (int, torch.SymInt)):
        raise TypeError(f"k must be an int, not {type(k).__name__}")
    points, channels = x.shape[-2:]
    if channels == 0:
        raise ValueError(f"x must have at least one channel, not shape {tuple(x.shape)}")
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    if k > points - 1:
        raise ValueError(
            f"k must be at most N - 1 = {points - 1}: x has N = {points} points, k is {k}"
        )
    if precision != "exact":
        raise ValueError(f"precision must be 'exact', not {precision!r}")
    if x.dim() == 3:
        return KNN(*_knn(x, k))
    distances, indices = _knn(x.unsqueeze(0), k)
    return KNN(distances.squeeze(0), indices.squeeze(0))


@torch.library.custom_op("graphcut_ext::knn", mutates_args=(), device_types="cpu")
def _knn(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    return search_cpu(x.detach(), k)


@_knn.register_kernel("cuda")
def _(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    return search_cuda(x.detach(), k)


@_knn.register_fake
def _(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    shape = (x.shape[0], x.shape[1], k)
    return x.new_empty(shape, dtype=output_dtype(x.dtype)), x.new_empty(shape, dtype=torch.int64)


def _setup_context(ctx: Any, inputs: tuple[Tensor, int], output: tuple[Tensor, Tensor]) -> None:
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(inputs[0], output[1])


def _backward(ctx: Any, grad: Tensor, _grad_indices: Tensor | None) -> tuple[Tensor, None]:
    """Gradient of d_ij = |x_i - x_j|^2: 2 g (x_i - x_j) to x_i, its negative to x_j.

    One neighbour rank at a time, so that no (B, N, k, C) tensor is needed.
    """
    x, indices = ctx.saved_tensors  # (B, N, C), (B, N, k)
    points = x.to(grad.dtype)
    total = torch.zeros_like(points)
    for rank in range(indices.shape[2]):
        neighbour = indices[:, :, rank, None].expand_as(points)
        pull = 2 * grad[:, :, rank, None] * (points - points.gather(1, neighbour))
        total = (total + pull).scatter_add(1, neighbour, -pull)
    return total.to(x.dtype), None


_knn.register_autograd(_backward, setup_context=_setup_context)


@_knn.register_vmap
def _(info: Any, in_dims: tuple[int | None, ...], x: Tensor, k: int) -> tuple[Any, Any]:
    size = info.batch_size
    axis = in_dims[0]
    stacked = x.expand(size, *x.shape) if axis is None else x.movedim(axis, 0)
    distances, indices = _knn(stacked.flatten(0, 1), k)
    shape = stacked.shape[:2]
    return (distances.unflatten(0, shape), indices.unflatten(0, shape)), (0, 0)
