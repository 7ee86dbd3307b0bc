"""The cues themselves as supervision: the baseline every rebuilt supervision is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from dgcn.supervision.base import Inputs, Supervision


@dataclass(frozen=True)
class Static(Supervision):
    """Returns the cues, whatever the network says (Kolesnikov and Lampert 2016, "SEC")."""

    rebuilt: ClassVar[bool] = False

    def labels(self, step: Inputs) -> Tensor:
        """Labels of a batch; see `Supervision`."""
        return step.cues
