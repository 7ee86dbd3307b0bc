"""How rare the cells of each class are among those that a network is trained on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["log_rarity"]


def log_rarity(
    images: Iterable[tuple[NDArray[np.bool_], Sequence[int]]], classes: int
) -> tuple[float, ...]:
    """By how much the balanced seeding loss raises the logits of each class.

    The loss weighs an image's object cells by one over their number, and its background cells
    likewise (`dgcn.losses.seeding_loss`). So an object cell counts n times as much as a cell of the
    background, where n background cells go with it, and the network's logits of objects become
    log n too high. Menon et al., "Long-tail learning via logit adjustment" (ICLR 2021), take such
    a shift back at test.

    Parameters
    ----------
    images : iterable
        Cues (L, h, w) and foreground classes of every training image.
    classes : int
        Number of classes L with the background.

    Returns
    -------
    tuple of float
        L entries: 0 for the background, and for each class the mean of log(background cells /
        object cells) over its images that have both. Not negative; 0 for a class without such.
    """
    total, count = np.zeros(classes), np.zeros(classes)
    for cues, labels in images:
        background, objects = int(cues[0].sum()), int(cues[1:].any(0).sum())
        if background and objects:
            for label in labels:
                total[label] += np.log(background / objects)
                count[label] += 1
    return tuple(np.maximum(total / np.maximum(count, 1), 0).tolist())
