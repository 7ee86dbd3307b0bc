"""Graph cuts for PyTorch.

Operators
---------
maxflow
    Minimum s-t cuts of graphs given as edge lists.
knn_maxflow
    Minimum cuts over K-nearest-neighbour graphs, many cuts per graph.
knn
    K nearest neighbours of every point, or of queries, batched.
knn_edges
    K nearest neighbours as a list of edges.
knn_weights
    Weights of the edges between neighbours.
dense_crf, dense_crf_features
    Marginals of a fully connected CRF over images and volumes, or over points with features, by
    mean field.
alpha_expansion, alpha_beta_swap
    Labellings of low energy with many labels, by moves that are minimum cuts.
segment
    Interactive segmentation of an image or a volume, by one minimum cut.
read_dimacs, write_dimacs
    Maximum-flow problems in files of the DIMACS format.
nn
    The operators as modules: ``KNN``, ``DenseCRF``.
Graph
    One graph in NumPy arrays: solve, change capacities, solve again from where it was.
min_marginals
    What it costs to force a node of a graph to either side.
SOLVERS, Solver
    The names that ``solver=`` takes, as a tuple and as a type.
no_value_checks, values_are_checked
    A context in which operators on CUDA never wait for the device, and whether one is in it.
build_info
    How the compiled core was built.
"""

try:
    from graphcut_ext import _core as _core
except ImportError as error:
    from graphcut_ext._missing_core import explanation

    raise ImportError(explanation(__path__[0], error)) from error

import torch

from graphcut_ext import nn as nn
from graphcut_ext._build import __version__, build_info
from graphcut_ext._crf.dense_crf import dense_crf
from graphcut_ext._crf.features import dense_crf_features
from graphcut_ext._dimacs.dimacs import read_dimacs, write_dimacs
from graphcut_ext._dimacs.problem import FlowProblem
from graphcut_ext._graph.graph import Graph
from graphcut_ext._graph.min_marginals import MinMarginals, min_marginals
from graphcut_ext._knn.edges import knn_edges
from graphcut_ext._knn.knn import KNN, KNNMeasured, knn
from graphcut_ext._knn.weights import knn_weights
from graphcut_ext._maxflow.cut import MinCut, MinCutFlow
from graphcut_ext._maxflow.knn_maxflow import knn_maxflow
from graphcut_ext._maxflow.maxflow import maxflow
from graphcut_ext._maxflow.solvers import SOLVERS, Solver
from graphcut_ext._moves.expansion import alpha_beta_swap, alpha_expansion
from graphcut_ext._moves.labelling import Labelling
from graphcut_ext._segment.segment import segment
from graphcut_ext._segment.segmentation import Segmentation
from graphcut_ext._value_checks import no_value_checks, values_are_checked

for _result in (KNN, KNNMeasured, MinCut, MinCutFlow, FlowProblem, Labelling):
    _result.__module__ = __name__  # in files, independent of where the type is defined
    torch.serialization.add_safe_globals([_result])

__all__ = [
    "KNN",
    "SOLVERS",
    "FlowProblem",
    "Graph",
    "KNNMeasured",
    "Labelling",
    "MinCut",
    "MinCutFlow",
    "MinMarginals",
    "Segmentation",
    "Solver",
    "__version__",
    "alpha_beta_swap",
    "alpha_expansion",
    "build_info",
    "dense_crf",
    "dense_crf_features",
    "knn",
    "knn_edges",
    "knn_maxflow",
    "knn_weights",
    "maxflow",
    "min_marginals",
    "no_value_checks",
    "read_dimacs",
    "segment",
    "values_are_checked",
    "write_dimacs",
]
