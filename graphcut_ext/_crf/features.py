"""Mean-field inference in a fully connected CRF over feature vectors."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

import torch
from torch import Tensor

from graphcut_ext._arguments import (
    check_devices,
    check_integer,
    check_no_tangents,
    check_num_threads,
)
from graphcut_ext._crf.arguments import (
    Method,
    check_constant,
    check_costs,
    check_floating,
    check_floor,
    check_method,
    check_weight,
    choose_scores,
)
from graphcut_ext._crf.feature_operator import infer_points
from graphcut_ext._crf.points import MAX_DIMENSIONS, NORMALIZATIONS, Normalization
from graphcut_ext._fork import safe_in_forked_child

FeatureKernel = tuple[Tensor, float | Tensor]


@safe_in_forked_child
def dense_crf_features(
    probabilities: Tensor | None,
    kernels: Sequence[FeatureKernel],
    *,
    unary: Tensor | None = None,
    iterations: int = 10,
    normalization: Normalization | Sequence[Normalization] = "symmetric",
    method: Method = "auto",
    floor: float = 1e-8,
    num_threads: int | None = None,
) -> Tensor:
    """Marginals of a fully connected CRF over points with feature vectors, by mean field.

    The points are whatever has features: pixels, voxels, points of a scan, superpixels. With
    Q = softmax(-unary) to begin with, every iteration sets Q = softmax(-unary - M), where
    M = sum over the kernels of compatibility K Q, and K is the matrix of
    exp(-|f_i - f_j|^2 / 2) for the features f, normalised. :func:`graphcut_ext.dense_crf` is the
    case of images and volumes.

    Parameters
    ----------
    probabilities : Tensor, shape (B, L, N) or (L, N), floating point, or None
        Probabilities of L labels at N points: finite and not negative; they need not sum to 1. The
        unary potential is ``-log(max(probabilities, floor))``.
    kernels : sequence of (features, compatibility)
        ``features``: Tensor, shape (N, D), or (B, N, D) for features of each item, floating point:
        in standard deviations, that is, divided by the kernel's width. ``compatibility``: what
        it costs that labels meet, as a number or a floating-point tensor. A number w, not negative,
        is Potts: w for different labels, 0 for the same. A vector (L,) is a reward for each label
        that meets itself; w and a vector of w are the same. A matrix (L, L), symmetric, gives the
        costs themselves. A tensor without axes is a number that gets a gradient.
    unary : Tensor, shape and types of the probabilities, optional
        Unary potentials themselves, finite, in place of ``probabilities``, which is None then.
    iterations : int, default 10
        Not negative; 0 gives softmax(-unary).
    normalization : {"symmetric", "before", "after", "none"} or a sequence, default "symmetric"
        Of every kernel, or of each one. With D the row sums of K: D^-1/2 K D^-1/2, K D^-1, D^-1 K,
        or K itself.
    method : {"auto", "lattice", "exact"}, default "auto"
        ``"lattice"``: the permutohedral lattice, time and memory proportional to the points, for
        up to 16 features. ``"exact"``: sums over all pairs of points. ``"auto"``: the lattice, but
        the exact kernels where one has more than 16 features.
    floor : float, default 1e-8
        Least probability, in (0, 1).
    num_threads : int, optional
        CPU threads of the lattice; by default torch's setting. The result does not depend on it.

    Returns
    -------
    Tensor, shape of the probabilities, float32; float64 for float64 input and method "exact"
        Marginals; they sum to 1 over the labels. Differentiable in ``probabilities`` or ``unary``
        and in compatibilities that are tensors, as :func:`graphcut_ext.dense_crf` is.

    Raises
    ------
    TypeError
        An argument is of the wrong type or dtype.
    ValueError
        Shapes or devices do not fit each other; a value is out of range, NaN or infinite (the
        message names the kernel and the first position); both or none of ``probabilities`` and
        ``unary`` are given; features of the lattice lie more than 10^5 apart.
    NotImplementedError
        A gradient is wanted for features; an argument carries a tangent; or second derivatives are
        wanted.

    Notes
    -----
    The lattice approximates the kernels, as pydensecrf's does, with which it agrees to 1e-4. Its
    sums come close to those of the kernels where points lie densely; without normalisation they are
    off by some percent. Features that all items share build one lattice. The CPU's lattice works
    in a forked process.

    References
    ----------
    Krähenbühl, Koltun, "Efficient inference in fully connected CRFs with Gaussian edge
    potentials", NIPS 2011. Adams, Baek, Davis, "Fast high-dimensional filtering using the
    permutohedral lattice", Eurographics 2010.

    Examples
    --------
    >>> points = torch.tensor([[0.0], [0.1], [5.0]])
    >>> p = torch.tensor([[0.9, 0.4, 0.1], [0.1, 0.6, 0.9]])
    >>> dense_crf_features(p, [(points, 4.0)]).argmax(0)  # the second lies beside the first
    tensor([0, 0, 1])
    """
    scores, name = choose_scores(probabilities, unary, "points", 1)
    if isinstance(kernels, str) or not isinstance(kernels, Sequence):
        kind = type(kernels).__name__
        raise TypeError(f"kernels must be a sequence of (features, compatibility), not {kind}")
    features, costs, weights, axes = [], [], [], []
    for index, kernel in enumerate(kernels):
        if not isinstance(kernel, tuple | list) or len(kernel) != 2:
            raise TypeError(f"kernels[{index}] must be (features, compatibility), not {kernel!r}")
        features.append(_check_features(f"kernels[{index}]: features", kernel[0], name, scores))
        cost = _check_costs(f"kernels[{index}]: compatibility", kernel[1], name, scores)
        if isinstance(cost, Tensor):
            costs.append(cost.reshape(-1))
            weights.append(1.0)
            axes.append(cost.dim())
        else:
            weights.append(cost)
            axes.append(-1)
    iterations = check_integer("iterations", iterations, 0)
    floor = check_floor(floor)
    names = _check_normalization(normalization, len(features))
    most = max([1, *[f.shape[-1] for f in features]])
    chosen = check_method(method, most, MAX_DIMENSIONS, "kernels", "features")
    single = scores.dim() == 2
    marginals: Tensor = infer_points(
        scores.unsqueeze(0) if single else scores,
        features,
        costs[0] if len(costs) == 1 else torch.cat([scores.new_empty(0), *costs]),
        weights,
        axes,
        " ".join(names),
        name == "unary",
        floor,
        iterations,
        chosen,
        check_num_threads(num_threads),
    )
    return marginals.squeeze(0) if single else marginals


def _check_features(name: str, features: Tensor, scores_name: str, scores: Tensor) -> Tensor:
    check_floating(name, features)
    check_devices({scores_name: scores, name: features})
    points, dims = scores.shape[-1], features.dim()
    batch = tuple(scores.shape[:-2])
    if (
        dims not in (2, 2 + len(batch))
        or features.shape[-2] != points
        or (dims == 3 and features.shape[:1] != batch)
    ):
        shapes = f"({points}, D)" + (f" or ({batch[0]}, {points}, D)" if batch else "")
        raise ValueError(f"{name} must have shape {shapes}, not {tuple(features.shape)}")
    dimensions = features.shape[-1]
    if dimensions < 1:
        raise ValueError(f"{name} must have at least 1 feature, not {tuple(features.shape)}")
    most = 2**31 // (dimensions + 1) - 1
    if points > most:
        raise ValueError(f"{name} must be of at most {most} points, not {points}")
    return check_constant(name, features)


def _check_costs(
    name: str, compatibility: float | Tensor, scores_name: str, scores: Tensor
) -> float | Tensor:
    if isinstance(compatibility, Real) and not isinstance(compatibility, bool):
        return check_weight(name, float(compatibility))
    if not isinstance(compatibility, Tensor):
        kind = type(compatibility).__name__
        raise TypeError(f"{name} must be a number or a torch.Tensor, not {kind}")
    labels = scores.shape[-2]
    shapes = ((), (labels,), (labels, labels))
    costs = check_costs(name, compatibility, shapes, scores_name, scores)
    check_no_tangents({name: costs})
    return costs


def _check_normalization(normalization: str | Sequence[str], kernels: int) -> list[str]:
    names = [normalization] * kernels if isinstance(normalization, str) else list(normalization)
    if len(names) != kernels:
        raise ValueError(f"normalization must be one or {kernels}, not {len(names)}")
    for name in names if names else [normalization]:
        if isinstance(name, str) and name not in NORMALIZATIONS:
            allowed = ", ".join(map(repr, NORMALIZATIONS))
            raise ValueError(f"normalization must be one of {allowed}, not {name!r}")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"normalization must be a str or a sequence of str, not {name!r}")
    return names
