"""Minimum cuts over K-nearest-neighbour graphs."""

from __future__ import annotations

from typing import Any, overload

from numpy.typing import NDArray
from torch import Tensor

from graphcut_ext._arguments import check_graph, check_no_tangents, check_num_threads
from graphcut_ext._arrays import takes_arrays
from graphcut_ext._maxflow.cut import MinCut
from graphcut_ext._maxflow.neighbours import cut_neighbours
from graphcut_ext._maxflow.solvers import Solver, check_solver


@overload
def knn_maxflow(
    indices: Tensor,
    weights: Tensor,
    source: Tensor,
    sink: Tensor,
    *,
    solver: Solver = "auto",
    num_threads: int | None = None,
) -> MinCut: ...
@overload
def knn_maxflow(
    indices: NDArray[Any],
    weights: NDArray[Any],
    source: NDArray[Any],
    sink: NDArray[Any],
    *,
    solver: Solver = "auto",
    num_threads: int | None = None,
) -> Any: ...
@takes_arrays("weights", "source", "sink", indices=("indices",))
def knn_maxflow(
    indices: Tensor,
    weights: Tensor,
    source: Tensor,
    sink: Tensor,
    *,
    solver: Solver = "auto",
    num_threads: int | None = None,
) -> MinCut:
    """Minimum cuts over K-nearest-neighbour graphs: L cuts per item over the same edges.

    An edge joins node i of item b to each of ``indices[b, i]``. Edges are undirected. A pair that
    lists each other gets one edge with both weights summed. As in :func:`graphcut_ext.maxflow`,
    ``source`` is paid where a node ends on the sink side and ``sink`` where it ends on the source
    side.

    Parameters
    ----------
    indices : Tensor, shape (B, N, K), int64
        Neighbours of every node, as returned by :func:`graphcut_ext.knn`. A node that lists itself
        or -1 gains no edge.
    weights : Tensor, shape (B, N, K), float32, float64, int32 or int64
        Edge weights, >= 0, the capacities both ways; ``inf`` means "never cut". See
        :func:`graphcut_ext.knn_weights`.
    source, sink : Tensor, shape (B, L, N), same dtype
        Terminal capacities, >= 0, of L cuts per item (one per class, say).
    solver : name of a solver, default "auto"
        One of ``graphcut_ext.SOLVERS``.
        ``"ibfs"`` is the fastest with weighted links, ``"hpf"`` with links of one weight and with
        few terminal links, and ``"auto"`` chooses between them by a sample of the graph.
        ``"push_relabel"`` and ``"bk"`` are there to compare. CUDA tensors are solved on the device
        by ``"push_relabel"``, on the host by all others; see Notes.
    num_threads : int, optional
        CPU threads over items and cuts. Default ``torch.get_num_threads()``. Results do not depend
        on it.

    Returns
    -------
    MinCut
        ``value`` (B, L), differentiable in ``weights``, ``source`` and ``sink``; ``source_side``
        (B, L, N) bool.

    Raises
    ------
    TypeError, IndexError, ValueError, NotImplementedError
        As :func:`graphcut_ext.maxflow`.
    RuntimeError
        A CUDA graph is being captured and the solver runs on the host, or the package was built
        without CUDA.

    Notes
    -----
    NumPy arrays are taken in place of tensors, all or none of them, and the result then is of
    arrays.

    On CUDA ``"push_relabel"`` builds the graphs and solves them on the current stream, one thread
    block per cut, with nothing copied to the host: bulk-synchronous rounds of push-relabel in whole
    numbers, so that every run gives the same bits. **The kernels compile, and their source is
    tested on the CPU; they have not been run or measured on a GPU yet.** Until then ``"auto"``
    takes the device only while a CUDA graph is captured. A package built without CUDA solves all on
    the host. There, graphs on CUDA are copied in up to 8 parts of an item or more for every thread,
    and each part is solved while the next ones are on their way.

    Integer capacities are taken as they are. Floats count in units of a power of two below
    2^-57 P, where P bounds the flow: the smaller of what sources and sinks can send through the
    edges of their nodes. Capacities above 2^-33 P (float32) or 2^-4 P (float64) are exact, others
    rounded by less than a unit, so that the cut costs at most one unit per edge and node more than
    the best; of cuts that are equal up to this, another may be found than on the CPU. Where all
    capacities are small multiples of a power of two, 32-bit numbers are used.

    Values are checked on the device. Looking at the outcome waits for the device, once per call; a
    problem that is not accepted goes to the host, which names the first bad value. Within
    :func:`graphcut_ext.no_value_checks`, and while a CUDA graph is captured, nothing is waited for:
    a cut with a bad index, a NaN or negative capacity, a path of infinite capacity, or integers
    that may sum up past 2^58, has the value NaN, or -1 for integers, and no node on the source
    side. Call once before a capture, so that the kernels are loaded.

    The device's memory beyond inputs and outputs: about 40 bytes per entry of ``indices``; and for
    each cut, where an item may not fit the shared memory (on an H200 from some 2,300 nodes with
    K = 9), 8 bytes per entry and 28 per node.

    References
    ----------
    J. Feng, X. Wang, W. Liu, "Deep graph cut network for weakly-supervised semantic segmentation",
    Sci. China Inf. Sci. 2021, for the construction.
    """
    capacities = {"weights": weights, "source": source, "sink": sink}
    check_graph({"indices": indices}, capacities)
    check_no_tangents(capacities)
    if indices.dim() != 3:
        raise ValueError(f"indices must have shape (B, N, K), not {tuple(indices.shape)}")
    if weights.shape != indices.shape:
        raise ValueError(
            f"weights must have the shape of indices, {tuple(indices.shape)}, "
            f"not {tuple(weights.shape)}"
        )
    items, nodes, _ = indices.shape
    if source.dim() != 3 or source.shape[0] != items or source.shape[2] != nodes:
        raise ValueError(
            f"source must have shape (B, L, N) with B = {items}, N = {nodes}, "
            f"not {tuple(source.shape)}"
        )
    if sink.shape != source.shape:
        raise ValueError(
            f"sink must have the shape of source, {tuple(source.shape)}, not {tuple(sink.shape)}"
        )
    check_solver(solver)
    threads = check_num_threads(num_threads)
    return MinCut(*cut_neighbours(indices, weights, source, sink, solver, threads))
