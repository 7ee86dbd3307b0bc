"""Neighbours of queries, and of items of different lengths."""

from __future__ import annotations

import pytest
import torch
from brute_force import brute_force
from torch import Tensor

import graphcut_ext as gx
from graphcut_ext._knn import cpu

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@pytest.fixture(autouse=True, params=[False, True], ids=["", "rounded"])
def rounds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether points are rounded first, which processors differ in."""
    monkeypatch.setattr(cpu, "ROUNDS", request.param)


def random_points(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def assert_exact(
    x: Tensor, k: int, query: Tensor | None = None, lengths: Tensor | None = None
) -> None:
    found = gx.knn(x, k, query=query, lengths=lengths)
    distances, indices = brute_force(x, k, query, lengths)
    assert torch.equal(found.indices, indices)
    torch.testing.assert_close(found.distances, distances.to(found.distances.dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("searched", "queries", "channels"), [(1, 5, 3), (40, 1, 7), (300, 700, 33), (900, 50, 2)]
)
@pytest.mark.parametrize("mean", [0.0, 5.0])
def test_queries(dtype: torch.dtype, searched: int, queries: int, channels: int, mean: float):
    x = (random_points(3, searched, channels) + mean).to(dtype)
    query = (random_points(3, queries, channels, seed=1) + mean).to(dtype)
    assert_exact(x, min(9, searched), query)


def test_a_query_that_equals_a_point_has_it_as_a_neighbour():
    x = random_points(2, 30, 4)
    found = gx.knn(x, 1, query=x.flip(1))
    assert found.indices.flatten(1).tolist() == [list(range(29, -1, -1))] * 2
    assert not found.distances.any()


def test_queries_far_from_the_points():
    assert_exact(random_points(1, 600, 6), 5, random_points(1, 40, 6, seed=1) + 1e6)
    assert_exact(random_points(1, 600, 6) * 1e-20, 5, random_points(1, 40, 6, seed=1) * 1e18)


def test_queries_without_a_batch_and_without_any():
    x, query = random_points(20, 3), random_points(4, 3, seed=1)
    found, batched = gx.knn(x, 2, query=query), gx.knn(x[None], 2, query=query[None])
    assert torch.equal(found.indices, batched.indices[0])
    assert gx.knn(x, 2, query=query[:0]).indices.shape == (0, 2)


def test_more_queries_than_a_block():
    assert_exact(random_points(1, 2500, 3), 4, random_points(1, 4100, 3, seed=1))


@pytest.mark.parametrize("points", [40, 700])
@pytest.mark.parametrize("queries", [None, 60])
def test_lengths(points: int, queries: int | None):
    x = random_points(6, points, 11)
    lengths = torch.tensor([points, 0, 1, 2, 7, points - 1])
    x[torch.arange(points) >= lengths[:, None]] = torch.nan  # must not be looked at
    query = None if queries is None else random_points(6, queries, 11, seed=1)
    clean = x.nan_to_num(0)
    found = gx.knn(x, 5, query=query, lengths=lengths)
    distances, indices = brute_force(clean, 5, query, lengths)
    assert torch.equal(found.indices, indices)
    torch.testing.assert_close(found.distances, distances.float())


@pytest.mark.parametrize("lengths", [None, torch.tensor([5, 3])])
@pytest.mark.parametrize("queries", [None, 4])
def test_gradients_against_finite_differences(lengths: Tensor | None, queries: int | None):
    x = random_points(2, 6, 3, dtype=torch.float64).requires_grad_()
    inputs = [x]
    if queries is not None:
        inputs.append(random_points(2, queries, 3, seed=1, dtype=torch.float64).requires_grad_())

    def distances(x: Tensor, query: Tensor | None = None) -> Tensor:
        found = gx.knn(x, 4, query=query, lengths=lengths)
        return found.distances.masked_fill(found.indices < 0, 0)

    assert torch.autograd.gradcheck(distances, inputs)
    assert torch.autograd.gradgradcheck(distances, inputs)


def test_opcheck():
    x, query = random_points(2, 6, 3).requires_grad_(), random_points(2, 4, 3, seed=1)
    lengths = torch.tensor([6, 4])
    for arguments in (
        (x, 3, query.requires_grad_(), lengths, "exact"),
        (x, 3, None, lengths, "fast"),
    ):
        torch.library.opcheck(torch.ops.graphcut_ext.knn.default, arguments)


def test_vmap():
    x, query = random_points(3, 2, 8, 4), random_points(2, 5, 4, seed=1)
    found = torch.vmap(lambda x: gx.knn(x, 2, query=query, lengths=torch.tensor([8, 6])))(x)
    for one, points in enumerate(x):
        alone = gx.knn(points, 2, query=query, lengths=torch.tensor([8, 6]))
        assert torch.equal(found.indices[one], alone.indices)
        assert torch.equal(found.distances[one], alone.distances)


def test_compile_without_graph_break():
    torch._dynamo.reset()
    x, query = random_points(2, 9, 4), random_points(2, 5, 4, seed=1)
    lengths = torch.tensor([9, 5])
    compiled = torch.compile(
        lambda x, query: gx.knn(x, 3, query=query, lengths=lengths), fullgraph=True, backend="eager"
    )
    assert torch.equal(
        compiled(x, query).indices, gx.knn(x, 3, query=query, lengths=lengths).indices
    )


def test_fast_on_the_cpu_is_exact():
    x = random_points(2, 600, 40)
    assert torch.equal(gx.knn(x, 9, precision="fast").indices, gx.knn(x, 9).indices)


POINTS = random_points(2, 5, 3)
BAD = {
    "query of another dtype": (
        {"query": POINTS.double()},
        TypeError,
        "query must have the dtype of x, torch.float32, not torch.float64",
    ),
    "no tensor": ({"query": [[1.0]]}, TypeError, "query must be a torch.Tensor, not list"),
    "query of other channels": (
        {"query": POINTS[..., :2]},
        ValueError,
        r"query must have shape \(2, M, 3\), not \(2, 5, 2\)",
    ),
    "query of another batch": ({"query": POINTS[:1]}, ValueError, r"query must have shape \(2, M"),
    "query without a batch": ({"query": POINTS[0]}, ValueError, r"query must have shape \(2, M"),
    "k above N": ({"query": POINTS, "k": 6}, ValueError, "k must be at most N = 5"),
    "NaN": (
        {"query": POINTS.masked_fill(POINTS[1, 2, 0] == POINTS, torch.nan)},
        ValueError,
        r"query must be finite, but query\[1, 2, 0\] is nan",
    ),
    "float lengths": ({"lengths": torch.ones(2)}, TypeError, "lengths must be int64"),
    "lengths of another batch": (
        {"lengths": torch.ones(3, dtype=torch.int64)},
        ValueError,
        r"lengths must have shape \(2,\), not \(3,\)",
    ),
    "length above N": (
        {"lengths": torch.tensor([5, 6])},
        ValueError,
        r"lengths must be from 0 to N = 5, but lengths\[1\] is 6",
    ),
    "negative length": ({"lengths": torch.tensor([-1, 6])}, ValueError, r"lengths\[0\] is -1"),
    "precision": ({"precision": "tf32"}, ValueError, "precision must be one of 'exact', 'fast'"),
}


@pytest.mark.parametrize(("changes", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input(changes: dict[str, object], error: type[Exception], message: str):
    arguments = {"x": POINTS, "k": 2, **changes}
    with pytest.raises(error, match=message):
        gx.knn(**arguments)  # type: ignore[arg-type]


def test_lengths_need_a_batch():
    with pytest.raises(ValueError, match="lengths needs x of shape"):
        gx.knn(POINTS[0], 2, lengths=torch.tensor(3))


def test_what_lies_beyond_the_lengths_has_no_part_in_gradients():
    x = torch.randn(2, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    spoilt = x.clone()
    spoilt[0, 4:] = torch.nan
    lengths = torch.tensor([4, 6])
    gradients = []
    for points in (x, spoilt):
        points.requires_grad_()
        found = gx.knn(points, 2, lengths=lengths)
        torch.where(found.indices >= 0, found.distances, 0).sum().backward()
        gradients.append(points.grad)
    assert torch.equal(*gradients)
    assert gradients[1].abs().sum() > 0
    assert not gradients[1][0, 4:].any()
