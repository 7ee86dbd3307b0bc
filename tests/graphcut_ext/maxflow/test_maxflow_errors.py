"""Every bad argument of the cut operators is refused by name, before anything is computed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import graphcut_ext as gx

INF, NAN = float("inf"), float("nan")


def edge_list(**changes: object) -> dict[str, object]:
    arguments: dict[str, object] = {
        "edge_index": torch.tensor([[0, 1], [1, 2]]),
        "capacity": torch.tensor([3.0, 1.0]),
        "source": torch.tensor([5.0, 0.0, 0.0]),
        "sink": torch.tensor([0.0, 0.0, 4.0]),
    }
    return arguments | changes


EDGE_LIST_ERRORS = [
    ({"edge_index": [[0], [1]]}, TypeError, "edge_index must be a torch.Tensor, not list"),
    ({"capacity": None}, TypeError, "capacity must be a torch.Tensor, not NoneType"),
    ({"capacity": torch.ones(2).to_sparse()}, TypeError, "capacity must be a strided tensor"),
    ({"edge_index": torch.zeros(2, 2)}, TypeError, "edge_index must be int64, not float32"),
    ({"edge_index": torch.zeros(2, 2, dtype=torch.int32)}, TypeError, "must be int64, not int32"),
    (
        {"edge_index": torch.zeros(3, 2, dtype=torch.int64)},
        ValueError,
        r"edge_index must have shape \(2, E\), not \(3, 2\)",
    ),
    (
        {"edge_index": torch.tensor([[0, 1], [1, 3]])},
        IndexError,
        r"edge_index\[1, 1\] = 3 is out of range for 3 nodes",
    ),
    (
        {"edge_index": torch.tensor([[0, -1], [1, 2]])},
        IndexError,
        r"edge_index\[0, 1\] = -1 is out of range for 3 nodes",
    ),
    ({"capacity": torch.ones(2).half()}, TypeError, "capacity must be one of .*, not float16"),
    ({"capacity": torch.ones(2, dtype=torch.bool)}, TypeError, "capacity .* not bool"),
    ({"source": torch.ones(3).double()}, TypeError, "source is float64 but capacity is float32"),
    ({"capacity": torch.ones(3)}, ValueError, r"capacity .* E = 2, not \(3,\)"),
    ({"capacity": torch.tensor(1.0)}, ValueError, r"capacity must have shape .* not \(\)"),
    ({"source": torch.tensor(1.0)}, ValueError, r"source must have shape \(..., N\)"),
    ({"sink": torch.ones(4)}, ValueError, r"sink .* N = 3, not \(4,\)"),
    ({"reverse_capacity": torch.ones(1)}, ValueError, r"reverse_capacity .* E = 2, not \(1,\)"),
    ({"capacity": torch.ones(4, 2), "source": torch.ones(3, 3)}, ValueError, "do not broadcast"),
    ({"capacity": torch.ones(2, device="meta")}, ValueError, "capacity is on meta but"),
    ({"capacity": torch.tensor([1.0, -2.0])}, ValueError, "capacity is -2 at edge 1"),
    ({"capacity": torch.tensor([NAN, 1.0])}, ValueError, "capacity is nan at edge 0"),
    ({"source": torch.tensor([1.0, 1.0, NAN])}, ValueError, "source is nan at node 2"),
    ({"sink": torch.tensor([1.0, -INF, 0.0])}, ValueError, "sink is -inf at node 1"),
    ({"reverse_capacity": torch.tensor([0.0, -1.0])}, ValueError, "reverse_capacity is -1 at edge"),
    (
        {"source": torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 1.0]])},
        ValueError,
        "source is -1 at node 1 of cut 1",
    ),
    (
        {"source": torch.tensor([INF, 0.0, 0.0]), "sink": torch.tensor([INF, 0.0, 0.0])},
        ValueError,
        "infinite capacity joins source and sink: it enters at node 0 .* leaves at node 0",
    ),
    (
        {
            "source": torch.tensor([INF, 0.0, 0.0]),
            "capacity": torch.tensor([INF, INF]),
            "sink": torch.tensor([0.0, 0.0, INF]),
        },
        ValueError,
        "enters at node 0 .* leaves at node 2",
    ),
    ({"capacity": torch.tensor([3e38, 1.0])}, ValueError, "capacity overflows at entry 0"),
    ({"ptr": torch.tensor([0.0, 3.0])}, TypeError, "ptr must be int64"),
    ({"ptr": torch.tensor([[0, 3]])}, ValueError, "ptr must have shape"),
    ({"ptr": torch.tensor([], dtype=torch.int64)}, ValueError, "ptr must have shape"),
    ({"ptr": torch.tensor([1, 3])}, ValueError, "ptr must start at 0, not 1"),
    ({"ptr": torch.tensor([0, 2])}, ValueError, "ptr must end at the number of nodes, 3, not 2"),
    ({"ptr": torch.tensor([0, 5, 3])}, ValueError, "ptr must not decrease"),
    (
        {"ptr": torch.tensor([0, 2, 3])},
        ValueError,
        "edge 1 joins node 1 of graph 0 to node 2 of another graph",
    ),
    (
        {"solver": "simplex"},
        ValueError,
        "solver must be one of 'auto', .*, not 'simplex'",
    ),
    (
        {"solver": "push_relabel", "return_flow": True},
        ValueError,
        "return_flow needs solver 'bk' or 'auto', not 'push_relabel'",
    ),
    (
        {"solver": "ibfs", "return_flow": True},
        ValueError,
        "return_flow needs solver 'bk' or 'auto', not 'ibfs'",
    ),
    (
        {"solver": "hpf", "return_flow": True},
        ValueError,
        "return_flow needs solver 'bk' or 'auto', not 'hpf'",
    ),
    ({"num_threads": 0}, ValueError, "num_threads must be at least 1, not 0"),
    ({"num_threads": 2.0}, TypeError, "num_threads must be an int"),
    ({"num_threads": np.float64(2)}, TypeError, "num_threads must be an int"),
    ({"num_threads": np.int32(0)}, ValueError, "num_threads must be at least 1, not 0"),
    ({"num_threads": True}, TypeError, "num_threads must be an int"),
]


@pytest.mark.parametrize(("changes", "error", "message"), EDGE_LIST_ERRORS)
def test_maxflow(changes, error, message):
    with pytest.raises(error, match=message):
        gx.maxflow(**edge_list(**changes))


def int64_list(**changes: object) -> dict[str, object]:
    arguments = edge_list(**changes)
    return {
        k: v.to(torch.int64) if isinstance(v, torch.Tensor) else v for k, v in arguments.items()
    }


TOP = 2**63 - 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"capacity": torch.tensor([TOP, 1])}, "capacity overflows at entry 0"),
        ({"source": torch.tensor([TOP, TOP, 0]), "sink": torch.tensor([0, TOP, TOP])}, "both sums"),
    ],
)
def test_integer_overflow(changes, message):
    with pytest.raises(ValueError, match=message):
        gx.maxflow(**int64_list(**changes))


def test_value_beyond_float64():
    huge = torch.full((2,), 1.5e308, dtype=torch.float64)
    with pytest.raises(ValueError, match="value of the minimum cut overflows float64"):
        gx.maxflow(torch.zeros(2, 0, dtype=torch.int64), huge[:0], huge, huge)


def knn(**changes: object) -> dict[str, object]:
    arguments: dict[str, object] = {
        "indices": torch.tensor([[[1], [2], [0]]]),
        "weights": torch.ones(1, 3, 1),
        "source": torch.ones(1, 2, 3),
        "sink": torch.ones(1, 2, 3),
    }
    return arguments | changes


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"indices": 3}, TypeError, "indices must be a torch.Tensor, not int"),
        ({"indices": torch.zeros(1, 3, 1)}, TypeError, "indices must be int64"),
        ({"indices": torch.zeros(3, 1, dtype=torch.int64)}, ValueError, r"shape \(B, N, K\)"),
        (
            {"indices": torch.tensor([[[1], [3], [0]]])},
            IndexError,
            r"indices\[0, 1, 0\] = 3 is out of range for 3 nodes",
        ),
        ({"indices": torch.tensor([[[1], [-2], [0]]])}, IndexError, r"indices\[0, 1, 0\] = -2"),
        ({"weights": torch.ones(1, 3, 2)}, ValueError, "weights must have the shape of indices"),
        ({"weights": torch.ones(1, 3, 1).bfloat16()}, TypeError, "weights must be one of"),
        ({"weights": -torch.ones(1, 3, 1)}, ValueError, "weights is -1 at entry 0"),
        ({"source": torch.ones(1, 3)}, ValueError, "source must have shape"),
        ({"source": torch.ones(2, 2, 3)}, ValueError, "source must have shape .* B = 1, N = 3"),
        ({"sink": torch.ones(1, 1, 3)}, ValueError, "sink must have the shape of source"),
        (
            {"sink": torch.ones(1, 2, 3).double()},
            TypeError,
            "sink is float64 but weights is float32",
        ),
        ({"source": torch.full((1, 2, 3), NAN)}, ValueError, "source is nan at node 0"),
        (
            {"source": torch.full((1, 2, 3), INF), "sink": torch.full((1, 2, 3), INF)},
            ValueError,
            "infinite capacity joins source and sink of item 0, cut 0",
        ),
        ({"solver": "fast"}, ValueError, "solver must be one of"),
        ({"num_threads": -1}, ValueError, "num_threads must be at least 1, not -1"),
    ],
)
def test_knn_maxflow(changes, error, message):
    with pytest.raises(error, match=message):
        gx.knn_maxflow(**knn(**changes))


def test_the_error_of_the_first_graph_is_reported_whatever_the_threads():
    n = 40
    source = torch.zeros(n)
    source[[5, 23]] = INF
    for threads in (1, 2, 8):
        with pytest.raises(ValueError, match="of graph 5:"):
            gx.maxflow(
                torch.zeros(2, 0, dtype=torch.int64),
                torch.zeros(0),
                source,
                source,
                ptr=torch.arange(n + 1),
                num_threads=threads,
            )
