"""gx.maxflow: values and labels against independent oracles."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest
import torch
from oracles import Problem, brute_force, scipy_mincut

import graphcut_ext as gx
from graphcut_ext import SOLVERS

DTYPES = [torch.float32, torch.float64, torch.int32, torch.int64]


def random_problem(rng: np.random.Generator, nodes: int, edges: int, top: int = 9) -> Problem:
    """Integer capacities with many zeros, repeated edges and self-loops."""

    def terminal() -> np.ndarray:
        return rng.integers(0, 2 * top, nodes) * (rng.random(nodes) < 0.5)

    return Problem(
        rng.integers(0, nodes, (2, edges)),
        rng.integers(0, top, edges),
        rng.integers(0, top, edges),
        terminal(),
        terminal(),
    )


def solve(problem: Problem, dtype: torch.dtype = torch.float64, **options: object) -> gx.MinCut:
    def tensor(array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(array).to(dtype)

    return gx.maxflow(
        torch.as_tensor(problem.edge_index),
        tensor(problem.capacity),
        tensor(problem.source),
        tensor(problem.sink),
        reverse_capacity=tensor(problem.reverse),
        **options,
    )


def concatenate(problems: list[Problem]) -> tuple[Problem, torch.Tensor]:
    ptr = np.concatenate([[0], np.cumsum([p.nodes for p in problems])])
    return Problem(
        np.concatenate([p.edge_index + ptr[g] for g, p in enumerate(problems)], axis=1),
        *(
            np.concatenate([getattr(p, f) for p in problems])
            for f in ("capacity", "reverse", "source", "sink")
        ),
    ), torch.as_tensor(ptr)


@pytest.mark.parametrize("dtype", DTYPES)
def test_against_brute_force(dtype):
    rng = np.random.default_rng(0)
    for _ in range(60):
        problem = random_problem(rng, int(rng.integers(1, 9)), int(rng.integers(0, 20)))
        value, side = brute_force(problem)
        cut = solve(problem, dtype)
        assert cut.value.item() == value
        assert cut.source_side.tolist() == side.tolist()
        assert cut.value.dtype == (torch.float64 if dtype.is_floating_point else torch.int64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_against_scipy(dtype):
    rng = np.random.default_rng(1)
    for nodes, edges in [(30, 60), (60, 400), (150, 500)]:
        for _ in range(5):
            problem = random_problem(rng, nodes, edges, top=50)
            value, side = scipy_mincut(problem)
            cut = solve(problem, dtype)
            assert cut.value.item() == value
            assert cut.source_side.tolist() == side.tolist()


def test_against_pymaxflow_on_real_capacities():
    pymaxflow = pytest.importorskip("maxflow")
    rng = np.random.default_rng(2)
    n, edges = 2000, 9000
    edge_index = rng.integers(0, n, (2, edges))
    capacity, reverse, source, sink = (rng.exponential(size=s) for s in (edges, edges, n, n))
    graph = pymaxflow.GraphFloat()
    ids = graph.add_nodes(n)
    graph.add_edges(*edge_index, capacity, reverse)
    graph.add_grid_tedges(ids, source, sink)
    expected = graph.maxflow()
    cut = solve(Problem(edge_index, capacity, reverse, source, sink))
    assert cut.value.item() == pytest.approx(expected, rel=1e-12)
    assert (cut.source_side.numpy() == ~graph.get_grid_segments(ids)).all()


def test_value_is_the_capacity_of_the_returned_cut():
    rng = np.random.default_rng(3)
    problem = random_problem(rng, 200, 900)
    problem.capacity = rng.exponential(size=900).astype(np.float32).astype(float)
    cut = solve(problem, torch.float32)
    assert cut.value.item() == pytest.approx(problem.cost(cut.source_side.numpy()), rel=1e-12)


def test_undirected_by_default():
    problem = random_problem(np.random.default_rng(4), 40, 120)
    problem.reverse = problem.capacity
    cut = gx.maxflow(
        torch.as_tensor(problem.edge_index),
        *(torch.as_tensor(a) for a in (problem.capacity, problem.source, problem.sink)),
    )
    assert cut.value.item() == scipy_mincut(problem)[0]


@pytest.mark.parametrize("shuffle", [False, True])
def test_concatenated_graphs_equal_single_graphs(shuffle):
    rng = np.random.default_rng(5)
    sizes = [(5, 9), (1, 0), (30, 80), (0, 0), (12, 40)]
    problems = [random_problem(rng, n, e if n else 0) for n, e in sizes if n] + [
        Problem(np.zeros((2, 0), int), *(np.zeros(0, int),) * 4)
    ]
    joint, ptr = concatenate(problems)
    if shuffle:
        order = rng.permutation(len(joint.capacity))
        joint.edge_index = joint.edge_index[:, order]
        joint.capacity, joint.reverse = joint.capacity[order], joint.reverse[order]
    cut = solve(joint, ptr=ptr)
    singles = [solve(p) for p in problems]
    assert cut.value.tolist() == [s.value.item() for s in singles]
    assert cut.source_side.tolist() == [x for s in singles for x in s.source_side.tolist()]


def test_leading_dimensions_broadcast():
    rng = np.random.default_rng(6)
    base = random_problem(rng, 20, 60)
    capacity = torch.as_tensor(rng.integers(0, 9, (3, 1, 60))).double()
    source = torch.as_tensor(rng.integers(0, 9, (4, 20))).double()
    sink = torch.as_tensor(base.sink).double()
    cut = gx.maxflow(torch.as_tensor(base.edge_index), capacity, source, sink)
    assert cut.value.shape == (3, 4)
    assert cut.source_side.shape == (3, 4, 20)
    for i in range(3):
        for j in range(4):
            c = capacity[i, 0].numpy()
            value, side = scipy_mincut(Problem(base.edge_index, c, c, source[j].numpy(), base.sink))
            assert cut.value[i, j].item() == value
            assert cut.source_side[i, j].tolist() == side.tolist()


def test_any_layout():
    rng = np.random.default_rng(7)
    capacity = torch.as_tensor(rng.random((60, 2)))[:, 1]
    source = torch.as_tensor(rng.random(40))[::2]
    sink = torch.as_tensor(rng.random(1)).expand(20)
    edge_index = torch.as_tensor(rng.integers(0, 20, (60, 2))).T
    cut = gx.maxflow(edge_index, capacity, source, sink)
    tight = gx.maxflow(
        *(
            t.clone(memory_format=torch.contiguous_format)
            for t in (edge_index, capacity, source, sink)
        )
    )
    assert torch.equal(cut.value, tight.value)
    assert torch.equal(cut.source_side, tight.source_side)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("back", [0.0, float("inf")])
def test_infinite_capacities_are_never_cut(solver, swapped, back):
    inf = float("inf")
    source, sink = torch.tensor([inf, 0, 0, 0, 1]), torch.tensor([0, 0, 3, inf, 2])
    forward, backward = torch.tensor([inf, 2, inf, inf]), torch.tensor([back, 2, inf, back])
    if swapped:
        source, sink, forward, backward = sink, source, backward, forward
    cut = gx.maxflow(
        torch.tensor([[0, 1, 2, 1], [1, 2, 3, 4]]),
        forward,
        source,
        sink,
        reverse_capacity=backward,
        solver=solver,
    )
    assert cut.value.item() == 4.0  # the edge between 1 and 2, and the terminal of 4
    assert cut.source_side.tolist() == [not swapped, not swapped, swapped, swapped, not swapped]


@pytest.mark.parametrize("solver", SOLVERS)
def test_sums_past_float32(solver):
    """Three supplies of 3e38 arrive at one node, whose edge lets 2 through."""
    cut = gx.maxflow(
        torch.tensor([[0, 1, 2, 3], [3, 3, 3, 4]]),
        torch.tensor([3e38, 3e38, float("inf"), 2.0]),
        source=torch.tensor([3e38, 3e38, float("inf"), 0.0, 0.0]),
        sink=torch.tensor([0.0, 1e38, 0.0, 0.0, 3e38]),
        reverse_capacity=torch.zeros(4),
        solver=solver,
    )
    assert cut.value.item() == float(np.float32(1e38)) + 2
    assert cut.source_side.tolist() == [True, True, True, True, False]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_infinite_capacities_equal_a_large_finite_one(dtype):
    rng = np.random.default_rng(8)
    for _ in range(30):
        problem = random_problem(rng, 8, 14)
        infinite = rng.random(14) < 0.3
        problem.source = np.where(np.arange(8) < 4, problem.source, 0)
        problem.sink = np.where(np.arange(8) >= 4, problem.sink, 0)
        finite = Problem(
            problem.edge_index,
            np.where(infinite, 10_000, problem.capacity),
            problem.reverse,
            problem.source,
            problem.sink,
        )
        problem.capacity = np.where(infinite, np.inf, problem.capacity)
        value, side = brute_force(finite)
        cut = solve(problem, dtype)
        assert cut.value.item() == value
        assert cut.source_side.tolist() == side.tolist()


def test_unreachable_nodes_are_not_in_the_source_set():
    """The minimal source set: ties and nodes no terminal reaches go to the sink side."""
    cut = gx.maxflow(
        torch.tensor([[0], [1]]),
        torch.tensor([1.0]),
        source=torch.tensor([1.0, 0.0, 0.0]),
        sink=torch.tensor([0.0, 1.0, 0.0]),
    )
    assert cut.value.item() == 1.0
    assert cut.source_side.tolist() == [False, False, False]


def test_int64_is_exact_beyond_double():
    big = 2**60 + 1
    cut = gx.maxflow(
        torch.tensor([[0], [1]]),
        torch.tensor([big]),
        torch.tensor([2**62, 0]),
        torch.tensor([0, 2**62]),
    )
    assert cut.value.item() == big


def test_int32_sums_beyond_int32():
    n = 8
    cut = gx.maxflow(
        torch.stack([torch.arange(n), torch.arange(n)]),
        torch.zeros(n, dtype=torch.int32),
        torch.full((n,), 2**31 - 1, dtype=torch.int32),
        torch.full((n,), 2**31 - 1, dtype=torch.int32),
    )
    assert cut.value.item() == n * (2**31 - 1)


def test_results_do_not_depend_on_threads():
    rng = np.random.default_rng(9)
    joint, ptr = concatenate([random_problem(rng, 50, 200) for _ in range(9)])
    source = torch.as_tensor(rng.random((3, len(joint.source))))
    arguments = (
        torch.as_tensor(joint.edge_index),
        torch.as_tensor(joint.capacity).double(),
        source,
        torch.as_tensor(joint.sink).double(),
    )
    one = gx.maxflow(*arguments, ptr=ptr, num_threads=1)
    for threads in (2, 7, 64):
        many = gx.maxflow(*arguments, ptr=ptr, num_threads=threads)
        assert torch.equal(one.value, many.value)
        assert torch.equal(one.source_side, many.source_side)


def test_empty_batch():
    cut = gx.maxflow(
        torch.zeros(2, 0, dtype=torch.int64),
        torch.zeros(0, 0),
        torch.zeros(0, 3),
        torch.zeros(0, 3),
    )
    assert cut.value.shape == (0,)
    assert cut.source_side.shape == (0, 3)


def _solve_in_child(queue: multiprocessing.Queue) -> None:
    queue.put(solve(random_problem(np.random.default_rng(10), 50, 200), num_threads=2).value.item())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_in_worker_processes(method):
    expected = solve(random_problem(np.random.default_rng(10), 50, 200), num_threads=2).value.item()
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=_solve_in_child, args=(queue,))
    process.start()
    assert queue.get(timeout=120) == expected
    process.join(timeout=120)
    assert process.exitcode == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("capacity", [1e9, 1e18, torch.inf])
@pytest.mark.parametrize("size", [1.0, 2.0**-60])
def test_flow_through_capacities_that_are_much_larger(dtype, capacity, size):
    edge_index = torch.tensor([[0, 1], [1, 2]])
    source = torch.tensor([[1.5, 0.0, 0.0], [2.0**20, 0.0, 0.0]], dtype=dtype) * size
    sink = torch.tensor([[0.0, 0.0, 1.25], [0.0, 0.0, 2.0**20]], dtype=dtype) * size
    links = torch.full((2,), capacity, dtype=dtype)
    cut = gx.maxflow(edge_index, links, source, sink, return_flow=True)
    assert cut.flow.dtype == dtype
    assert cut.flow.tolist() == [[1.25 * size] * 2, [2.0**20 * size] * 2]
    assert cut.value.tolist() == [1.25 * size, 2.0**20 * size]


def test_flow_where_float32_cannot_hold_the_sums():
    edge_index = torch.tensor([[0, 1], [1, 2]])
    capacity = torch.tensor([torch.inf, 1e38])
    source, sink = torch.tensor([2e38, 2e38, 0.0]), torch.tensor([0.0, 0.0, 3e38])
    cut = gx.maxflow(edge_index, capacity, source, sink, return_flow=True)
    assert cut.flow[1] == capacity[1]
    assert cut.value == capacity[1].double()


@pytest.mark.parametrize("solver", SOLVERS)
def test_turned_round_the_cut_is_the_maximal_source_set(solver):
    """As the guide says it; between the two sets every node costs the same on either side."""
    chain = torch.tensor([[0, 1, 2], [1, 2, 3]])
    forward, back = torch.tensor([1, 5, 1]), torch.tensor([0, 2, 4])
    source, sink = torch.tensor([9, 0, 0, 0]), torch.tensor([0, 0, 0, 9])
    cut = gx.maxflow(chain, forward, source, sink, reverse_capacity=back, solver=solver)
    turned = gx.maxflow(chain, back, sink, source, reverse_capacity=forward, solver=solver)
    assert cut.value == turned.value == 1
    assert cut.source_side.tolist() == [True, False, False, False]
    assert (~turned.source_side).tolist() == [True, True, True, False]


@pytest.mark.parametrize("batched", ["capacity", "reverse_capacity", "source", "sink"])
def test_one_argument_with_a_dimension_for_cuts_gives_it_to_the_results(batched: str) -> None:
    """Even where it holds one cut."""
    given = {
        name: torch.rand(4 if name in ("source", "sink") else 7, dtype=torch.float64)
        for name in ("capacity", "reverse_capacity", "source", "sink")
    }
    given[batched] = given[batched][None]
    tensors = {name: tensor.requires_grad_() for name, tensor in given.items()}
    cut = gx.maxflow(torch.randint(4, (2, 7)), **tensors)
    assert cut.value.shape == (1,)
    assert cut.source_side.shape == (1, 4)
    cut.value.sum().backward()
    for tensor in tensors.values():
        assert tensor.grad is not None
        assert tensor.grad.shape == tensor.shape
