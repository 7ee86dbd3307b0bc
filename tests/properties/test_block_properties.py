"""The CUDA cuts' source, by emulated threads, on graphs that hypothesis makes up."""

from __future__ import annotations

import torch
from emulated import emulated_cuts
from hypothesis import given, settings
from hypothesis import strategies as st

import graphcut_ext as gx

WHOLE = st.integers(0, 12).map(float)
ENDLESS = st.one_of(WHOLE, st.just(float("inf")))


@st.composite
def graphs(draw, capacity):
    items, cuts = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    n, k = draw(st.integers(1, 14)), draw(st.integers(1, 4))

    def some(element, *shape, dtype=torch.float64):
        size = torch.Size(shape).numel()
        values = draw(st.lists(element, min_size=size, max_size=size))
        return torch.tensor(values, dtype=dtype).view(shape)

    indices = some(st.integers(-1, n - 1), items, n, k, dtype=torch.int64)
    weights = some(capacity, items, n, k)
    return indices, weights, some(capacity, items, cuts, n), some(capacity, items, cuts, n)


@settings(max_examples=200, deadline=None)
@given(
    graphs(WHOLE),
    st.sampled_from([torch.float32, torch.float64, torch.int32, torch.int64]),
    st.sampled_from([1, 32, 256, 1024]),
    st.sampled_from(["ascending", "descending", "shuffled"]),
    st.integers(0, 99),
)
def test_whole_capacities(problem, dtype, threads, order, seed):
    indices, *capacities = problem
    capacities = [c.to(dtype) for c in capacities]
    expected = gx.knn_maxflow(indices, *capacities, solver="bk")
    found = emulated_cuts(indices, *capacities, threads, order, seed)
    assert not found.status.any()
    assert torch.equal(found.value, expected.value)
    assert torch.equal(found.source_side, expected.source_side)


@settings(max_examples=200, deadline=None)
@given(graphs(ENDLESS))
def test_infinite_capacities(problem):
    found = emulated_cuts(*problem)
    assert (found.status < 2).all()
    try:
        expected = gx.knn_maxflow(*problem, solver="bk")
    except ValueError:
        assert found.status.any()
        assert found.value[found.status == 1].isnan().all()
    else:
        assert not found.status.any()
        assert torch.equal(found.value, expected.value)
        assert torch.equal(found.source_side, expected.source_side)


@settings(max_examples=200, deadline=None)
@given(graphs(st.floats(0, 1e6)))
def test_real_capacities_cost_what_they_should(problem):
    """Values agree to the unit of fixed-point numbers; the certificate proves the cut in them."""
    expected = gx.knn_maxflow(*problem, solver="bk")
    found = emulated_cuts(*problem)
    assert not found.status.any()
    torch.testing.assert_close(found.value, expected.value, rtol=1e-12, atol=1e-9)
