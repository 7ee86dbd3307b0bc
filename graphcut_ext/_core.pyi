"""Types of the compiled core."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcut_ext._build import BuildInfo

SOLVERS: tuple[str, ...]
MAX_NODES: int
MAX_EDGES: int
MAX_THREADS: int
CRF_MAX_CHANNELS: int
CRF_MAX_DIMENSIONS: int
KNN_CHUNK_ROWS: int

def build_info() -> BuildInfo: ...
def solve_edge_list(
    edge_index: NDArray[np.int64],
    capacity: NDArray[Any],
    reverse_capacity: NDArray[Any] | None,
    source: NDArray[Any],
    sink: NDArray[Any],
    ptr: NDArray[np.int64] | None,
    value: NDArray[Any],
    source_side: NDArray[np.bool_],
    flow: NDArray[Any] | None,
    solver: str,
    threads: int,
) -> None: ...
def write_value_gradient(
    edge_index: NDArray[np.int64],
    source_side: NDArray[np.bool_],
    gradient: NDArray[np.float64],
    directed: bool,
    capacity: NDArray[Any] | None,
    reverse_capacity: NDArray[Any] | None,
    source: NDArray[Any] | None,
    sink: NDArray[Any] | None,
) -> None: ...
def solve_knn(
    indices: NDArray[np.int64],
    weights: NDArray[Any],
    source: NDArray[Any],
    sink: NDArray[Any],
    value: NDArray[Any],
    source_side: NDArray[np.bool_],
    solver: str,
    threads: int,
) -> None: ...

class MoveProblem:
    """Of the dtype of ``unary``, float64 or int64, which all costs have."""

    def __init__(
        self,
        edge_index: NDArray[np.int64] | None,
        grid: tuple[Sequence[int], Sequence[Sequence[int]]] | None,
        unary: NDArray[Any],
        labels: int,
        candidates: NDArray[np.int64] | None,
        weights: NDArray[Any],
        pairwise: NDArray[Any] | None,
        tables: NDArray[np.int64] | None,
        set_costs: NDArray[Any] | None,
        set_members: NDArray[np.bool_] | None,
    ) -> None: ...

class MoveSteps:
    def __init__(self, problem: MoveProblem, labels: NDArray[np.int64], threads: int) -> None: ...
    def expand(self, alpha: int) -> bool: ...
    def swap(self, alpha: int, beta: int, keep_equal: bool) -> bool: ...
    def labels(self) -> NDArray[np.int32]: ...

def make_moves(
    problem: MoveProblem,
    labels: NDArray[np.int64],
    move: str,
    max_cycles: int,
    solver: str,
    threads: int,
) -> float: ...
def dense_crf(
    scores: NDArray[np.float32],
    floor: float,
    image: NDArray[np.float32],
    compatibility: NDArray[np.float32] | None,
    iterations: int,
    kernels: Sequence[float],
    marginals: NDArray[np.float32],
    threads: int,
) -> None: ...
def bounds(array: NDArray[Any]) -> tuple[float, float]: ...
def dense_crf_gradient(
    scores: NDArray[np.float32],
    floor: float,
    image: NDArray[np.float32],
    compatibility: NDArray[np.float32] | None,
    iterations: int,
    kernels: Sequence[float],
    gradient: NDArray[np.float32],
    found: NDArray[np.float32],
    pairs: NDArray[np.float64] | None,
    threads: int,
) -> None: ...

class FeatureField:
    def __init__(
        self,
        labels: int,
        points: int,
        features: list[NDArray[np.float32]],
        weights: list[float],
        compatibilities: list[NDArray[np.float32] | None],
        normalizations: list[str],
        threads: int,
    ) -> None: ...
    def infer(
        self,
        scores: NDArray[np.float32],
        floor: float,
        start: NDArray[np.float32] | None,
        iterations: int,
        marginals: NDArray[np.float32],
    ) -> None: ...
    def differentiate(
        self,
        scores: NDArray[np.float32],
        floor: float,
        iterations: int,
        gradient: NDArray[np.float32],
        found: NDArray[np.float32],
        pairs: NDArray[np.float64] | None,
    ) -> None: ...
    def message(
        self, q: NDArray[np.float32], transposed: bool, sums: NDArray[np.float32]
    ) -> None: ...

def solve_knn_emulated(
    indices: NDArray[np.int64],
    weights: NDArray[Any],
    source: NDArray[Any],
    sink: NDArray[Any],
    value: NDArray[Any],
    source_side: NDArray[np.bool_],
    status: NDArray[np.int32],
    work: NDArray[np.int32],
    threads: int,
    order: str,
    seed: int,
) -> None: ...

class Graph:
    """Of float32, float64, int32 or int64; arrays are contiguous and one-dimensional."""

    def __init__(self, dtype: str) -> None: ...
    def copy(self) -> Graph: ...
    def add_nodes(self, count: int, /) -> int: ...
    def add_edges(
        self,
        tail: NDArray[np.int64],
        head: NDArray[np.int64],
        capacity: NDArray[Any],
        reverse_capacity: NDArray[Any],
    ) -> int: ...
    def add_grid(
        self,
        shape: Sequence[int],
        offsets: Sequence[Sequence[int]],
        capacity: NDArray[Any],
        reverse_capacity: NDArray[Any] | None,
    ) -> None: ...
    def add_terminals(
        self, nodes: NDArray[np.int64], source: NDArray[Any], sink: NDArray[Any]
    ) -> None: ...
    def set_terminals(
        self, nodes: NDArray[np.int64], source: NDArray[Any] | None, sink: NDArray[Any] | None
    ) -> None: ...
    def set_capacities(
        self, edges: NDArray[np.int64], capacity: NDArray[Any], reverse_capacity: NDArray[Any]
    ) -> None: ...
    def solve(self, reuse: bool, threads: int) -> float: ...
    def nodes(self) -> int: ...
    def edges(self) -> int: ...
    def reused(self) -> bool: ...
    def value(self) -> float: ...
    def source_side(self) -> NDArray[np.bool_]: ...
    def sink_side(self) -> NDArray[np.bool_]: ...
    def flow(self) -> NDArray[Any]: ...
    def residual(self) -> tuple[NDArray[Any], NDArray[Any]]: ...
    def cut_edges(self) -> NDArray[np.int64]: ...
    def tail(self) -> NDArray[np.int32]: ...
    def head(self) -> NDArray[np.int32]: ...
    def capacity(self) -> NDArray[Any]: ...
    def reverse_capacity(self) -> NDArray[Any]: ...
    def source(self) -> NDArray[Any]: ...
    def sink(self) -> NDArray[Any]: ...
    def columns(self) -> tuple[NDArray[Any], ...]: ...

def knn_center(
    x: NDArray[Any],
    centred: NDArray[Any],
    norm: NDArray[Any],
    rescale: NDArray[np.float64],
    threads: int,
) -> int: ...
def knn_search_directly(
    x: NDArray[Any],
    searched: int,
    distances: NDArray[Any],
    indices: NDArray[np.int64],
    measured: NDArray[np.int64],
) -> int: ...
def knn_search_tree(
    x: NDArray[Any],
    searched: int,
    lengths: NDArray[np.int64] | None,
    distances: NDArray[Any],
    indices: NDArray[np.int64],
    measured: NDArray[np.int64],
    threads: int,
) -> int: ...
def knn_add_gradient(
    x: NDArray[Any],
    query: NDArray[Any] | None,
    indices: NDArray[np.int64],
    gradient: NDArray[Any],
    of_x: NDArray[Any] | None,
    of_query: NDArray[Any] | None,
    threads: int,
) -> None: ...
def knn_select(
    x: NDArray[Any],
    norm: NDArray[Any],
    rescale: NDArray[np.float64],
    lengths: NDArray[np.int64] | None,
    products: NDArray[Any],
    first_row: int,
    block: int,
    operand_error: float,
    distances: NDArray[Any],
    indices: NDArray[np.int64],
    measured: NDArray[np.int64],
    threads: int,
    error: NDArray[Any] | None = None,
    largest_error: NDArray[Any] | None = None,
    most: int = ...,
) -> list[int]: ...

# float32 only, by products of points rounded to 16-bit integers.
def knn_center_rounded(
    x: NDArray[np.float32],
    pairs: NDArray[np.int32],
    norm: NDArray[np.float32],
    error: NDArray[np.float32],
    largest_error: NDArray[np.float32],
    rescale: NDArray[np.float64],
    searched: int,
    threads: int,
) -> int: ...
def knn_multiply_rounded_half(
    pairs: NDArray[np.int32], channels: int, products: NDArray[np.float32], threads: int
) -> None: ...
def knn_search_rounded(
    x: NDArray[np.float32],
    pairs: NDArray[np.int32],
    norm: NDArray[np.float32],
    error: NDArray[np.float32],
    largest_error: NDArray[np.float32],
    rescale: NDArray[np.float64],
    lengths: NDArray[np.int64] | None,
    searched: int,
    distances: NDArray[np.float32],
    indices: NDArray[np.int64],
    measured: NDArray[np.int64],
    most: int,
    threads: int,
) -> list[int]: ...

KNN_MULTIPLIES_PAIRS: bool
KNN_PANEL: int
KNN_SEGMENT: int
KNN_MAX_ROUNDED_NEIGHBOURS: int
KNN_MAX_TILE_CHANNELS: int
KNN_MAX_TILE_NEIGHBOURS: int

# The CUDA kernels' source by emulated warps.
def knn_select_emulated(
    x: NDArray[Any],
    norm: NDArray[Any],
    rescale: NDArray[np.float64],
    lengths: NDArray[np.int64] | None,
    products: NDArray[Any],
    first_row: int,
    operand_error: float,
    distances: NDArray[Any],
    indices: NDArray[np.int64],
    measured: NDArray[np.int64],
    descending: bool,
) -> None: ...
def knn_search_tiles_emulated(
    x: NDArray[Any],
    centred: NDArray[Any],
    norm: NDArray[Any],
    rescale: NDArray[np.float64],
    lengths: NDArray[np.int64] | None,
    searched: int,
    distances: NDArray[Any],
    indices: NDArray[np.int64],
    measured: NDArray[np.int64],
    descending: bool,
) -> None: ...

# Present where CUDA kernels were built; addresses of device memory, then sizes.
def knn_select_cuda_float32(
    x: int,
    norm: int,
    rescale: int,
    lengths: int,
    products: int,
    items: int,
    points: int,
    channels: int,
    searched: int,
    first_row: int,
    rows: int,
    operand_error: float,
    k: int,
    distances: int,
    indices: int,
    measured: int,
    workspace: int,
    device: int,
    stream: int,
) -> None: ...
def knn_search_tiles_cuda_float32(
    x: int,
    centred: int,
    norm: int,
    rescale: int,
    lengths: int,
    items: int,
    points: int,
    channels: int,
    searched: int,
    k: int,
    distances: int,
    indices: int,
    measured: int,
    device: int,
    stream: int,
) -> None: ...

knn_select_cuda_float64 = knn_select_cuda_float32
knn_search_tiles_cuda_float64 = knn_search_tiles_cuda_float32
