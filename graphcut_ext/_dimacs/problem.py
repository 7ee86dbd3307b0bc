"""Networks with a source and a sink node as arguments of ``maxflow``."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphcut_ext._dimacs.arcs import INT64_MAX, Arcs, Ints
from graphcut_ext._dimacs.interchange import network_of_graph, network_of_matrix
from graphcut_ext._dimacs.text import Network
from graphcut_ext._maxflow.cut import MinCut
from graphcut_ext._maxflow.maxflow import maxflow
from graphcut_ext._maxflow.solvers import Solver


class FlowProblem(NamedTuple):
    """A network between two terminals, as :func:`graphcut_ext.maxflow` takes it.

    Attributes
    ----------
    edge_index
        (2, E) int64: tails and heads, nodes 0..N-1; the terminals are not among them.
    capacity, reverse_capacity
        (E,): capacities from tail to head and from head to tail.
    source, sink
        (N,): capacities from the source to every node, and from every node to the sink.
    direct
        Capacity of the arcs from the source straight to the sink, which no cut can spare: the value
        of the network is that of ``maxflow`` plus ``direct``.
    terminals
        Numbers of the source and the sink in a file whose nodes are 1..N+2 (of a matrix, one more
        than their rows). The other nodes keep
        their order. Default: 1 and N+2.
    """

    edge_index: Tensor
    capacity: Tensor
    reverse_capacity: Tensor
    source: Tensor
    sink: Tensor
    direct: int | float = 0
    terminals: tuple[int, int] | None = None

    @classmethod
    def from_scipy(cls, matrix: Any, source: int, sink: int) -> FlowProblem:
        """Return the network of a SciPy sparse matrix, as ``csgraph.maximum_flow`` takes it.

        Parameters
        ----------
        matrix : sparse matrix or array, (N + 2, N + 2)
            Capacities from rows to columns, integers or floats, at least 0; entries given twice add
            up. Integers of any width become int64, floats float64.
        source, sink : int
            Rows of the terminals.

        Returns
        -------
        FlowProblem
            Its node i is row ``numbers()[i] - 1``.

        Raises
        ------
        TypeError
            ``matrix`` is not sparse or holds other than numbers.
        IndexError
            ``source`` or ``sink`` is out of range.
        ValueError
            ``matrix`` is not square; a capacity is NaN or negative, or they add up beyond their
            type; ``source`` is ``sink``.
        """
        return flow_problem(network_of_matrix(matrix, source, sink))

    @classmethod
    def from_networkx(
        cls, graph: Any, source: Any, sink: Any, capacity: str = "capacity"
    ) -> FlowProblem:
        """Return the network of a NetworkX graph, as ``networkx.minimum_cut`` takes it.

        Parameters
        ----------
        graph : Graph, DiGraph, MultiGraph or MultiDiGraph
            Edges of undirected graphs have their capacity both ways; parallel edges add up.
        source, sink : nodes of the graph
            The terminals.
        capacity : str, default "capacity"
            Attribute of the edges with their capacities, numbers at least 0. Edges without it have
            infinite capacity. Capacities are int64 if all are integers, else float64.

        Returns
        -------
        FlowProblem
            Its node i is ``list(graph)[numbers()[i] - 1]``.

        Raises
        ------
        TypeError
            ``graph`` is no graph, or a capacity no number.
        ValueError
            ``source`` or ``sink`` is no node, or they are the same one; a capacity is NaN, negative
            or beyond int64, or they add up beyond their type.
        """
        return flow_problem(network_of_graph(graph, source, sink, capacity))

    def cut(self, *, solver: Solver = "auto", num_threads: int | None = None) -> MinCut:
        """Return the minimum cut, ``direct`` included in its value.

        Parameters
        ----------
        solver, num_threads
            As in :func:`graphcut_ext.maxflow`.

        Raises
        ------
        ValueError
            As in ``maxflow``; the value with ``direct`` overflows; ``direct`` is infinite, NaN or
            negative.
        """
        if not self.direct >= 0:
            raise ValueError(f"direct is {self.direct}; it must be >= 0")
        if math.isinf(self.direct):
            raise ValueError("an arc of infinite capacity joins source and sink")
        value, source_side = maxflow(
            self.edge_index,
            self.capacity,
            self.source,
            self.sink,
            reverse_capacity=self.reverse_capacity,
            solver=solver,
            num_threads=num_threads,
        )
        total = value.item() + self.direct
        if math.isinf(total) or (not value.is_floating_point() and total > INT64_MAX):
            raise ValueError(f"the value of the minimum cut overflows {str(value.dtype)[6:]}")
        return MinCut(value + self.direct, source_side)

    def numbers(self) -> Tensor:
        """Return the numbers of nodes 0..N-1 in the file, (N,) int64."""
        numbers = torch.arange(1, self.source.shape[-1] + 1)
        for terminal in sorted(self.terminals or (1, len(numbers) + 2)):
            numbers += numbers >= terminal
        return numbers


def flow_problem(network: Network) -> FlowProblem:
    """Turn the arcs of a file into a problem.

    Arcs from s and into t become terminal capacities; parallel and opposite arcs become one edge.
    Arcs into s, out of t, from a node to itself and of capacity 0 are left out.

    Raises
    ------
    ValueError
        Parallel arcs add up beyond int64 or float64, or there are more nodes than memory for them.
    """
    s, t = network.source, network.sink
    tail, head, capacity, _ = network.arcs
    arcs = _chosen(network.arcs, (capacity > 0) & (tail != head) & (head != s) & (tail != t))
    leaves, enters = arcs.tail == s, arcs.head == t
    out, into = _chosen(arcs, leaves & ~enters), _chosen(arcs, enters & ~leaves)
    straight = _chosen(arcs, leaves & enters)
    ends, capacities = _edges(network, _chosen(arcs, ~leaves & ~enters))
    direct = _totals(network, straight, straight.tail)[1]
    return FlowProblem(
        torch.from_numpy(_inner_number(network, ends)),
        torch.from_numpy(capacities[0]),
        torch.from_numpy(capacities[1]),
        torch.from_numpy(_per_node(network, out, out.head)),
        torch.from_numpy(_per_node(network, into, into.tail)),
        direct[0].item() if len(direct) else 0,
        (s, t),
    )


def _chosen(arcs: Arcs, which: NDArray[Any]) -> Arcs:
    return Arcs(*(column[which] for column in arcs))


def _inner_number(network: Network, number: Ints) -> Ints:
    """Numbers 0..N-1 of nodes that are not terminals."""
    inner: Ints = number - 1 - (number > network.source) - (number > network.sink)
    return inner


def _edges(network: Network, arcs: Arcs) -> tuple[Ints, NDArray[Any]]:
    """Ends (2, E) of the pairs of joined nodes, the lower first; capacities (2, E) up and down."""
    low, high = np.minimum(arcs.tail, arcs.head), np.maximum(arcs.tail, arcs.head)
    # Below 2^63, as nodes are below 2^31.
    key = ((low - 1) * network.nodes + (high - 1)) * 2 + (arcs.tail > arcs.head)
    key, total = _totals(network, arcs, key)
    first = _run_starts(key // 2)
    edge = np.repeat(np.arange(len(first)), np.diff(first, append=len(key)))
    capacities = np.zeros((2, len(first)), dtype=total.dtype)
    capacities[key % 2, edge] = total
    return np.stack(np.divmod(key[first] // 2, network.nodes)) + 1, capacities


def _per_node(network: Network, arcs: Arcs, node: Ints) -> NDArray[Any]:
    """Capacities (N,) of the arcs that join a terminal to ``node`` (A,)."""
    try:
        capacity = np.zeros(network.nodes - 2, dtype=arcs.capacity.dtype)
    except MemoryError:
        network.fail(f"no memory for {network.nodes} nodes", network.p_line)
    node, total = _totals(network, arcs, node)
    capacity[_inner_number(network, node)] = total
    return capacity


def _totals(network: Network, arcs: Arcs, key: Ints) -> tuple[Ints, NDArray[Any]]:
    """Distinct keys, ascending, and the summed capacities of the arcs that share each."""
    order = np.argsort(key, kind="stable")
    key, capacity = key[order], arcs.capacity[order]
    first = _run_starts(key)
    with np.errstate(over="ignore"):
        total = np.add.reduceat(capacity, first)
    overflows = _overflows(capacity, first, total)
    if overflows.any():
        run = int(overflows.argmax())
        chosen = order[first[run] :][: np.diff(first, append=len(key))[run]]
        _fail_at_overflow(network, _chosen(arcs, chosen))
    return key[first], total


def _run_starts(ordered: Ints) -> NDArray[np.intp]:
    return np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))


def _overflows(
    capacity: NDArray[Any], first: NDArray[np.intp], total: NDArray[Any]
) -> NDArray[np.bool_]:
    """Which runs of capacities add up to more than their dtype holds."""
    overflows: NDArray[np.bool_]
    if capacity.dtype == np.float64:
        overflows = np.isinf(total) & np.isfinite(np.maximum.reduceat(capacity, first))
    else:
        low = np.add.reduceat(capacity & 0xFFFFFFFF, first)
        overflows = np.add.reduceat(capacity >> 32, first) + (low >> 32) > INT64_MAX >> 32
    return overflows


def _fail_at_overflow(network: Network, arcs: Arcs) -> None:
    limit = INT64_MAX if arcs.capacity.dtype == np.int64 else np.finfo(np.float64).max
    sums = itertools.accumulate(arcs.capacity.tolist())
    over = (line for line, total in zip(arcs.line, sums, strict=True) if total > limit)
    # Floats summed in another order may just fit.
    line = next(over, arcs.line[-1])
    network.fail(f"the capacities of parallel arcs add up beyond {arcs.capacity.dtype}", line)
