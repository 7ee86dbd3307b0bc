"""The segmentation network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dgcn.models.backbone import Backbone, HeadKind
from dgcn.models.heads import make_head


class SegmenterOutput(NamedTuple):
    """What one forward pass gives."""

    logits: Tensor
    """(B, L, h, w), before softmax; class 0 is the background."""
    features: list[Tensor]
    """The backbone's stages, (B, C_s, h_s, w_s) each, with their gradient."""


class Segmenter(nn.Module):
    """Backbone, normalisation, and dilated convolutions to the classes.

    Parameters
    ----------
    backbone : Backbone
    classes : int
        Number of classes L with the background, at least 2.
    head : {"conv", "largefov", "aspp"} or None, default None
        What follows the backbone, see `dgcn.models.heads.make_head`; None: ``backbone.head``.
    dropout : float, default 0.5
        Probability of dropping an activation of the hidden layers, or before the last convolution
        where there are none, in [0, 1).
    dilation : int, default 12
        Dilation of the 3x3 convolution in cells, at least 1: 12 reaches 96 pixels to each side, as
        is usual for a 41 x 41 grid. On a 21 x 21 grid 6 sees the same part of the picture. The
        branches of "aspp" are dilated by 1/2, 1, 3/2 and 2 times as much; it must be even.
    taps : sequence of int or None, default None
        Stages whose features make the neighbour graph; None: ``backbone.taps``.

    Raises
    ------
    ValueError
        An argument is out of range.

    Notes
    -----
    Features of a backbone without normalisation layers are batch-normalised first: SqueezeNet's
    have a deviation of about 17, on which a new layer's softmax is saturated from the first step.
    """

    def __init__(
        self,
        backbone: Backbone,
        classes: int,
        *,
        head: HeadKind | None = None,
        dropout: float = 0.5,
        dilation: int = 12,
        taps: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if classes < 2:
            raise ValueError(f"classes must be at least 2, got {classes}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {dropout}")
        if dilation < 1:
            raise ValueError(f"dilation must be at least 1, got {dilation}")
        self.backbone = backbone
        self.taps = backbone.taps if taps is None else tuple(taps)
        self.norm = nn.Identity() if backbone.normalised else nn.BatchNorm2d(backbone.channels[-1])
        kind = head or backbone.head
        hidden = kind == "largefov" or (kind == "aspp" and backbone.hidden_head)
        self.dropout = nn.Identity() if hidden else nn.Dropout(dropout)
        self.head = make_head(
            kind,
            backbone.channels[-1],
            classes,
            dropout=dropout,
            dilation=dilation,
            hidden=backbone.hidden_head,
        )

    def forward(self, x: Tensor) -> SegmenterOutput:
        """Logits and features of a batch.

        Parameters
        ----------
        x : Tensor, shape (B, 3, H, W)
            Standardised images; the grid has h = ceil(H / 8) rows.

        Returns
        -------
        SegmenterOutput
        """
        stages = self.backbone(x)
        return SegmenterOutput(self._logits(stages[-1]), stages)

    @torch.no_grad()
    def start_head(self, layer: nn.Conv2d) -> None:
        """Start the head with the 1x1 convolution of a classifier, in the middle of its own.

        The scores are then the activation maps with their biases, beside 0 for the background.

        Parameters
        ----------
        layer : Conv2d
            From the backbone's last stage to the foreground classes.

        Raises
        ------
        ValueError
            The head is no single convolution, or the backbone has no normalisation layers.
        """
        head = self.head
        if not isinstance(head, nn.Conv2d) or not isinstance(self.norm, nn.Identity):
            raise ValueError(
                "only the head 'conv' on a backbone with normalisation layers can start from a "
                "classifier"
            )
        assert head.bias is not None
        assert layer.bias is not None
        middle = head.kernel_size[0] // 2
        head.weight.zero_()
        head.weight[1:, :, middle, middle] = layer.weight[:, :, 0, 0]
        head.bias.zero_()
        head.bias[1:] = layer.bias

    @torch.no_grad()
    def clean_logits(self, stages: list[Tensor]) -> Tensor:
        """Logits (B, L, h, w) of stages computed before, as in evaluation mode: nothing drops out.

        Batch normalisation behind the backbone uses its running statistics. The mode of every part
        is what it was afterwards.
        """
        parts = (self.norm, self.dropout, self.head)
        modes = [(module, module.training) for part in parts for module in part.modules()]
        try:
            for part in parts:
                part.eval()
            return self._logits(stages[-1].detach())
        finally:
            for module, training in modes:
                module.training = training

    def _logits(self, stage: Tensor) -> Tensor:
        logits: Tensor = self.head(self.dropout(self.norm(stage)))
        return logits
