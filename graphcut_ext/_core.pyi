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
    threads: int,
) -> None: ...
def solve_knn(
    indices: NDArray[np.int64],
    weights: NDArray[Any],
    source: NDArray[Any],
    sink: NDArray[Any],
    value: NDArray[Any],
    source_side: NDArray[np.bool_],
    threads: int,
) -> None: ...
