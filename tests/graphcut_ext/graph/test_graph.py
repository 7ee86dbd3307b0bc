"""gx.Graph: values, labels and flows against independent answers, before and after changes."""

from __future__ import annotations

import copy
import pickle
import threading
import time

import numpy as np
import pytest
import torch
from oracles import Problem, brute_force, scipy_mincut

import graphcut_ext as gx

DTYPES = [np.float32, np.float64, np.int32, np.int64]
INF = float("inf")


def chain(dtype: type = np.float64) -> gx.Graph:
    """Source -5-> 0 -3-> 1 -1-> 2 -4-> sink, edges both ways."""
    graph = gx.Graph(dtype)
    nodes = graph.add_nodes(3)
    graph.add_edges(nodes[:-1], nodes[1:], [3, 1])
    graph.set_terminals(nodes, source=[5, 0, 0], sink=[0, 0, 4])
    return graph


def problem_of(graph: gx.Graph, dtype: type = np.int64) -> Problem:
    parts = graph.capacity, graph.reverse_capacity, graph.source, graph.sink
    return Problem(graph.edge_index, *(part.astype(dtype) for part in parts))


def assert_solved_as_scipy(graph: gx.Graph) -> None:
    value, side = scipy_mincut(problem_of(graph))
    assert graph.solve() == value == graph.value
    assert graph.source_side.ravel().tolist() == side.tolist()


def random_graph(rng: np.random.Generator, nodes: int, edges: int, dtype: type) -> gx.Graph:
    graph = gx.Graph(dtype)
    graph.add_nodes(nodes)
    graph.add_edges(*rng.integers(0, nodes, (2, edges)), *rng.integers(0, 9, (2, edges)))
    terminals = rng.integers(0, 18, (2, nodes)) * (rng.random((2, nodes)) < 0.5)
    graph.set_terminals(graph.nodes, *terminals)
    return graph


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_chain_by_hand(dtype):
    graph = chain(dtype)
    value = graph.solve()
    assert value == 1
    assert type(value) is (float if np.dtype(dtype).kind == "f" else int)
    assert graph.source_side.tolist() == [True, True, False]
    assert graph.flow.tolist() == [1, 1]
    assert graph.flow.dtype == dtype
    forward, backward = graph.residual
    assert forward.tolist() == [2, 0]
    assert backward.tolist() == [4, 2]
    assert graph.cut_edges.tolist() == [1]
    assert not graph.reused
    assert (graph.num_nodes, graph.num_edges, graph.dtype) == (3, 2, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_against_brute_force(dtype):
    rng = np.random.default_rng(0)
    for _ in range(60):
        nodes = int(rng.integers(1, 9))
        graph = random_graph(rng, nodes, int(rng.integers(0, 20)), dtype)
        value, side = brute_force(problem_of(graph))
        assert graph.solve() == value
        assert graph.source_side.tolist() == side.tolist()


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_kind_of_change_after_a_solve(dtype):
    graph = chain(dtype)
    graph.solve()
    changes = [
        (lambda: graph.set_capacities(1, 2), 2, [True, True, False]),
        (lambda: graph.set_capacities(1, 9), 3, [True, False, False]),
        (lambda: graph.set_terminals(0, source=2), 2, [False, False, False]),
        (lambda: graph.add_terminals([1, 1], source=[1, 2]), 4, [True, True, True]),
        (lambda: graph.set_capacities(1, 0, 7), 0, [True, True, False]),
        (lambda: graph.set_terminals(2, source=6), 4, [True, True, True]),
        (lambda: graph.set_terminals([0, 1, 2], 0, 0), 0, [False, False, False]),
        (lambda: graph.set_terminals([2, 0], [4, 0], [0, 9]), 3, [False, True, True]),
    ]
    for change, value, side in changes:
        change()
        assert graph.solve() == value
        assert graph.source_side.tolist() == side
        assert graph.reused


def test_repeated_numbers():
    """Added capacities add up; of capacities that are set the last one counts."""
    graph = chain()
    graph.add_terminals([0, 0, 2], source=1, sink=[1, 2, 3])
    assert graph.source.tolist() == [7, 0, 1]
    assert graph.sink.tolist() == [3, 0, 7]
    graph.set_terminals([0, 0], source=[8, 9])
    assert graph.source.tolist() == [9, 0, 1]
    assert graph.sink.tolist() == [3, 0, 7]
    graph.set_capacities([1, 1], [8, 6], [7, 5])
    assert graph.capacity.tolist() == [3, 6]
    assert graph.reverse_capacity.tolist() == [3, 5]
    assert_solved_as_scipy(graph)


def test_scalars_and_shapes_broadcast():
    graph = gx.Graph(np.int32)
    nodes = graph.add_nodes(6).reshape(2, 3)
    edges = graph.add_edges(nodes[:, :-1], nodes[:, 1:], [[1], [2]], 0)
    assert edges.tolist() == [[0, 1], [2, 3]]
    assert graph.edge_index.tolist() == [[0, 1, 3, 4], [1, 2, 4, 5]]
    assert graph.capacity.tolist() == [1, 1, 2, 2]
    assert graph.reverse_capacity.tolist() == [0] * 4
    star = graph.add_edges(0, nodes[1], 7)
    assert star.tolist() == [4, 5, 6]
    assert graph.edge_index[:, 4:].tolist() == [[0, 0, 0], [3, 4, 5]]
    assert graph.reverse_capacity[4:].tolist() == [7] * 3
    graph.add_terminals(nodes, source=[1, 2, 3])
    assert graph.source.tolist() == [1, 2, 3, 1, 2, 3]
    assert graph.sink.tolist() == [0] * 6
    assert graph.add_edges([], [], []).shape == (0,)
    assert graph.add_nodes(0).shape == (0,)


def test_nothing_to_cut():
    graph = gx.Graph()
    assert graph.solve() == 0
    assert graph.source_side.shape == graph.flow.shape == graph.cut_edges.shape == (0,)
    graph.add_nodes(2)
    graph.add_edges([0, 1], [0, 1], 5)  # self-loops
    graph.set_terminals(0, 3, 2)
    assert graph.solve() == 2
    assert graph.source_side.tolist() == [True, False]
    assert graph.flow.tolist() == [0, 0]
    assert [r.tolist() for r in graph.residual] == [[5, 5], [5, 5]]
    graph.set_capacities(0, 1, 2)
    assert graph.solve() == 2
    assert [r.tolist() for r in graph.residual] == [[1, 5], [2, 5]]


def test_edges_and_nodes_after_a_solve():
    graph = chain()
    graph.solve()
    new = graph.add_nodes(2)
    assert new.tolist() == [3, 4]
    assert graph.add_edges([0, 3], [3, 2], [9, 2]).tolist() == [2, 3]
    assert_solved_as_scipy(graph)
    assert graph.value == 3
    assert not graph.reused
    graph.set_capacities(3, 1)
    assert graph.solve() == 2
    assert graph.reused


def test_cut_edges_are_those_that_are_paid():
    """Edges 0 -> 1 and 3 -> 1 lead out of the source side, 1 -> 0 back into it."""
    graph = gx.Graph()
    graph.add_nodes(4)
    graph.add_edges([0, 1, 1, 0], [1, 0, 3, 3], [2, 5, 0, 9], [0, 0, 4, 9])
    graph.set_terminals([0, 1], [50, 0], [0, 50])
    assert graph.solve() == 6
    assert graph.source_side.tolist() == [True, False, False, True]
    assert graph.cut_edges.tolist() == [0, 2]


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_reuse_on_request(dtype):
    graph = random_graph(np.random.default_rng(1), 40, 120, dtype)
    first = graph.solve()
    assert graph.solve() == first
    assert graph.reused
    assert graph.solve(reuse=False) == first
    assert not graph.reused


def test_results_are_not_known_before_a_solve_or_after_a_change():
    def refused(graph: gx.Graph) -> None:
        for name in ("value", "source_side", "flow", "residual", "cut_edges", "reused"):
            with pytest.raises(RuntimeError, match=rf"{name} is not known: call solve\(\)"):
                getattr(graph, name)

    graph = chain()
    refused(graph)
    for change in (
        lambda: graph.add_nodes(1),
        lambda: graph.add_edges(0, 2, 1),
        lambda: graph.add_terminals(0, 1),
        lambda: graph.set_terminals(0, 1),
        lambda: graph.set_capacities(0, 1),
    ):
        graph.solve()
        assert graph.flow is not None
        change()
        refused(graph)


def test_results_are_copies():
    graph = chain()
    graph.solve()
    for name in ("source_side", "flow", "cut_edges", "capacity", "source", "edge_index", "nodes"):
        before = getattr(graph, name).tolist()
        getattr(graph, name)[:] = 1
        assert getattr(graph, name).tolist() == before


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


@pytest.mark.parametrize("dtype", DTYPES)
def test_equals_maxflow_to_the_bit(dtype):
    rng = np.random.default_rng(2)
    graph = random_graph(rng, 300, 1500, dtype)
    if np.dtype(dtype).kind == "f":
        graph.set_capacities(np.arange(1500), rng.random(1500))
    graph.solve()
    cut = gx.maxflow(
        *map(torch.from_numpy, (graph.edge_index, graph.capacity, graph.source, graph.sink)),
        reverse_capacity=torch.from_numpy(graph.reverse_capacity),
    )
    assert graph.value == cut.value.item()
    assert graph.source_side.tolist() == cut.source_side.tolist()


def test_many_small_changes_of_real_capacities_do_not_add_up():
    rng = np.random.default_rng(3)
    graph = gx.Graph.grid((12, 12), rng.random((4, 12, 12)), connectivity=8, dtype=np.float32)
    reused = 0
    for _ in range(300):
        nodes = rng.integers(0, 144, 20)
        graph.set_terminals(nodes, 3 * rng.random(20), 3 * rng.random(20))
        edges = rng.integers(0, graph.num_edges, 20)
        graph.set_capacities(edges, rng.random(20), rng.random(20))
        graph.solve()
        reused += graph.reused
        afresh = graph.copy()
        afresh.solve(reuse=False)
        assert graph.value == pytest.approx(afresh.value, rel=1e-12)
        cost = problem_of(graph, np.float64).cost(graph.source_side.ravel())
        assert graph.value == pytest.approx(cost, rel=1e-12)
    assert reused == 299


@pytest.mark.parametrize("duplicate", [gx.Graph.copy, copy.copy, copy.deepcopy])
def test_copies_are_independent_and_keep_results(duplicate):
    graph = random_graph(np.random.default_rng(4), 30, 90, np.int32)
    value = graph.solve()
    flow = graph.flow.tolist()
    twin = duplicate(graph)
    graph.set_terminals(graph.nodes, 0, 0)
    assert graph.solve() == 0
    del graph
    assert twin.value == value
    assert twin.flow.tolist() == flow
    twin.set_terminals([0, 1], 30, 2)
    assert_solved_as_scipy(twin)
    assert twin.reused


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(dtype, protocol):
    graph = random_graph(np.random.default_rng(5), 30, 90, dtype)
    graph.solve()
    loaded = pickle.loads(pickle.dumps(graph, protocol))
    assert loaded.dtype == dtype
    with pytest.raises(RuntimeError, match="call solve"):
        _ = loaded.value
    assert loaded.solve() == graph.value
    assert loaded.source_side.tolist() == graph.source_side.tolist()
    assert loaded.flow.tolist() == graph.flow.tolist()


def test_pickles_of_grids():
    graph = gx.Graph.grid((3, 4, 2), 2, 1, connectivity=18, periodic=(True, False, False))
    loaded = pickle.loads(pickle.dumps(graph))
    assert loaded.nodes.tolist() == graph.nodes.tolist()
    assert loaded.grid_edges.tolist() == graph.grid_edges.tolist()
    assert loaded.edge_index.tolist() == graph.edge_index.tolist()
    assert loaded.reverse_capacity.tolist() == graph.reverse_capacity.tolist()


def test_repr():
    graph = chain()
    assert repr(graph) == "Graph(float64, 3 nodes, 2 edges, not solved)"
    graph.solve()
    assert repr(graph) == "Graph(float64, 3 nodes, 2 edges, value 1)"
    grid = gx.Graph.grid((2, 3), 1, dtype=np.int32)
    assert repr(grid) == "Graph(int32, 6 nodes, 7 edges, grid of 2 x 3, not solved)"


def test_threads_share_a_graph():
    """Changes and solves wait for each other, and none is lost."""
    graph = gx.Graph.grid((60, 60), 1, dtype=np.int64)
    graph.set_terminals(graph.nodes[0], source=9)

    def work(row: int) -> None:
        for node in graph.nodes[row]:
            graph.add_terminals(node, sink=1)
            graph.solve()

    threads = [threading.Thread(target=work, args=(row,)) for row in (20, 30, 40, 59)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert graph.sink.sum() == 4 * 60
    assert_solved_as_scipy(graph)


def test_results_are_read_while_nodes_are_added():
    """They are those of a solve, whole, or are said not to be known."""
    graph = gx.Graph()
    graph.add_nodes(3)
    graph.add_edges([0, 1], [1, 2], 1)
    wrong, done = [], threading.Event()

    def read() -> None:
        while not done.is_set():
            for name in ("source_side", "sink_side", "flow", "residual"):
                try:
                    getattr(graph, name)
                except RuntimeError as error:
                    if f"{name} is not known" not in str(error):
                        wrong.append(error)
                except Exception as error:
                    wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        graph.solve()
        node = graph.add_nodes(1)
        graph.add_edges(0, node, 1)
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_masks_of_nodes():
    graph = gx.Graph.grid((3, 4), 2)
    scribble = np.zeros((3, 4), dtype=bool)
    scribble[0, 1:3] = scribble[2, 0] = True
    graph.set_terminals(scribble, source=[3, 4, 5], sink=1)
    expected = np.zeros((3, 4))
    expected[0, 1], expected[0, 2], expected[2, 0] = 3, 4, 5
    assert graph.source.tolist() == expected.ravel().tolist()
    assert graph.sink.tolist() == scribble.ravel().tolist()
    graph.add_terminals(scribble, source=1)
    assert graph.source.sum() == 3 + 4 + 5 + 3
    graph.set_terminals(np.zeros((3, 4), dtype=bool), source=7)  # marks nothing
    assert graph.source.sum() == 3 + 4 + 5 + 3
    flat = gx.Graph()
    flat.add_nodes(3)
    flat.set_terminals([True, False, True], sink=[2, 3])
    assert flat.sink.tolist() == [2, 0, 3]


def test_a_subclass_keeps_its_attributes_in_pickles():
    graph = Named()
    graph.name = "seam"
    graph.add_nodes(2)
    again = pickle.loads(pickle.dumps(graph))
    assert type(again) is Named
    assert again.name == graph.copy().name == "seam"
    assert again.num_nodes == 2


class Named(gx.Graph):
    """A graph with an attribute of its own."""

    name = ""


def test_largest_and_smallest_source_set():
    """Between them lie the nodes that no minimum cut decides."""
    graph = gx.Graph()
    nodes = graph.add_nodes(4)
    graph.add_edges(nodes[:-1], nodes[1:], [1, 5, 1])
    graph.set_terminals(nodes, source=[9, 0, 0, 0], sink=[0, 0, 0, 9])
    assert graph.solve() == 1
    assert graph.source_side.tolist() == [True, False, False, False]
    assert (~graph.sink_side).tolist() == [True, True, True, False]
    grid = gx.Graph.grid((2, 2), 1)
    grid.set_terminals(grid.nodes[0, 0], sink=1)
    grid.solve()
    assert grid.sink_side.tolist() == [[True, True], [True, True]]


def test_solve_releases_the_gil():
    """Another thread runs Python code while a graph is solved."""
    rng = np.random.default_rng(6)
    graph = gx.Graph.grid((400, 400), rng.random((4, 400, 400)), connectivity=8)
    graph.set_terminals(graph.nodes, rng.random((400, 400)), rng.random((400, 400)))
    taken = []

    def solve() -> None:
        start = time.perf_counter()
        graph.solve()
        taken.append(time.perf_counter() - start)

    thread = threading.Thread(target=solve)
    thread.start()
    turns = [time.perf_counter()]
    while not taken:
        turns.append(time.perf_counter())
    thread.join()
    assert np.diff(turns).max() < taken[0] / 2
