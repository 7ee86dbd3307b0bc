"""The cues themselves as supervision: the baseline every rebuilt supervision is compared with."""

from __future__ import annotations

from torch import Tensor

from dgcn.supervision.base import Refined, check_shapes


class StaticSupervision:
    """Returns the cues, whatever the network says (Kolesnikov and Lampert 2016, "SEC")."""

    def __call__(
        self,
        probabilities: Tensor,
        features: Tensor,
        cues: Tensor,
        present: Tensor,
        refined: Refined | None = None,
    ) -> Tensor:
        """Supervision of a batch; as `dgcn.supervision.base.Supervision`."""
        check_shapes(probabilities, features, cues, present)
        return cues
