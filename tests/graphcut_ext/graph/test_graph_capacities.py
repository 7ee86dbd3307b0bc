"""gx.Graph with infinite and huge capacities, and with sums that need more than their dtype."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import chain

import graphcut_ext as gx

INF = float("inf")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinite_capacities_come_and_go(dtype):
    graph = chain(dtype)
    graph.set_capacities([0, 1], INF)
    graph.set_terminals([0, 2], source=[INF, 0], sink=[0, 4])
    assert graph.solve() == 4
    assert graph.source_side.tolist() == [True, True, True]
    assert graph.flow.tolist() == [4, 4]  # known although both residuals are infinite
    assert [r.tolist() for r in graph.residual] == [[INF, INF], [INF, INF]]
    graph.set_capacities(1, 3)
    assert graph.solve() == 3
    assert graph.flow.tolist() == [3, 3]
    graph.set_capacities(0, 2)
    assert graph.solve() == 2
    graph.set_terminals(0, source=1)
    assert graph.solve() == 1
    assert graph.source_side.tolist() == [False, False, False]
    assert graph.reused


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_infinite_terminals_leave_of_finite_ones(dtype):
    """Where terminals elsewhere are infinite, the first solve moves no more than fits the edges."""
    graph = gx.Graph(dtype)
    graph.add_nodes(5)
    graph.add_edges([1, 0], [0, 4], [1, 0], [0, 0])
    graph.set_terminals(range(5), [0, 8, 0, np.inf, 0], [0, 0, np.inf, 0, 0])
    assert graph.solve() == 0
    graph.set_terminals(range(5), [0, 8, 0, 0, 0], [0, 0, 0, 0, 2])
    graph.set_capacities([0, 1], [2, 2], [0, 0])
    assert graph.solve() == 2
    assert graph.source_side.tolist() == [False, True, False, False, False]


def test_a_path_of_infinite_capacity_is_refused_and_can_be_mended():
    graph = chain()
    graph.solve()
    graph.set_capacities([0, 1], INF)
    graph.set_terminals([0, 2], source=[INF, 0], sink=[0, INF])
    for reuse in (True, False, True):
        with pytest.raises(ValueError, match=r"enters at node 0 .* leaves at node 2"):
            graph.solve(reuse=reuse)
        with pytest.raises(RuntimeError, match="value is not known"):
            _ = graph.value
    graph.set_capacities(0, 6)
    assert graph.solve() == 6
    assert graph.source_side.tolist() == [True, False, False]
    graph.add_terminals(0, sink=INF)
    with pytest.raises(ValueError, match=r"enters at node 0 .* leaves at node 0"):
        graph.solve()
    graph.set_terminals(0, source=0)
    assert graph.solve() == 0
    assert not graph.source_side.any()


def test_huge_capacities_leave_no_trace():
    """Values of 1e20 would round all others away, had flows not been kept apart from them."""
    graph = chain()
    graph.set_terminals([0, 1, 2], [0.5, 0, 0], [0, 0, 0.75])
    assert graph.solve() == 0.5
    for huge in (1e20, 1e300):
        graph.set_capacities([0, 1], huge)
        graph.set_terminals(0, source=huge)
        assert graph.solve() == 0.75
        graph.set_capacities([0, 1], [0.25, 0.125])
        assert graph.solve() == 0.125
        graph.set_terminals(0, source=0.0625)
        assert graph.solve() == 0.0625
        assert graph.flow.tolist() == [0.0625, 0.0625]
        assert graph.reused


@pytest.mark.parametrize("huge", [1e20, 1e300])
def test_huge_flows_leave_no_trace(huge):
    """Flows that have rounded others away are not gone on from."""
    graph = chain()
    graph.set_capacities([0, 1], huge)
    graph.set_terminals([0, 1, 2], [huge, 0.3, 0], [0, 0.1, huge])
    graph.solve()
    graph.set_capacities(1, 1)
    graph.set_terminals(0, 0.5)
    assert graph.solve() == 0.5 + 0.3
    assert not graph.reused
    assert not graph.source_side.any()
    assert graph.flow.tolist() == [0.5, 0.5 + (0.3 - 0.1)]


def test_float32_capacities_whose_sums_need_more():
    """The largest residual of an edge is beyond float32."""
    graph = gx.Graph(np.float32)
    graph.add_nodes(2)
    graph.add_edges(0, 1, 3e38)
    graph.set_terminals([0, 1], [2e38, 0], [0, 3.4e38])
    assert graph.solve() == float(np.float32(2e38))
    assert graph.residual[1].tolist() == [float(np.float32(3e38)) + float(np.float32(2e38))]


def test_int64_is_exact_beyond_double():
    big = 2**60 + 1
    graph = chain(np.int64)
    graph.set_capacities([0, 1], big)
    graph.set_terminals([0, 2], source=[2**62, 0], sink=[0, 2**62])
    assert graph.solve() == big
    graph.set_capacities(0, big - 2)
    assert graph.solve() == big - 2
    graph.set_capacities(1, 3, 2)
    assert graph.solve() == 3


def test_int64_flows_that_meet_beyond_int64():
    """Two flows of 2^62 pass through a node that then keeps nothing of them."""
    graph = gx.Graph(np.int64)
    graph.add_nodes(5)
    edges = graph.add_edges([0, 1, 2, 2], [2, 2, 3, 4], 2**62, 0)
    terminals = [2**61, 2**61, 0, 0, 0], [0, 0, 0, 2**61, 2**61]
    graph.set_terminals(graph.nodes, *terminals)
    assert graph.solve() == 2**62
    graph.set_capacities(edges[2:], 0)
    assert graph.solve() == 0
    graph.set_capacities(edges, 2**61)
    assert graph.solve() == 2**62
