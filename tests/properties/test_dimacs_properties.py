"""Properties of reading and writing DIMACS files, over random networks and random damage."""

from __future__ import annotations

import gzip
import io
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

import graphcut_ext as gx

TOP = 2**53
WHOLE = st.integers(0, 20)
REAL = st.floats(0, allow_nan=False) | st.integers(0, TOP).map(float)


@st.composite
def networks(draw, max_nodes: int = 9, max_arcs: int = 40, capacities=WHOLE):
    """Nodes, source, sink and arcs (tail, head, capacity): any arc between any two nodes."""
    nodes = draw(st.integers(2, max_nodes))
    source, sink = draw(st.permutations(range(1, nodes + 1)))[:2]
    node = st.integers(1, nodes)
    arcs = draw(st.lists(st.tuples(node, node, capacities), max_size=max_arcs))
    return nodes, source, sink, arcs


@st.composite
def problems(draw, capacities=REAL, dtype=np.float64) -> gx.FlowProblem:
    """Repeated edges, self-loops, no order."""
    nodes, edges = draw(st.integers(0, 6)), draw(st.integers(0, 12))
    edges = edges if nodes else 0

    def tensor(size: int) -> torch.Tensor:
        return torch.from_numpy(draw(hnp.arrays(dtype, size, elements=capacities)))

    ends = draw(hnp.arrays(np.int64, (2, edges), elements=st.integers(0, max(nodes - 1, 0))))
    terminals = st.permutations(range(1, nodes + 3)).map(lambda order: tuple(order[:2]))
    return gx.FlowProblem(
        torch.from_numpy(ends),
        tensor(edges),
        tensor(edges),
        tensor(nodes),
        tensor(nodes),
        draw(capacities),
        draw(terminals | st.none()),
    )


def text(nodes, source, sink, arcs) -> bytes:
    head = f"p max {nodes} {len(arcs)}\nn {source} s\nn {sink} t\n"
    return (head + "".join(f"a {u} {v} {c}\n" for u, v, c in arcs)).encode()


def read(content: bytes) -> gx.FlowProblem:
    return gx.read_dimacs(io.BytesIO(content))


def written(problem: gx.FlowProblem) -> bytes:
    file = io.BytesIO()
    gx.write_dimacs(file, problem)
    return file.getvalue()


def plain(problem: gx.FlowProblem) -> list[object]:
    return [p.tolist() if isinstance(p, torch.Tensor) else p for p in problem]


def outcome(content: bytes) -> list[object] | str:
    """What is read, or why nothing is."""
    try:
        return plain(read(content))
    except ValueError as error:
        return str(error)


@given(networks(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_value_and_cut_are_those_of_all_arcs_of_the_file(network, packed):
    nodes, source, sink, arcs = network
    dense = np.zeros((nodes, nodes), dtype=np.int32)
    for tail, head, capacity in arcs:
        dense[tail - 1, head - 1] += capacity
    content = text(*network)
    problem = read(gzip.compress(content) if packed else content)
    cut = problem.cut()
    np.fill_diagonal(dense, 0)
    expected = maximum_flow(csr_array(dense), source - 1, sink - 1).flow_value
    assert cut.value.item() == expected
    side = np.zeros(nodes + 1, dtype=bool)
    side[problem.numbers()] = cut.source_side
    side[source] = True
    assert sum(c for u, v, c in arcs if side[u] and not side[v]) == expected


@given(networks(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_integer_arcs_does_not_matter(network, random):
    nodes, source, sink, arcs = network
    shuffled = arcs.copy()
    random.shuffle(shuffled)
    assert outcome(text(*network)) == outcome(text(nodes, source, sink, shuffled))


@given(networks(capacities=REAL))
@settings(max_examples=150, deadline=None)
def test_what_was_read_is_written_and_read_without_a_change(network):
    found = outcome(text(*network))
    if isinstance(found, str):
        assert "add up beyond float64" in found
        return
    problem = read(text(*network))
    again = read(written(problem))
    assert plain(again) == plain(problem)
    assert written(again) == written(problem)


@given(problems(WHOLE, np.int64) | problems(st.integers(0, TOP).map(float)))
@settings(max_examples=150, deadline=None)
def test_a_written_problem_keeps_its_minimum_cut(problem):
    again = read(written(problem))
    assert again.terminals == (problem.terminals or (1, len(problem.source) + 2))
    before, after = problem.cut(), again.cut()
    assert after.value.item() == before.value.item()
    assert after.source_side.tolist() == before.source_side.tolist()


@given(problems(REAL))
@settings(max_examples=60, deadline=None)
def test_terminal_capacities_are_written_with_all_digits(problem):
    alone = problem._replace(
        edge_index=problem.edge_index[:, :0],
        capacity=problem.capacity[:0],
        reverse_capacity=problem.reverse_capacity[:0],
    )
    again = read(written(alone))
    assert (again.source.tolist(), again.sink.tolist(), again.direct) == (
        alone.source.tolist(),
        alone.sink.tolist(),
        alone.direct,
    )


CAPACITIES = WHOLE | REAL | st.sampled_from(["inf", "1e3", "+7", "-0", ".5", 2**63 - 1, 2**63])
DAMAGE = st.lists(
    st.tuples(st.integers(0, 10**6), st.integers(0, 2), st.binary(max_size=3)), max_size=4
)


def damaged(content: bytes, damage: list[tuple[int, int, bytes]]) -> bytes:
    for at, removed, inserted in damage:
        at %= len(content) + 1
        content = content[:at] + inserted + content[at + removed :]
    return content


@given(networks(capacities=CAPACITIES), DAMAGE, st.booleans())
@settings(max_examples=250, deadline=None)
def test_damaged_files_are_read_or_refused_with_a_line_number(network, damage, packed):
    content = text(*network)
    found = outcome(damaged(gzip.compress(content) if packed else content, damage))
    if isinstance(found, str):
        assert found.startswith("<file>, line ")


@given(
    networks(capacities=CAPACITIES),
    st.lists(
        st.tuples(
            st.integers(0, 10**6), st.integers(0, 2), st.sampled_from(list("0195.-+en ac\n\r\tst"))
        ).map(lambda d: (d[0], d[1], d[2].encode())),
        max_size=3,
    ),
)
@settings(max_examples=250, deadline=None)
def test_blocks_and_single_lines_are_understood_alike(network, damage):
    content = damaged(text(*network), damage)
    at_once = outcome(content)
    with mock.patch("graphcut_ext._dimacs.text.BLOCK", 16):
        in_pieces = outcome(content)
    with mock.patch("graphcut_ext._dimacs.text.parse_arcs", return_value=None):
        by_line = outcome(content)
    assert at_once == in_pieces == by_line


@pytest.mark.parametrize("packed", [False, True])
@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_junk_is_refused(packed, junk):
    found = outcome(gzip.compress(junk) if packed else junk)
    assert isinstance(found, str)
