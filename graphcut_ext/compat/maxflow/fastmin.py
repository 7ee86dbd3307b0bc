"""Labellings of grids by moves that are minimum cuts, with PyMaxflow's ``fastmin`` calls.

The costs are ``unary[p, l]`` of a label at a node and ``binary[m, l]`` of the labels ``l`` and
``m`` at neighbours along an axis, ``m`` at the later one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcut_ext.compat._values import refuse
from graphcut_ext.compat.maxflow._graph import GraphFloat, GraphInt
from graphcut_ext.compat.maxflow._grid_edges import GridEdges
from graphcut_ext.compat.maxflow._moves import ArraySteps, CoreSteps, Steps, suits_core

Step = tuple[Any, GraphInt | GraphFloat]
ROUND_OFF = 1e-14


def energy_of_grid_labeling(unary: ArrayLike, binary: ArrayLike, labels: ArrayLike) -> Any:
    """Return the energy of labels (S1, ..., SN) under costs (S1, ..., SN, L) and (L, L)."""
    costs, pairwise, chosen = _checked(unary, binary, labels)
    first = costs.shape[-1] * np.arange(chosen.size).reshape(chosen.shape)
    total = np.take(costs, first + chosen).sum()
    for earlier, later in _pairs(chosen.ndim):
        total += pairwise[chosen[later], chosen[earlier]].sum()
    return total


def aexpansion_grid(
    unary: ArrayLike,
    binary: ArrayLike,
    max_cycles: int | None = None,
    labels: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Lower the energy by expanding every label in turn until a cycle has no success.

    Parameters
    ----------
    unary : array-like, shape (S1, ..., SN, L)
        Cost of every label at every node of the grid.
    binary : array-like, shape (L, L)
        Cost of the labels of neighbours along an axis, a metric.
    max_cycles : int, optional
        Most rounds over the labels. Default: until none lowers the energy.
    labels : integer array, shape (S1, ..., SN), optional
        Labels to start from, changed in place. Default: the cheapest by ``unary``, as int8, or
        int64 of more than 127 labels.

    Returns
    -------
    array, shape (S1, ..., SN)
        The labels.
    """
    costs, pairwise, chosen = _start(unary, binary, labels)
    steps = _steps(costs, pairwise, chosen, swaps=False)
    count, started = costs.shape[-1], False
    for _ in _cycles(max_cycles):
        improved = False
        for alpha in range(count):
            # As in PyMaxflow the first step counts as a success.
            improved |= steps.expand(alpha) or not started
            started = True
        if not improved:
            break
    return steps.write(chosen)


def abswap_grid(
    unary: ArrayLike,
    binary: ArrayLike,
    max_cycles: int | None = None,
    labels: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Lower the energy by swapping every pair of labels in turn until a cycle has no success.

    Parameters and result are those of :func:`aexpansion_grid`; ``binary`` need be no metric.
    """
    costs, pairwise, chosen = _start(unary, binary, labels)
    steps = _steps(costs, pairwise, chosen, swaps=True)
    # As PyMaxflow: the first step counts as a success. Of labels that cost as much, the first after
    # a success are taken back, later ones stay.
    started, keep_equal = False, True
    for _ in _cycles(max_cycles):
        improved = False
        for alpha, beta in itertools.combinations(range(costs.shape[-1]), 2):
            success = steps.swap(alpha, beta, keep_equal) or not started
            started, keep_equal = True, not success
            improved |= success
        if not improved:
            break
    return steps.write(chosen)


def aexpansion_grid_step(alpha: int, D: ArrayLike, V: ArrayLike, labels: NDArray[Any]) -> Step:
    """Expand one label, changing ``labels`` in place; returns their energy and the graph.

    Of several best labellings it is the one that has ``alpha`` at the fewest nodes.
    """
    costs, pairwise, chosen = _checked(D, V, labels)
    _check_label("alpha", alpha, costs)
    expanded = np.full_like(chosen, alpha)
    energy, graph, takes = _fuse(costs, pairwise, chosen, expanded, np.ones(chosen.shape, bool))
    _label_array(labels)[takes] = alpha
    return energy, graph


def abswap_grid_step(
    alpha: int,
    beta: int,
    D: ArrayLike,
    V: ArrayLike,
    labels: NDArray[Any],
) -> Step:
    """Swap two labels where either is: change ``labels`` in place; returns energy and graph.

    The energy is that of the nodes that have one of the two labels, and of their neighbourhoods.
    Of several best labellings it is the one that has ``alpha`` at the fewest nodes.
    """
    costs, pairwise, chosen = _checked(D, V, labels)
    for name, label in (("alpha", alpha), ("beta", beta)):
        _check_label(name, label, costs)
    either = (chosen == alpha) | (chosen == beta)
    all_beta, all_alpha = (np.where(either, x, chosen) for x in (beta, alpha))
    energy, graph, takes = _fuse(costs, pairwise, all_beta, all_alpha, either)
    target = _label_array(labels)
    target[either & takes], target[either & ~takes] = alpha, beta
    return energy, graph


def _steps(costs: NDArray[Any], pairwise: NDArray[Any], labels: NDArray[Any], swaps: bool) -> Steps:
    """Return moves from these labels on."""
    if suits_core(costs, pairwise, labels, swaps):
        return CoreSteps(costs, pairwise, labels.astype(np.int64))

    def expand(alpha: int, changed: NDArray[Any]) -> Any:
        return aexpansion_grid_step(alpha, costs, pairwise, changed)[0]

    def swap(alpha: int, beta: int, changed: NDArray[Any]) -> Any:
        abswap_grid_step(alpha, beta, costs, pairwise, changed)
        return energy_of_grid_labeling(costs, pairwise, changed)

    return ArraySteps(labels, expand, swap)


def _fuse(
    costs: NDArray[Any],
    pairwise: NDArray[Any],
    zero: NDArray[Any],
    one: NDArray[Any],
    counted: NDArray[np.bool_],
) -> tuple[Any, GraphInt | GraphFloat, NDArray[np.bool_]]:
    """Choose at each node the label of ``zero`` or ``one``; returns where it is that of ``one``.

    With x = 1 for ``one``, the sink side, neighbours p and q cost ::

        E00 + A x_p + B x_q - P x_p x_q,   A = E10 - E00,  B = E01 - E00,  P = A + B + E00 - E11

    An arc from q to p of capacity F and one back of P - F make the product, A - F and B - (P - F)
    go to the terminals. Only what ``counted`` nodes and their neighbourhoods cost is in the energy.
    """
    graph = GraphInt() if costs.dtype.kind == "i" else GraphFloat()
    nodes = graph.add_grid_nodes(zero.shape)
    count = costs.shape[-1]
    zero, one = zero.astype(np.intp), one.astype(np.intp)
    row = count * np.arange(zero.size).reshape(zero.shape)
    paid = [np.take(costs, row + x) for x in (zero, one)]  # at x = 0 and x = 1
    everything = bool(counted.all())
    if not everything:
        paid = [np.where(counted, x, 0) for x in paid]
    edges = GridEdges(zero.shape, (False,) * zero.ndim)
    for axis, (earlier, later) in enumerate(_pairs(zero.ndim)):
        first, second = (zero[earlier], one[earlier]), (count * zero[later], count * one[later])
        e00, e01, e10, e11 = (np.take(pairwise, q + p) for p in first for q in second)
        a, b = e10 - e00, e01 - e00
        product = b + (e10 - e11)
        _check_product(product, np.abs(b) + np.abs(e10) + np.abs(e11))
        product = np.maximum(product, 0)
        to_earlier = np.minimum(np.maximum(a, 0), product)
        to_later = product - to_earlier
        shares = [e00, e00 + a - to_earlier, b - to_later]
        if not everything:
            seen = counted[earlier] | counted[later]
            shares = [np.where(seen, share, 0) for share in shares]
        paid[0][earlier] += shares[0]
        paid[1][earlier] += shares[1]
        paid[1][later] += shares[2]
        forward, back = np.zeros(zero.shape, costs.dtype), np.zeros(zero.shape, costs.dtype)
        forward[earlier], back[earlier] = to_later, to_earlier
        edges.add(tuple(int(k == axis) for k in range(zero.ndim)), forward, back)
    graph._add_directions(nodes, edges)
    graph.add_grid_tedges(nodes, paid[1], paid[0])
    energy = graph.maxflow()
    return energy, graph, graph.get_grid_segments(nodes)


def _check_product(product: NDArray[Any], size: NDArray[Any]) -> None:
    """Refuse costs for which the best move is no minimum cut."""
    if (product < -ROUND_OFF * size).any():
        raise ValueError(
            "binary is not a metric (for expansions) or semi-metric (for swaps): the move that "
            "mixes two labels is dearer than the labels that it mixes"
        )


def _pairs(dimensions: int) -> Iterable[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Yield, for every axis, the nodes that have a next one, and the next ones."""
    for axis in range(dimensions):
        lead = (slice(None),) * axis
        yield (*lead, slice(None, -1)), (*lead, slice(1, None))


def _cycles(max_cycles: int | None) -> Iterable[int]:
    return itertools.count() if max_cycles is None else range(max_cycles)


def _start(
    unary: ArrayLike, binary: ArrayLike, labels: NDArray[Any] | None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Check costs; returns them and the labels to change."""
    if labels is None:
        costs, pairwise = _costs(unary, binary)
        small = costs.shape[-1] <= 127
        return costs, pairwise, costs.argmin(-1).astype(np.int8 if small else np.int64)
    _label_array(labels)
    return _checked(unary, binary, labels)


def _checked(
    unary: ArrayLike, binary: ArrayLike, labels: ArrayLike
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    costs, pairwise = _costs(unary, binary)
    chosen = np.asarray(labels)
    if chosen.dtype.kind not in "iu":
        raise TypeError(f"labels must be integers, not {chosen.dtype}")
    if chosen.shape != costs.shape[:-1]:
        raise ValueError(f"labels must have shape {costs.shape[:-1]}, not {chosen.shape}")
    count = costs.shape[-1]
    refuse("labels", chosen, (chosen < 0) | (chosen >= count), f"but there are {count} labels")
    return costs, pairwise, chosen


def _costs(unary: ArrayLike, binary: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return both costs as int64 or float64."""
    given = {"unary": np.asarray(unary), "binary": np.asarray(binary)}
    for name, array in given.items():
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{name} must hold numbers, not {array.dtype}")
        if array.dtype.kind == "f":
            refuse(name, array, np.isnan(array), "no number")
    costs, pairwise = given.values()
    if costs.ndim == 0:
        raise ValueError("unary is a scalar, must have shape (S1, ..., SN, L)")
    labels = costs.shape[-1]
    if labels == 0:
        raise ValueError("unary has no labels")
    if pairwise.shape != (labels, labels):
        raise ValueError(
            f"binary must have shape {(labels, labels)} for the {labels} labels of unary, "
            f"not {pairwise.shape}"
        )
    refuse("binary", pairwise, np.isinf(pairwise), "infinite")
    whole = costs.dtype.kind in "biu" and pairwise.dtype.kind in "biu"
    dtype = np.int64 if whole else np.float64
    return costs.astype(dtype, copy=False), pairwise.astype(dtype, copy=False)


def _check_label(name: str, label: int, costs: NDArray[Any]) -> None:
    if not 0 <= label < costs.shape[-1]:
        raise ValueError(f"{name} is {label}, but there are {costs.shape[-1]} labels")


def _label_array(labels: NDArray[Any]) -> NDArray[Any]:
    """Return labels that can be changed in place."""
    if not isinstance(labels, np.ndarray):
        raise TypeError(f"labels must be an array to change in place, not {type(labels).__name__}")
    return labels
