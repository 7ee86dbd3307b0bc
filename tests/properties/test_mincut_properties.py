"""Properties every minimum cut has, over random graphs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from oracles import Problem, brute_force, scipy_mincut

import graphcut_ext as gx
from graphcut_ext import SOLVERS

DTYPES = st.sampled_from([torch.float32, torch.float64, torch.int32, torch.int64])


@st.composite
def problems(draw, max_nodes: int = 60, max_edges: int = 150, top: int = 20) -> Problem:
    """Repeated edges, self-loops, zero capacities, isolated nodes and many ties."""
    n = draw(st.integers(1, max_nodes))
    m = draw(st.integers(0, max_edges))

    def ints(size, high):
        return draw(hnp.arrays(np.int64, size, elements=st.integers(0, high)))

    edge_index = draw(hnp.arrays(np.int64, (2, m), elements=st.integers(0, n - 1)))
    return Problem(edge_index, ints(m, top), ints(m, top), ints(n, 2 * top), ints(n, 2 * top))


def solve(p: Problem, dtype: torch.dtype = torch.float64) -> tuple[float, np.ndarray]:
    """Value and source set, on which all solvers agree."""

    def tensor(a: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(a).to(dtype)

    cuts = [
        gx.maxflow(
            torch.as_tensor(p.edge_index),
            tensor(p.capacity),
            tensor(p.source),
            tensor(p.sink),
            reverse_capacity=tensor(p.reverse),
            solver=solver,
        )
        for solver in SOLVERS
    ]
    for solver, cut in zip(SOLVERS, cuts, strict=True):
        assert cut.value == cuts[0].value, solver
        assert cut.source_side.tolist() == cuts[0].source_side.tolist(), solver
    return cuts[0].value.item(), cuts[0].source_side.numpy()


@given(problems(max_nodes=8, max_edges=20), DTYPES)
@settings(max_examples=60, deadline=None)
def test_optimal_and_minimal_by_brute_force(problem, dtype):
    value, side = solve(problem, dtype)
    expected, minimal = brute_force(problem)
    assert value == expected
    assert side.tolist() == minimal.tolist()


@given(problems(), DTYPES)
@settings(max_examples=150, deadline=None)
def test_strong_duality(problem, dtype):
    """The cut is worth its own capacity, and SciPy finds a flow of that value."""
    value, side = solve(problem, dtype)
    flow, minimal = scipy_mincut(problem)
    assert value == problem.cost(side) == flow
    assert side.tolist() == minimal.tolist()


@given(problems(max_nodes=25, max_edges=80), st.data())
@settings(max_examples=150, deadline=None)
def test_infinite_capacities_equal_ones_beyond_every_finite_cut(problem, data):
    """Or are refused, where no finite cut is left."""
    huge, infinite = 10**6, {}
    for field in ("capacity", "reverse", "source", "sink"):
        array = getattr(problem, field)
        chosen = data.draw(
            hnp.arrays(np.bool_, len(array), elements=st.integers(0, 4).map(lambda i: not i))
        )
        infinite[field] = np.where(chosen, np.inf, array)
        setattr(problem, field, np.where(chosen, huge, array))
    expected, minimal = scipy_mincut(problem)
    endless = Problem(
        problem.edge_index, *(infinite[f] for f in ("capacity", "reverse", "source", "sink"))
    )
    if expected >= huge:
        with pytest.raises(ValueError, match="infinite capacity joins source and sink"):
            solve(endless)
        return
    value, side = solve(endless)
    assert value == expected
    assert side.tolist() == minimal.tolist()


@given(problems(max_nodes=30, max_edges=80), DTYPES, st.booleans())
@settings(max_examples=150, deadline=None)
def test_flow_keeps_within_capacities_and_is_worth_the_value(problem, dtype, infinite):
    names = ("capacity", "source", "sink", "reverse")
    arrays = {name: torch.as_tensor(getattr(problem, name)).to(dtype) for name in names}
    if infinite and dtype.is_floating_point:
        arrays["capacity"][::3] = arrays["reverse"][::2] = torch.inf
    found = gx.maxflow(
        torch.as_tensor(problem.edge_index),
        arrays["capacity"],
        arrays["source"],
        arrays["sink"],
        reverse_capacity=arrays["reverse"],
        return_flow=True,
    )
    assert found.flow.dtype == dtype
    assert (found.flow <= arrays["capacity"]).all()
    assert (found.flow >= -arrays["reverse"]).all()
    flow = found.flow.numpy()
    net = np.zeros(problem.nodes, dtype=flow.dtype)  # what edges take away from each node
    np.add.at(net, problem.edge_index[0], flow)
    np.subtract.at(net, problem.edge_index[1], flow)
    assert (net <= problem.source).all()
    assert (-net <= problem.sink).all()
    # Each node passes on as much of its source as its sink and its edges take.
    assert np.minimum(problem.source, problem.sink + net).sum() == found.value.item()
    plain = gx.maxflow(
        torch.as_tensor(problem.edge_index),
        arrays["capacity"],
        arrays["source"],
        arrays["sink"],
        reverse_capacity=arrays["reverse"],
    )
    assert plain.value == found.value
    assert torch.equal(plain.source_side, found.source_side)


@given(problems(), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_numbering_does_not_matter(problem, random):
    nodes, edges = list(range(problem.nodes)), list(range(len(problem.capacity)))
    random.shuffle(nodes)
    random.shuffle(edges)
    new = np.array(nodes, dtype=np.int64)  # old number -> new number
    old = np.argsort(new)
    flip = np.array([random.random() < 0.5 for _ in edges], dtype=bool)
    ends = new[problem.edge_index][:, edges]
    forward, backward = problem.capacity[edges], problem.reverse[edges]
    renamed = Problem(
        np.where(flip, ends[::-1], ends),
        np.where(flip, backward, forward),
        np.where(flip, forward, backward),
        problem.source[old],
        problem.sink[old],
    )
    value, side = solve(problem)
    renamed_value, renamed_side = solve(renamed)
    assert renamed_value == value
    assert renamed_side[new].tolist() == side.tolist()


@given(problems(), st.sampled_from([2.0**-20, 0.5, 4.0, 2.0**30]))
@settings(max_examples=60, deadline=None)
def test_scaling_by_a_power_of_two_scales_the_value(problem, factor):
    value, side = solve(problem)
    scaled = Problem(
        problem.edge_index,
        *(a * factor for a in (problem.capacity, problem.reverse, problem.source, problem.sink)),
    )
    scaled_value, scaled_side = solve(scaled)
    assert scaled_value == value * factor
    assert scaled_side.tolist() == side.tolist()


@given(problems(), st.data())
@settings(max_examples=100, deadline=None)
def test_value_never_falls_when_a_capacity_rises(problem, data):
    value, _ = solve(problem)
    fields = ["source", "sink"] + (["capacity", "reverse"] if len(problem.capacity) else [])
    field = data.draw(st.sampled_from(fields))
    array = getattr(problem, field).copy()
    place = data.draw(st.integers(0, len(array) - 1))
    array[place] += 5
    setattr(problem, field, array)
    raised, _ = solve(problem)
    assert value <= raised <= value + 5


@given(st.lists(problems(max_nodes=15, max_edges=30), min_size=1, max_size=6), DTYPES)
@settings(max_examples=60, deadline=None)
def test_a_batch_equals_its_graphs_one_by_one(graphs, dtype):
    ptr = np.concatenate([[0], np.cumsum([p.nodes for p in graphs])])
    joint = {
        f: torch.as_tensor(np.concatenate([getattr(p, f) for p in graphs])).to(dtype)
        for f in ("capacity", "reverse", "source", "sink")
    }
    edge_index = np.concatenate([p.edge_index + o for p, o in zip(graphs, ptr, strict=False)], 1)
    cut = gx.maxflow(
        torch.as_tensor(edge_index),
        joint["capacity"],
        joint["source"],
        joint["sink"],
        reverse_capacity=joint["reverse"],
        ptr=torch.as_tensor(ptr),
    )
    singles = [solve(p, dtype) for p in graphs]
    assert cut.value.tolist() == [v for v, _ in singles]
    assert cut.source_side.tolist() == [x for _, side in singles for x in side.tolist()]


@given(problems(max_nodes=30, max_edges=60), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_gradient_is_the_finite_difference_where_the_cut_is_unique(problem, seed):
    """Continuous noise makes the cut unique; the value is then linear around the capacities."""
    g = torch.Generator().manual_seed(seed)
    tensors = [
        (
            torch.as_tensor(a).double() + torch.rand(len(a), generator=g, dtype=torch.float64)
        ).requires_grad_()
        for a in (problem.capacity, problem.source, problem.sink, problem.reverse)
    ]

    def value(capacity, source, sink, reverse):
        return gx.maxflow(
            torch.as_tensor(problem.edge_index), capacity, source, sink, reverse_capacity=reverse
        ).value

    base = value(*tensors)
    base.backward()
    step = [1e-9 * torch.rand(t.shape, generator=g, dtype=torch.float64) for t in tensors]
    moved = value(*(t.detach() + s for t, s in zip(tensors, step, strict=True)))
    predicted = sum((t.grad * s).sum() for t, s in zip(tensors, step, strict=True))
    assert abs(moved - base.detach() - predicted) <= 1e-12 * (1 + base.detach())
