"""Mean-field inference in a fully connected CRF, as a torch operator."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from graphcut_ext import _core
from graphcut_ext._arguments import (
    check_devices,
    check_integer,
    check_num_threads,
    check_tensor,
    dtype_name,
)
from graphcut_ext._crf.operator import infer_marginals

Method = Literal["auto", "lattice", "exact"]
METHODS: tuple[Method, ...] = get_args(Method)
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
MAX_CHANNELS: int = _core.CRF_MAX_CHANNELS
MIN_SIGMA, MAX_SETTING = 1e-30, 1e30  # what float32 can be divided and multiplied by
EXACT_PIXELS = 4096  # up to which "auto" takes the exact kernels on CUDA


def dense_crf(
    probabilities: Tensor | None,
    image: Tensor,
    *,
    unary: Tensor | None = None,
    iterations: int = 10,
    gaussian: tuple[float, float] | None = (3.0, 3.0),
    bilateral: tuple[float, float, float] | None = (80.0, 13.0, 10.0),
    compatibility: Literal["potts"] | Tensor = "potts",
    method: Method = "auto",
    floor: float = 1e-8,
    num_threads: int | None = None,
) -> Tensor:
    """Marginals of a fully connected CRF over the pixels of images, by mean field.

    With Q = softmax(-unary) to begin with, every iteration sets Q = softmax(-unary - M) with
    M[l] = sum over l' of compatibility[l, l'] * (sum over the kernels of weight * K Q)[l']. The
    smoothness kernel is exp(-d_xy^2 / (2 sigma_xy^2)) of the pixels' positions, the appearance
    kernel exp(-d_xy^2 / (2 sigma_xy^2) - d_rgb^2 / (2 sigma_rgb^2)) of positions and colours; both
    are normalised symmetrically, D^-1/2 K D^-1/2 with D the row sums. These are the conventions of
    pydensecrf, so that its settings can be carried over.

    Parameters
    ----------
    probabilities : Tensor, shape (B, L, H, W) or (L, H, W), floating point, or None
        Probabilities of L labels: finite and not negative; they need not sum to 1. The unary
        potential is ``-log(max(probabilities, floor))``.
    image : Tensor, shape (B, C, H, W) or (C, H, W), uint8 or floating point
        Colours in the units of ``sigma_rgb``: 0 to 255 for the default. C, 3 for RGB, is from 1 to
        14.
    unary : Tensor, shape and types as ``probabilities``, optional
        Unary potentials themselves, finite, in place of ``probabilities``, which is None then.
    iterations : int, default 10
        Not negative; 0 gives softmax(-unary).
    gaussian : (sigma_xy, weight) or None, default (3, 3)
        Smoothness kernel: standard deviation in pixels, positive, and weight, not negative. None or
        weight 0 leaves it out.
    bilateral : (sigma_xy, sigma_rgb, weight) or None, default (80, 13, 10)
        Appearance kernel, alike.
    compatibility : "potts" or Tensor, shape (L, L), floating point, default "potts"
        Cost of two labels at pixels that are alike, symmetric; Potts is 1 for different labels,
        and the same as 1 minus the unit matrix.
    method : {"auto", "lattice", "exact"}, default "auto"
        ``"lattice"``: the kernels of more than 1.5 pixels by the permutohedral lattice, time and
        memory proportional to the pixels; narrower smoothness kernels exactly. ``"exact"``: sums
        over all pairs of pixels, time quadratic in their number. ``"auto"``: the lattice, but on
        CUDA the exact kernels for up to 4096 pixels.
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
    scores, name = _scores(probabilities, unary)
    check_tensor("image", image)
    if image.dtype != torch.uint8 and image.dtype not in DTYPES:
        raise TypeError(f"image must be uint8 or floating point, not {dtype_name(image.dtype)}")
    check_devices({name: scores, "image": image})
    _check_shapes(name, scores, image)
    iterations = check_integer("iterations", iterations, 0)
    smooth = _check_kernel("gaussian", gaussian, ("sigma_xy", "weight"))
    appearance = _check_kernel("bilateral", bilateral, ("sigma_xy", "sigma_rgb", "weight"))
    if not 0 < floor < 1:
        raise ValueError(f"floor must be in (0, 1), not {floor}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(map(repr, METHODS))}, not {method!r}")
    matrix = _check_compatibility(compatibility, scores)
    if method == "auto":
        small = image.shape[-2] * image.shape[-1] <= EXACT_PIXELS
        method = "exact" if image.is_cuda and small else "lattice"
    single = scores.dim() == 3
    marginals: Tensor = infer_marginals(
        (scores.unsqueeze(0) if single else scores).detach(),
        (image.unsqueeze(0) if single else image).detach(),
        matrix,
        name == "unary",
        floor,
        iterations,
        [*smooth, *appearance],
        method,
        check_num_threads(num_threads),
    )
    return marginals.squeeze(0) if single else marginals


def _scores(probabilities: Tensor | None, unary: Tensor | None) -> tuple[Tensor, str]:
    if (probabilities is None) == (unary is None):
        raise ValueError("either probabilities or unary must be given, and the other be None")
    name = "probabilities" if unary is None else "unary"
    scores = check_tensor(name, probabilities if unary is None else unary)
    if scores.dtype not in DTYPES:
        raise TypeError(f"{name} must be floating point, not {dtype_name(scores.dtype)}")
    return scores, name


def _check_shapes(name: str, scores: Tensor, image: Tensor) -> None:
    if scores.dim() not in (3, 4):
        raise ValueError(
            f"{name} must have shape (B, L, H, W) or (L, H, W), not {tuple(scores.shape)}"
        )
    if 0 in scores.shape[-3:]:
        raise ValueError(f"{name} must have labels and pixels, not shape {tuple(scores.shape)}")
    batch, grid = scores.shape[:-3], scores.shape[-2:]
    if image.dim() != scores.dim() or (image.shape[:-3], image.shape[-2:]) != (batch, grid):
        expected = ", ".join(map(str, [*batch, "C", *grid]))
        raise ValueError(f"image must have shape ({expected}), not {tuple(image.shape)}")
    if not 1 <= image.shape[-3] <= MAX_CHANNELS:
        raise ValueError(f"image must have 1 to {MAX_CHANNELS} channels, not {image.shape[-3]}")
    most = 2**31 // (image.shape[-3] + 3) - 1
    if grid[0] * grid[1] > most:
        raise ValueError(f"image must have at most {most} pixels, not {grid[0] * grid[1]}")


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


def _check_compatibility(compatibility: Literal["potts"] | Tensor, scores: Tensor) -> Tensor | None:
    if isinstance(compatibility, str):
        if compatibility != "potts":
            raise ValueError(f"compatibility must be 'potts' or a tensor, not {compatibility!r}")
        return None
    check_tensor("compatibility", compatibility)
    if compatibility.dtype not in DTYPES:
        dtype = dtype_name(compatibility.dtype)
        raise TypeError(f"compatibility must be floating point, not {dtype}")
    check_devices({"image": scores, "compatibility": compatibility})
    labels = scores.shape[-3]
    if compatibility.shape != (labels, labels):
        raise ValueError(
            f"compatibility must have shape ({labels}, {labels}), not {tuple(compatibility.shape)}"
        )
    return compatibility.detach()
