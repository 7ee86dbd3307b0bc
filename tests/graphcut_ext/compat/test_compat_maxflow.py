"""compat.maxflow against PyMaxflow: the same calls, values, segments, counts and residuals."""

from __future__ import annotations

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networkx.utils import graphs_equal

import graphcut_ext.compat.maxflow as ours

theirs = pytest.importorskip("maxflow")
KINDS = ("GraphInt", "GraphFloat")


class Both:
    """One graph of each library, given the same calls."""

    def __init__(self, kind="GraphInt"):
        self.graphs = [getattr(library, kind)() for library in (ours, theirs)]

    def __getattr__(self, method):
        def call(*args, **kwargs):
            found, expected = (getattr(g, method)(*args, **kwargs) for g in self.graphs)
            if isinstance(expected, np.ndarray):
                assert found.dtype == expected.dtype
                assert found.shape == expected.shape
                assert (found == expected).all()
            elif isinstance(expected, networkx.DiGraph):
                assert graphs_equal(found, expected)
            elif isinstance(expected, int | float):
                assert type(found) is type(expected)
                assert found == expected
            return found

        return call

    def solve(self, reuse_trees=False):
        """Solve both; PyMaxflow afresh, as it crashes on some graphs where it is to go on."""
        found, expected = self.graphs[0].maxflow(reuse_trees), self.graphs[1].maxflow()
        assert type(found) is type(expected)
        assert found == expected
        nodes = self.get_node_count()
        if nodes:
            self.get_grid_segments(np.arange(nodes))
        for node in range(nodes):
            self.get_segment(node)

    def copied(self):
        """Return a copy beside PyMaxflow's own graph: it crashes on copies of solved ones."""
        twin = Both()
        twin.graphs = [self.graphs[0].copy(), self.graphs[1]]
        return twin


def changes(data, both, reuse):
    """Draw a change of the graphs; nodes are marked where trees are to be reused."""
    small = st.integers(0, 3)  # so that ties are the rule
    nodes = both.get_node_count()
    node = st.integers(-1, nodes - 1)
    kind = data.draw(st.sampled_from(["edge", "edges", "tedge", "tedges"]))
    if kind == "edge":
        ends = data.draw(st.tuples(node, node))
        both.add_edge(*ends, data.draw(small), data.draw(small))
    elif kind == "edges":
        count = data.draw(st.integers(0, 4))
        lists = [data.draw(st.lists(x, min_size=count, max_size=count)) for x in (node, node)]
        caps = [data.draw(st.lists(small, min_size=count, max_size=count)) for _ in range(2)]
        i, j = (np.array(x, dtype=np.int64) for x in lists)
        both.add_edges(i, j, *(np.array(c, dtype=np.int64) for c in caps))
        ends = [*i, *j]
    elif kind == "tedge":
        signed = st.integers(-3, 5)
        ends = [data.draw(node)]
        both.add_tedge(ends[0], data.draw(signed), data.draw(signed))
    else:
        ends = data.draw(st.lists(node, min_size=1, max_size=5))
        signed = st.lists(st.integers(-3, 5), min_size=len(ends), max_size=len(ends))
        both.add_grid_tedges(np.array(ends), np.array(data.draw(signed)), data.draw(small))
    for end in ends:
        if reuse and end >= 0:
            both.graphs[0].mark_node(int(end))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_changing_graphs(kind, data):
    """Whatever is added in whatever order, solves between: the same values and segments."""
    both = Both(kind)
    both.add_nodes(data.draw(st.integers(1, 6)))
    for _ in range(data.draw(st.integers(0, 8))):
        changes(data, both, reuse=False)
    both.get_nx_graph()  # nothing flows yet: the capacities
    both.solve()
    for _ in range(data.draw(st.integers(0, 3))):
        reuse = data.draw(st.booleans())
        if not reuse and data.draw(st.booleans()):
            both.add_nodes(data.draw(st.integers(0, 2)))
        for _ in range(data.draw(st.integers(0, 3))):
            changes(data, both, reuse)
        both.get_grid_segments(np.arange(both.get_node_count()))  # of the last solve
        if data.draw(st.booleans()):
            both = both.copied()
        both.solve(reuse_trees=reuse)
        both.get_edge_count()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_grids(kind, data):
    """Structures, weights, periodic axes, left-out nodes, several calls on one grid."""
    both = Both(kind)
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    if data.draw(st.integers(0, 4)) == 0:
        both.add_nodes(2)  # the grid is not the first nodes then
    nodes = both.add_grid_nodes(shape)
    if data.draw(st.integers(0, 4)) == 0:
        nodes = nodes.copy()
        nodes.flat[data.draw(st.integers(0, nodes.size - 1))] = -1
    if data.draw(st.integers(0, 4)) == 0:
        nodes = nodes.T
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    for _ in range(data.draw(st.integers(1, 3))):
        axes = data.draw(st.integers(1, nodes.ndim))
        sizes = data.draw(st.sampled_from([(3,) * axes, (1,) * (axes - 1) + (5,), (3, 5)[-axes:]]))
        structure = rng.integers(0, 3, sizes)
        structure *= rng.random(sizes) < data.draw(st.sampled_from([0.2, 0.6, 1]))
        weights = data.draw(st.sampled_from(["one", "row", "all"]))
        weights = {
            "one": 2,
            "row": rng.integers(0, 3, nodes.shape[-1:]),
            "all": rng.integers(0, 3, nodes.shape),
        }[weights]
        periodic = data.draw(
            st.one_of(
                st.booleans(),
                st.lists(st.booleans(), min_size=nodes.ndim, max_size=nodes.ndim),
            )
        )
        structure = data.draw(st.sampled_from([structure, structure, None]))
        both.add_grid_edges(nodes, weights, structure, data.draw(st.booleans()), periodic)
    real = nodes[nodes >= 0]
    source, sink = rng.integers(0, 4, (2, *nodes.shape))
    both.add_grid_tedges(nodes, source, sink)
    both.get_edge_count()
    both.get_nx_graph()
    both.solve()
    if real.size:
        both.add_grid_tedges(real, 3, rng.integers(0, 5, real.shape))
        if data.draw(st.booleans()):
            both.add_grid_edges(nodes, 1, symmetric=True)
        both.solve()


@pytest.mark.parametrize("kind", KINDS)
def test_residuals_are_those_of_a_maximum_flow(kind):
    """Flows differ, but both residual graphs show the same cut, and no path is left."""
    rng = np.random.default_rng(3)
    both = Both(kind)
    nodes = both.add_grid_nodes((6, 7))
    both.add_grid_edges(nodes, rng.integers(0, 5, nodes.shape), ours.moore_structure())
    both.add_grid_tedges(nodes, *rng.integers(0, 9, (2, *nodes.shape)))
    both.solve()
    found, expected = (graph.get_nx_graph() for graph in both.graphs)
    assert not networkx.has_path(found, "s", "t")
    assert set(found) == set(expected)
    for node, attributes in expected.nodes(data=True):
        assert found.nodes[node] == attributes
    for u in nodes.ravel():  # both directions together keep their capacity
        for v in nodes.ravel():
            both_ways = [
                sum(g[a][b]["weight"] for a, b in ((u, v), (v, u)) if g.has_edge(a, b))
                for g in (found, expected)
            ]
            assert both_ways[0] == both_ways[1]
    assert all(
        type(w) is (int if kind == "GraphInt" else float) for *_, w in found.edges.data("weight")
    )


def test_residuals_after_a_change():
    """A change after a solve adds to what the flow left."""
    both = Both()
    both.add_nodes(2)
    both.add_edge(0, 1, 5, 1)
    both.add_tedge(0, 4, 0)
    both.add_tedge(1, 0, 3)
    both.maxflow()
    both.add_tedge(0, 2, 9)
    both.add_edge(0, 1, 7, 2)
    both.get_nx_graph()


@pytest.mark.parametrize("kind", KINDS)
def test_copies_go_their_own_way(kind):
    both = Both(kind)
    nodes = both.add_grid_nodes((3, 4))
    both.add_grid_edges(nodes, 2)
    both.add_grid_tedges(nodes, np.arange(12).reshape(3, 4), 6)
    twin = Both(kind)
    twin.graphs = [graph.copy() for graph in both.graphs]
    twin.add_grid_tedges(nodes[0], 30, 0)
    twin.add_grid_edges(nodes, 1)
    for graphs in (both, twin):
        graphs.get_nx_graph()
        graphs.get_edge_count()
        graphs.solve()
    with pytest.raises(TypeError, match="copy_rhs must be a GraphInt"):
        ours.GraphInt(0, 0, ours.GraphFloat())


def test_infinite_capacities():
    both = Both("GraphFloat")
    nodes = both.add_grid_nodes((2, 6))
    both.add_grid_edges(nodes, 1.5)
    both.add_grid_tedges(nodes[:, 0], np.inf, 3)
    both.add_grid_tedges(nodes[:, -1], 0, np.inf)
    both.solve()


def test_photograph():
    """Real weights on a photograph: values to rounding, the same segments."""
    from skimage import data

    image = data.camera()[::4, ::4] / 255.0
    both = Both("GraphFloat")
    values, segments = [], []
    for graph in both.graphs:
        nodes = graph.add_grid_nodes(image.shape)
        weights = 0.3 * np.exp(-np.abs(np.diff(image, axis=1, append=0)))
        graph.add_grid_edges(nodes, weights, ours.moore_structure(2), symmetric=True)
        graph.add_grid_tedges(nodes, image, 1 - image)
        values.append(graph.maxflow())
        segments.append(graph.get_grid_segments(nodes))
    assert values[0] == pytest.approx(values[1], rel=1e-12)
    assert (segments[0] == segments[1]).mean() > 0.9999
    assert 0.1 < segments[0].mean() < 0.9


def test_reset_and_names():
    both = Both()
    both.add_nodes(3)
    both.add_edge(0, 1, 1, 1)
    both.add_tedge(0, 3, 0)
    both.add_tedge(1, 0, 2)
    both.maxflow()
    both.reset()
    assert both.get_node_count() == both.get_edge_count() == both.get_node_num() == 0
    both.add_nodes(2)
    both.solve()
    assert ours.Graph == {int: ours.GraphInt, float: ours.GraphFloat}
    assert ours.__version__ == theirs.__version__
    for name in set(theirs.__all__) - {"np", "_maxflow"}:
        assert hasattr(ours, name), name
    for kind in KINDS:
        methods = {m for m in dir(getattr(theirs, kind)) if not m.startswith("_")}
        assert methods <= set(dir(getattr(ours, kind)))


@pytest.mark.parametrize("ndim", [1, 2, 3, 4])
def test_structures(ndim):
    for directed in (False, True):
        found, expected = (m.vonNeumann_structure(ndim, directed) for m in (ours, theirs))
        assert (found == expected).all()
    assert (ours.moore_structure(ndim) == theirs.moore_structure(ndim)).all()
    half = ours.moore_structure(ndim, directed=True)  # PyMaxflow's raises
    other = half[(slice(None, None, -1),) * ndim]
    centre = np.zeros_like(half)
    centre[(1,) * ndim] = 1
    assert (half + other + centre == 1).all()
    assert half.reshape(-1)[: half.size // 2].sum() == 0


BAD = {
    "negative node": (lambda g: g.add_edge(-2, 0, 1, 1), IndexError, "i is -2"),
    "node": (lambda g: g.add_edge(0, 3, 1, 1), IndexError, "j is 3, but the graph has 3 nodes"),
    "nodes": (
        lambda g: g.add_edges([0, 5], [1, 1], [1, 1], [1, 1]),
        IndexError,
        "i is 5 at entry 1",
    ),
    "segment": (lambda g: g.get_segment(-1), IndexError, "i is -1"),
    "segments": (lambda g: g.get_grid_segments([0, 9]), IndexError, "nodeids is 9 at entry 1"),
    "mark": (lambda g: g.mark_node(3), IndexError, "i is 3"),
    "capacity": (lambda g: g.add_edge(0, 1, -1, 1), ValueError, r"capacity is -1(\.0)?, negative"),
    "reverse": (lambda g: g.add_edges([0], [1], [1], [-2]), ValueError, "rev_capacity is -2"),
    "sizes": (lambda g: g.add_edges([0, 1], [1, 2], [1], [1]), ValueError, "the same size"),
    "weights": (
        lambda g: g.add_grid_edges(np.arange(3), [1, -4, 1]),
        ValueError,
        r"weights is -4(\.0)? at",
    ),
    "weights shape": (
        lambda g: g.add_grid_edges(np.arange(3), [1, 4]),
        ValueError,
        "weights of shape",
    ),
    "even": (lambda g: g.add_grid_edges(np.arange(3), 1, [1, 1]), ValueError, "must be odd"),
    "axes": (
        lambda g: g.add_grid_edges(np.arange(3), 1, np.ones((3, 3))),
        ValueError,
        "structure has",
    ),
    "periodic": (
        lambda g: g.add_grid_edges(np.arange(3), 1, periodic=[0, 1]),
        ValueError,
        "periodic",
    ),
    "terminals": (
        lambda g: g.add_grid_tedges(np.arange(3), [1, 2], 1),
        ValueError,
        "sourcecaps of",
    ),
    "NaN": (lambda g: g.add_tedge(0, float("nan"), 1), ValueError, "cap_source is nan"),
    "NaN edge": (lambda g: g.add_edge(0, 1, float("nan"), 1), ValueError, "capacity is nan"),
    "count": (lambda g: g.add_nodes(-1), ValueError, "num_nodes is -1"),
    "float node": (lambda g: g.add_edges([0.0], [1], [1], [1]), TypeError, "i must hold integers"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("kind", KINDS)
def test_bad_input(kind, case):
    """An error that names the argument; the graph stays as it was."""
    call, error, message = BAD[case]
    graph = getattr(ours, kind)()
    graph.add_nodes(3)
    graph.add_edge(0, 1, 2, 2)
    graph.add_grid_tedges(np.arange(3), [3, 0, 0], [0, 2, 0])
    with pytest.raises(error, match=message):
        call(graph)
    assert graph.get_edge_count() == 2
    assert graph.maxflow() == 2
    assert graph.get_grid_segments(np.arange(3)).tolist() == [False, False, False]


def test_integers_are_never_truncated():
    graph = ours.GraphInt()
    graph.add_nodes(2)
    with pytest.raises(ValueError, match=r"capacity is 0\.7, no integer"):
        graph.add_edge(0, 1, 0.7, 1)
    with pytest.raises(ValueError, match=r"sourcecaps is 1\.5 at entry 1, no integer"):
        graph.add_grid_tedges(np.arange(2), [1, 1.5], 0)
    with pytest.raises(ValueError, match="out of range"):
        graph.add_edge(0, 1, 2**63, 1)
    with pytest.raises(ValueError, match="out of range"):
        graph.add_tedge(0, 2**62, 0)
    graph.add_edge(0, 1, 2.0, 1)  # as structures of floats are
    graph.add_tedge(0, 5, 0)
    graph.add_tedge(1, 0, 2**61)
    assert graph.maxflow() == 2


def test_infinite_from_both_sides():
    graph = ours.GraphFloat()
    graph.add_nodes(2)
    graph.add_tedge(1, np.inf, 0)
    for add in (graph.add_tedge, graph.add_grid_tedges):
        with pytest.raises(ValueError, match="both terminal capacities of node 1 are infinite"):
            add(1, 0, np.inf)
        with pytest.raises(ValueError, match="a terminal capacity of node 0 is -inf"):
            add(0, -np.inf, 0)
    assert graph.maxflow() == 0


def test_trees_may_be_reused_at_once_and_without_marks():
    """PyMaxflow ends the process at the first, and is wrong at the second."""
    graph = ours.GraphInt()
    nodes = graph.add_nodes(2)
    graph.add_edge(0, 1, 3, 0)
    graph.add_grid_tedges(nodes, [2, 0], [0, 9])
    assert graph.maxflow(reuse_trees=True) == 2
    graph.add_tedge(0, 9, 0)
    assert graph.maxflow(reuse_trees=True) == 3
    assert graph.get_grid_segments(nodes).tolist() == [False, True]
