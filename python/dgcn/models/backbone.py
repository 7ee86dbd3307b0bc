"""What every backbone offers to the classifier and to the segmentation network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from typing_extensions import Self

HeadKind = Literal["conv", "largefov", "aspp"]
"""Heads of the segmentation network; see `dgcn.models.heads.make_head`."""


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
    head : {"conv", "largefov", "aspp"}
        The segmentation head that the backbone is used with by default.
    hidden_head : bool
        Whether the ImageNet network ends in hidden fully connected layers, in whose place the
        segmentation head has hidden layers.
    left_out : tuple of str
        Prefixes of the names in published files of ImageNet weights that the backbone does not
        have: the layers that lead to the 1000 classes.
    gains_in_bf16 : bool
        Whether a CPU that computes in bf16 trains it faster so; False for networks of depthwise
        convolutions.
    output_strides : tuple of int
        Strides at which the last stages can be computed. Those beyond 8 are arguments of the
        class, ``output_stride``; what is computed at 16 is then resized to the grid of stride 8.
    rates : mapping from str to float
        Settings of the trainings, as "classify.lr", that suit the backbone where the defaults do
        not; `dgcn init` writes them.
    chain : mapping from str to object
        Settings beyond the paper with which it was measured; `dgcn init` writes them, `dgcn init
        --paper` does not.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    taps: tuple[int, ...]
    normalised: bool
    head: HeadKind = "conv"
    hidden_head: bool = False
    left_out: tuple[str, ...] = ()
    gains_in_bf16: bool = True
    output_strides: tuple[int, ...] = (8,)
    rates: Mapping[str, float] = MappingProxyType({})
    chain: Mapping[str, object] = MappingProxyType({})

    _frozen_norm = False

    @property
    def published(self) -> nn.Module:
        """The part whose parameters have the names of published files: all of it."""
        return self

    def freeze_norm(self) -> Self:
        """Fix batch normalisation: statistics and affine parameters stay as they are now.

        Fixed layers use their running statistics in training, too. That is how networks started
        from ImageNet weights are trained with batches too small for statistics of their own.
        """
        self._frozen_norm = True
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.requires_grad_(False)
        return self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode; frozen normalisation stays in evaluation mode."""
        super().train(mode)
        if self._frozen_norm:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

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


class Holes:
    """Strides of a published network up to a limit, dilation in place of those beyond it.

    What follows a removed stride is dilated, so that some of its cells have exactly the values that
    the published network computes (Chen et al. 2018, DeepLab).

    Parameters
    ----------
    stride : int
        Of what comes before.
    limit : int
        Largest stride, ``output_stride``.
    """

    def __init__(self, stride: int, limit: int) -> None:
        self._stride, self._limit, self._dilation = stride, limit, 1

    def step(self, stride: int) -> tuple[int, tuple[int, int]]:
        """What becomes of the next layers' stride.

        Returns
        -------
        stride : int
            1 where it is removed.
        dilations : tuple of int
            Of the layer that has the stride, and of those after it.
        """
        before = self._dilation
        if self._stride * stride <= self._limit:
            self._stride *= stride
            return stride, (before, before)
        self._dilation *= stride
        return 1, (before, self._dilation)


def on_grid(stages: list[Tensor], fine: int) -> list[Tensor]:
    """Stages where those coarser than stage `fine` are resized to its grid, corners on corners."""
    height, width = stages[fine].shape[2:]
    return [
        functional.interpolate(stage, (height, width), mode="bilinear", align_corners=True)
        if stage.shape[2] < height or stage.shape[3] < width
        else stage
        for stage in stages
    ]


def checked_output_stride(kind: type[Backbone], output_stride: int) -> int:
    """An output stride that the backbone has.

    Raises
    ------
    ValueError
        It has no such output stride.
    """
    if output_stride not in kind.output_strides:
        known = " or ".join(map(str, kind.output_strides))
        raise ValueError(f"output_stride must be {known} for {kind.__name__}, got {output_stride}")
    return output_stride


def initialise(backbone: nn.Module) -> None:
    """Draw convolutions by He's method; biases are 0, normalisation the identity."""
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def checked_images(x: Tensor) -> Tensor:
    """Images in the layout that convolutions like best: channels last.

    Convolutions keep it, up to the logits; on two cores SqueezeNet's forward and backward pass took
    about 0.6 of the time that it took with channels first.

    Raises
    ------
    ValueError
        `x` is not of shape (B, 3, H, W) with H and W positive.
    """
    if x.dim() != 4 or x.shape[1] != 3 or 0 in x.shape[2:]:
        raise ValueError(f"x must have shape (B, 3, H, W), got {tuple(x.shape)}")
    return x.contiguous(memory_format=torch.channels_last)
