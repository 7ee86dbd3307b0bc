"""Mean-field inference in a fully connected CRF, as a torch operator."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from graphcut_ext._arguments import (
    check_devices,
    check_integer,
    check_num_threads,
    check_tensor,
    dtype_name,
)
from graphcut_ext._crf.arguments import DTYPES, MAX_SETTING, Method, check_method, choose_scores
from graphcut_ext._crf.operator import infer_marginals
from graphcut_ext._crf.points import MAX_DIMENSIONS

MIN_SIGMA = 1e-30  # what float32 can be divided by


def dense_crf(
    probabilities: Tensor | None,
    image: Tensor,
    *,
    unary: Tensor | None = None,
    iterations: int = 10,
    gaussian: tuple[float, float] | None = (3.0, 3.0),
    bilateral: tuple[float, float, float] | None = (80.0, 13.0, 10.0),
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
    unary : Tensor, shape and types as ``probabilities``, optional
        Unary potentials themselves, finite, in place of ``probabilities``, which is None then.
    iterations : int, default 10
        Not negative; 0 gives softmax(-unary).
    gaussian : (sigma_xy, weight) or None, default (3, 3)
        Smoothness kernel: standard deviation in pixels (in the unit of ``spacing`` where that is
        given), positive, and weight, not negative. None or weight 0 leaves it out.
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
    Tensor, shape of ``probabilities``, float32 (float64 for float64 input and ``"exact"``)
        Marginals; they sum to 1 over the labels. On the device of ``image``. They carry no
        gradient.

    Raises
    ------
    TypeError
        An argument is of the wrong type or dtype.
    ValueError
        Shapes or devices do not fit each other; a value is out of range, NaN or infinite (the
        message names the first position); both or none of ``probabilities`` and ``unary`` are
        given; the colours lie more than 10^5 ``sigma_rgb`` apart.

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
    scores, name = choose_scores(probabilities, unary)
    check_tensor("image", image)
    if image.dtype != torch.uint8 and image.dtype not in DTYPES:
        raise TypeError(f"image must be uint8 or floating point, not {dtype_name(image.dtype)}")
    check_devices({name: scores, "image": image})
    axes = _count_axes(name, scores, spacing)
    _check_shapes(name, scores, image, axes)
    steps = _check_spacing(spacing, axes)
    iterations = check_integer("iterations", iterations, 0)
    smooth = _check_kernel("gaussian", gaussian, ("sigma_xy", "weight"))
    appearance = _check_kernel("bilateral", bilateral, ("sigma_xy", "sigma_rgb", "weight"))
    if not 0 < floor < 1:
        raise ValueError(f"floor must be in (0, 1), not {floor}")
    channels = image.shape[-1 - axes]
    chosen = check_method(method, channels, MAX_DIMENSIONS - axes, "image", "channels")
    matrix = _check_compatibility(compatibility, scores, axes)
    if axes == 2 and steps[0] == steps[1]:  # square pixels: an image, in other units
        smooth, appearance = (
            (kernel[0] / steps[0], *kernel[1:]) for kernel in (smooth, appearance)
        )
        steps = []
    single = scores.dim() == axes + 1
    marginals: Tensor = infer_marginals(
        (scores.unsqueeze(0) if single else scores).detach(),
        (image.unsqueeze(0) if single else image).detach(),
        matrix,
        name == "unary",
        floor,
        iterations,
        [*smooth, *appearance],
        chosen,
        check_num_threads(num_threads),
        steps,
    )
    return marginals.squeeze(0) if single else marginals


def _count_axes(name: str, scores: Tensor, spacing: tuple[float, ...] | None) -> int:
    """2 for images, 3 for volumes."""
    volume = scores.dim() == 5 or (isinstance(spacing, tuple | list) and len(spacing) == 3)
    if scores.dim() not in ((4, 5) if volume else (3, 4)):
        shapes = "(B, L, D, H, W) or (L, D, H, W)" if volume else "(B, L, H, W) or (L, H, W)"
        raise ValueError(f"{name} must have shape {shapes}, not {tuple(scores.shape)}")
    return 3 if volume else 2


def _check_shapes(name: str, scores: Tensor, image: Tensor, axes: int) -> None:
    if 0 in scores.shape[-1 - axes :]:
        raise ValueError(f"{name} must have labels and pixels, not shape {tuple(scores.shape)}")
    batch, grid = scores.shape[: -1 - axes], scores.shape[-axes:]
    if image.dim() != scores.dim() or (image.shape[: -1 - axes], image.shape[-axes:]) != (
        batch,
        grid,
    ):
        expected = ", ".join(map(str, [*batch, "C", *grid]))
        raise ValueError(f"image must have shape ({expected}), not {tuple(image.shape)}")
    channels = image.shape[-1 - axes]
    if channels < 1:
        raise ValueError(f"image must have at least 1 channel, not {channels}")
    most = 2**31 // (channels + axes + 1) - 1
    if math.prod(grid) > most:
        raise ValueError(f"image must have at most {most} pixels, not {math.prod(grid)}")


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
    name: str, value: tuple[float, ...] | None, fields: tuple[str, ...]
) -> tuple[float, ...]:
    if value is None:
        return (*[1.0] * (len(fields) - 1), 0.0)
    if not isinstance(value, tuple | list) or len(value) != len(fields):
        raise TypeError(f"{name} must be ({', '.join(fields)}) or None, not {value!r}")
    *sigmas, weight = value
    for field, sigma in zip(fields, sigmas, strict=False):
        if not MIN_SIGMA <= sigma <= MAX_SETTING:
            raise ValueError(
                f"{name}: {field} must be positive and finite, from {MIN_SIGMA} to "
                f"{MAX_SETTING}, not {sigma}"
            )
    if not 0 <= weight <= MAX_SETTING:
        raise ValueError(
            f"{name}: weight must be finite and not negative, at most {MAX_SETTING}, not {weight}"
        )
    return tuple(map(float, value))


def _check_compatibility(
    compatibility: Literal["potts"] | Tensor, scores: Tensor, axes: int
) -> Tensor | None:
    if isinstance(compatibility, str):
        if compatibility != "potts":
            raise ValueError(f"compatibility must be 'potts' or a tensor, not {compatibility!r}")
        return None
    check_tensor("compatibility", compatibility)
    if compatibility.dtype not in DTYPES:
        dtype = dtype_name(compatibility.dtype)
        raise TypeError(f"compatibility must be floating point, not {dtype}")
    check_devices({"image": scores, "compatibility": compatibility})
    labels = scores.shape[-1 - axes]
    if compatibility.shape != (labels, labels):
        raise ValueError(
            f"compatibility must have shape ({labels}, {labels}), not {tuple(compatibility.shape)}"
        )
    return compatibility.detach()
