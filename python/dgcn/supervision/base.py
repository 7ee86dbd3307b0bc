"""What every kind of supervision offers to the training loop."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

import graphcut_ext as gx

Marginals = Callable[[], Tensor]
"""Gives the CRF's marginals of the network's probabilities, (B, L, h, w); computed when called."""


@dataclass(frozen=True)
class Supervision(metaclass=ABCMeta):
    """Decides, at every step, which cells the network is trained on and as what.

    A kind of supervision is a frozen dataclass: its fields are the settings of its section, the
    text below a field is the help of its option.

    Attributes
    ----------
    rebuilt : bool
        Whether the supervision depends on the network; False: it is the cues.
    """

    rebuilt: ClassVar[bool] = True

    @property
    def reads_marginals(self) -> bool:
        """Whether the result depends on the CRF's marginals."""
        return False

    def at(self, epoch: int) -> Supervision:
        """The supervision of an epoch, the first is 1: itself where nothing is scheduled."""
        return self

    @torch.no_grad()
    def __call__(
        self,
        probabilities: Tensor,
        features: Tensor,
        cues: Tensor,
        present: Tensor,
        marginals: Marginals | None = None,
    ) -> Tensor:
        """Supervision of a batch.

        Parameters
        ----------
        probabilities, features, cues, present, marginals
            See `Inputs`.

        Returns
        -------
        Tensor of bool, shape (B, L, h, w)
            At most one class a cell; none where the cell is not to be trained on.

        Raises
        ------
        ValueError
            A shape does not fit, a cell has cues of two classes (not looked at on CUDA within
            `graphcut_ext.no_value_checks`), or `marginals` is missing.
        """
        check_inputs(probabilities, features, cues, present)
        return self.labels(Inputs(probabilities, features, cues, present, marginals))

    @abstractmethod
    def labels(self, step: Inputs) -> Tensor:
        """The supervision of a batch whose shapes and cues have been checked."""


class Inputs(NamedTuple):
    """What a supervision is made from."""

    probabilities: Tensor
    """(B, L, h, w): softmax output of the network, class 0 the background."""
    features: Tensor
    """(B, C, h, w): of the same forward pass."""
    cues: Tensor
    """(B, L, h, w), bool: static cues, at most one class a cell."""
    present: Tensor
    """(B, L), bool: classes each image is labelled with; the background always is."""
    marginals: Marginals | None = None
    """Called by a supervision that reads the CRF's marginals, and by no other."""


def check_inputs(probabilities: Tensor, features: Tensor, cues: Tensor, present: Tensor) -> None:
    """Raise `ValueError` for a shape that does not fit the others, or cues of two classes."""
    check_shapes(probabilities, features, cues, present)
    # Looking at values waits for the device.
    if cues.is_cuda and not gx.values_are_checked():
        return
    counts = cues.sum(1)
    if bool((counts > 1).any()):
        b, row, column = (counts > 1).nonzero()[0].tolist()
        raise ValueError(f"cues: image {b} has two classes at row {row}, column {column}")


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
