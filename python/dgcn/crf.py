"""Mean-field inference in a fully connected CRF, by `graphcut_ext` or by pydensecrf.

Krähenbühl and Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials",
NIPS 2011.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

import graphcut_ext as gx
from dgcn.checks import require, require_at_least, require_positive

__all__ = ["CRF", "dense_crf", "dense_crf_batch", "images_to_grid"]

EXACT_PIXELS = 4096  # of a grid, up to which a GPU sums over all pairs of pixels


@dataclass(frozen=True)
class CRF:
    """The fully connected CRF (Krähenbühl and Koltun 2011), kernel widths at image resolution.

    The smoothness kernel is exp(-d_xy^2 / (2 gaussian_xy^2)), the appearance kernel
    exp(-d_xy^2 / (2 bilateral_xy^2) - d_rgb^2 / (2 bilateral_rgb^2)); both with Potts
    compatibility.

    Raises
    ------
    ValueError
        A field is out of range; the message names it.
    """

    iterations: int = 10
    """Mean-field iterations, not negative."""
    gaussian_xy: float = 3.0
    """Standard deviation of the smoothness kernel in pixels."""
    gaussian_weight: float = 3.0
    """Weight of the smoothness kernel; 0 leaves it out."""
    bilateral_xy: float = 80.0
    """Standard deviation of the appearance kernel in pixels."""
    bilateral_rgb: float = 13.0
    """Standard deviation of the appearance kernel in grey levels (0..255)."""
    bilateral_weight: float = 10.0
    """Weight of the appearance kernel; 0 leaves it out."""
    floor: float = 1e-8
    """The unary potential is -log max(p, floor)."""
    train_scale: float = 12.0
    """Both spatial widths are divided by this on the training grid."""
    backend: Literal["native", "pydensecrf"] = "native"
    """"native": `graphcut_ext.dense_crf`, a batch at a time and by all threads. "pydensecrf": the
    package of that name, which has to be installed, image by image."""

    def __post_init__(self) -> None:
        require_at_least(self, 0, "iterations", "gaussian_weight", "bilateral_weight")
        require_positive(self, "gaussian_xy", "bilateral_xy", "bilateral_rgb", "train_scale")
        known = self.backend in ("native", "pydensecrf")
        require(self, "backend", known, "'native' or 'pydensecrf'")
        require(self, "floor", 0 < self.floor < 1, "in (0, 1)")

    def on_grid(self) -> CRF:
        """The same CRF on the training grid (SEC, DSRG: 41 x 41 cells of a 321 x 321 image)."""
        scale = self.train_scale
        return replace(
            self,
            gaussian_xy=self.gaussian_xy / scale,
            bilateral_xy=self.bilateral_xy / scale,
            train_scale=1.0,
        )


def dense_crf(
    probabilities: NDArray[np.floating[Any]], image: NDArray[np.uint8], crf: CRF | None = None
) -> NDArray[np.float32]:
    """Refine the probabilities of one image.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (L, H, W)
        Not negative; need not sum to 1.
    image : numpy.ndarray, shape (H, W, 3), uint8
    crf : CRF or None, default None
        None: `CRF()`, for images at their own size.

    Returns
    -------
    numpy.ndarray, shape (L, H, W), float32
        Marginals; they sum to 1 over the classes.

    Raises
    ------
    ImportError
        pydensecrf is asked for and not installed.
    TypeError
        `image` is not uint8, or `probabilities` are not floating point.
    ValueError
        The shapes do not fit, or a probability is negative or not finite.
    """
    crf = crf or CRF()
    _check(probabilities, image)
    if crf.backend == "pydensecrf":
        return _by_pydensecrf(probabilities, image, crf)
    refined: NDArray[np.float32] = _native(
        _tensor(probabilities)[None],
        _tensor(image)[None],
        crf,
    )[0].numpy()
    return refined


def _tensor(array: NDArray[Any]) -> Tensor:
    """The array, or a copy where a tensor cannot share it: read-only ones, as from PIL."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def dense_crf_batch(
    probabilities: Tensor, images: Tensor | NDArray[np.uint8], crf: CRF | None = None
) -> Tensor:
    """Refine a batch; no gradient. On CUDA by the exact kernels, by the lattice on the CPU.

    Parameters
    ----------
    probabilities : Tensor, shape (B, L, h, w)
    images : Tensor or numpy.ndarray, shape (B, h, w, 3), uint8
        On the grid of the probabilities; see `images_to_grid`.
    crf : CRF or None, default None
        None: ``CRF().on_grid()``.

    Returns
    -------
    Tensor, shape (B, L, h, w), float32
        On the device of `probabilities`.

    Raises
    ------
    ImportError, TypeError, ValueError
        As `dense_crf`.
    """
    crf = crf or CRF().on_grid()
    if probabilities.dim() != 4:
        raise ValueError(
            f"probabilities must have shape (B, L, h, w), got {tuple(probabilities.shape)}"
        )
    if len(images) != len(probabilities):
        raise ValueError(f"images: {len(images)} for a batch of {len(probabilities)} probabilities")
    if crf.backend == "native":
        pictures = images if isinstance(images, Tensor) else _tensor(images)
        return _native(probabilities.detach().float(), pictures.to(probabilities.device), crf)
    arrays = images.cpu().numpy() if isinstance(images, Tensor) else images
    unary = probabilities.detach().float().cpu().numpy()
    refined = np.empty_like(unary)
    for index, (p, picture) in enumerate(zip(unary, arrays, strict=True)):
        refined[index] = dense_crf(p, picture, crf)
    return torch.from_numpy(refined).to(probabilities.device)


def images_to_grid(images: Tensor | NDArray[np.uint8], height: int, width: int) -> Tensor:
    """Sample images at the cells of a grid: bilinear, corners on corners.

    Parameters
    ----------
    images : Tensor or numpy.ndarray, shape (B, H, W, 3), uint8
    height, width : int
        Shape of the grid, each at least 1.

    Returns
    -------
    Tensor, shape (B, height, width, 3), uint8
        On the device of `images`; rounded to the nearest grey level.

    Raises
    ------
    TypeError, ValueError
        `images` is not uint8 of that shape, or the grid is empty.
    """
    pictures = images if isinstance(images, Tensor) else _tensor(images)
    if pictures.dtype != torch.uint8:
        raise TypeError(f"images must be uint8, got {pictures.dtype}")
    if pictures.dim() != 4 or pictures.shape[3] != 3:
        raise ValueError(f"images must have shape (B, H, W, 3), got {tuple(pictures.shape)}")
    for name, cells in (("height", height), ("width", width)):
        if cells < 1:
            raise ValueError(f"{name} must be at least 1, got {cells}")
    planes = pictures.permute(0, 3, 1, 2).float()
    small = functional.interpolate(planes, (height, width), mode="bilinear", align_corners=True)
    return small.round().byte().permute(0, 2, 3, 1).contiguous()


def _native(probabilities: Tensor, images: Tensor, crf: CRF) -> Tensor:
    """Refine (B, L, h, w) probabilities; images have shape (B, h, w, 3).

    On a GPU grids take the exact kernels, which never wait for the device.
    """
    small = images.shape[1] * images.shape[2] <= EXACT_PIXELS
    return gx.dense_crf(
        probabilities,
        images.permute(0, 3, 1, 2),
        iterations=crf.iterations,
        gaussian=(crf.gaussian_xy, crf.gaussian_weight),
        bilateral=(crf.bilateral_xy, crf.bilateral_rgb, crf.bilateral_weight),
        method="exact" if images.is_cuda and small else "lattice",
        floor=crf.floor,
    ).float()


def _by_pydensecrf(
    probabilities: NDArray[np.floating[Any]], image: NDArray[np.uint8], crf: CRF
) -> NDArray[np.float32]:
    try:
        from pydensecrf import densecrf
    except ImportError as error:
        raise ImportError(
            "the backend pydensecrf is not installed: pip install pydensecrf2, "
            "or use the native one"
        ) from error
    classes, height, width = probabilities.shape
    unary = -np.log(np.maximum(probabilities, crf.floor), dtype=np.float32)
    field = densecrf.DenseCRF2D(width, height, classes)
    field.setUnaryEnergy(np.ascontiguousarray(unary.reshape(classes, -1)))
    if crf.gaussian_weight:
        field.addPairwiseGaussian(sxy=crf.gaussian_xy, compat=crf.gaussian_weight)
    if crf.bilateral_weight:
        field.addPairwiseBilateral(
            sxy=crf.bilateral_xy,
            srgb=crf.bilateral_rgb,
            rgbim=np.ascontiguousarray(image),
            compat=crf.bilateral_weight,
        )
    # A copy: the result lies in memory of the field, which ends here.
    marginals: NDArray[np.float32] = np.array(field.inference(crf.iterations), dtype=np.float32)
    return marginals.reshape(classes, height, width)


def _check(probabilities: NDArray[np.floating[Any]], image: NDArray[np.uint8]) -> None:
    if not np.issubdtype(probabilities.dtype, np.floating):
        raise TypeError(f"probabilities must be floating point, got {probabilities.dtype}")
    if probabilities.ndim != 3 or probabilities.size == 0:
        raise ValueError(f"probabilities must have shape (L, H, W), got {probabilities.shape}")
    if image.dtype != np.uint8:
        raise TypeError(f"image must be uint8, got {image.dtype}")
    if image.shape != (*probabilities.shape[1:], 3):
        raise ValueError(
            f"image must have shape {(*probabilities.shape[1:], 3)} like the probabilities, "
            f"got {image.shape}"
        )
    valid = np.isfinite(probabilities) & (probabilities >= 0)
    if not valid.all():
        first = tuple(int(i) for i in np.argwhere(~valid)[0])
        raise ValueError(
            f"probabilities must be finite and not negative, got {probabilities[first]} at {first}"
        )
