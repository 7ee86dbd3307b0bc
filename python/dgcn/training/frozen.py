"""Training a classifier's last layer alone: features of a backbone that stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dgcn.models import Classifier

__all__ = ["FrozenLosses", "KeptFeatures", "passes"]

_BYTES = 2**30  # of features that are kept
_BLOCK = 256  # of them lie in one piece of memory


class KeptFeatures:
    """Pooled features of images, each computed once, on its own, and kept.

    On its own: so they do not depend on the batch that an image first came with, nor on whether the
    training was resumed.

    Parameters
    ----------
    model : Classifier
        Frozen.
    autocast : callable
        Gives the context of the run's precision.
    """

    def __init__(
        self, model: Classifier, autocast: Callable[[], AbstractContextManager[Any]]
    ) -> None:
        self._model, self._autocast = model, autocast
        self._kept: dict[Any, Tensor] = {}
        self._left = _BYTES
        self._free: list[Tensor] = []

    @torch.no_grad()
    def __call__(self, key: Any, image: Callable[[], Tensor]) -> Tensor:
        """Features (C,) on the CPU, float32.

        Parameters
        ----------
        key : hashable or None
            What the image is known by; None: it is not kept.
        image : callable
            Gives it, (3, S, S) on the network's device, where it is not known.
        """
        found = self._kept.get(key)
        if found is None:
            with self._autocast():
                found = self._model.pooled(image()[None])[0].float().cpu()
            if key is not None and self._left >= 0:
                # Kept one by one, they would lie between the network's large maps and hold their
                # memory: 8 GB instead of 11 MB after 2,000 images.
                if not self._free:
                    self._free = list(found.new_empty(_BLOCK, len(found)))
                self._kept[key] = self._free.pop().copy_(found)
                self._left -= found.numel() * found.element_size()
        return found


class FrozenLosses:
    """The classifier's loss, as `classification_losses`, from features of a frozen backbone.

    Parameters
    ----------
    features : KeptFeatures
    repeats : bool
        Whether an image looks the same in every epoch, but for being mirrored.
    """

    def __init__(self, features: KeptFeatures, repeats: bool) -> None:
        self._features, self._repeats = features, repeats

    def __call__(
        self, model: nn.Module, batch: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], int]:
        """Multi-label logistic loss; the gradient is that of the last layer."""
        images, target = batch["image"], batch["present"][:, 1:].float()
        keys = zip(batch["index"].tolist(), batch["mirrored"].tolist(), strict=True)
        rows = [
            self._features(key if self._repeats else None, partial(images.__getitem__, row))
            for row, key in enumerate(keys)
        ]
        logits = model(torch.stack(rows).to(images.device)).float()
        return {"labels": functional.binary_cross_entropy_with_logits(logits, target)}, len(target)


def passes(epochs: float, *, mirror: bool) -> float:
    """Passes of the backbone over the images in so many epochs, where `KeptFeatures` keeps all.

    The first epoch computes every image. A later one computes those that it mirrors, or does not,
    for the first time: half as many as the epoch before.
    """
    if epochs <= 1:
        return epochs
    return 2 - 2 ** (1 - epochs) if mirror else 1.0
