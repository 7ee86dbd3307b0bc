"""The supervision that the settings describe, and the CRF's marginals that it may ask for."""

from __future__ import annotations

from torch import Tensor

from dgcn.config import SupervisionConfig
from dgcn.crf import CRFParams, dense_crf_batch, images_to_grid
from dgcn.supervision import (
    GraphCutSupervision,
    JointCutSupervision,
    MostProbableSupervision,
    RegionGrowingSupervision,
    StaticSupervision,
    Supervision,
)


def make_supervision(options: SupervisionConfig) -> Supervision:
    """The supervision that the settings describe."""
    values = options.read()
    if options.kind == "static":
        return StaticSupervision()
    if options.kind == "region_growing":
        return RegionGrowingSupervision(
            foreground=options.grow_foreground,
            background=options.grow_background,
            belief=options.belief,
        )
    if options.kind == "most_probable":
        return MostProbableSupervision(**values)
    if options.kind == "joint_cut":
        return JointCutSupervision(**values)
    if options.kind == "graph_cut_script":
        return GraphCutSupervision(**values, cut_background=True, solver=options.solver)
    return GraphCutSupervision(**values, solver=options.solver)


class CRFMarginals:
    """Marginals of one batch, computed at most once, when first called for.

    The boundary loss and the supervision of a step share them.

    Parameters
    ----------
    probabilities : Tensor, shape (B, L, h, w)
        Positive.
    images : Tensor of uint8, shape (B, H, W, 3)
    params : CRFParams
        The CRF on the grid.
    """

    def __init__(self, probabilities: Tensor, images: Tensor, params: CRFParams) -> None:
        self._arguments = probabilities.detach(), images, params
        self._kept: Tensor | None = None

    def __call__(self) -> Tensor:
        """Marginals (B, L, h, w), float32, on the device of the probabilities."""
        if self._kept is None:
            probabilities, images, params = self._arguments
            pictures = images_to_grid(images, *probabilities.shape[2:])
            self._kept = dense_crf_batch(probabilities, pictures, params)
        return self._kept
