"""One call from costs to labels, as pygco and gco-wrapper have them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcut_ext.compat.gco._optimiser import (
    GCO,
    DataTypeNotSupportedError,
    PyGcoError,
    ShapeMismatchError,
)

Ends = NDArray[np.int64]
Labels = NDArray[np.int32]


def cut_general_graph(
    edges: ArrayLike,
    edge_weights: ArrayLike,
    unary_cost: ArrayLike,
    pairwise_cost: ArrayLike | None = None,
    n_iter: int = -1,
    algorithm: str = "expansion",
    init_labels: ArrayLike | None = None,
    down_weight_factor: float | None = None,
) -> Labels:
    """Label the nodes of any graph.

    Parameters
    ----------
    edges : integer array-like, shape (E, 2)
        Ends of the edges.
    edge_weights : array-like, shape (E,)
        Weights of the edges, finite and >= 0.
    unary_cost : array-like, shape (N, L)
        Cost of every label at every node; ``inf`` forbids one.
    pairwise_cost : array-like, shape (L, L), optional
        Cost of the labels of neighbours, symmetric: a metric for expansions, a semi-metric for
        swaps. Default: 1 for different labels.
    n_iter : int, default -1
        Rounds over the labels, or pairs of labels; -1 is until none lowers the energy.
    algorithm : {"expansion", "swap"}
        The kind of moves.
    init_labels : integer array-like, shape (N,), optional
        Labels to start from. Default: all 0.
    down_weight_factor : float, optional
        Above 0, and without effect: gco-wrapper divides all costs by it so that they fit integers.

    Returns
    -------
    array, shape (N,), int32
        The labels.

    Raises
    ------
    PyGcoError, ValueError, IndexError
        A wrong shape; a value out of range; costs that the moves do not allow.
    """
    if down_weight_factor is not None and not 0 < down_weight_factor < np.inf:
        raise ValueError(f"down_weight_factor must be above 0, not {down_weight_factor}")
    ends = _ends(edges, (2,))
    return _solve(
        ends, edge_weights, unary_cost, pairwise_cost, n_iter, algorithm, init_labels=init_labels
    )


def cut_grid_graph(
    unary_cost: ArrayLike,
    pairwise_cost: ArrayLike,
    cost_v: ArrayLike,
    cost_h: ArrayLike,
    cost_dr: ArrayLike | None = None,
    cost_dl: ArrayLike | None = None,
    n_iter: int = -1,
    algorithm: str = "expansion",
) -> Labels:
    """Label the pixels of an image.

    Parameters
    ----------
    unary_cost : array-like, shape (H, W, L)
        Cost of every label at every pixel.
    pairwise_cost, n_iter, algorithm
        As in :func:`cut_general_graph`.
    cost_v : array-like, shape (H - 1, W)
        Weights of the links from (i, j) to (i + 1, j).
    cost_h : array-like, shape (H, W - 1)
        Weights of the links from (i, j) to (i, j + 1).
    cost_dr, cost_dl : array-likes, shape (H - 1, W - 1), optional
        Weights of the links from (i, j) to (i + 1, j + 1), and from (i, j + 1) to (i + 1, j); both
        or none.

    Returns
    -------
    array, shape (H * W,), int32
        The labels, in C order.
    """
    unary = _image(unary_cost)
    height, width, labels = unary.shape
    given = {"cost_v": cost_v, "cost_h": cost_h}
    if (cost_dr is None) != (cost_dl is None):
        raise ValueError("cost_dr and cost_dl must be given both or not at all")
    if cost_dr is not None and cost_dl is not None:
        given |= {"cost_dr": cost_dr, "cost_dl": cost_dl}
    ends = _grid_ends(height, width)
    shapes = {"cost_v": (height - 1, width), "cost_h": (height, width - 1)}
    weights = []
    for name, value in given.items():
        array = np.asarray(value)
        shape = shapes.get(name, (height - 1, width - 1))
        if array.shape != shape:
            raise ShapeMismatchError(f"{name} must have shape {shape}, not {array.shape}")
        weights.append(array.ravel())
    return _solve(
        np.concatenate([ends[name] for name in given], axis=1),
        np.concatenate(weights),
        unary.reshape(-1, labels),
        pairwise_cost,
        n_iter,
        algorithm,
    )


def cut_grid_graph_simple(
    unary_cost: ArrayLike,
    pairwise_cost: ArrayLike,
    n_iter: int = -1,
    connect: int = 4,
    algorithm: str = "expansion",
) -> Labels:
    """Label the pixels of an image, links of weight 1.

    ``connect`` is 4 or 8. Diagonal links of 8 weigh the square root of 2, as in gco-wrapper: 1
    where ``unary_cost`` is of integers. The rest is as in :func:`cut_grid_graph`.
    """
    unary = _image(unary_cost)
    if connect not in (4, 8):
        raise ValueError(f"connect must be 4 or 8, not {connect}")
    height, width, _ = unary.shape
    dtype = unary.dtype
    down, right = np.ones((height - 1, width), dtype), np.ones((height, width - 1), dtype)
    across = np.full((height - 1, width - 1), np.sqrt(2)).astype(dtype) if connect == 8 else None
    return cut_grid_graph(
        unary, pairwise_cost, down, right, across, across, n_iter=n_iter, algorithm=algorithm
    )


def cut_simple(
    unary_cost: ArrayLike,
    pairwise_cost: ArrayLike,
    label_cost: ArrayLike = 0,
    n_iter: int = 5,
    algorithm: str = "expansion",
) -> Labels:
    """Label the pixels of an image, links of weight 1: pygco's call.

    ``unary_cost`` (H, W, L) makes labels (H, W). ``label_cost``, a number for all labels or one for
    each, is what a label in use costs once. The rest is as in :func:`cut_general_graph`.
    """
    unary = _image(unary_cost)
    ones = np.ones(unary.shape[:2], unary.dtype)
    return cut_simple_vh(unary, pairwise_cost, ones, ones, label_cost, n_iter, algorithm)


def cut_simple_vh(
    unary_cost: ArrayLike,
    pairwise_cost: ArrayLike,
    costV: ArrayLike,
    costH: ArrayLike,
    label_cost: ArrayLike = 0,
    n_iter: int = 5,
    algorithm: str = "expansion",
) -> Labels:
    """Label the pixels of an image: pygco's call.

    ``costV[i, j]`` is the weight of the link from (i, j) to (i + 1, j), ``costH[i, j]`` of that to
    (i, j + 1), both of shape (H, W); what leads out of the image is not looked at. The rest is as
    in :func:`cut_simple`.
    """
    unary = _image(unary_cost)
    height, width, labels = unary.shape
    down, right = np.asarray(costV), np.asarray(costH)
    for name, array in (("costV", down), ("costH", right)):
        if array.shape != (height, width):
            raise ShapeMismatchError(f"{name} must have shape {(height, width)}, not {array.shape}")
    ends = _grid_ends(height, width)
    found = _solve(
        np.concatenate([ends["cost_v"], ends["cost_h"]], axis=1),
        np.concatenate([down[:-1].ravel(), right[:, :-1].ravel()]),
        unary.reshape(-1, labels),
        pairwise_cost,
        n_iter,
        algorithm,
        label_cost=label_cost,
    )
    return found.reshape(height, width)


def cut_from_graph(
    edges: ArrayLike,
    unary_cost: ArrayLike,
    pairwise_cost: ArrayLike,
    label_cost: ArrayLike = 0,
    n_iter: int = 5,
    algorithm: str = "expansion",
) -> Labels:
    """Label the nodes of any graph: pygco's call.

    ``edges`` is (E, 2), or (E, 3) with the weights as its last column. The rest is as in
    :func:`cut_general_graph` and :func:`cut_simple`.
    """
    columns = np.asarray(edges)
    ends = _ends(columns, (2, 3))
    weights = columns[:, 2] if columns.shape[1] == 3 else np.ones(len(columns), np.int64)
    return _solve(
        ends, weights, unary_cost, pairwise_cost, n_iter, algorithm, label_cost=label_cost
    )


def get_images_edges_vh(height: int, width: int) -> tuple[Ends, Ends, Ends, Ends]:
    """Return the ends of links: from of vertical, horizontal ones, to of vertical, horizontal."""
    ends = _grid_ends(height, width)
    vertical, horizontal = ends["cost_v"], ends["cost_h"]
    return vertical[0], horizontal[0], vertical[1], horizontal[1]


def get_images_edges_diag(height: int, width: int) -> tuple[Ends, Ends, Ends, Ends]:
    """Return the ends of diagonal links: from of those to the right, left, to of the same."""
    ends = _grid_ends(height, width)
    right, left = ends["cost_dr"], ends["cost_dl"]
    return right[0], left[0], right[1], left[1]


def _grid_ends(height: int, width: int) -> dict[str, Ends]:
    """Return both ends of the links of an image, (2, E), by the names of their weights."""
    nodes = np.arange(height * width, dtype=np.int64).reshape(height, width)
    pairs = {
        "cost_v": (nodes[:-1], nodes[1:]),
        "cost_h": (nodes[:, :-1], nodes[:, 1:]),
        "cost_dr": (nodes[:-1, :-1], nodes[1:, 1:]),
        "cost_dl": (nodes[:-1, 1:], nodes[1:, :-1]),
    }
    return {name: np.stack([u.ravel(), v.ravel()]) for name, (u, v) in pairs.items()}


def _solve(
    ends: Ends,
    weights: ArrayLike,
    unary_cost: ArrayLike,
    pairwise_cost: ArrayLike | None,
    n_iter: int,
    algorithm: str,
    *,
    init_labels: ArrayLike | None = None,
    label_cost: ArrayLike = 0,
) -> Labels:
    if algorithm not in ("expansion", "swap"):
        raise ValueError(f"algorithm must be expansion or swap, not {algorithm!r}")
    given = {
        "unary_cost": unary_cost,
        "edge_weights": weights,
        "pairwise_cost": pairwise_cost,
        "label_cost": label_cost,
    }
    costs = {name: np.asarray(value) for name, value in given.items() if value is not None}
    for name, array in costs.items():
        if array.dtype.kind not in "biuf":
            raise DataTypeNotSupportedError(f"{name} must hold numbers, not {array.dtype}")
    unary = costs["unary_cost"]
    if unary.ndim != 2:
        raise ShapeMismatchError(f"unary_cost must have shape (N, L), not {unary.shape}")
    if not unary.size:
        raise ShapeMismatchError(f"unary_cost of shape {unary.shape} has no entries")
    problem = GCO()
    nodes, labels = unary.shape
    problem.create_general_graph(nodes, labels, any(a.dtype.kind == "f" for a in costs.values()))
    problem.set_data_cost(unary)
    problem.set_all_neighbors(ends[0], ends[1], costs["edge_weights"])
    if pairwise_cost is not None:
        problem.set_smooth_cost(costs["pairwise_cost"])
    problem.set_label_cost(costs["label_cost"])
    if init_labels is not None:
        start = np.asarray(init_labels)
        if start.shape != (nodes,):
            raise ShapeMismatchError(f"init_labels must have shape ({nodes},), not {start.shape}")
        for site, label in enumerate(start.tolist()):
            problem.init_label_at_site(site, label)
    getattr(problem, algorithm)(n_iter)
    return problem.get_labels()


def _image(unary_cost: ArrayLike) -> NDArray[Any]:
    unary = np.asarray(unary_cost)
    if unary.ndim != 3:
        raise ShapeMismatchError(f"unary_cost must have shape (H, W, L), not {unary.shape}")
    return unary


def _ends(edges: ArrayLike, columns: tuple[int, ...]) -> Ends:
    array = np.asarray(edges)
    if array.ndim != 2 or array.shape[1] not in columns:
        shapes = " or ".join(f"(E, {c})" for c in columns)
        raise ShapeMismatchError(f"edges must have shape {shapes}, not {array.shape}")
    if array.dtype.kind not in "iu":
        raise PyGcoError(f"edges must hold integers, not {array.dtype}")
    ends: Ends = array[:, :2].T.astype(np.int64)
    return ends
