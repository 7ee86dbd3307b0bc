"""Supervision of the segmentation network: static cues, or cues grown at every step."""

from __future__ import annotations

from dgcn.supervision.base import Refined, Supervision
from dgcn.supervision.graph_cut import GraphCutSupervision
from dgcn.supervision.joint_cut import JointCutSupervision
from dgcn.supervision.most_probable import MostProbableSupervision
from dgcn.supervision.region_growing import RegionGrowingSupervision
from dgcn.supervision.static import StaticSupervision

__all__ = [
    "GraphCutSupervision",
    "JointCutSupervision",
    "MostProbableSupervision",
    "Refined",
    "RegionGrowingSupervision",
    "StaticSupervision",
    "Supervision",
]
