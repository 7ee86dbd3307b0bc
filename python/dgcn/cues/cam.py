"""Class activation maps: over scales, normalised, thresholded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from dgcn.models.classifier import Classifier

__all__ = ["active_cells", "cam_multiscale", "foreground_cues", "normalised_cam"]

STRIDE = 8


@torch.no_grad()
def cam_multiscale(
    model: Classifier, images: Tensor, *, scales: Sequence[float] = (1.0,), flip: bool = False
) -> Tensor:
    """Class activation maps averaged over scales and, if wanted, the mirrored image.

    Parameters
    ----------
    model : Classifier
        Computes in evaluation mode; every part is in its former mode afterwards.
    images : Tensor, shape (B, 3, S, S) or any (B, 3, H, W)
    scales : sequence of float, default (1,)
        Factors on the side; the sides become the nearest 8 n + 1, at least 9.
    flip : bool, default False
        Whether every scale is also seen left-right mirrored.

    Returns
    -------
    Tensor, shape (B, L - 1, h, w)
        On the grid of the unscaled images, h = ceil(H / 8). Not negative, not normalised.

    Raises
    ------
    ValueError
        `images` is not (B, 3, H, W), `scales` is empty or holds a factor that is not positive.
    """
    if images.dim() != 4 or images.shape[1] != 3 or 0 in images.shape[2:]:
        raise ValueError(f"images must have shape (B, 3, H, W), got {tuple(images.shape)}")
    if not scales:
        raise ValueError("scales must hold at least one factor")
    for scale in scales:
        if not 0 < scale < float("inf"):
            raise ValueError(f"scales must be positive, got {scale}")
    grid = [-(-side // STRIDE) for side in images.shape[2:]]
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        maps = []
        for scale in scales:
            size = [
                max(1, round((side - 1) * scale / STRIDE)) * STRIDE + 1 for side in images.shape[2:]
            ]
            scaled = images if scale == 1 else _resize(images, size)
            maps.append(_resize(model.cam(scaled), grid))
            if flip:
                maps.append(_resize(model.cam(scaled.flip(3)).flip(3), grid))
    finally:
        for module, training in modes:
            module.training = training
    return torch.stack(maps).mean(0)


def normalised_cam(cam: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Divide every map by its own maximum; negative activation is 0.

    Parameters
    ----------
    cam : numpy.ndarray, shape (..., h, w)

    Returns
    -------
    numpy.ndarray, shape (..., h, w), float32
        In [0, 1]. A map without positive activation is 0 everywhere.

    Raises
    ------
    ValueError
        `cam` has fewer than two dimensions or no cells, or is not finite.
    """
    cam = np.asarray(cam, dtype=np.float32)
    if cam.ndim < 2 or 0 in cam.shape[-2:]:
        raise ValueError(f"cam must have shape (..., h, w), got {cam.shape}")
    if not np.isfinite(cam).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(cam))[0])
        raise ValueError(f"cam must be finite, got {cam[first]} at {first}")
    positive = np.maximum(cam, 0)
    peak = positive.max((-2, -1), keepdims=True)
    normalised: NDArray[np.float32] = positive / np.where(peak > 0, peak, np.float32(1))
    return normalised


def foreground_cues(
    cam: NDArray[np.floating[Any]],
    present: NDArray[np.bool_],
    threshold: float | Sequence[float] = 0.2,
) -> NDArray[np.bool_]:
    """Cells whose activation exceeds a fraction of the class's maximum in the picture.

    Parameters
    ----------
    cam : numpy.ndarray, shape (L - 1, h, w)
        Activation of the foreground classes; row c - 1 belongs to class id c.
    present : numpy.ndarray, shape (L,), bool
        Classes of the image; entry 0, the background, is not looked at.
    threshold : float or sequence of float, default 0.2
        In [0, 1) (Kolesnikov and Lampert 2016: 0.2); of a sequence, entry c - 1 belongs to class
        id c.

    Returns
    -------
    numpy.ndarray, shape (L - 1, h, w), bool
        Empty for absent classes; several classes may share a cell.

    Raises
    ------
    TypeError
        `present` is not bool.
    ValueError
        The shapes do not fit, `threshold` is out of range, or `cam` is not finite.
    """
    if cam.ndim != 3:
        raise ValueError(f"cam must have shape (L - 1, h, w), got {cam.shape}")
    if present.dtype != np.bool_:
        raise TypeError(f"present must be bool, got {present.dtype}")
    if present.shape != (len(cam) + 1,):
        raise ValueError(f"present must have shape ({len(cam) + 1},), got {present.shape}")
    limits = np.asarray(threshold, dtype=np.float32)  # as the maps: 2 of 10 does not exceed 0.2
    if limits.shape not in ((), (len(cam),)):
        raise ValueError(f"foreground threshold must be one or {len(cam)}, got {limits.size}")
    for limit in np.atleast_1d(limits).tolist():
        if not 0 <= limit < 1:
            raise ValueError(f"foreground threshold must be in [0, 1), got {limit:g}")
    cues: NDArray[np.bool_] = normalised_cam(cam) > limits.reshape(-1, 1, 1)
    cues &= present[1:, None, None]
    return cues


def _resize(maps: Tensor, size: Sequence[int]) -> Tensor:
    if list(maps.shape[2:]) == list(size):
        return maps
    return functional.interpolate(maps, tuple(size), mode="bilinear", align_corners=True)


def active_cells(cam: NDArray[np.floating[Any]], present: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The highest class activation at every cell, in parts of its map's maximum.

    Parameters
    ----------
    cam : numpy.ndarray, shape (L - 1, h, w)
        Activation of the foreground classes, normalised or not.
    present : numpy.ndarray, shape (L,), bool
        Classes of the image; entry 0 is not looked at.

    Returns
    -------
    numpy.ndarray, shape (h, w), float32
        In [0, 1]; 0 where the image has no class.
    """
    maps = normalised_cam(cam)[present[1:]]
    return np.asarray(maps.max(0, initial=0), dtype=np.float32)
