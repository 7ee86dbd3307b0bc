"""Cues of one image spread over its cells before training, by what also supervises a training."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dgcn.crf import CRF, dense_crf_batch, images_to_grid
from dgcn.supervision import GraphCut, LabelPropagation, MostProbable, RandomWalker, Supervision

__all__ = ["OF_DRAWINGS", "REFINERS", "Refiner", "refine_cues", "spread_drawn_cues"]

Refiner = Literal["none", "min_cut", "random_walker", "label_propagation", "crf"]

REFINERS: dict[str, Supervision] = {
    "min_cut": GraphCut(theta=0.5, image_labels_only=True, cut_background=True),
    "random_walker": RandomWalker(),
    "label_propagation": LabelPropagation(),
    "crf": MostProbable(unary="crf", theta=0.5),
}
"""The kinds of supervision behind the values of ``cues.refine``; all accept above one half."""

OF_DRAWINGS: dict[str, Supervision] = {
    **REFINERS,
    "min_cut": GraphCut(
        theta=0.5,
        cue_capacity="hard",
        edge_sum=3.0,
        image_labels_only=True,
        unary="crf",
        cut_background=True,
    ),
}
"""The same for cues that people have drawn, which are few and right: beside them the cut has the
CRF's marginals, and weaker links."""

_FLOOR = 1e-3  # of a share: no map rules a class of the image out


def refine_cues(
    cues: NDArray[np.bool_],
    maps: NDArray[np.floating[Any]],
    features: Tensor,
    image: NDArray[np.uint8],
    present: NDArray[np.bool_],
    refiner: Supervision,
    crf: CRF,
) -> NDArray[np.bool_]:
    """What a kind of supervision makes of the cues of an image, before there is a network.

    In place of a network's probabilities stand the maps that the cues were taken from: a class's
    share is its map's value, that of the background 1 less the largest, divided by their sum.

    Parameters
    ----------
    cues : numpy.ndarray, shape (L, h, w), bool
        At most one class a cell.
    maps : numpy.ndarray, shape (L - 1, h, w)
        In [0, 1], 0 for absent classes; see `dgcn.cues.object_maps`.
    features : Tensor, shape (C, h, w)
        Of a backbone; cells are neighbours where they are alike.
    image : numpy.ndarray, shape (H, W, 3), uint8
        For the CRF.
    present : numpy.ndarray, shape (L,), bool
        Classes of the image and the background.
    refiner : Supervision
        One of `REFINERS`.
    crf : CRF
        On the grid.

    Returns
    -------
    numpy.ndarray, shape (L, h, w), bool
        At most one class a cell.
    """
    shares = np.concatenate([1 - maps.max(0, keepdims=True), maps])
    return _labelled(cues, shares, features, image, present, refiner, crf)


def spread_drawn_cues(
    cues: NDArray[np.bool_],
    maps: NDArray[np.floating[Any]] | None,
    features: Tensor,
    image: NDArray[np.uint8],
    present: NDArray[np.bool_],
    refiner: Supervision,
    crf: CRF,
) -> NDArray[np.bool_]:
    """The same for cues that people have drawn: they stay, and the shares know them.

    Parameters
    ----------
    cues, features, image, present, crf
        As for `refine_cues`.
    maps : numpy.ndarray, shape (L - 1, h, w), or None
        None: where there is no cue all classes of the image have the same share.
    refiner : Supervision
        One of `OF_DRAWINGS`.

    Returns
    -------
    numpy.ndarray, shape (L, h, w), bool
        At most one class a cell.
    """
    if maps is None:
        shares = np.ones(cues.shape, dtype=np.float32)
    else:
        shares = np.concatenate([1 - maps.max(0, keepdims=True), maps])
    drawn = cues.any(0)
    shares = np.where(drawn, cues, shares)
    found = _labelled(cues, shares, features, image, present, refiner, crf)
    return np.where(drawn, cues, found)


def _labelled(
    cues: NDArray[np.bool_],
    shares: NDArray[np.floating[Any]],
    features: Tensor,
    image: NDArray[np.uint8],
    present: NDArray[np.bool_],
    refiner: Supervision,
    crf: CRF,
) -> NDArray[np.bool_]:
    """What a rule makes of cues and of the shares (L, h, w) of classes; those absent get none."""
    shares = shares.clip(_FLOOR, 1) * present[:, None, None]
    probabilities = torch.from_numpy(shares / shares.sum(0)).float()[None]

    def marginals() -> Tensor:
        grid = images_to_grid(image[None], *cues.shape[1:])
        return dense_crf_batch(probabilities.clamp_min(crf.floor), grid, crf)

    found = refiner(
        probabilities,
        features[None].float().cpu(),
        torch.from_numpy(cues)[None],
        torch.from_numpy(present)[None],
        marginals,
    )
    refined: NDArray[np.bool_] = found[0].numpy()
    return refined
