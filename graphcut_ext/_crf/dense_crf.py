"""Mean-field inference in a fully connected CRF, as a torch operator."""

from __future__ import annotations

import math
from typing import Any, Literal, overload

import torch
from numpy.typing import NDArray
from torch import Tensor

from graphcut_ext._arguments import (
    check_devices,
    check_integer,
    check_no_tangents,
    check_num_threads,
    check_tensor,
    dtype_name,
)
from graphcut_ext._arrays import takes_arrays
from graphcut_ext._crf.arguments import (
    DTYPES,
    MAX_SETTING,
    Method,
    check_constant,
    check_costs,
    check_floor,
    check_method,
    check_weight,
    choose_scores,
)
from graphcut_ext._crf.operator import infer_marginals
from graphcut_ext._crf.points import MAX_DIMENSIONS

MIN_SIGMA = 1e-30  # what float32 can be divided by


@overload
def dense_crf(
    probabilities: Tensor | None,
    image: Tensor,
    *,
    unary: Tensor | None = None,
    iterations: int = 10,
    gaussian: tuple[float, float | Tensor] | None = (3.0, 3.0),
    bilateral: tuple[float, float, float | Tensor] | None = (80.0, 13.0, 10.0),
    compatibility: Literal["potts"] | Tensor = "potts",
    spacing: tuple[float, ...] | None = None,
    method: Method = "auto",
    floor: float = 1e-8,
    num_threads: int | None = None,
) -> Tensor: ...
@overload
def dense_crf(
    probabilities: NDArray[Any] | None,
    image: NDArray[Any],
    *,
    unary: NDArray[Any] | None = None,
    iterations: int = 10,
    gaussian: tuple[float, float] | None = (3.0, 3.0),
    bilateral: tuple[float, float, float] | None = (80.0, 13.0, 10.0),
    compatibility: Literal["potts"] | NDArray[Any] = "potts",
    spacing: tuple[float, ...] | None = None,
    method: Method = "auto",
    floor: float = 1e-8,
    num_threads: int | None = None,
) -> NDArray[Any]: ...
@takes_arrays("probabilities", "image", "unary", "compatibility")
def dense_crf(
    probabilities: Tensor | None,
    image: Tensor,
    *,
    unary: Tensor | None = None,
    iterations: int = 10,
    gaussian: tuple[float, float | Tensor] | None = (3.0, 3.0),
    bilateral: tuple[float, float, float | Tensor] | None = (80.0, 13.0, 10.0),
    compatibility: Literal["potts"] | Tensor = "potts",
    spacing: tuple[float, ...] | None = None,
    method: Method = "auto",
    floor: float = 1e-8,
    num_threads: int | None = None,
) -> Tensor:
    """Marginals of a fully connected CRF over the pixels of images or volumes, by mean field.

    With Q = softmax(-unary) to begin with, every iteration sets Q = softmax(-unary - M) with
    M[l] = sum over l' of compatibility[l, l'] * (sum over the kernels of weight * K Q)[l']. The
    smoothness kernel is exp(-d_xy^2 / (2 sigma_xy^2)) of the pixels' positions, the appearance
    kernel exp(-d_xy^2 / (2 sigma_xy^2) - d_rgb^2 / (2 sigma_rgb^2)) of positions and colours; both
    are normalised symmetrically, D^-1/2 K D^-1/2 with D the row sums. These are the conventions of
    pydensecrf, so that its settings can be carried over. For other kernels, of any features, see
    :func:`graphcut_ext.dense_crf_features`.

    Parameters
    ----------
    probabilities : Tensor, shape (B, L, H, W), (L, H, W) or (B, L, D, H, W), or None
        Probabilities of L labels, floating point: finite and not negative; they need not sum to 1.
        The unary potential is ``-log(max(probabilities, floor))``. Five dimensions are volumes of D
        slices; with three numbers in ``spacing``, (L, D, H, W) is one volume.
    image : Tensor, shape (B, C, H, W), (C, H, W) or (B, C, D, H, W), uint8 or floating point
        Colours in the units of ``sigma_rgb``: 0 to 255 for the default. The lattice takes up to 14
        channels of an image, 3 for RGB, and 13 of a volume.
    unary : Tensor, shape and types of the probabilities, optional
        Unary potentials themselves, finite, in place of ``probabilities``, which is None then.
    iterations : int, default 10
        Not negative; 0 gives softmax(-unary).
    gaussian : (sigma_xy, weight) or None, default (3, 3)
        Smoothness kernel: standard deviation in pixels (in the unit of ``spacing`` where that is
        given), positive, and weight, not negative. None or weight 0 leaves it out. The weight may
        be a tensor without axes, which gets a gradient.
    bilateral : (sigma_xy, sigma_rgb, weight) or None, default (80, 13, 10)
        Appearance kernel, alike.
    compatibility : "potts" or Tensor, shape (L, L), floating point, default "potts"
        Cost of two labels at pixels that are alike, symmetric; Potts is 1 for different labels,
        and the same as 1 minus the unit matrix.
    spacing : (y, x) or (z, y, x), optional
        Size of a pixel or voxel, positive: distances are measured in its unit. Default 1 along
        every axis.
    method : {"auto", "lattice", "exact"}, default "auto"
        ``"lattice"``: the kernels of more than 1.5 pixels by the permutohedral lattice, time and
        memory proportional to the pixels; narrower smoothness kernels exactly, but on the lattice
        too where there are volumes or pixels that are not square. ``"exact"``: sums over all pairs
        of pixels, time quadratic in their number. ``"auto"``: the lattice, but the exact kernels
        where there are more channels than it takes. The choice does not depend on the device.
    floor : float, default 1e-8
        Least probability, in (0, 1).
    num_threads : int, optional
        CPU threads of the lattice; by default torch's setting. The result does not depend on it.

    Returns
    -------
    Tensor, shape of the probabilities, float32; float64 for float64 input and method "exact"
        Marginals; they sum to 1 over the labels. On the device of ``image``. Differentiable in
        ``probabilities`` or ``unary``, in weights and in ``compatibility``.

    Raises
    ------
    TypeError
        An argument is of the wrong type or dtype.
    ValueError
        Shapes or devices do not fit each other; a value is out of range, NaN or infinite (the
        message names the first position); both or none of ``probabilities`` and ``unary`` are
        given; the colours lie more than 10^5 ``sigma_rgb`` apart.
    NotImplementedError
        A gradient is wanted for the image, or for a kernel's width; an argument carries a tangent;
        or, at the second ``backward``, second derivatives are wanted.

    Warns
    -----
    UserWarning
        An image's values lie between 0 and 1, but ``sigma_rgb`` is above 1, as for values up to
        255.

    Notes
    -----
    The lattice approximates the kernels, as pydensecrf's does, with which it agrees to 1e-4 (2e-2
    where the smoothness kernel is narrow and exact here). From ``"exact"`` both differ by 3e-4 in
    the mean after 10 iterations of the default kernels, and much where two labels are about as
    likely: at 0.3 % of the pixels of photographs the label is another one. Memory on the CPU is
    about 450 bytes a pixel for RGB and 21 labels, for every item in work; the exact kernels take
    256 MB.

    NumPy arrays are taken in place of tensors, all or none of them, and the marginals then are an
    array.

    The gradient is that of all iterations as they were computed. ``backward`` builds the lattices
    again and keeps the marginals of every iteration, (iterations + 1) 4 L bytes a pixel, for every
    item in work; until then nothing but the arguments is kept. The gradient of ``compatibility`` is
    made symmetric, as the costs are. That of probabilities below ``floor`` is 0.

    On CUDA the check for NaN waits for the device; within :func:`graphcut_ext.no_value_checks` and
    while a CUDA graph is captured values are not looked at. Only the exact kernels can be captured.
    The CUDA paths are made of torch's operators and have not been run on a GPU yet.

    References
    ----------
    Krähenbühl, Koltun, "Efficient inference in fully connected CRFs with Gaussian edge
    potentials", NIPS 2011. Adams, Baek, Davis, "Fast high-dimensional filtering using the
    permutohedral lattice", Eurographics 2010.

    Examples
    --------
    >>> image = torch.tensor([[[0.0, 0.0, 255.0]]]).expand(3, 1, 3)
    >>> p = torch.tensor([[[0.9, 0.4, 0.1]], [[0.1, 0.6, 0.9]]])
    >>> dense_crf(p, image).argmax(0)  # the second pixel looks like the first
    tensor([[0, 0, 1]])
    """
    axes = _count_axes(probabilities if unary is None else unary, spacing)
    scores, name = choose_scores(probabilities, unary, "pixels", axes)
    check_tensor("image", image)
    if image.dtype != torch.uint8 and image.dtype not in DTYPES:
        raise TypeError(f"image must be uint8 or floating point, not {dtype_name(image.dtype)}")
    check_devices({name: scores, "image": image})
    _check_image(scores, image, axes)
    steps = _check_spacing(spacing, axes)
    iterations = check_integer("iterations", iterations, 0)
    smooth = _check_kernel("gaussian", gaussian, ("sigma_xy", "weight"), scores)
    appearance = _check_kernel("bilateral", bilateral, ("sigma_xy", "sigma_rgb", "weight"), scores)
    floor = check_floor(floor)
    channels = image.shape[-1 - axes]
    chosen = check_method(method, channels, MAX_DIMENSIONS - axes, "image", "channels")
    matrix = _check_compatibility(compatibility, name, scores, axes)
    if axes == 2 and steps[0] == steps[1]:  # square pixels: an image, in other units
        smooth, appearance = (
            (kernel[0] / steps[0], *kernel[1:]) for kernel in (smooth, appearance)
        )
        steps = []
    settings = [*smooth, *appearance]
    weights = _learnable(smooth[-1], appearance[-1])
    differentiable = {name: scores}
    if weights is not None:
        settings = [0.0 if isinstance(value, Tensor) else value for value in settings]
        differentiable["weight"] = weights
    if matrix is not None:
        differentiable["compatibility"] = matrix
    check_no_tangents(differentiable)
    marginals: Tensor = infer_marginals(
        scores,
        check_constant("image", image),
        matrix,
        weights,
        name == "unary",
        floor,
        iterations,
        settings,
        chosen,
        check_num_threads(num_threads),
        steps,
    )
    return marginals


def _count_axes(scores: object, spacing: tuple[float, ...] | None) -> int:
    """2 for images, 3 for volumes."""
    volume = isinstance(scores, Tensor) and scores.dim() == 5
    return 3 if volume or (isinstance(spacing, tuple | list) and len(spacing) == 3) else 2


def _check_image(scores: Tensor, image: Tensor, axes: int) -> None:
    of_scores, shape = scores.shape, image.shape
    grid = of_scores[-axes:]
    if (
        len(shape) != len(of_scores)
        or shape[-axes:] != grid
        or (len(shape) > axes + 1 and shape[0] != of_scores[0])
    ):
        expected = ", ".join(map(str, [*of_scores[: -1 - axes], "C", *grid]))
        raise ValueError(f"image must have shape ({expected}), not {tuple(shape)}")
    channels = shape[-1 - axes]
    if channels < 1:
        raise ValueError(f"image must have at least 1 channel, not {channels}")
    pixels = math.prod(grid)
    most = 2**31 // (channels + axes + 1) - 1
    if pixels > most:
        raise ValueError(f"image must have at most {most} pixels, not {pixels}")


def _check_spacing(spacing: tuple[float, ...] | None, axes: int) -> list[float]:
    if spacing is None:
        return [1.0] * axes
    if not isinstance(spacing, tuple | list) or len(spacing) != axes:
        raise ValueError(f"spacing must be {axes} numbers, one for each axis, not {spacing!r}")
    for step in spacing:
        if not MIN_SIGMA <= step <= MAX_SETTING:
            raise ValueError(f"spacing must be positive and finite, not {spacing!r}")
    return [float(step) for step in spacing]


def _check_kernel(
    name: str,
    value: tuple[float | Tensor, ...] | None,
    fields: tuple[str, ...],
    scores: Tensor,
) -> tuple[Any, ...]:
    """The settings as floats, but for a weight that is a tensor; 0 where there is no kernel."""
    if value is None:
        return (0.0,) * len(fields)
    if not isinstance(value, tuple | list) or len(value) != len(fields):
        raise TypeError(f"{name} must be ({', '.join(fields)}) or None, not {value!r}")
    *sigmas, weight = value
    for field, sigma in zip(fields, sigmas, strict=False):
        if isinstance(sigma, Tensor):
            check_constant(f"{name}: {field}", sigma)
        if not MIN_SIGMA <= sigma <= MAX_SETTING:
            raise ValueError(
                f"{name}: {field} must be positive and finite, from {MIN_SIGMA} to "
                f"{MAX_SETTING}, not {sigma}"
            )
    if isinstance(weight, Tensor):
        weight = check_costs(f"{name}: weight", weight, ((),), "image", scores)
        return (*map(float, sigmas), weight)
    if check_weight(f"{name}: weight", weight) == 0:
        return (0.0,) * len(fields)
    return (*map(float, sigmas), float(weight))


def _learnable(*weights: float | Tensor) -> Tensor | None:
    """The weights as one tensor where one is a tensor."""
    for weight in weights:
        if isinstance(weight, Tensor):
            like = weight.double()
            return torch.stack(
                [w.double() if isinstance(w, Tensor) else like.new_tensor(w) for w in weights]
            )
    return None


def _check_compatibility(
    compatibility: Literal["potts"] | Tensor, name: str, scores: Tensor, axes: int
) -> Tensor | None:
    if isinstance(compatibility, str):
        if compatibility != "potts":
            raise ValueError(f"compatibility must be 'potts' or a tensor, not {compatibility!r}")
        return None
    labels = scores.shape[-1 - axes]
    return check_costs("compatibility", compatibility, ((labels, labels),), name, scores)
