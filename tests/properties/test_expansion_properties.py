"""Properties every labelling found by move making has, over random energies."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import graphcut_ext as gx

DTYPES = st.sampled_from([torch.float32, torch.float64, torch.int32, torch.int64])
OPERATORS = st.sampled_from([gx.alpha_expansion, gx.alpha_beta_swap])


@dataclass
class Energy:
    edge_index: np.ndarray  # (2, E)
    unary: np.ndarray  # (N, L)
    weights: np.ndarray  # (E,)
    pairwise: np.ndarray  # (L, L)
    init: np.ndarray  # (N,)

    def of(self, labels: np.ndarray) -> np.ndarray:
        """Energies (...) of labels (..., N)."""
        own = self.unary[np.arange(len(self.unary)), labels].sum(-1)
        ends = labels[..., self.edge_index]
        shared = self.pairwise[ends[..., 0, :], ends[..., 1, :]]
        return own + (self.weights * shared).sum(-1)


@st.composite
def energies(draw, max_nodes: int = 20, max_edges: int = 40, max_labels: int = 5) -> Energy:
    """Costs of both signs, repeated edges, self-loops, zero weights and many ties.

    ``pairwise`` is a shortest-path distance, which may be asymmetric, plus costs of single labels.
    """
    nodes, edges = draw(st.integers(1, max_nodes)), draw(st.integers(0, max_edges))
    labels = draw(st.integers(1, max_labels))

    def ints(shape, low, high):
        return draw(hnp.arrays(np.int64, shape, elements=st.integers(low, high)))

    distance = ints((labels, labels), 0, 6)
    np.fill_diagonal(distance, 0)
    for k in range(labels):
        distance = np.minimum(distance, distance[:, k, None] + distance[k])
    return Energy(
        ints((2, edges), 0, nodes - 1),
        ints((nodes, labels), -9, 9),
        ints(edges, 0, 4),
        distance + ints((labels, 1), -3, 3) + ints(labels, -3, 3),
        ints(nodes, 0, labels - 1),
    )


def minimise(operator, energy: Energy, dtype: torch.dtype = torch.int64) -> gx.Labelling:
    return operator(
        torch.as_tensor(energy.edge_index),
        *(torch.as_tensor(a).to(dtype) for a in (energy.unary, energy.weights, energy.pairwise)),
        init=torch.as_tensor(energy.init),
    )


def moves(operator, energy: Energy, labels: np.ndarray) -> np.ndarray:
    """Labellings (M, N) one move away from ``labels``."""
    kinds = range(energy.unary.shape[1])
    choices = np.array(list(itertools.product((False, True), repeat=len(labels))))
    if operator is gx.alpha_expansion:
        return np.concatenate([np.where(choices, alpha, labels) for alpha in kinds])
    reached = [labels[None]]
    for a, b in itertools.combinations(kinds, 2):
        either = (labels == a) | (labels == b)
        reached.append(np.where(either, np.where(choices, a, b), labels))
    return np.concatenate(reached)


@given(OPERATORS, energies(max_nodes=7, max_edges=15), DTYPES)
@settings(max_examples=60, deadline=None)
def test_no_move_improves_on_the_result(operator, energy, dtype):
    found = minimise(operator, energy, dtype)
    labels = found.labels.numpy()
    assert found.energy.item() == energy.of(labels)
    assert found.energy.item() == energy.of(moves(operator, energy, labels)).min()


@given(OPERATORS, energies(max_nodes=7, max_edges=15, max_labels=2), DTYPES)
@settings(max_examples=40, deadline=None)
def test_two_labels_are_solved_exactly(operator, energy, dtype):
    every = itertools.product(range(energy.unary.shape[1]), repeat=len(energy.unary))
    assert minimise(operator, energy, dtype).energy.item() == energy.of(np.array(list(every))).min()


@given(energies(max_nodes=5, max_edges=12, max_labels=4))
@settings(max_examples=40, deadline=None)
def test_potts_is_within_twice_the_pairwise_sum_of_the_minimum(energy):
    nodes, labels = energy.unary.shape
    energy.pairwise = 1 - np.eye(labels, dtype=np.int64)
    every = np.array(list(itertools.product(range(labels), repeat=nodes)))
    optimal = every[energy.of(every).argmin()]
    own = energy.unary[np.arange(nodes), optimal].sum()
    found = minimise(gx.alpha_expansion, energy).energy.item()
    assert found <= own + 2 * (energy.of(optimal) - own)


@given(OPERATORS, energies(), DTYPES)
@settings(max_examples=50, deadline=None)
def test_energy_never_rises_and_a_result_stays(operator, energy, dtype):
    found = minimise(operator, energy, dtype)
    assert found.energy.item() == energy.of(found.labels.numpy()) <= energy.of(energy.init)
    again = minimise(operator, replace(energy, init=found.labels.numpy()), dtype)
    assert torch.equal(again.labels, found.labels)


@given(OPERATORS, energies(), DTYPES, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_numbering_directions_and_types_do_not_matter(operator, energy, dtype, random):
    nodes, edges = list(range(len(energy.unary))), list(range(len(energy.weights)))
    random.shuffle(nodes)
    random.shuffle(edges)
    new = np.array(nodes, dtype=np.int64)  # old number -> new number
    old = np.argsort(new)
    energy.pairwise = energy.pairwise + energy.pairwise.T
    flip = np.array([random.random() < 0.5 for _ in edges], dtype=bool)
    ends = new[energy.edge_index][:, edges]
    renamed = Energy(
        np.where(flip, ends[::-1], ends),
        energy.unary[old],
        energy.weights[edges],
        energy.pairwise,
        energy.init[old],
    )
    found, other = minimise(operator, energy), minimise(operator, renamed, dtype)
    assert other.energy.item() == found.energy.item()
    assert other.labels[torch.as_tensor(new)].tolist() == found.labels.tolist()


@given(OPERATORS, energies(), st.data())
@settings(max_examples=40, deadline=None)
def test_costs_of_nodes_and_split_edges_do_not_matter(operator, energy, data):
    """Constants per node shift the energy; an edge may be given in two parts."""
    shift = data.draw(hnp.arrays(np.int64, len(energy.unary), elements=st.integers(-9, 9)))
    part = energy.weights // 2
    split = replace(
        energy,
        edge_index=np.concatenate([energy.edge_index, energy.edge_index], 1),
        unary=energy.unary + shift[:, None],
        weights=np.concatenate([part, energy.weights - part]),
    )
    found, other = minimise(operator, energy), minimise(operator, split)
    assert torch.equal(found.labels, other.labels)
    assert other.energy.item() == found.energy.item() + shift.sum()


@given(OPERATORS, energies(), st.sampled_from([2.0**-30, 0.5, 4.0, 2.0**40]))
@settings(max_examples=40, deadline=None)
def test_scaling_by_a_power_of_two_scales_the_energy(operator, energy, factor):
    scaled = replace(energy, unary=energy.unary * factor, pairwise=energy.pairwise * factor)
    found, other = minimise(operator, energy), minimise(operator, scaled, torch.float64)
    assert torch.equal(found.labels, other.labels)
    assert other.energy.item() == found.energy.item() * factor


@given(OPERATORS, energies(), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_real_costs_are_never_raised(operator, energy, seed):
    """Noise in the last places brings near-ties and rounding into every cut."""
    rng = np.random.default_rng(seed)
    noisy = replace(
        energy,
        unary=energy.unary * 0.1 + rng.random(energy.unary.shape) * 1e-16,
        weights=energy.weights * 0.3,
        pairwise=energy.pairwise * 0.7,
    )
    found = minimise(operator, noisy, torch.float64)
    computed = noisy.of(found.labels.numpy())
    assert abs(found.energy.item() - computed) <= 1e-13 * (1 + abs(computed))
    assert computed <= noisy.of(noisy.init) + 1e-12
