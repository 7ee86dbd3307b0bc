"""Masks of images from a trained segmentation network: several scales, CRF, argmax."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from dgcn.contrast import local_contrast
from dgcn.crf import CRF, dense_crf
from dgcn.data.images import to_tensor
from dgcn.models.classifier import Classifier
from dgcn.models.segmenter import Segmenter


def scaled_size(size: int, scale: float) -> int:
    """Side near ``size * scale`` that is 8 n + 1, so that the grid's corners stay the image's."""
    return max(5, round((size - 1) * scale / 8)) * 8 + 1


@torch.no_grad()
def image_logits(
    model: Segmenter, image: NDArray[np.uint8], size: int, scales: Sequence[float]
) -> Tensor:
    """Logits at image size, summed over scales.

    Parameters
    ----------
    model : Segmenter
        In evaluation mode.
    image : numpy.ndarray, shape (H, W, 3), uint8
    size : int
        Side in pixels that the network was trained at; the image is warped to `scaled_size`.
    scales : sequence of float

    Returns
    -------
    Tensor, shape (L, H, W), float32
        On the CPU.
    """
    device = next(model.parameters()).device
    total: Tensor | None = None
    for scale in scales:
        warped = to_tensor(image, scaled_size(size, scale))
        logits = model(warped[None].to(device)).logits.float()
        full = functional.interpolate(logits, image.shape[:2], mode="bilinear", align_corners=True)[
            0
        ]
        total = full if total is None else total.add_(full)
    if total is None:
        raise ValueError("scales must hold at least one factor")
    return total.cpu()


@torch.no_grad()
def image_scores(classifier: Classifier, image: NDArray[np.uint8], size: int) -> Tensor:
    """Probability (L - 1,) that each foreground class is in an image. On the CPU."""
    device = next(classifier.parameters()).device
    logits: Tensor = classifier(to_tensor(image, size)[None].to(device))[0]
    return logits.float().sigmoid().cpu()


def with_image_scores(shares: Tensor, scores: Tensor) -> Tensor:
    """Probabilities of pixels, given how likely each class is in the image.

    The classes share a pixel's probability of being an object by their own times their scores, so
    that an object of a class that is rarely seen does not turn into background. That probability
    is multiplied by the chance that the image has any object: 1 - prod (1 - score).

    Parameters
    ----------
    shares : Tensor, shape (L, H, W)
        Probabilities; class 0 is the background.
    scores : Tensor, shape (L - 1,)
        In [0, 1].

    Returns
    -------
    Tensor, shape (L, H, W)
        Where no class is left, all is background.
    """
    found = shares * torch.cat([scores.new_ones(1), scores])[:, None, None]
    mass, left = shares[1:].sum(0), found[1:].sum(0)
    tiny = torch.finfo(shares.dtype).tiny
    any_object = 1 - (1 - scores).prod()
    found[1:] *= torch.where(left > tiny, mass * any_object / left.clamp_min(tiny), 0)
    found[0][left <= tiny] = 1
    return found.div_(found.sum(0))


def image_probabilities(
    model: Segmenter,
    image: NDArray[np.uint8],
    size: int,
    *,
    scales: Sequence[float] = (0.75, 1.0, 1.25),
    crf: CRF | None = None,
    labels: Sequence[int] | None = None,
    classifier: Classifier | None = None,
    contrast: bool = False,
    logit_adjustment: Sequence[float] = (),
) -> NDArray[np.float32]:
    """Probabilities of one image's pixels: logits summed over scales, softmax, CRF.

    Parameters
    ----------
    model : Segmenter
        In evaluation mode.
    image : numpy.ndarray, shape (H, W, 3), uint8
    size : int
        Side in pixels that the network was trained at.
    scales : sequence of float, default (0.75, 1, 1.25)
        Factors on `size`.
    crf : CRF or None, default None
        None: no refinement.
    labels : sequence of int or None, default None
        Foreground classes that the mask may have besides the background. None: every one.
    classifier : Classifier or None, default None
        In evaluation mode. Its probabilities of what is in the image decide between the classes,
        before the CRF: see `with_image_scores`.
    contrast : bool, default False
        The odds of every foreground class are multiplied as `contrast_odds` says, before the CRF.
    logit_adjustment : sequence of float, default ()
        L numbers that the logits of every scale are lowered by. Empty: nothing is.

    Returns
    -------
    numpy.ndarray, shape (L, H, W), float32
        With a CRF its marginals.

    Raises
    ------
    ValueError
        `logit_adjustment` has other than 0 or L numbers.
    """
    logits = image_logits(model, image, size, scales)
    if len(logit_adjustment):
        if len(logit_adjustment) != len(logits):
            raise ValueError(
                f"logit_adjustment must have {len(logits)} numbers, got {len(logit_adjustment)}"
            )
        logits -= len(scales) * torch.tensor(logit_adjustment)[:, None, None]
    if labels is not None:
        allowed = torch.zeros(len(logits), dtype=torch.bool)
        allowed[[0, *labels]] = True
        logits = logits.masked_fill(~allowed[:, None, None], -math.inf)
    shares = logits.softmax(0)
    del logits  # of a large image, a gigabyte
    if classifier is not None:
        shares = with_image_scores(shares, image_scores(classifier, image, size))
    if contrast:
        shares[1:] *= torch.from_numpy(contrast_odds(local_contrast(image)))
        shares = shares / shares.sum(0, keepdim=True)
    probabilities = shares.numpy()
    return probabilities if crf is None else dense_crf(probabilities, image, crf)


def contrast_odds(
    contrast: NDArray[np.floating[Any]], *, neutral: float = 0.2, steepness: float = 10.0
) -> NDArray[np.float32]:
    """What the odds of the objects at a pixel are multiplied by: exp(k (contrast - neutral)).

    A network of stride 8 says where an object is to within a cell or two; the contrast says which
    of these pixels stand out.

    Parameters
    ----------
    contrast : numpy.ndarray, shape (H, W)
        From `dgcn.cues.local_contrast`.
    neutral : float, default 0.2
        Contrast that leaves the odds alone.
    steepness : float, default 10
        k; with it odds of a pixel without contrast are divided by 7.4.
    """
    factor: NDArray[np.float32] = np.exp(steepness * (contrast - neutral)).astype(np.float32)
    return factor


def predict_image(
    model: Segmenter,
    image: NDArray[np.uint8],
    size: int,
    *,
    scales: Sequence[float] = (0.75, 1.0, 1.25),
    crf: CRF | None = None,
    labels: Sequence[int] | None = None,
    classifier: Classifier | None = None,
    contrast: bool = False,
    logit_adjustment: Sequence[float] = (),
) -> NDArray[np.uint8]:
    """Mask (H, W) of one image, class ids: the most probable of `image_probabilities`."""
    probabilities = image_probabilities(
        model,
        image,
        size,
        scales=scales,
        crf=crf,
        labels=labels,
        classifier=classifier,
        contrast=contrast,
        logit_adjustment=logit_adjustment,
    )
    return np.asarray(probabilities.argmax(0), dtype=np.uint8)
