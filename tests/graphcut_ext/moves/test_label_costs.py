"""Costs of labels in use, tables of edges and lists of candidates against plain sums."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from move_energies import minimise, random_energy

import graphcut_ext as gx

OPERATORS = [gx.alpha_expansion, gx.alpha_beta_swap]
DTYPES = [torch.float32, torch.float64, torch.int32, torch.int64]
SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("operator", OPERATORS)
@settings(max_examples=120, deadline=None)
@given(
    seed=SEEDS,
    tables=st.sampled_from(["one", "each", "chosen"]),
    candidates=st.booleans(),
    sets=st.booleans(),
    dtype=st.sampled_from(DTYPES),
    starts=st.booleans(),
)
def test_no_move_improves_on_the_result(operator, seed, tables, candidates, sets, dtype, starts):
    rng = np.random.default_rng(seed)
    energy, arguments, init = random_energy(rng, tables=tables, candidates=candidates, sets=sets)
    options = {"init": torch.as_tensor(init)} if starts else {}
    found = minimise(operator, arguments, dtype, **options)
    labels = found.labels.numpy()
    assert found.energy.item() == energy(labels)
    moves = energy.expansions if operator is gx.alpha_expansion else energy.swaps
    assert min(map(energy, moves(labels)), default=energy(labels)) == energy(labels)
    if starts:
        assert energy(labels) <= energy(init)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_the_bound_of_expansions(seed):
    """Delong et al. 2012, theorem 3: twice Potts' optimum, plus the costs times their sets."""
    rng = np.random.default_rng(seed)
    energy, arguments, _ = random_energy(rng)
    labels = energy.unary.shape[1]
    energy.unary = arguments["unary"] = abs(energy.unary)
    arguments["pairwise"] = 1 - np.eye(labels, dtype=int)
    energy.tables[:] = arguments["pairwise"]
    found = minimise(gx.alpha_expansion, arguments).energy.item()
    least = min(map(energy, energy.every()))
    assert least <= found <= 2 * least + (energy.set_costs * energy.sets.sum(1)).sum()


def facilities(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Customers and facilities on a plane: distances (12, 6), and what facilities cost to open."""
    rng = np.random.default_rng(seed)
    customers, places = rng.random((12, 2)), rng.random((6, 2))
    apart = np.linalg.norm(customers[:, None] - places, axis=2)
    return np.rint(apart * 100).astype(int), rng.integers(20, 120, 6)


def test_facilities_are_opened_where_they_pay():
    """Without edges the problem is facility location; all openings are tried."""
    best = 0
    for seed in range(40):
        distance, opening = facilities(seed)
        arguments = {
            "edge_index": np.zeros((2, 0), int),
            "unary": distance,
            "label_costs": opening,
        }
        found = minimise(gx.alpha_expansion, arguments)
        used = found.labels.unique().numpy()
        assert found.energy.item() == distance[:, used].min(1).sum() + opening[used].sum()
        least = min(
            distance[:, chosen].min(1).sum() + opening[list(chosen)].sum()
            for size in range(1, 7)
            for chosen in itertools.combinations(range(6), size)
        )
        assert least <= found.energy.item() <= 1.5 * least
        best += found.energy.item() == least
    assert best >= 30


def test_a_label_is_given_up_where_one_cut_has_to_move_all_its_nodes():
    """Each node alone would lose by the move; together they save the cost of their label."""
    nodes = 1000
    unary = torch.zeros(nodes, 2)
    unary[:, 1] = 1
    edge_index = torch.zeros(2, 0, dtype=torch.int64)
    start = torch.zeros(nodes, dtype=torch.int64)
    for cost, kept in ((999.0, 0), (1001.0, 1)):
        for operator in OPERATORS:
            found = operator(
                edge_index, unary, label_costs=torch.tensor([cost, 0.0]), init=start, max_cycles=1
            )
            assert found.labels.unique().tolist() == [kept]
            assert found.energy.item() == min(cost, 1000.0)


def test_many_labels_join_one():
    """Any one expansion, or merge of two labels, costs more than it saves but for the right one."""
    unary = np.full((9, 4), 10)
    unary[:, 3] = 3
    for i in range(9):
        unary[i, i // 3] = 0
    arguments = {
        "edge_index": np.zeros((2, 0), int),
        "unary": unary,
        "label_costs": np.array([8, 8, 8, 8]),
    }
    found = minimise(gx.alpha_expansion, arguments)
    assert (found.labels.tolist(), found.energy.item()) == ([0] * 3 + [1] * 3 + [2] * 3, 24)
    arguments["label_costs"] = np.array([12, 12, 12, 8])
    found = minimise(gx.alpha_expansion, arguments)
    assert (found.labels.tolist(), found.energy.item()) == ([3] * 9, 35)


@pytest.mark.parametrize("operator", OPERATORS)
def test_costs_of_zero_and_sets_of_none_change_nothing(operator):
    rng = np.random.default_rng(1)
    energy, arguments, init = random_energy(rng, sets=False)
    labels = energy.unary.shape[1]
    expected = minimise(operator, arguments, init=torch.as_tensor(init))
    for costs in ({"label_costs": np.zeros(labels, int)}, empty_sets(labels)):
        found = minimise(operator, arguments | costs, init=torch.as_tensor(init))
        assert torch.equal(found.labels, expected.labels)
        assert found.energy == expected.energy


def empty_sets(labels: int) -> dict[str, np.ndarray]:
    return {"label_costs": np.array([7]), "label_sets": np.zeros((1, labels), bool)}


@pytest.mark.parametrize("operator", OPERATORS)
def test_candidates_are_what_is_not_forbidden(operator):
    """The same labels by a list of candidates and by inf at all others, on a larger graph."""
    rng = np.random.default_rng(2)
    nodes, labels, columns = 300, 9, 4
    unary = rng.integers(0, 30, (nodes, labels)).astype(float)
    listed = np.array([np.sort(rng.permutation(labels)[:columns]) for _ in range(nodes)])
    dense = np.full_like(unary, np.inf)
    np.put_along_axis(dense, listed, np.take_along_axis(unary, listed, 1), 1)
    steps = abs(np.subtract.outer(np.arange(labels), np.arange(labels)))
    shared = {
        "edge_index": rng.integers(0, nodes, (2, 900)),
        "weights": rng.integers(1, 6, 900),
        "pairwise": np.minimum(steps, 3),
        "label_costs": rng.integers(0, 99, labels),
    }
    expected = minimise(operator, shared | {"unary": dense}, torch.float64)
    short = {"unary": np.take_along_axis(unary, listed, 1), "candidates": listed}
    found = minimise(operator, shared | short, torch.float64)
    assert torch.equal(found.labels, expected.labels)
    assert found.energy == expected.energy
    padded = {
        "unary": np.c_[np.full(nodes, -7), short["unary"]],
        "candidates": np.c_[np.full(nodes, -1), listed],
    }
    found = minimise(operator, shared | padded)
    assert torch.equal(found.labels, expected.labels)


def test_many_labels_of_few_candidates():
    """A chain of 4,001 labels, two at a node: between the minimum and the cheapest labels."""
    rng = np.random.default_rng(3)
    listed = np.stack([np.arange(4000), np.arange(4000) + 1], 1)
    unary = rng.integers(0, 100, (4000, 2))
    ends = np.stack([np.arange(3999), np.arange(1, 4000)])
    arguments = {"edge_index": ends, "unary": unary, "weights": np.full(3999, 20)}
    found = minimise(gx.alpha_expansion, arguments | {"candidates": listed})
    labels = found.labels.numpy()
    column = labels - np.arange(4000)

    def energy(column):
        changes = np.count_nonzero(np.diff(np.arange(4000) + column))
        return unary[np.arange(4000), column].sum() + 20 * changes

    least = unary[0].copy()  # of the chain so far, by the label at its end
    for costs in unary[1:]:
        # The second label of a node is the first of the next.
        least = costs + np.array([min(least[0] + 20, least[1]), least.min() + 20])
    assert set(column.tolist()) == {0, 1}
    assert found.energy.item() == energy(column)
    assert least.min() <= found.energy.item() < energy(unary.argmin(1))


GRIDS = [((5, 7), 4), ((5, 7), 8), ((3, 4, 5), 6), ((3, 4, 5), 18), ((3, 4, 5), 26), ((1, 9), None)]


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(("shape", "connectivity"), GRIDS)
def test_grids_are_their_lists_of_edges(operator, shape, connectivity):
    rng = np.random.default_rng(4)
    graph = gx.Graph.grid(shape, 1, connectivity=connectivity)
    nodes, directions = int(np.prod(shape)), len(graph.grid_offsets)
    by_place = rng.integers(0, 5, (directions, *shape))
    by_direction = rng.integers(0, 5, directions)
    numbers = graph.grid_edges
    costs = {
        "unary": rng.integers(0, 20, (nodes, 4)),
        "pairwise": np.minimum(abs(np.subtract.outer(np.arange(4), np.arange(4))), 2),
    }
    listed = {"edge_index": np.asarray(graph.edge_index)}
    where = {"grid": shape, "connectivity": connectivity}
    cases = [
        ({}, {}),
        ({"weights": by_place}, {"weights": by_place[numbers >= 0]}),
        (
            {"weights": by_direction},
            {"weights": np.repeat(by_direction, (numbers >= 0).reshape(directions, -1).sum(1))},
        ),
    ]
    energies = set()
    for given_weights, edge_weights in cases:
        found = minimise(operator, costs | given_weights, **where)
        expected = minimise(operator, costs | listed | edge_weights)
        assert torch.equal(found.labels, expected.labels)
        assert found.energy == expected.energy
        energies.add(found.energy.item())
    assert len(energies) > 1
    kinds = rng.integers(0, 2, len(listed["edge_index"][0]))
    tables = {"pairwise": np.stack([costs["pairwise"], 3 * costs["pairwise"]])}
    tables["pairwise_index"] = kinds
    found = minimise(operator, costs | tables, **where)
    expected = minimise(operator, costs | listed | {"weights": 1 + 2 * kinds})
    assert torch.equal(found.labels, expected.labels)


@pytest.mark.parametrize("operator", OPERATORS)
def test_everything_compiles_as_one_operator(operator):
    rng = np.random.default_rng(6)
    _, arguments, init = random_energy(rng, tables="chosen", candidates=True)
    compiled = torch.compile(operator, fullgraph=True, backend="eager")
    start = torch.as_tensor(init)
    found = minimise(compiled, arguments, init=start)
    assert torch.equal(found.labels, minimise(operator, arguments, init=start).labels)
    by_grid = {"unary": rng.random((6, 3))}
    found = minimise(compiled, by_grid, torch.float32, grid=(2, 3))
    assert torch.equal(found.labels, minimise(operator, by_grid, torch.float32, grid=(2, 3)).labels)


@pytest.mark.parametrize("start", ["default", "zeros"])
@pytest.mark.parametrize("seed", range(12))
def test_the_least_used_label_is_worth_its_cost(seed, start):
    """Two rounds without it, from labels that are near, find nothing cheaper."""
    rng = np.random.default_rng(seed)
    shape, labels = (16, 16), 8
    costs = rng.random((4, 4)).repeat(4, 0).repeat(4, 1) + rng.normal(0, 0.2, shape)
    unary = np.rint((costs.reshape(-1, 1) - np.linspace(0, 1, labels)) ** 2 * 1000).astype(int)
    arguments = {
        "edge_index": gx.Graph.grid(shape, 1).edge_index,
        "unary": unary,
        "weights": np.full(480, int(rng.integers(5, 60))),
        "label_costs": rng.integers(100, 4000, labels),
    }
    init = torch.zeros(256, dtype=torch.int64) if start == "zeros" else None
    found = minimise(gx.alpha_expansion, arguments, init=init)
    used, nodes = found.labels.unique(return_counts=True)
    if len(used) == 1:
        return
    least = used[nodes.argmin()].item()
    others = [label for label in range(labels) if label != least]
    allowed = {"unary": unary[:, others], "label_costs": arguments["label_costs"][others]}
    near = [others.index(label) for label in used.tolist() if label != least]
    nearest = np.array([near[k] for k in allowed["unary"][:, near].argmin(1)])
    of_others = found.labels.numpy() != least
    nearest[of_others] = np.searchsorted(others, found.labels.numpy()[of_others])
    without = minimise(
        gx.alpha_expansion, arguments | allowed, init=torch.as_tensor(nearest), max_cycles=2
    )
    assert without.energy >= found.energy


def test_one_region_and_regions_that_may_have_no_label_in_common():
    """All nodes have one label without costs; then each node has one of its own."""
    grid = {"grid": (3, 4), "weights": torch.tensor([9, 9])}
    unary = torch.zeros(12, 3, dtype=torch.int64)
    unary[:, 1:] = torch.tensor([1, 2])
    found = gx.alpha_expansion(None, unary, label_costs=torch.tensor([99, 30, 1]), **grid)
    assert (found.labels.unique().tolist(), found.energy.item()) == ([2], 25)
    own = torch.arange(12)[:, None]
    costs = torch.arange(12)
    found = gx.alpha_expansion(
        None, torch.ones(12, 1, dtype=torch.int64), candidates=own, label_costs=costs, **grid
    )
    assert found.labels.tolist() == list(range(12))
    assert found.energy.item() == 12 + 66 + 9 * 17


def test_costs_of_labels_that_no_node_has():
    edge_index = torch.zeros(2, 0, dtype=torch.int64)
    found = gx.alpha_expansion(edge_index, torch.zeros(0, 3), label_costs=torch.ones(3))
    assert (found.labels.tolist(), found.energy.item()) == ([], 0)
