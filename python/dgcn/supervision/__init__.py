"""Supervision of the segmentation network: static cues, or cues grown by graph cuts."""

from __future__ import annotations

from dgcn.supervision.base import Supervision
from dgcn.supervision.graph_cut import GraphCutSupervision
from dgcn.supervision.static import StaticSupervision

__all__ = ["GraphCutSupervision", "StaticSupervision", "Supervision"]
