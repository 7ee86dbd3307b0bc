"""The image classifier whose weights turn features into class activation maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from dgcn.models.backbone import Backbone

if TYPE_CHECKING:
    from typing_extensions import Self


class Classifier(nn.Module):
    """Backbone, 1x1 convolution to the classes, global average.

    The average of the convolution's output is the linear layer on globally averaged features of
    Zhou et al. ("Learning deep features for discriminative localization", CVPR 2016, section 2).

    Parameters
    ----------
    backbone : Backbone
    classes : int
        Number of foreground classes, L - 1: the background has no image label. At least 1.

    Raises
    ------
    ValueError
        `classes` is below 1.

    Notes
    -----
    The new layer starts with weights from a normal distribution of deviation 0.01 and biases 0.
    """

    _frozen = False

    def __init__(self, backbone: Backbone, classes: int) -> None:
        super().__init__()
        if classes < 1:
            raise ValueError(f"classes must be at least 1, got {classes}")
        self.backbone = backbone
        self.head = nn.Conv2d(backbone.channels[-1], classes, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def freeze_backbone(self) -> Self:
        """Leave the backbone as it is now: no gradients, batch normalisation as in evaluation."""
        self._frozen = True
        self.backbone.requires_grad_(False)
        return self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode; a frozen backbone stays in evaluation mode."""
        super().train(mode)
        if self._frozen:
            self.backbone.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the foreground classes.

        Parameters
        ----------
        x : Tensor, shape (B, 3, H, W) or (B, C)
            Images, or what `pooled` makes of them.

        Returns
        -------
        Tensor, shape (B, L - 1)
            Column c - 1 belongs to class id c.
        """
        if x.dim() == 2:
            pooled: Tensor = self.head(x[:, :, None, None])[:, :, 0, 0]
            return pooled
        logits: Tensor = self.head(self.backbone(x)[-1]).mean((2, 3))
        return logits

    def pooled(self, x: Tensor) -> Tensor:
        """Global averages (B, C) of the backbone's features, from which the logits follow.

        Parameters
        ----------
        x : Tensor, shape (B, 3, H, W)
        """
        features: Tensor = self.backbone(x)[-1]
        return features.mean((2, 3))

    def cam(self, x: Tensor) -> Tensor:
        """Class activation maps: the features' weighted sum, negative values cut off.

        The bias is left out: it says how common a class is, not where it is.

        Parameters
        ----------
        x : Tensor, shape (B, 3, H, W)

        Returns
        -------
        Tensor, shape (B, L - 1, h, w)
            Not negative, not normalised; see `dgcn.cues.normalised_cam`.
        """
        return functional.conv2d(self.backbone(x)[-1], self.head.weight).relu()
