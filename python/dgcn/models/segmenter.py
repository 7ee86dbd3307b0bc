"""The segmentation network."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from dgcn.models.backbone import Backbone


class SegmenterOutput(NamedTuple):
    """What one forward pass gives."""

    logits: Tensor
    """(B, L, h, w), before softmax; class 0 is the background."""
    features: list[Tensor]
    """The backbone's stages, (B, C_s, h_s, w_s) each, with their gradient."""


class Segmenter(nn.Module):
    """Backbone, normalisation, dropout and one dilated 3x3 convolution to the classes.

    The single dilated branch is DeepLab's "large field of view" head (Chen et al. 2015).

    Parameters
    ----------
    backbone : Backbone
    classes : int
        Number of classes L with the background, at least 2.
    dropout : float, default 0.5
        Probability of dropping an activation before the last convolution, in [0, 1).
    dilation : int, default 12
        Dilation of the last convolution in cells, at least 1: 12 reaches 96 pixels to each side,
        as is usual for a 41 x 41 grid. On a 21 x 21 grid 6 sees the same part of the picture.

    Raises
    ------
    ValueError
        An argument is out of range.

    Notes
    -----
    The new layer starts with weights from a normal distribution of deviation 0.01 and biases 0.
    Features of a backbone without normalisation layers are batch-normalised first: SqueezeNet's
    have a deviation of about 17, on which a new layer's softmax is saturated from the first step.
    """

    def __init__(
        self, backbone: Backbone, classes: int, *, dropout: float = 0.5, dilation: int = 12
    ) -> None:
        super().__init__()
        if classes < 2:
            raise ValueError(f"classes must be at least 2, got {classes}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {dropout}")
        if dilation < 1:
            raise ValueError(f"dilation must be at least 1, got {dilation}")
        self.backbone = backbone
        self.norm = nn.Identity() if backbone.normalised else nn.BatchNorm2d(backbone.channels[-1])
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv2d(
            backbone.channels[-1], classes, 3, padding=dilation, dilation=dilation
        )
        nn.init.normal_(self.head.weight, std=0.01)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

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
        return SegmenterOutput(self.head(self.dropout(self.norm(stages[-1]))), stages)
