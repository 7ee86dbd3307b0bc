"""What every kind of supervision offers to the training loop."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Supervision(Protocol):
    """Decides, at every step, which positions the network is trained on and as what."""

    def __call__(
        self, probabilities: Tensor, features: Tensor, cues: Tensor, present: Tensor
    ) -> Tensor:
        """Supervision of a batch.

        Parameters
        ----------
        probabilities : Tensor, shape (B, L, h, w)
            Softmax output of the network, class 0 the background.
        features : Tensor, shape (B, C, h, w)
            Features of the same forward pass.
        cues : Tensor of bool, shape (B, L, h, w)
            Static cues, at most one class a position.
        present : Tensor of bool, shape (B, L)
            Classes each image is labelled with; the background always is.

        Returns
        -------
        Tensor of bool, shape (B, L, h, w)
            At most one class a position; none where the position is not to be trained on.
        """
        ...


def check_shapes(probabilities: Tensor, features: Tensor, cues: Tensor, present: Tensor) -> None:
    """Raise `ValueError` naming the first argument whose shape does not fit the others."""
    if probabilities.dim() != 4:
        raise ValueError(
            f"probabilities must have shape (B, L, h, w), got {tuple(probabilities.shape)}"
        )
    b, classes, h, w = probabilities.shape
    if features.dim() != 4 or features.shape[:1] + features.shape[2:] != (b, h, w):
        raise ValueError(
            f"features must have shape ({b}, C, {h}, {w}), got {tuple(features.shape)}"
        )
    if cues.shape != probabilities.shape:
        raise ValueError(
            f"cues must have the shape of probabilities {tuple(probabilities.shape)}, "
            f"got {tuple(cues.shape)}"
        )
    if present.shape != (b, classes):
        raise ValueError(f"present must have shape ({b}, {classes}), got {tuple(present.shape)}")
