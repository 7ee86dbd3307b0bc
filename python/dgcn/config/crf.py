"""The fully connected CRF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dgcn.config.checks import require

if TYPE_CHECKING:
    from dgcn.crf import CRFParams


@dataclass
class CRFConfig:
    """The fully connected CRF (Krähenbühl and Koltun 2011), kernel widths at image resolution.

    Attributes
    ----------
    iterations : int, default 10
        Mean-field iterations.
    gaussian_xy : float, default 3
        Standard deviation of the smoothness kernel in pixels.
    gaussian_weight : float, default 3
        Weight of the smoothness kernel.
    bilateral_xy : float, default 80
        Standard deviation of the appearance kernel in pixels.
    bilateral_rgb : float, default 13
        Standard deviation of the appearance kernel in grey levels (0..255).
    bilateral_weight : float, default 10
        Weight of the appearance kernel.
    train_scale : float, default 12
        Both spatial widths are divided by this on the training grid.
    backend : {"native", "pydensecrf"}, default "native"
        "native": `graphcut_ext.dense_crf`. "pydensecrf": the package of that name, if installed.
    """

    iterations: int = 10
    gaussian_xy: float = 3.0
    gaussian_weight: float = 3.0
    bilateral_xy: float = 80.0
    bilateral_rgb: float = 13.0
    bilateral_weight: float = 10.0
    train_scale: float = 12.0
    backend: Literal["native", "pydensecrf"] = "native"

    def check(self) -> None:
        """Raise `ValueError` for the first field out of range."""
        require("crf", self, "iterations", self.iterations >= 1, ">= 1")
        for name in ("gaussian_xy", "bilateral_xy", "bilateral_rgb", "train_scale"):
            require("crf", self, name, 0 < getattr(self, name) < float("inf"), "> 0 and finite")
        for name in ("gaussian_weight", "bilateral_weight"):
            require("crf", self, name, 0 <= getattr(self, name) < float("inf"), ">= 0 and finite")

    def params(self) -> CRFParams:
        """The CRF at image size."""
        # Imported late, as torch is in `dgcn.options`: a mistyped option is answered at once.
        from dgcn.crf import CRFParams

        return CRFParams(
            iterations=self.iterations,
            gaussian_xy=self.gaussian_xy,
            gaussian_weight=self.gaussian_weight,
            bilateral_xy=self.bilateral_xy,
            bilateral_rgb=self.bilateral_rgb,
            bilateral_weight=self.bilateral_weight,
            backend=self.backend,
        )

    def training_params(self) -> CRFParams:
        """The CRF on the training grid."""
        return self.params().scaled(self.train_scale)
