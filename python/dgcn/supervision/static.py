"""The cues themselves as supervision: the baseline every rebuilt supervision is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from dgcn.supervision.base import Marginals, Supervision, check_shapes


@dataclass(frozen=True)
class Static(Supervision):
    """Returns the cues, whatever the network says (Kolesnikov and Lampert 2016, "SEC")."""

    rebuilt: ClassVar[bool] = False

    def __call__(
        self,
        probabilities: Tensor,
        features: Tensor,
        cues: Tensor,
        present: Tensor,
        marginals: Marginals | None = None,
    ) -> Tensor:
        """Supervision of a batch; see `Supervision`."""
        check_shapes(probabilities, features, cues, present)
        return cues
