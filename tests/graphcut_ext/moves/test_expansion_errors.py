"""Every argument of gx.alpha_expansion and gx.alpha_beta_swap that is refused, case by case."""

from __future__ import annotations

import pytest
import torch

import graphcut_ext as gx

OPERATORS = [gx.alpha_expansion, gx.alpha_beta_swap]
INF, NAN = float("inf"), float("nan")
SQUARES = (torch.arange(6)[:, None] - torch.arange(6)) ** 2


def arguments(**changes: object) -> dict[str, object]:
    return {
        "edge_index": torch.tensor([[0, 1], [1, 2]]),
        "unary": torch.ones(3, 2),
        "weights": torch.ones(2),
        "pairwise": torch.tensor([[0.0, 1.0], [1.0, 0.0]]),
        "init": torch.tensor([0, 1, 0]),
    } | changes


def changed(tensor: torch.Tensor, position: tuple[int, ...], value: float) -> torch.Tensor:
    tensor = tensor.clone()
    tensor[position] = value
    return tensor


UNARY, ZEROS = torch.ones(3, 2), torch.zeros(2, 2)
ERRORS = [
    ({"edge_index": [[0], [1]]}, TypeError, "edge_index must be a torch.Tensor, not list"),
    ({"unary": None}, TypeError, "unary must be a torch.Tensor, not NoneType"),
    ({"weights": 1.0}, TypeError, "weights must be a torch.Tensor, not float"),
    ({"pairwise": "potts"}, TypeError, "pairwise must be a torch.Tensor, not str"),
    ({"init": [0, 1, 0]}, TypeError, "init must be a torch.Tensor, not list"),
    ({"unary": UNARY.to_sparse()}, TypeError, "unary must be a strided tensor"),
    ({"edge_index": torch.zeros(2, 2)}, TypeError, "edge_index must be int64, not float32"),
    ({"init": torch.zeros(3)}, TypeError, "init must be int64, not float32"),
    ({"unary": UNARY.half()}, TypeError, "unary must be one of .*, not float16"),
    ({"weights": torch.ones(2).double()}, TypeError, "weights is float64 but unary is float32"),
    ({"pairwise": ZEROS.long()}, TypeError, "pairwise is int64 but unary is float32"),
    ({"weights": torch.ones(2, device="meta")}, ValueError, "weights is on meta but"),
    (
        {"edge_index": torch.zeros(3, 2, dtype=torch.int64)},
        ValueError,
        r"edge_index must have shape \(2, E\), not \(3, 2\)",
    ),
    ({"unary": torch.ones(6)}, ValueError, r"unary must have shape \(N, L\) .*, not \(6,\)"),
    ({"unary": torch.ones(3, 0)}, ValueError, r"unary must .* L >= 1, not \(3, 0\)"),
    ({"weights": torch.ones(3)}, ValueError, r"weights must have shape \(E,\) with E = 2, not"),
    (
        {"pairwise": torch.zeros(3, 3)},
        ValueError,
        r"pairwise must have shape \(L, L\) with L = 2, not \(3, 3\)",
    ),
    (
        {"init": torch.zeros(2, dtype=torch.int64)},
        ValueError,
        r"init must have shape \(N,\) with N = 3, not \(2,\)",
    ),
    (
        {"edge_index": torch.tensor([[0, 1], [1, 3]])},
        IndexError,
        r"edge_index\[1, 1\] = 3 is out of range for 3 nodes",
    ),
    (
        {"edge_index": torch.tensor([[0, -1], [5, 2]])},
        IndexError,
        r"edge_index\[0, 1\] = -1 is out of range for 3 nodes",
    ),
    (
        {"init": torch.tensor([0, 2, -1])},
        IndexError,
        r"init\[1\] = 2 is out of range for 2 labels",
    ),
    ({"unary": changed(UNARY, (1, 0), NAN)}, ValueError, "unary is nan at node 1, label 0"),
    ({"unary": changed(UNARY, (2, 1), -INF)}, ValueError, "unary is -inf at node 2, label 1"),
    ({"unary": changed(UNARY, (1,), INF)}, ValueError, "unary is inf at every label of node 1"),
    (
        {"unary": changed(UNARY, (1, 1), INF)},
        ValueError,
        "init gives node 1 the label 1, which unary forbids",
    ),
    ({"weights": torch.tensor([1.0, -2.0])}, ValueError, "weights is -2.0 at edge 1"),
    ({"weights": torch.tensor([NAN, 1.0])}, ValueError, "weights is nan at edge 0"),
    ({"weights": torch.tensor([1.0, INF])}, ValueError, "weights is inf at edge 1"),
    (
        {"pairwise": changed(ZEROS, (1, 0), NAN)},
        ValueError,
        r"pairwise is nan at labels \(1, 0\)",
    ),
    (
        {"pairwise": changed(ZEROS, (0, 1), INF)},
        ValueError,
        r"pairwise is inf at labels \(0, 1\); it must be finite",
    ),
    ({"max_cycles": -1}, ValueError, "max_cycles must be at least 0, not -1"),
    ({"max_cycles": 2.0}, TypeError, "max_cycles must be an int, not float"),
    ({"max_cycles": True}, TypeError, "max_cycles must be an int, not bool"),
    (
        {"solver": "simplex"},
        ValueError,
        "solver must be one of 'auto', .*, not 'simplex'",
    ),
    ({"num_threads": 0}, ValueError, "num_threads must be at least 1, not 0"),
]


TWO, THREE = torch.zeros(2, 2, 2), torch.zeros(3, 2, 2)
LISTED = torch.tensor([[0, 1], [1, 0], [0, -1]])
COSTS = torch.ones(2)
ERRORS += [
    ({"edge_index": None}, TypeError, "edge_index must be a torch.Tensor, not NoneType"),
    ({"grid": (1, 3)}, ValueError, "edge_index must be None where grid is given"),
    ({"connectivity": 4}, ValueError, "connectivity is of a grid, and no grid is given"),
    ({"candidates": LISTED.int()}, TypeError, "candidates must be int64, not int32"),
    ({"candidates": LISTED[:2]}, ValueError, r"candidates must have shape \(N, C\) = \(3, 2\)"),
    (
        {"candidates": torch.tensor([[0, 1], [1, 2], [0, 1]])},
        IndexError,
        r"candidates\[1, 1\] = 2 is out of range for 2 labels",
    ),
    (
        {"candidates": torch.tensor([[0, 1], [1, 2**31], [0, 1]]), "pairwise": None},
        IndexError,
        r"candidates\[1, 1\] = 2147483648 is out of range for at most 1048576 labels",
    ),
    (
        {"candidates": torch.tensor([[0, 1], [1, -2], [0, 1]])},
        IndexError,
        r"candidates\[1, 1\] = -2: labels are >= 0",
    ),
    (
        {"candidates": torch.tensor([[0, 1], [1, 1], [0, 1]])},
        ValueError,
        "candidates lists label 1 twice at node 1",
    ),
    (
        {"candidates": torch.tensor([[0, 1], [1, 0], [-1, -1]])},
        ValueError,
        "node 2 has no candidate that unary allows",
    ),
    (
        {"candidates": torch.tensor([[0, 1], [0, -1], [0, 1]])},
        ValueError,
        "init gives node 1 the label 1, which is not among its candidates",
    ),
    (
        {"candidates": LISTED, "unary": changed(UNARY, (1, 0), INF)},
        ValueError,
        "init gives node 1 the label 1, which unary forbids",
    ),
    ({"pairwise": THREE}, ValueError, "pairwise has 3 tables for 2 edges"),
    (
        {"pairwise": torch.zeros(2, 3, 3)},
        ValueError,
        r"pairwise must have shape \(K, L, L\) with L = 2, not \(2, 3, 3\)",
    ),
    (
        {"pairwise": changed(TWO, (1, 0, 1), NAN)},
        ValueError,
        r"pairwise is nan at labels \(0, 1\) of table 1",
    ),
    (
        {"pairwise": THREE, "pairwise_index": torch.tensor([0, 3])},
        IndexError,
        r"pairwise_index\[1\] = 3 is out of range for 3 tables of pairwise",
    ),
    (
        {"pairwise": THREE, "pairwise_index": torch.tensor([0])},
        ValueError,
        r"pairwise_index must have shape \(E,\) with E = 2, not \(1,\)",
    ),
    (
        {"pairwise_index": torch.tensor([0, 0])},
        ValueError,
        r"pairwise_index needs a pairwise of shape \(K, L, L\)",
    ),
    ({"label_costs": [1, 2]}, TypeError, "label_costs must be a torch.Tensor, not list"),
    ({"label_costs": COSTS.long()}, TypeError, "label_costs is int64 but unary is float32"),
    ({"label_costs": torch.ones(3)}, ValueError, r"label_costs must have shape \(L,\) with L = 2"),
    ({"label_costs": torch.tensor([1.0, -1.0])}, ValueError, "label_costs is -1.0 at 1"),
    ({"label_costs": torch.tensor([INF, 1.0])}, ValueError, "label_costs is inf at 0"),
    ({"label_sets": torch.ones(2, 2).bool()}, ValueError, "label_sets need label_costs"),
    (
        {"label_costs": COSTS, "label_sets": torch.ones(2, 2)},
        TypeError,
        "label_sets must be bool, not float32",
    ),
    (
        {"label_costs": COSTS, "label_sets": torch.ones(3, 2).bool()},
        ValueError,
        r"label_sets must have shape \(S, L\) with S = 2, L = 2, not \(3, 2\)",
    ),
]


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"grid": 3}, TypeError, "grid must be a sequence of integers, not int"),
        ({"grid": (3,)}, ValueError, "grid must have 2 or 3 axes, not 1"),
        ({"grid": (1, 2.0)}, TypeError, r"grid\[1\] must be an integer, not float"),
        ({"grid": (2, 3)}, ValueError, r"grid \(2, 3\) has 6 nodes, but unary is of 3"),
        ({"connectivity": 6}, ValueError, "connectivity must be one of 4, 8 in 2 dimensions"),
        ({"weights": torch.ones(3)}, ValueError, r"weights must be a number, or have shape \(2,\)"),
        (
            {"weights": torch.tensor([1.0, -1.0])},
            ValueError,
            r"weights is -1.0 at \[1\]; weights must be finite and >= 0",
        ),
    ],
)
def test_bad_grids(operator, changes, error, message):
    fine = {"edge_index": None, "weights": None, "init": None, "grid": (1, 3)}
    assert operator(**arguments(**fine)).energy == 3
    with pytest.raises(error, match=message):
        operator(**arguments(**fine | changes))


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_table_that_breaks_the_inequality_is_named(operator):
    bad = torch.tensor([[[0, 1], [1, 0]], [[5, 1], [1, 0]]])
    unary = torch.zeros(3, 2, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"pairwise\[1\] is not a (semi-)?metric at"):
        operator(torch.tensor([[0, 1], [1, 2]]), unary, pairwise=bad)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(("changes", "error", "message"), ERRORS)
def test_bad_arguments(operator, changes, error, message):
    with pytest.raises(error, match=message):
        operator(**arguments(**changes))


def test_expansion_refuses_what_is_no_metric():
    edge_index, unary = torch.tensor([[0], [1]]), torch.zeros(2, 6, dtype=torch.int64)
    message = (
        r"pairwise is not a metric at \(alpha, b, c\) = \(1, 0, 2\): V\[b, c\] \+ "
        r"V\[alpha, alpha\] = 4 exceeds V\[b, alpha\] \+ V\[alpha, c\] = 2; alpha_beta_swap"
    )
    with pytest.raises(ValueError, match=message):
        gx.alpha_expansion(edge_index, unary, pairwise=SQUARES)
    with pytest.raises(ValueError, match=r"not a metric at .* = \(1, 0, 2\)"):
        gx.alpha_expansion(edge_index, unary.float(), pairwise=SQUARES.float() * 1e-20)
    slightly = torch.tensor([[0, 1, 2 + 1e-5], [1, 0, 1], [2, 1, 0]])
    with pytest.raises(ValueError, match=r"\(1, 0, 2\)"):
        gx.alpha_expansion(edge_index, torch.zeros(2, 3), pairwise=slightly)
    assert gx.alpha_beta_swap(edge_index, unary, pairwise=SQUARES).energy == 0


def test_swap_refuses_what_rewards_a_difference():
    pairwise = torch.tensor([[0, 1, 1], [1, 0, -3], [1, 2, 0]])
    message = (
        r"pairwise is not a semi-metric at \(alpha, beta\) = \(1, 2\): V\[alpha, alpha\] \+ "
        r"V\[beta, beta\] = 0 exceeds V\[alpha, beta\] \+ V\[beta, alpha\] = -1"
    )
    unary = torch.zeros(2, 3, dtype=torch.int64)
    with pytest.raises(ValueError, match=message):
        gx.alpha_beta_swap(torch.tensor([[0], [1]]), unary, pairwise=pairwise)
    assert gx.alpha_beta_swap(torch.tensor([[0], [1]]), unary, pairwise=pairwise.abs())


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unary": torch.tensor([[2**59, 0], [0, -(2**63)]])}, r"reach 9.8e\+18, .* int64 .* 1.15"),
        ({"unary": torch.tensor([[2**61, 0], [0, 1]])}, "int64 .* or use float64"),
        ({"weights": torch.tensor([2**61])}, "scale them down or use float64"),
        ({"pairwise": torch.tensor([[0, 2**62], [2**62, 0]])}, "energies could reach"),
        ({"label_costs": torch.tensor([2**60, 0])}, "unary, weights, pairwise and label_costs: "),
    ],
)
def test_integer_overflow(operator, changes, message):
    problem = {
        "edge_index": torch.tensor([[0], [1]]),
        "unary": torch.tensor([[1, 0], [0, 1]]),
        "weights": torch.tensor([1]),
    }
    with pytest.raises(ValueError, match=message):
        operator(**problem | changes)


@pytest.mark.parametrize("operator", OPERATORS)
def test_energies_beyond_float64(operator):
    huge = torch.full((2, 2), 1e308, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"overflow float64 up to .*; scale them down$"):
        operator(torch.zeros(2, 0, dtype=torch.int64), huge)
    large = torch.tensor([[0, 3e38], [3e38, 0]])
    assert operator(torch.tensor([[0], [1]]), large, torch.tensor([3e38])).energy.item() > 2.9e38
