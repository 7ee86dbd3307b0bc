"""gx.alpha_expansion and gx.alpha_beta_swap against energies of all labellings and all moves."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import graphcut_ext as gx

DTYPES = [torch.float32, torch.float64, torch.int32, torch.int64]
OPERATORS = [gx.alpha_expansion, gx.alpha_beta_swap]
INF, NAN = float("inf"), float("nan")
SQUARES = (torch.arange(6)[:, None] - torch.arange(6)) ** 2


@dataclass
class Energy:
    """Costs in NumPy, exact as long as they are small multiples of a power of two."""

    edge_index: np.ndarray  # (2, E)
    unary: np.ndarray  # (N, L)
    weights: np.ndarray  # (E,)
    pairwise: np.ndarray  # (L, L)

    def __call__(self, labels: np.ndarray) -> float:
        total = 0
        for node, label in enumerate(labels):
            total += self.unary[node, label]
        for (u, v), weight in zip(self.edge_index.T, self.weights, strict=True):
            total += weight * self.pairwise[labels[u], labels[v]]
        return total

    def minimum(self) -> float:
        nodes, labels = self.unary.shape
        return min(map(self, itertools.product(range(labels), repeat=nodes)))

    def expansions(self, labels: np.ndarray):
        """Every labelling one expansion away."""
        for alpha in range(self.unary.shape[1]):
            for takes in itertools.product((False, True), repeat=len(labels)):
                yield np.where(takes, alpha, labels)

    def swaps(self, labels: np.ndarray):
        """Every labelling one swap away."""
        for pair in itertools.combinations(range(self.unary.shape[1]), 2):
            nodes = np.flatnonzero(np.isin(labels, pair))
            for chosen in itertools.product(pair, repeat=len(nodes)):
                swapped = labels.copy()
                swapped[nodes] = chosen
                yield swapped

    def minimise(self, operator, dtype: torch.dtype = torch.float64, **options) -> gx.Labelling:
        costs = (torch.as_tensor(a).to(dtype) for a in (self.unary, self.weights, self.pairwise))
        return operator(torch.as_tensor(self.edge_index), *costs, **options)


def potts(labels: int) -> np.ndarray:
    return 1 - np.eye(labels, dtype=np.int64)


def quasi_metric(rng: np.random.Generator, labels: int) -> np.ndarray:
    """Asymmetric costs with the triangle inequality, and a part that depends on single labels."""
    cost = rng.integers(1, 9, (labels, labels))
    np.fill_diagonal(cost, 0)
    for k in range(labels):
        cost = np.minimum(cost, cost[:, k, None] + cost[k])
    return cost + rng.integers(-4, 5, (labels, 1)) + rng.integers(-4, 5, labels)


def semi_metric(rng: np.random.Generator, labels: int) -> np.ndarray:
    cost = rng.integers(0, 9, (labels, labels))
    np.fill_diagonal(cost, 0)
    return cost + rng.integers(-4, 5, (labels, 1)) + rng.integers(-4, 5, labels)


def random_energy(rng: np.random.Generator, pairwise: np.ndarray, nodes: int) -> Energy:
    """Integers of both signs with repeated edges, self-loops and zero weights."""
    edges = int(rng.integers(0, 3 * nodes))
    return Energy(
        rng.integers(0, nodes, (2, edges)),
        rng.integers(-9, 10, (nodes, len(pairwise))),
        rng.integers(0, 5, edges),
        pairwise,
    )


def assert_local_minimum(energy: Energy, found: gx.Labelling, moves) -> None:
    labels = found.labels.numpy()
    assert found.energy.item() == energy(labels)
    assert found.energy.item() == min(map(energy, moves(labels)), default=found.energy.item())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("costs", [quasi_metric, lambda rng, labels: potts(labels)])
def test_no_expansion_improves_on_the_result(costs, dtype):
    rng = np.random.default_rng(0)
    for _ in range(15):
        pairwise = costs(rng, int(rng.integers(1, 5)))
        energy = random_energy(rng, pairwise, int(rng.integers(1, 7)))
        found = energy.minimise(gx.alpha_expansion, dtype)
        assert found.energy.dtype == (torch.float64 if dtype.is_floating_point else torch.int64)
        assert found.labels.dtype == torch.int64
        assert_local_minimum(energy, found, energy.expansions)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("costs", [semi_metric, lambda rng, labels: potts(labels)])
def test_no_swap_improves_on_the_result(costs, dtype):
    rng = np.random.default_rng(1)
    for _ in range(15):
        pairwise = costs(rng, int(rng.integers(1, 5)))
        energy = random_energy(rng, pairwise, int(rng.integers(1, 7)))
        found = energy.minimise(gx.alpha_beta_swap, dtype)
        assert_local_minimum(energy, found, energy.swaps)


@pytest.mark.parametrize("operator", OPERATORS)
def test_two_labels_are_solved_exactly_from_any_start(operator):
    rng = np.random.default_rng(2)
    for _ in range(20):
        energy = random_energy(rng, quasi_metric(rng, 2), int(rng.integers(1, 8)))
        init = torch.as_tensor(rng.integers(0, 2, len(energy.unary)))
        for start in (None, init):
            assert energy.minimise(operator, init=start).energy.item() == energy.minimum()


@pytest.mark.parametrize("operator", OPERATORS)
def test_two_labels_of_potts_are_one_minimum_cut(operator):
    rng = np.random.default_rng(3)
    edge_index = torch.as_tensor(rng.integers(0, 300, (2, 1500)))
    unary, weights = torch.as_tensor(rng.integers(0, 99, (300, 2))), torch.arange(1500) % 30
    found = operator(edge_index, unary, weights)
    cut = gx.maxflow(edge_index, weights, source=unary[:, 1], sink=unary[:, 0])
    assert found.energy == cut.value


def test_potts_is_within_twice_the_pairwise_sum_of_the_minimum():
    rng = np.random.default_rng(4)
    for _ in range(25):
        energy = random_energy(rng, potts(3), 6)
        optimal = min(map(np.array, itertools.product(range(3), repeat=6)), key=energy)
        own = energy.unary[np.arange(6), optimal].sum()
        init = torch.as_tensor(rng.integers(0, 3, 6))
        found = energy.minimise(gx.alpha_expansion, init=init).energy.item()
        assert energy(optimal) <= found <= own + 2 * (energy(optimal) - own)


@pytest.mark.parametrize("dtype", DTYPES)
def test_truncated_linear(dtype):
    rng = np.random.default_rng(5)
    steps = np.arange(4)
    pairwise = np.minimum(abs(steps[:, None] - steps), 2)
    for _ in range(10):
        energy = random_energy(rng, pairwise, 5)
        expanded = energy.minimise(gx.alpha_expansion, dtype)
        swapped = energy.minimise(gx.alpha_beta_swap, dtype)
        assert_local_minimum(energy, expanded, energy.expansions)
        assert_local_minimum(energy, swapped, energy.swaps)
        assert energy.minimum() <= min(expanded.energy.item(), swapped.energy.item())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_round_off_in_a_metric_is_forgiven(dtype):
    """Truncated distances of rounded positions: a metric but for the last places."""
    steps = torch.arange(24, dtype=dtype) / 10
    pairwise = (steps[:, None] - steps).abs().clamp(max=1)
    exact = pairwise.double()
    assert (exact[:, None] > exact[:, :, None] + exact).any()  # [b, a, c]
    generator = torch.Generator().manual_seed(0)
    unary = torch.rand(40, 24, generator=generator, dtype=dtype)
    edge_index = torch.randint(0, 40, (2, 120), generator=generator)
    found = gx.alpha_expansion(edge_index, unary, pairwise=pairwise)
    energy = Energy(edge_index.numpy(), unary.double().numpy(), np.ones(120), exact.numpy())
    assert found.energy.item() == pytest.approx(energy(found.labels.numpy()), rel=1e-14)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_real_costs_with_many_near_ties_end_in_a_local_minimum(operator, dtype):
    rng = np.random.default_rng(6)
    for scale in (0.1, 1e-30, 1e30):
        small = random_energy(rng, potts(3), 7)
        unary, weights, pairwise = (
            torch.as_tensor(a * s).to(dtype).double().numpy()
            for a, s in ((small.unary, scale), (small.weights, 0.1), (small.pairwise, scale * 3))
        )
        energy = Energy(small.edge_index, unary, weights, pairwise)
        found = energy.minimise(operator, dtype)
        moves = energy.expansions if operator is gx.alpha_expansion else energy.swaps
        best = min(map(energy, moves(found.labels.numpy())))
        assert found.energy.item() == pytest.approx(best, rel=1e-12, abs=1e-12 * scale)


@pytest.mark.parametrize("operator", OPERATORS)
def test_energy_falls_from_cycle_to_cycle(operator):
    rng = np.random.default_rng(7)
    energy = Energy(
        rng.integers(0, 400, (2, 800)),
        rng.integers(-30, 30, (400, 6)),
        np.full(800, 9),
        np.minimum(SQUARES.sqrt().numpy(), 2),
    )
    init = torch.as_tensor(rng.integers(0, 6, 400))
    found = [energy.minimise(operator, init=init, max_cycles=c) for c in (0, 1, 2, 3, 50)]
    energies = [f.energy.item() for f in found]
    assert torch.equal(found[0].labels, init)
    assert energies == [energy(f.labels.numpy()) for f in found]
    assert energies[0] > energies[1] > energies[2] >= energies[3] >= energies[4]
    converged = energy.minimise(operator, init=init)
    assert torch.equal(converged.labels, found[-1].labels)
    again = energy.minimise(operator, init=converged.labels)
    assert torch.equal(again.labels, converged.labels)


@pytest.mark.parametrize("operator", OPERATORS)
def test_defaults_are_potts_unit_weights_and_the_cheapest_labels(operator):
    rng = np.random.default_rng(9)
    energy = random_energy(rng, potts(4), 30)
    energy.weights = np.ones_like(energy.weights)
    edge_index, unary = torch.as_tensor(energy.edge_index), torch.as_tensor(energy.unary)
    start = operator(edge_index, unary, max_cycles=0)
    assert start.labels.tolist() == energy.unary.argmin(1).tolist()
    assert start.energy.item() == energy(energy.unary.argmin(1))
    explicit = energy.minimise(operator, torch.int64, init=start.labels)
    assert torch.equal(operator(edge_index, unary).labels, explicit.labels)


@pytest.mark.parametrize("operator", OPERATORS)
def test_forbidden_labels_are_never_given(operator):
    rng = np.random.default_rng(10)
    for _ in range(25):
        energy = random_energy(rng, potts(3), 6)
        allowed = rng.integers(0, 3, 6)
        energy.unary = np.where(rng.random((6, 3)) < 0.4, INF, energy.unary)
        energy.unary[np.arange(6), allowed] = rng.integers(-9, 10, 6)
        for init in (None, torch.as_tensor(allowed)):
            found = energy.minimise(operator, init=init)
            assert math.isfinite(found.energy.item())
            moves = energy.expansions if operator is gx.alpha_expansion else energy.swaps
            assert_local_minimum(energy, found, moves)


@pytest.mark.parametrize("operator", OPERATORS)
def test_self_loops_cost_the_diagonal(operator):
    energy = Energy(
        np.array([[0], [0]]), np.array([[0, 1]]), np.array([2]), np.array([[3, 9], [9, 2]])
    )
    found = energy.minimise(operator, torch.int64)
    assert (found.labels.tolist(), found.energy.item()) == ([1], 5)


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_tie_moves_nothing(operator):
    """Node 2 is indifferent, and node 0 saves by label 2 what its edge then costs."""
    edge_index, weights = torch.tensor([[0, 1], [1, 2]]), torch.tensor([1, 0])
    unary, init = torch.tensor([[1, 1, 0], [9, 0, 9], [1, 1, 1]]), torch.tensor([2, 1, 1])
    for start in (init, init.flip(0)):
        found = operator(edge_index, unary, weights, init=start)
        assert torch.equal(found.labels, start)


@pytest.mark.parametrize("operator", OPERATORS)
def test_empty_problems(operator):
    no_edges = torch.zeros(2, 0, dtype=torch.int64)
    nothing = operator(no_edges, torch.zeros(0, 3))
    assert (nothing.labels.tolist(), nothing.energy.item()) == ([], 0.0)
    unlinked = operator(no_edges, torch.tensor([[3, 1], [0, 5]]), init=torch.tensor([0, 1]))
    assert (unlinked.labels.tolist(), unlinked.energy.item()) == ([1, 0], 1)
    one_label = operator(torch.tensor([[0], [1]]), torch.tensor([[3], [4]]))
    assert (one_label.labels.tolist(), one_label.energy.item()) == ([0, 0], 7)


@pytest.mark.parametrize("operator", OPERATORS)
def test_inputs_are_left_alone_and_may_have_any_layout(operator):
    rng = np.random.default_rng(11)
    energy = random_energy(rng, potts(3), 20)
    edge_index, weights = torch.as_tensor(energy.edge_index), torch.as_tensor(energy.weights)
    unary, init = torch.as_tensor(energy.unary), torch.as_tensor(rng.integers(0, 3, 20))
    expected = operator(edge_index, unary, weights, init=init)
    wide = torch.stack([unary, -unary], -1)
    before = [t.clone() for t in (edge_index, wide, weights, init)]
    found = operator(edge_index.T.contiguous().T, wide[..., 0], weights, init=init)
    assert torch.equal(found.labels, expected.labels)
    assert all(map(torch.equal, before, (edge_index, wide, weights, init)))
    kept = operator(edge_index, unary, weights, init=init, max_cycles=0).labels
    assert kept.data_ptr() != init.data_ptr()


def test_no_gradient_is_carried():
    unary = torch.rand(3, 2, requires_grad=True)
    found = gx.alpha_expansion(torch.tensor([[0, 1], [1, 2]]), unary)
    assert not found.energy.requires_grad
    assert not found.labels.requires_grad


@pytest.mark.parametrize("operator", OPERATORS)
def test_largest_integers_are_exact(operator):
    top = 2**58
    unary = torch.tensor([[0, top], [top + 1, 0]])
    found = operator(torch.tensor([[0], [1]]), unary, torch.tensor([top // 2 + 1]))
    assert (found.labels.tolist(), found.energy.item()) == ([0, 1], top // 2 + 1)


@pytest.mark.parametrize("operator", OPERATORS)
def test_compiles_and_exports_as_one_operator(operator):
    edge_index, unary = torch.tensor([[0, 1], [1, 2]]), torch.rand(3, 4)
    compiled = torch.compile(operator, fullgraph=True, backend="eager")
    assert torch.equal(compiled(edge_index, unary).labels, operator(edge_index, unary).labels)
    move = "expansion" if operator is gx.alpha_expansion else "swap"
    torch.library.opcheck(
        torch.ops.graphcut_ext.move_making,
        (edge_index, unary, *[None] * 9, move, None, "auto", 0),
    )


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("operator", OPERATORS)
def test_cuda_tensors_give_the_same_on_their_device(operator):
    energy = random_energy(np.random.default_rng(12), potts(4), 50)
    arrays = (energy.edge_index, energy.unary, energy.weights, energy.pairwise)
    host = [torch.as_tensor(a) for a in arrays]
    expected, found = operator(*host), operator(*(t.cuda() for t in host))
    assert found.labels.is_cuda
    assert found.energy.is_cuda
    assert torch.equal(found.labels.cpu(), expected.labels)
    assert found.energy.item() == expected.energy.item()
