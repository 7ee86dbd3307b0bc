"""Input on which other maximum-flow libraries hang, crash, exit or answer nonsense."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch

import graphcut_ext as gx
from graphcut_ext import SOLVERS

pytestmark = pytest.mark.timeout(60)

INF, NAN = float("inf"), float("nan")
HEAD = b"p max 4 2\nn 1 s\nn 4 t\n"


def ints(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int64)


def edge_list(**changes: object) -> dict[str, object]:
    return {
        "edge_index": torch.tensor([[0, 1], [1, 2]]),
        "capacity": torch.tensor([3.0, 1.0]),
        "source": torch.tensor([5.0, 0.0, 0.0]),
        "sink": torch.tensor([0.0, 0.0, 4.0]),
    } | changes


def neighbours(**changes: object) -> dict[str, object]:
    return {
        "indices": torch.tensor([[[1], [2], [0]]]).expand(2, 3, 1),
        "weights": torch.ones(2, 3, 1),
        "source": torch.tensor([5.0, 0.0, 0.0]).expand(2, 2, 3),
        "sink": torch.tensor([0.0, 0.0, 4.0]).expand(2, 2, 3),
    } | changes


def energy(**changes: object) -> dict[str, object]:
    return {
        "edge_index": torch.tensor([[0, 1], [1, 2]]),
        "unary": torch.tensor([[0.0, 2.0], [1.0, 1.0], [2.0, 0.0]]),
        "weights": torch.tensor([0.5, 0.25]),
    } | changes


def changed(tensor: torch.Tensor, position: tuple[int, ...], value: float) -> torch.Tensor:
    tensor = tensor.clone()
    tensor[position] = value
    return tensor


def assert_the_library_still_works() -> None:
    for solver in SOLVERS:
        assert gx.maxflow(**edge_list(), solver=solver, num_threads=2).value.item() == 1
        assert gx.knn_maxflow(**neighbours(), solver=solver).value.tolist() == [[2, 2], [2, 2]]
    assert gx.alpha_expansion(**energy()).energy.item() == 1.25
    assert gx.read_dimacs(io.BytesIO(HEAD + b"a 1 4 7\na 1 2 1\n")).cut().value.item() == 7


def refused(
    operator: Callable[..., object], error: type[Exception], message: str, **arguments: object
) -> None:
    with pytest.raises(error, match=message):
        operator(**arguments)
    assert_the_library_still_works()


TOP = 2**62
NO_EDGES = torch.zeros(2, 0, dtype=torch.int64)
MAXFLOW = {
    "NaN": ({"capacity": torch.tensor([1.0, NAN])}, ValueError, "capacity is nan at edge 1"),
    "infinite path": (
        {
            "capacity": torch.tensor([INF, INF]),
            "source": torch.tensor([INF, 0, 0]),
            "sink": torch.tensor([0, 0, INF]),
        },
        ValueError,
        "infinite capacity joins source and sink: it enters at node 0 .* leaves at node 2",
    ),
    "node out of range": (
        {"edge_index": torch.tensor([[0, 2**40], [1, 2]])},
        IndexError,
        r"edge_index\[0, 1\] = 1099511627776 is out of range for 3 nodes",
    ),
    "node -1": (
        {"edge_index": torch.tensor([[0, -1], [1, 2]])},
        IndexError,
        r"edge_index\[0, 1\] = -1 is out of range",
    ),
    "count -1": (
        {"ptr": ints(0, 4, 3)},
        ValueError,
        r"ptr must not decrease: ptr\[2\] = 3 after 4",
    ),
    "count -2^63": ({"ptr": ints(0, -(2**63), 3)}, ValueError, r"ptr\[1\] = -9223372036854775808"),
    "count 2^63": ({"ptr": ints(0, 2**63 - 1, 3)}, ValueError, "gives graph 0 too many nodes"),
    "negative capacity": (
        {"reverse_capacity": torch.tensor([0.0, -0.5])},
        ValueError,
        "reverse_capacity is -0.5 at edge 1",
    ),
    "fraction in an integer graph": (
        {"capacity": ints(1, 1)},
        TypeError,
        "source is float32 but capacity is int64",
    ),
    "capacities of 2^62 both ways": (
        {"capacity": ints(TOP, TOP), "source": ints(TOP, 0, 0), "sink": ints(0, 0, TOP)},
        ValueError,
        f"capacity overflows at entry 0: {TOP} \\+ {TOP}",
    ),
    "terminals that add up to 2^63": (
        {"capacity": ints(1, 1), "source": ints(TOP, TOP, 0), "sink": ints(0, TOP, TOP)},
        ValueError,
        "source and sink: both sums exceed the largest int64",
    ),
    "2^31 nodes": (
        {
            "edge_index": NO_EDGES,
            "capacity": torch.zeros(0),
            "source": torch.zeros(1).expand(2**31),
            "sink": torch.zeros(1).expand(2**31),
        },
        ValueError,
        "source has 2147483648 nodes, but a graph has at most 1073741823",
    ),
    "2^40 nodes in two graphs": (
        {
            "edge_index": NO_EDGES,
            "capacity": torch.zeros(0),
            "source": torch.zeros(1).expand(2**40),
            "sink": torch.zeros(1).expand(2**40),
            "ptr": ints(0, 1, 2**40),
        },
        ValueError,
        "source has 1099511627776 nodes, .* there are 2",
    ),
    "2^30 edges": (
        {
            "edge_index": torch.zeros(2, 1, dtype=torch.int64).expand(2, 2**30),
            "capacity": torch.zeros(1).expand(2**30),
        },
        ValueError,
        "edge_index has 1073741824 edges, but a graph has at most 1073741823",
    ),
}


@pytest.mark.parametrize("case", MAXFLOW)
@pytest.mark.parametrize("solver", SOLVERS)
def test_maxflow(case, solver):
    changes, error, message = MAXFLOW[case]
    refused(gx.maxflow, error, message, **edge_list(**changes), solver=solver)


ONES, LINKS = torch.ones(2, 2, 3), torch.ones(2, 3, 1)
KNN = {
    "NaN": (
        {"weights": changed(LINKS, (1, 2, 0), NAN)},
        ValueError,
        r"weights\[1\] is nan at .* 2",
    ),
    "infinite path": (
        {"source": changed(ONES, (1, 0, 1), INF), "sink": changed(ONES, (1, 0, 1), INF)},
        ValueError,
        "joins source and sink of item 1, cut 0: it enters at node 1",
    ),
    "node out of range": (
        {"indices": changed(LINKS, (1, 0, 0), 3).long()},
        IndexError,
        r"indices\[1, 0, 0\] = 3 is out of range for 3 nodes",
    ),
    "node -2": (
        {"indices": changed(LINKS, (0, 2, 0), -2).long()},
        IndexError,
        r"indices\[0, 2, 0\] = -2 is out of range",
    ),
    "negative capacity": (
        {"sink": changed(ONES, (1, 1, 2), -2)},
        ValueError,
        r"sink\[1\] is -2 at node 2 of cut 1",
    ),
    "fraction in an integer graph": (
        {"weights": LINKS.int()},
        TypeError,
        "source is float32 but weights is int32",
    ),
    "weights of 2^62": (
        {
            "indices": torch.tensor([[[0], [2], [1]]]).expand(2, 3, 1),
            "weights": torch.full((2, 3, 1), TOP),
            "source": ONES.long(),
            "sink": ONES.long(),
        },
        ValueError,
        f"weights overflows at entry 1: {TOP} \\+ {TOP}",
    ),
    "2^31 nodes": (
        {
            "indices": torch.zeros(1, 1, 1, dtype=torch.int64).expand(1, 2**31, 1),
            "weights": torch.zeros(1, 1, 1).expand(1, 2**31, 1),
            "source": torch.zeros(1, 1, 1).expand(1, 1, 2**31),
            "sink": torch.zeros(1, 1, 1).expand(1, 1, 2**31),
        },
        ValueError,
        "indices has 2147483648 nodes, but a graph has at most 1073741823",
    ),
    "2^30 entries": (
        {
            "indices": torch.zeros(1, 1, 1, dtype=torch.int64).expand(1, 2**20, 2**10),
            "weights": torch.zeros(1, 1, 1).expand(1, 2**20, 2**10),
            "source": torch.zeros(1, 1, 1).expand(1, 1, 2**20),
            "sink": torch.zeros(1, 1, 1).expand(1, 1, 2**20),
        },
        ValueError,
        "indices has 1073741824 edges, but a graph has at most 1073741823",
    ),
}


@pytest.mark.parametrize("case", KNN)
def test_knn_maxflow(case):
    changes, error, message = KNN[case]
    refused(gx.knn_maxflow, error, message, **neighbours(**changes))


LABELS = {
    "NaN": ({"weights": torch.tensor([NAN, 1.0])}, ValueError, "weights is nan at edge 0"),
    "infinite weight": ({"weights": torch.tensor([1.0, INF])}, ValueError, "inf at edge 1"),
    "node out of range": (
        {"edge_index": torch.tensor([[0, 1], [1, 3]])},
        IndexError,
        r"1\] = 3 is",
    ),
    "node -1": ({"edge_index": torch.tensor([[0, -1], [1, 2]])}, IndexError, r"1\] = -1 is out of"),
    "label -1": ({"init": ints(0, 1, -1)}, IndexError, r"init\[2\] = -1 is out of range"),
    "negative capacity": ({"weights": torch.tensor([1.0, -1.0])}, ValueError, "-1.0 at edge 1"),
    "fraction in an integer energy": (
        {"unary": torch.ones(3, 2, dtype=torch.int32)},
        TypeError,
        "weights is float32 but unary is int32",
    ),
    "costs of 2^62": (
        {"unary": torch.full((3, 2), TOP), "weights": None},
        ValueError,
        "unary, weights and pairwise: energies could reach",
    ),
    "2^31 nodes": (
        {"unary": torch.zeros(1, 1).expand(2**31, 2)},
        ValueError,
        "unary has 2147483648 nodes, but a graph has at most 1073741823",
    ),
    "2^30 edges": (
        {
            "edge_index": torch.zeros(2, 1, dtype=torch.int64).expand(2, 2**30),
            "weights": torch.zeros(1).expand(2**30),
        },
        ValueError,
        "edge_index has 1073741824 edges, but a graph has at most 1073741823",
    ),
}


@pytest.mark.parametrize("case", LABELS)
@pytest.mark.parametrize("operator", [gx.alpha_expansion, gx.alpha_beta_swap])
def test_labels(case, operator):
    changes, error, message = LABELS[case]
    refused(operator, error, message, **energy(**changes))


DIMACS = {
    "a number of 10^6 digits": (
        b"a 1 2 " + b"1" * 10**6 + b"x\n",
        "line 4: capacity '111.* number",
    ),
    "10^6 digits that are a number": (b"a 1 2 0." + b"1" * 10**6 + b"\n" * 2, "after 1 of the 2"),
    "exponent": (b"a 1 2 1e" + b"9" * 10**5 + b"\n", "line 4: capacity .* overflows float64"),
    "NaN": (b"a 1 2 nan\n", "line 4: capacity 'nan'; it must be a number >= 0 or inf"),
    "infinite path": (b"a 1 2 inf\na 2 4 inf\n", "infinite capacity joins source and sink"),
    "infinite arc": (b"a 1 4 inf\na 2 4 1\n", "an arc of infinite capacity joins source and sink"),
    "node -1": (b"a 1 -1 3\n", "line 4: node '-1' is out of range for 4 nodes"),
    "node out of range": (b"a 1 99999999999999999999 3\n", "line 4: node '9+' is out of range"),
    "2^62 twice": (f"a 1 2 {TOP}\na 1 2 {TOP}\n".encode(), "line 5: .* add up beyond int64"),
}


@pytest.mark.parametrize("case", DIMACS)
def test_dimacs(case):
    arcs, message = DIMACS[case]
    refused(
        lambda file: gx.read_dimacs(file).cut(), ValueError, message, file=io.BytesIO(HEAD + arcs)
    )


@pytest.mark.parametrize("direct", [NAN, -1.0, INF])
def test_arcs_past_all_nodes(direct):
    problem = gx.read_dimacs(io.BytesIO(HEAD + b"a 1 2 1.5\na 2 4 1\n"))
    refused(problem._replace(direct=direct).cut, ValueError, "direct|infinite capacity")


@pytest.mark.parametrize("solver", SOLVERS)
def test_self_loops_are_cut_by_nothing(solver):
    loops = torch.cat([edge_list()["edge_index"], torch.tensor([[0, 2, 1], [0, 2, 1]])], dim=1)
    capacity = torch.tensor([3.0, 1.0, 9.0, INF, 0.0])
    cut = gx.maxflow(**edge_list(edge_index=loops, capacity=capacity), solver=solver)
    assert (cut.value.item(), cut.source_side.tolist()) == (1, [True, True, False])


@pytest.mark.parametrize("threads", [10**5, 2**31, 2**63, 10**30])
def test_any_number_of_threads(threads):
    sources = torch.rand(1500, 3)
    few = gx.maxflow(**edge_list(source=sources), num_threads=1)
    many = gx.maxflow(**edge_list(source=sources), num_threads=threads)
    assert torch.equal(few.value, many.value)
    assert gx.knn_maxflow(**neighbours(), num_threads=threads).value.tolist() == [[2, 2], [2, 2]]
    assert gx.alpha_expansion(**energy(), num_threads=threads).energy.item() == 1.25


def test_a_system_that_starts_no_more_threads():
    """The threads there are do the work."""
    pytest.importorskip("resource")
    code = (
        "import resource, torch, graphcut_ext as gx\n"
        "source = torch.rand(1500, 3)\n"
        "edges, ones = torch.tensor([[0, 1], [1, 2]]), torch.ones(2)\n"
        "few = gx.maxflow(edges, ones, source, torch.rand(3), num_threads=1).value.shape\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20),) * 2)\n"
        "assert gx.maxflow(edges, ones, source, source, num_threads=999).value.shape == few\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_integers_of_numpy_count():
    ends, one = torch.tensor([[0, 1], [1, 2]]), torch.ones(3)
    two = np.int64(2)
    assert gx.maxflow(ends, one[:2], one, one, num_threads=two).value == 3
    assert gx.alpha_expansion(ends, torch.rand(3, 2), max_cycles=two).labels.shape == (3,)
    p, image = torch.rand(2, 4, 5), torch.zeros(3, 4, 5)
    assert torch.equal(gx.dense_crf(p, image, iterations=two), gx.dense_crf(p, image, iterations=2))
    assert gx.knn(torch.randn(5, 2), np.int32(3)).indices.shape == (5, 3)
