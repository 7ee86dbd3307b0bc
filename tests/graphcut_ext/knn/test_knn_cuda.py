"""The neighbour search on a CUDA device against the one on the CPU."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import graphcut_ext as gx
from graphcut_ext._knn import cuda

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def random_points(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def assert_same(x: Tensor, k: int, device: str = "cuda") -> None:
    moved = x.to(device)
    found, expected = gx.knn(moved, k), gx.knn(x, k)
    assert found.indices.device == found.distances.device == moved.device
    assert found.distances.dtype == expected.distances.dtype
    assert torch.equal(found.indices.cpu(), expected.indices)
    torch.testing.assert_close(found.distances.cpu(), expected.distances, rtol=3e-7, atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(2, 2, 1), (3, 40, 7), (5, 511, 33), (4, 512, 64), (7, 1681, 130), (300, 33, 4)]
)
def test_agrees_with_the_cpu(dtype: torch.dtype, shape: tuple[int, int, int]):
    assert_same(random_points(*shape, dtype=dtype) + 1, min(9, shape[1] - 1))


@pytest.mark.parametrize("k", [1, 31, 32, 33, 64, 65, 300, 599])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_k(k: int, dtype: torch.dtype):
    assert_same(random_points(2, 600, 5, dtype=dtype), k)


@pytest.mark.parametrize("dtype", DTYPES)
def test_ties_go_to_the_lower_index(dtype: torch.dtype):
    integers = torch.randint(-2, 3, (2, 700, 3), generator=torch.Generator().manual_seed(0))
    assert_same(integers.to(dtype), 20)
    assert_same(torch.full((1, 1100, 3), 7.25, dtype=dtype), 9)
    assert_same(random_points(7, 16, dtype=dtype)[torch.arange(3000) % 7][None], 4)


@pytest.mark.parametrize("scale", [1e-40, 1e30])
def test_extreme_floats(scale: float):
    assert_same(random_points(2, 600, 4).clamp(-3, 3) * scale, 5)


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e200, 1e307])
def test_extreme_doubles(scale: float):
    x = random_points(2, 600, 4, dtype=torch.float64).clamp(-3, 3) * scale
    assert torch.equal(gx.knn(x.cuda(), 5).indices.cpu(), gx.knn(x, 5).indices)


def test_offset_and_outlier():
    x = random_points(1, 900, 20)
    assert_same(x + 1e5, 9)
    x[0, 17] = 1e30
    assert_same(x, 9)


def test_item_larger_than_a_block():
    assert_same(random_points(1, 9000, 8), 9)


def test_non_contiguous_points_and_no_batch():
    assert_same(random_points(3, 6, 600).transpose(1, 2), 4)
    assert_same(random_points(60, 8), 4)
    assert_same(torch.empty(0, 5, 3), 2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("queries", [None, 33, 700])
@pytest.mark.parametrize("ragged", [False, True])
def test_queries_and_lengths(dtype: torch.dtype, queries: int | None, ragged: bool):
    x = random_points(4, 600, 19, dtype=dtype) + 1
    query = None if queries is None else random_points(4, queries, 19, dtype=dtype, seed=1)
    lengths = torch.tensor([600, 0, 3, 520]) if ragged else None
    expected = gx.knn(x, 9, query=query, lengths=lengths)
    for precision in ("exact", "fast"):
        found = gx.knn(
            x.cuda(),
            9,
            query=None if query is None else query.cuda(),
            lengths=None if lengths is None else lengths.cuda(),
            precision=precision,
        )
        assert torch.equal(found.indices.cpu(), expected.indices)
        torch.testing.assert_close(found.distances.cpu(), expected.distances, rtol=3e-7, atol=0)


def test_fast_is_exact():
    x = random_points(3, 1681, 256) + 3
    found = gx.knn(x.cuda(), 9, precision="fast", return_measured=True)
    exact = gx.knn(x.cuda(), 9, return_measured=True)
    assert torch.equal(found.indices.cpu(), gx.knn(x, 9).indices)
    assert int((exact.measured > 9).sum()) <= int((found.measured > 9).sum())
    assert bool((found.measured >= 9).all())


@pytest.fixture
def tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without products, however few the points."""
    monkeypatch.setattr(cuda, "TILE_POINTS", 0)


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 15, 16, 17, 64])
@pytest.mark.parametrize("k", [1, 9, 32])
def test_tiles(dtype: torch.dtype, channels: int, k: int):
    for points in (33, 128, 129, 1000):
        assert_same(random_points(2, points, channels, dtype=dtype) + 1, k)


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("dtype", DTYPES)
def test_ties_in_tiles(dtype: torch.dtype):
    integers = torch.randint(-2, 3, (2, 700, 3), generator=torch.Generator().manual_seed(0))
    assert_same(integers.to(dtype), 20)
    assert_same(torch.full((1, 1100, 3), 7.25, dtype=dtype), 9)


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("queries", [None, 33, 700])
@pytest.mark.parametrize("ragged", [False, True])
def test_queries_and_lengths_in_tiles(dtype: torch.dtype, queries: int | None, ragged: bool):
    test_queries_and_lengths(dtype, queries, ragged)


@pytest.mark.usefixtures("tiles")
def test_tiles_on_a_side_stream_in_a_graph_and_on_every_device():
    test_side_stream()
    test_cuda_graph()
    test_every_device()


@pytest.mark.usefixtures("tiles")
def test_tiles_and_values_that_are_not_finite():
    x = torch.zeros(3, 200, 7)
    x[2, 150, 6] = torch.nan
    with pytest.raises(ValueError, match=r"x\[2, 150, 6\] is nan"):
        gx.knn(x.cuda(), 2)


@pytest.mark.usefixtures("tiles")
def test_no_queries():
    x = random_points(2, 200, 7).cuda()
    assert gx.knn(x, 3, query=x[:, :0]).indices.shape == (2, 0, 3)


def test_tiles_need_memory_for_points_alone():
    x = random_points(1, 25_921, 64).cuda()
    gx.knn(x[:, :5000].contiguous(), 9)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    found = gx.knn(x, 9)
    assert torch.cuda.max_memory_allocated() - before < 64 << 20
    some = torch.arange(0, 25_921, 1000)
    expected = gx.knn(x.cpu(), 10, query=x[:, some].cpu()).indices[..., 1:]  # itself first
    assert torch.equal(found.indices[:, some].cpu(), expected)


def test_lengths_out_of_range():
    with pytest.raises(ValueError, match=r"lengths\[1\] is 6"):
        gx.knn(torch.zeros(2, 5, 3).cuda(), 2, lengths=torch.tensor([5, 6]).cuda())


def test_tf32_leaves_the_result():
    x = random_points(2, 1681, 256) + 3
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("high")
        assert_same(x, 9)
    finally:
        torch.set_float32_matmul_precision(before)


def test_same_bits_on_every_call_and_in_every_batch():
    x = random_points(12, 700, 64).cuda()
    first = gx.knn(x, 9)
    for b in (0, 5, 11):
        again, alone = gx.knn(x, 9), gx.knn(x[b : b + 1], 9)
        assert torch.equal(first.indices, again.indices)
        assert torch.equal(first.distances, again.distances)
        assert torch.equal(first.indices[b], alone.indices[0])
        assert torch.equal(first.distances[b], alone.distances[0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite(dtype: torch.dtype, value: float):
    x = torch.zeros(3, 200, 300, dtype=dtype)
    x[2, 150, 299] = value
    x[2, 199, 0] = value
    with pytest.raises(ValueError, match=rf"x must be finite, but x\[2, 150, 299\] is {value}"):
        gx.knn(x.cuda(), 2)


def test_every_device():
    x = random_points(2, 600, 8)
    for index in range(torch.cuda.device_count()):
        assert_same(x, 5, f"cuda:{index}")
        assert torch.cuda.current_device() == 0


def test_side_stream():
    x = random_points(4, 1681, 64)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        found = gx.knn(x.cuda(), 9)
    stream.synchronize()
    assert torch.equal(found.indices.cpu(), gx.knn(x, 9).indices)


def test_cuda_graph():
    x = random_points(2, 600, 16).cuda()
    gx.knn(x, 5)  # cuBLAS allocates on first use
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = gx.knn(x, 5)
    other = random_points(2, 600, 16, seed=1)
    x.copy_(other)
    graph.replay()
    torch.cuda.synchronize()
    assert torch.equal(found.indices.cpu(), gx.knn(other, 5).indices)


def test_gradient():
    x = random_points(2, 600, 8, dtype=torch.float64)
    weights = random_points(2, 600, 5, dtype=torch.float64, seed=1)
    gradients = []
    for device in ("cpu", "cuda"):
        points = x.to(device, copy=True).requires_grad_()
        (gx.knn(points, 5).distances * weights.to(device)).sum().backward()
        assert points.grad is not None
        gradients.append(points.grad.cpu())
    torch.testing.assert_close(*gradients)


def test_operator_contract():
    x = random_points(2, 6, 3, dtype=torch.float64).cuda().requires_grad_()
    torch.library.opcheck(torch.ops.graphcut_ext.knn.default, (x, 3))


def test_autocast_changes_nothing():
    x = random_points(1, 600, 32).cuda()
    expected = gx.knn(x, 9)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        found = gx.knn(x, 9)
    assert torch.equal(found.indices, expected.indices)
    assert torch.equal(found.distances, expected.distances)
