"""torchmaxflow's calls: ``import graphcut_ext.compat.torchmaxflow as torchmaxflow``.

The labels are those of :mod:`graphcut_ext.compat.numpymaxflow`, on tensors with a batch axis, but
that the difference of two pixels is divided by their distance on the grid.
"""

from __future__ import annotations

import torch
from torch import Tensor

from graphcut_ext._arguments import check_tensor
from graphcut_ext.compat import _pixels

__all__ = ["maxflow", "maxflow_interactive"]


def maxflow(
    image: Tensor, prob: Tensor, lamda: float, sigma: float, connectivity: int = 0
) -> Tensor:
    """Label the pixels of an image or a volume 0 or 1 by a minimum cut.

    Parameters
    ----------
    image : Tensor, shape (B, C, H, W) or (B, C, D, H, W)
        Values of C channels, finite. torchmaxflow takes one image, B = 1.
    prob : Tensor, shape (B, 2, H, W) or (B, 2, D, H, W)
        Probabilities of 0 and of 1, from 0 to 1; below 2^-23 they count as 2^-23.
    lamda, sigma, connectivity
        As in :func:`graphcut_ext.compat.numpymaxflow.maxflow`.

    Returns
    -------
    Tensor, shape (B, 1, H, W) or (B, 1, D, H, W), dtype and device of ``image``
        0 or 1. Of several minimum cuts it is the one with the most pixels of 1.

    Raises
    ------
    TypeError, ValueError
        No tensor, a wrong shape, a value out of range. The message names the argument.
    """
    return _cut({"image": image, "prob": prob}, lamda, sigma, connectivity)


def maxflow_interactive(
    image: Tensor,
    prob: Tensor,
    seed: Tensor,
    lamda: float,
    sigma: float,
    connectivity: int = 0,
) -> Tensor:
    """Label pixels as :func:`maxflow`, where strokes tell some of them.

    ``seed`` has the shape of ``prob``; it is above 0 where a stroke says 0, or 1. ``prob`` is left
    as it is; torchmaxflow writes strokes into it.
    """
    return _cut({"image": image, "prob": prob, "seed": seed}, lamda, sigma, connectivity)


def _cut(tensors: dict[str, Tensor], lamda: float, sigma: float, connectivity: int) -> Tensor:
    for name, tensor in tensors.items():
        check_tensor(name, tensor)
        if tensor.ndim not in (4, 5):
            raise ValueError(f"{name} must have 4 or 5 axes, not shape {tuple(tensor.shape)}")
        if len(tensor) != len(tensors["image"]):
            raise ValueError(f"{name} has {len(tensor)} items, image {len(tensors['image'])}")
    image = tensors["image"]
    lamda = _pixels.parameter("lamda", lamda, 0)
    sigma = _pixels.parameter("sigma", sigma, 0, above=True)
    labels = torch.empty((len(image), 1, *image.shape[2:]), dtype=image.dtype)
    for item, label in enumerate(labels):
        arrays = {name: t[item].detach().cpu().numpy() for name, t in tensors.items()}
        pixels = _pixels.floats("image", arrays["image"])
        p = _pixels.probabilities("prob", arrays["prob"])
        seed = _pixels.floats("seed", arrays["seed"]) if "seed" in arrays else None
        _pixels.check_shapes(pixels, p, seed, channels=0)
        offsets = _pixels.directions(p.ndim - 1, connectivity or 2 * (p.ndim - 1))
        weights = _pixels.links(pixels, offsets, lamda, sigma, by_length=True)
        label[0] = torch.from_numpy(_pixels.segment(weights, *_pixels.costs(p, seed)))
    return labels.to(image.device)
