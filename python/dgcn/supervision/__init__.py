"""Supervision of the segmentation network: static cues, or cues grown at every step."""

from __future__ import annotations

from collections.abc import Callable

from dgcn.registry import find
from dgcn.supervision.base import Inputs, Marginals, Supervision
from dgcn.supervision.diffusion import LabelPropagation, RandomWalker
from dgcn.supervision.graph_cut import GraphCut
from dgcn.supervision.joint_cut import JointCut
from dgcn.supervision.most_probable import MostProbable
from dgcn.supervision.region_growing import RegionGrowing
from dgcn.supervision.static import Static

__all__ = [
    "KINDS",
    "GraphCut",
    "Inputs",
    "JointCut",
    "LabelPropagation",
    "Marginals",
    "MostProbable",
    "RandomWalker",
    "RegionGrowing",
    "Static",
    "Supervision",
    "find_supervision",
]

KINDS: dict[str, type[Supervision]] = {
    "graph_cut": GraphCut,
    "joint_cut": JointCut,
    "label_propagation": LabelPropagation,
    "most_probable": MostProbable,
    "random_walker": RandomWalker,
    "region_growing": RegionGrowing,
    "static": Static,
}
"""The registry: a class here is a kind of ``supervision.kind`` and a section of its own."""


def find_supervision(name: str) -> Callable[..., Supervision]:
    """A kind by name, or a class of the user's own as ``package.module:Class``.

    Raises
    ------
    ValueError
        As `dgcn.registry.find`.
    """
    kind: Callable[..., Supervision] = find(KINDS, name, "kind", Supervision)
    return kind
