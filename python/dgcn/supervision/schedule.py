"""Supervision whose settings depend on the epoch."""

# Without `from __future__ import annotations`, see feature_graph.py.
from dataclasses import dataclass, replace
from typing import Any

from dgcn.checks import require, require_at_least
from dgcn.supervision.base import Supervision
from dgcn.supervision.static import Static


@dataclass(frozen=True, kw_only=True)
class Scheduled(Supervision):
    """Begins with the cues alone, and with thresholds of its own in the first epochs."""

    cues_only_epochs: int = 0
    """Epochs at the beginning in which the network is trained on the cues alone."""
    theta_schedule: tuple[float, ...] = ()
    """theta in the first epochs, one after the other; from then on it is theta. Epochs on the cues
    alone count as well."""

    def __post_init__(self) -> None:
        require_at_least(self, 0, "cues_only_epochs")
        require(self, "theta_schedule", all(0 <= x <= 1 for x in self.theta_schedule), "in [0, 1]")

    def at(self, epoch: int) -> Supervision:
        """Supervision of an epoch; see `Supervision.at`."""
        if epoch <= self.cues_only_epochs:
            return Static()
        changes = self.changes_at(epoch)
        return replace(self, **changes) if changes else self

    def changes_at(self, epoch: int) -> dict[str, Any]:
        """Fields that have other values in an epoch, by name."""
        return scheduled("theta", self.theta_schedule, epoch)


def scheduled(name: str, values: tuple[Any, ...], epoch: int) -> dict[str, Any]:
    """The value of an epoch by the name of its field; empty after the schedule's end."""
    return {name: values[epoch - 1]} if epoch <= len(values) else {}
