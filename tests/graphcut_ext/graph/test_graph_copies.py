"""Copies and pickles of gx.Graph."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from graphs import DTYPES, assert_solved_as_scipy, random_graph

import graphcut_ext as gx


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
