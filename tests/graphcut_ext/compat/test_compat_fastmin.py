"""compat.maxflow.fastmin against PyMaxflow's: the same labels and energies, step by step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphcut_ext.compat.maxflow as ours

theirs = pytest.importorskip("maxflow.fastmin")
MOVES = ("aexpansion_grid", "abswap_grid")


@st.composite
def problems(draw):
    """Integer costs, so that ties are the rule; a metric between the labels."""
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    count = draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    unary = rng.integers(-3, 5, (*shape, count))
    apart = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    binary = draw(st.integers(0, 3)) * np.minimum(apart, draw(st.integers(1, 3)))
    return unary, binary, rng.integers(0, count, shape)


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
@settings(max_examples=40, deadline=None)
@given(problem=problems(), data=st.data())
def test_same_labels(dtype, problem, data):
    unary, binary, labels = problem
    unary, binary = unary.astype(dtype), binary.astype(dtype)
    cycles = data.draw(st.sampled_from([None, 1, 2]))
    kind = data.draw(st.sampled_from([np.int8, np.int16, np.int32, np.int64]))
    for move in MOVES:
        found, expected = (
            getattr(library, move)(unary, binary, max_cycles=cycles) for library in (ours, theirs)
        )
        assert found.dtype == expected.dtype
        assert (found == expected).all()
        start = labels.astype(kind)
        found = getattr(ours, move)(unary, binary, cycles, start)
        assert found is start  # in place
        expected = getattr(theirs, move)(unary, binary, cycles, labels.astype(kind))
        assert (found == expected).all()
        energies = [lib.energy_of_grid_labeling(unary, binary, found) for lib in (ours, theirs)]
        assert energies[0] == energies[1]


@settings(max_examples=50, deadline=None)
@given(problem=problems(), data=st.data())
def test_same_steps(problem, data):
    unary, binary, labels = problem
    unary, binary = unary.astype(np.float64), binary.astype(np.float64)
    alpha, beta = (data.draw(st.integers(0, unary.shape[-1] - 1)) for _ in range(2))
    found, expected = labels.copy(), labels.copy()
    energy, graph = ours.aexpansion_grid_step(alpha, unary, binary, found)
    wanted, _ = theirs.aexpansion_grid_step(alpha, unary, binary, expected)
    assert energy == pytest.approx(wanted)
    assert energy == pytest.approx(ours.energy_of_grid_labeling(unary, binary, found))
    assert (found == expected).all()
    assert isinstance(graph, ours.GraphFloat)
    if alpha != beta:
        found, expected = labels.copy(), labels.copy()
        energy, graph = ours.abswap_grid_step(alpha, beta, unary, binary, found)
        wanted, _ = theirs.abswap_grid_step(alpha, beta, unary, binary, expected)
        assert energy == pytest.approx(wanted)
        assert (found == expected).all()


def test_swaps_without_a_metric():
    """Squares are a semi-metric: swaps take them, expansions say that they do not."""
    rng = np.random.default_rng(1)
    unary = rng.integers(0, 30, (6, 7, 5))
    binary = np.subtract.outer(range(5), range(5)) ** 2
    found, expected = (m.abswap_grid(unary, binary) for m in (ours, theirs))
    assert (found == expected).all()
    with pytest.raises(ValueError, match="binary is not a metric"):
        ours.aexpansion_grid(unary, binary)


@pytest.mark.parametrize("shape", [(2, 3, 2, 2), (4, 4)])
@pytest.mark.parametrize("scale", [1, 2**52])
def test_what_the_core_does_not_take(shape, scale):
    """Four axes, and integers whose sums are large."""
    rng = np.random.default_rng(2)
    unary = rng.integers(0, 9, (*shape, 3)) * scale
    binary = 3 * scale * (1 - np.eye(3, dtype=np.int64))
    start = rng.integers(0, 3, shape)
    for move in MOVES:
        found, expected = (
            getattr(m, move)(unary, binary, None, start.copy()) for m in (ours, theirs)
        )
        assert (found == expected).all()


def test_costs_that_are_a_metric_where_it_matters():
    """Labels 3 and 4 break the triangle inequality and are too dear for any node."""
    rng = np.random.default_rng(3)
    unary = rng.integers(0, 30, (6, 7, 5))
    unary[..., 3:] += 10**6
    binary = 9 * (1 - np.eye(5, dtype=np.int64))
    binary[3, 4] = binary[4, 3] = 100
    found, expected = (m.aexpansion_grid(unary, binary) for m in (ours, theirs))
    assert (found == expected).all()


def test_forbidden_labels():
    unary = np.zeros((2, 3, 2))
    unary[0, :, 1] = unary[1, :, 0] = np.inf
    labels = ours.aexpansion_grid(unary, 1 - np.eye(2))
    assert labels.tolist() == [[0] * 3, [1] * 3]


@pytest.mark.parametrize("move", MOVES)
def test_bad_input(move):
    call = getattr(ours, move)
    unary, binary = np.zeros((3, 3, 3)), 1 - np.eye(3)
    cases = [
        ((np.zeros(()), np.zeros(())), ValueError, "unary is a scalar"),
        ((np.zeros((3, 0)), np.zeros((0, 0))), ValueError, "unary has no labels"),
        ((unary, np.zeros((2, 2))), ValueError, r"binary must have shape \(3, 3\)"),
        ((unary, binary, None, np.ones((4, 4), int)), ValueError, "labels must have shape"),
        ((unary, binary, None, np.full((3, 3), 5)), ValueError, "labels is 5 at entry 0"),
        ((unary, binary, None, np.full((3, 3), -1)), ValueError, "labels is -1 at entry 0"),
        ((unary, binary, None, np.zeros((3, 3))), TypeError, "labels must be integers"),
        ((unary, binary, None, [[0] * 3] * 3), TypeError, "labels must be an array"),
        ((unary * np.nan, binary), ValueError, "unary is nan at entry 0"),
        ((unary, np.full((3, 3), np.inf)), ValueError, "binary is"),
    ]
    for arguments, error, message in cases:
        with pytest.raises(error, match=message):
            call(*arguments)
    with pytest.raises(ValueError, match="alpha is 3"):
        ours.aexpansion_grid_step(3, unary, binary, np.zeros((3, 3), int))


@pytest.mark.parametrize("move", MOVES)
def test_no_nodes(move):
    labels = getattr(ours, move)(np.zeros((0, 0, 3)), 1 - np.eye(3))
    assert labels.shape == (0, 0)
