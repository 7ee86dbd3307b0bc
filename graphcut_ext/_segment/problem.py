"""One image to be segmented: its colours, its graph, and the rounds of learning and cutting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from graphcut_ext._segment.image import Floats
from graphcut_ext._segment.kept_cut import KeptCut
from graphcut_ext._segment.mixture import Mixture, blended, fit_mixture, posterior
from graphcut_ext._segment.seeds import BACKGROUND, OBJECT, UNKNOWN, Seeds
from graphcut_ext._segment.segmentation import Segmentation

Mask = NDArray[np.bool_]


@dataclass
class Problem:
    """What stays the same while seeds change."""

    colours: Floats  # (*shape, C), standardised
    cut: KeptCut
    outside: Mask | None  # of the box
    components: int
    iterations: int
    learns: bool  # its colours, for want of given probabilities
    device: torch.device | None  # of the results, None: NumPy arrays

    def solved(self, probabilities: Floats | None, seeds: Seeds) -> Segmentation[Any]:
        """Segment from the beginning."""
        seeds = self._with_box(seeds)
        if probabilities is None:
            probabilities = self._from_seeds(seeds)
        mask, value = self.cut.solve(probabilities, seeds)
        for _ in range(self.iterations - 1):
            if not mask.any() or mask.all():
                break
            probabilities = self._posterior(self._mixture(mask), self._mixture(~mask))
            before = mask
            mask, value = self.cut.solve(probabilities, seeds)
            if np.array_equal(mask, before):
                break
        return self._result(mask, value, probabilities)

    def updated(self, probabilities: Floats, seeds: Seeds, refit: bool) -> Segmentation[Any]:
        """Segment by other seeds, with the probabilities of an earlier segmentation."""
        if refit and not self.learns:
            raise ValueError("refit learns colours, but probabilities were given")
        check_shape("seeds", seeds, self.colours.shape[:-1])
        if refit:
            return self.solved(None, seeds)
        return self._result(*self.cut.solve(probabilities, self._with_box(seeds)), probabilities)

    def _with_box(self, seeds: Seeds) -> Seeds:
        """Return the seeds, and background outside the box, but where seeds say otherwise."""
        if self.outside is None:
            return seeds
        return np.where(self.outside & (seeds == UNKNOWN), np.int8(BACKGROUND), seeds)

    def _from_seeds(self, seeds: Seeds) -> Floats:
        """Return how likely pixels belong to the object, by the colours of seeds.

        Pixels without a mark have their say too. In a box they are the object to begin with; else
        half of the background is made of them, as marks rarely show all its colours.
        """
        inside, outside, unknown = (seeds == mark for mark in (OBJECT, BACKGROUND, UNKNOWN))
        boxed = self.outside is not None and not inside.any()
        if boxed:
            inside = unknown
        for side, marked, number in (("object", inside, 1), ("background", outside, 2)):
            if not marked.any():
                raise ValueError(
                    f"seeds mark no {side} (no entry is {number}), so that its colours cannot be "
                    "learnt; mark some, or give a box or probabilities"
                )
        background = self._mixture(outside)
        if unknown.any() and not boxed:
            background = blended(background, self._mixture(unknown))
        return self._posterior(self._mixture(inside), background)

    def _mixture(self, where: Mask) -> Mixture:
        return fit_mixture(self.colours[where], self.components)

    def _posterior(self, inside: Mixture, outside: Mixture) -> Floats:
        *shape, channels = self.colours.shape
        return posterior(inside, outside, self.colours.reshape(-1, channels)).reshape(shape)

    def _result(self, mask: Mask, value: float, probabilities: Floats) -> Segmentation[Any]:
        outputs: list[Any] = [mask, probabilities.copy()]
        if self.device is not None:
            outputs = [torch.from_numpy(output).to(self.device) for output in outputs]
        return Segmentation(outputs[0], value, outputs[1], self, probabilities)


def check_shape(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Refuse what has not the shape of the pixels."""
    if array.shape != shape:
        raise ValueError(f"{name} must have the shape of the pixels, {shape}, not {array.shape}")
