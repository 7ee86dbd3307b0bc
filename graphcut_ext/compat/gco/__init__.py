"""Names of pygco and gco-wrapper: ``import graphcut_ext.compat.gco as gco``.

The energy of labels l is ``sum_i unary[i, l_i] + sum_e weight[e] pairwise[l_u, l_v]``. Real
numbers are taken as they are, where the originals round them to integers.
"""

from graphcut_ext.compat.gco._cuts import (
    cut_from_graph,
    cut_general_graph,
    cut_grid_graph,
    cut_grid_graph_simple,
    cut_simple,
    cut_simple_vh,
    get_images_edges_diag,
    get_images_edges_vh,
)
from graphcut_ext.compat.gco._optimiser import (
    GCO,
    DataTypeNotSupportedError,
    IndexOutOfBoundError,
    PyGcoError,
    ShapeMismatchError,
)

__version__ = "3.0.9"
"""The version of gco-wrapper whose calls these are."""

__all__ = [
    "GCO",
    "DataTypeNotSupportedError",
    "IndexOutOfBoundError",
    "PyGcoError",
    "ShapeMismatchError",
    "__version__",
    "cut_from_graph",
    "cut_general_graph",
    "cut_grid_graph",
    "cut_grid_graph_simple",
    "cut_simple",
    "cut_simple_vh",
    "get_images_edges_diag",
    "get_images_edges_vh",
]
