"""Saliency of what differs from its surroundings: for objects on a texture, thin ones too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2lab
from skimage.transform import resize as untyped_resize

__all__ = ["colour_spread", "local_contrast"]

resize: Callable[..., NDArray[np.float64]] = untyped_resize

_SIDE = 321  # pixels of the longer side that larger images are reduced to
_SURROUND = 32.0  # deviation of the surroundings in pixels: a tenth of that side
_BLOBS = (1.0, 2.0, 4.0, 8.0)  # deviations of round averages
_LINE = (1.0, 5.0)  # across and along a line
_ANGLES = 8
_USUAL = 2.0  # robust deviations that texture reaches everywhere
_TOP = 0.999  # quantile of the pixels that becomes 1
_GREY = 3.0  # range of the colour channels that JPEG gives grey pictures
_SPREAD_SIDE, _SPREAD_BLUR = 161, 4.0


def local_contrast(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How far each pixel's surroundings are behind it, beyond what the texture does everywhere.

    A quadratic surface, the shading, is taken away. Averages over discs of four sizes, and over
    short lines of eight directions, are compared with the average of a wide neighbourhood. Each
    difference, a distance in CIE Lab, is divided by what is usual for it in this image (1.4826
    times its median), so that grain, and lines along the direction in which steel was brushed, do
    not count. The largest of these ratios counts; 2, which every texture reaches, becomes 0, and
    what one pixel of a thousand exceeds becomes 1.

    Parameters
    ----------
    image : numpy.ndarray, shape (H, W, 3), uint8
        RGB. The longer side is reduced to 321 pixels, smaller images are taken as they are.

    Returns
    -------
    numpy.ndarray, shape (H, W), float32
        In [0, 1]; 0 everywhere in an image of one colour.

    Raises
    ------
    TypeError
        `image` is not uint8.
    ValueError
        `image` is not (H, W, 3) or is empty.
    """
    lab = _lab(image, _SIDE)
    height, width = lab.shape[:2]
    grey = np.ptp(lab[..., 1:], axis=(0, 1)).max() < _GREY
    planes = _without_shading(lab[..., :1] if grey else lab)
    pad = min(int(2.5 * _SURROUND), height - 1, width - 1)
    padded = np.pad(planes, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    waves = fft.rfft2(padded, axes=(0, 1))
    found = np.zeros((height, width))
    for filtered in _filters(*padded.shape[:2]):
        answer = fft.irfft2(waves * filtered[..., None], s=padded.shape[:2], axes=(0, 1))
        answer = answer[pad : pad + height, pad : pad + width]
        answer -= np.median(answer, axis=(0, 1))
        distance = np.linalg.norm(answer, axis=2)
        usual = 1.4826 * np.median(distance)
        # Where half of the image is exactly alike, any difference stands out.
        found = np.maximum(found, distance / max(usual, 1e-3))
    top = float(np.quantile(found, _TOP))
    if top <= _USUAL:
        return np.zeros(image.shape[:2], dtype=np.float32)
    found = np.clip((found - _USUAL) / (top - _USUAL), 0, 1)
    if found.shape != image.shape[:2]:
        found = resize(found, image.shape[:2], order=1, mode="edge", anti_aliasing=False)
    saliency: NDArray[np.float32] = found.astype(np.float32)
    return saliency


def colour_spread(image: NDArray[np.uint8]) -> float:
    """How far the colours of an image lie apart, in CIE Lab: low for a texture, high for a scene.

    The image is reduced to 161 pixels and blurred, so that grain does not count; a quadratic
    surface is taken away, so that shading does not. Of what is left it is the median distance from
    the median colour: objects that cover less than half of the image have no part in it.

    Parameters
    ----------
    image : numpy.ndarray, shape (H, W, 3), uint8

    Raises
    ------
    TypeError, ValueError
        As `local_contrast`.
    """
    lab = _lab(image, _SPREAD_SIDE)
    rest = _without_shading(gaussian_filter(lab, (_SPREAD_BLUR, _SPREAD_BLUR, 0), mode="reflect"))
    return float(np.median(np.linalg.norm(rest - np.median(rest, axis=(0, 1)), axis=2)))


def _without_shading(planes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Planes (h, w, n) less the quadratic surface that fits each best."""
    height, width, number = planes.shape
    y, x = (each.ravel() for each in np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j])
    surface = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
    flat = planes.reshape(-1, number)
    fitted = surface @ np.linalg.lstsq(surface, flat, rcond=None)[0]
    return np.asarray(flat - fitted).reshape(planes.shape)


def _lab(image: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
    """The image in CIE Lab, its longer side reduced to at most `side` pixels."""
    if image.dtype != np.uint8:
        raise TypeError(f"image must be uint8, got {image.dtype}")
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"image must have shape (H, W, 3), got {image.shape}")
    lab = np.asarray(rgb2lab(image), dtype=np.float64)
    height, width = lab.shape[:2]
    factor = side / max(height, width)
    if factor < 1:
        shape = max(1, round(height * factor)), max(1, round(width * factor))
        lab = resize(lab, shape, order=1, mode="reflect", anti_aliasing=True)
    return lab


def _filters(height: int, width: int) -> Iterator[NDArray[Any]]:
    """Transfer functions (height, width // 2 + 1): a small Gaussian less that of the surround."""
    y = 2 * np.pi * fft.fftfreq(height)[:, None]
    x = 2 * np.pi * fft.rfftfreq(width)[None]

    def gaussian(u: NDArray[Any], v: NDArray[Any], along: float, across: float) -> NDArray[Any]:
        return np.asarray(np.exp(-0.5 * ((along * u) ** 2 + (across * v) ** 2)))

    surround = gaussian(x, y, _SURROUND, _SURROUND)
    for size in _BLOBS:
        yield gaussian(x, y, size, size) - surround
    across, along = _LINE
    for angle in np.arange(_ANGLES) * np.pi / _ANGLES:
        u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        yield gaussian(u, v, along, across) - surround
