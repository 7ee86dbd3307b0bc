"""What every backbone offers to the classifier and to the segmentation network."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """A convolutional network of stride 8 that hands out its stages.

    Cell (i, j) of a stage of stride s is centred on pixel (s i, s j) of the image, so that for an
    image side of 8 n + 1 the corner cells lie on the corner pixels ("align_corners").

    Attributes
    ----------
    channels : tuple of int
        Channels of every stage, in the order of `forward`.
    strides : tuple of int
        Pixels between neighbouring cells of every stage; the last is 8.
    taps : tuple of int
        Indices of the stages whose features make the neighbour graph.
    normalised : bool
        Whether the last stage has about unit scale, from normalisation layers.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    taps: tuple[int, ...]
    normalised: bool

    @abstractmethod
    def forward(self, x: Tensor) -> list[Tensor]:
        """Compute every stage.

        Parameters
        ----------
        x : Tensor, shape (B, 3, H, W)
            Images standardised with ImageNet's mean and standard deviation.

        Returns
        -------
        list of Tensor
            Stage k has shape (B, channels[k], ceil(H / strides[k]), ceil(W / strides[k])).

        Raises
        ------
        ValueError
            `x` is not of shape (B, 3, H, W), or is empty.
        """


def check_images(x: Tensor) -> None:
    """Raise `ValueError` unless `x` has shape (B, 3, H, W) with H and W positive."""
    if x.dim() != 4 or x.shape[1] != 3 or 0 in x.shape[2:]:
        raise ValueError(f"x must have shape (B, 3, H, W), got {tuple(x.shape)}")
