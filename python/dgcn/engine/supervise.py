"""The supervision that the settings describe, and the CRF's marginals that it may ask for."""

from __future__ import annotations

from contextlib import nullcontext

from torch import Tensor

from dgcn.config import SupervisionConfig
from dgcn.crf import CRFParams, dense_crf_batch, images_to_grid
from dgcn.engine.beside import Beside
from dgcn.engine.stopwatch import Stopwatch
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
    if options.kind == "graph_cut":
        return GraphCutSupervision(**values, solver=options.solver)
    raise NotImplementedError(f"no supervision is made for the kind {options.kind!r}")


class CRFMarginals:
    """Marginals of one batch, computed at most once: beside the caller, or when first called for.

    The boundary loss and the supervision of a step share them.

    Parameters
    ----------
    probabilities : Tensor, shape (B, L, h, w)
        Positive.
    images : Tensor of uint8, shape (B, H, W, 3)
    params : CRFParams
        The CRF on the grid.
    beside : Beside or None, default None
        Begins at once to compute them. None: they are computed by the first call.
    clock : Stopwatch or None, default None
        Counts the time that calls take as "crf", and that of the work beside as "crf_work".
    """

    def __init__(
        self,
        probabilities: Tensor,
        images: Tensor,
        params: CRFParams,
        *,
        beside: Beside | None = None,
        clock: Stopwatch | None = None,
    ) -> None:
        self._arguments, self._params, self._clock = (probabilities.detach(), images), params, clock
        self._pending = None if beside is None else beside.start(self._compute, *self._arguments)
        self._kept: Tensor | None = None

    def __call__(self) -> Tensor:
        """Marginals (B, L, h, w), float32, on the device of the probabilities."""
        if self._kept is None:
            with nullcontext() if self._clock is None else self._clock.within("crf"):
                self._kept = self._joined()
        return self._kept

    def _joined(self) -> Tensor:
        if self._pending is None:
            return self._compute(*self._arguments)
        done = self._pending()
        if self._clock is not None:
            self._clock.add("crf_work", done.start, done.end)
        return done.result

    def _compute(self, probabilities: Tensor, images: Tensor) -> Tensor:
        pictures = images_to_grid(images, *probabilities.shape[2:])
        return dense_crf_batch(probabilities, pictures, self._params)
