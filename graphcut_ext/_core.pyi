"""Types of the compiled core."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcut_ext._build import BuildInfo

def build_info() -> BuildInfo: ...
def solve_edge_list(
    edge_index: NDArray[np.int64],
    capacity: NDArray[Any],
    reverse_capacity: NDArray[Any] | None,
    source: NDArray[Any],
    sink: NDArray[Any],
    ptr: NDArray[np.int64],
    value: NDArray[Any],
    source_side: NDArray[np.bool_],
    flow: NDArray[Any] | None,
    solver: str,
    threads: int,
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
def knn_center(
    x: NDArray[Any],
    centred: NDArray[Any],
    norm: NDArray[Any],
    rescale: NDArray[np.float64],
    threads: int,
) -> int: ...
def knn_select(
    x: NDArray[Any],
    norm: NDArray[Any],
    rescale: NDArray[np.float64],
    products: NDArray[Any],
    first_row: int,
    block: int,
    operand_error: float,
    distances: NDArray[Any],
    indices: NDArray[np.int64],
    threads: int,
) -> None: ...

# Present where CUDA kernels were built; addresses of device memory, then sizes.
def knn_select_cuda_float32(
    x: int,
    norm: int,
    rescale: int,
    products: int,
    items: int,
    points: int,
    channels: int,
    first_row: int,
    rows: int,
    operand_error: float,
    k: int,
    distances: int,
    indices: int,
    workspace: int,
    device: int,
    stream: int,
) -> None: ...
def knn_select_cuda_float64(
    x: int,
    norm: int,
    rescale: int,
    products: int,
    items: int,
    points: int,
    channels: int,
    first_row: int,
    rows: int,
    operand_error: float,
    k: int,
    distances: int,
    indices: int,
    workspace: int,
    device: int,
    stream: int,
) -> None: ...
