"""PyMaxflow's names over ``graphcut_ext.Graph``: ``import graphcut_ext.compat.maxflow as maxflow``.

>>> import graphcut_ext.compat.maxflow as maxflow
>>> g = maxflow.Graph[int]()
>>> nodes = g.add_nodes(2)
>>> g.add_edge(nodes[0], nodes[1], 1, 2)
>>> g.add_tedge(nodes[0], 2, 5)
>>> g.add_tedge(nodes[1], 9, 4)
>>> g.maxflow()
8
>>> g.get_grid_segments(nodes).tolist()
[True, False]
"""

from graphcut_ext.compat.maxflow import fastmin
from graphcut_ext.compat.maxflow._graph import (
    GraphFloat,
    GraphInt,
    moore_structure,
    vonNeumann_structure,
)
from graphcut_ext.compat.maxflow.fastmin import (
    abswap_grid,
    abswap_grid_step,
    aexpansion_grid,
    aexpansion_grid_step,
    energy_of_grid_labeling,
)

__version__ = "1.3.2"
"""The version of PyMaxflow whose calls these are."""

Graph: dict[type, type[GraphInt] | type[GraphFloat]] = {int: GraphInt, float: GraphFloat}
"""Graphs by the type of their capacities: ``Graph[int]``, ``Graph[float]``."""

__all__ = [
    "Graph",
    "GraphFloat",
    "GraphInt",
    "__version__",
    "abswap_grid",
    "abswap_grid_step",
    "aexpansion_grid",
    "aexpansion_grid_step",
    "energy_of_grid_labeling",
    "fastmin",
    "moore_structure",
    "vonNeumann_structure",
]
