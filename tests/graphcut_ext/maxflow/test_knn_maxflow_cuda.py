"""Cuts on a CUDA device against the model of the same source, and against the host."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from emulated import emulated_cuts
from torch import Tensor

import graphcut_ext as gx
from benchmarks.families.knn import neighbour_links
from graphcut_ext._maxflow.neighbours_cuda import device_cuts

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
DTYPES = (torch.float32, torch.float64, torch.int32, torch.int64)


def feature_graphs(links: str = "weighted", side: int = 12, items: int = 3) -> tuple[Tensor, ...]:
    found = neighbour_links(links, side, items, 16)
    return tuple(
        torch.from_numpy(a) for a in (found.indices, found.weights, found.source, found.sink)
    )


def random_graphs(
    items: int, cuts: int, n: int, k: int, dtype: torch.dtype, seed: int = 0
) -> tuple[Tensor, ...]:
    g = torch.Generator().manual_seed(seed)
    indices = torch.randint(-1, n, (items, n, k), generator=g)
    weights = torch.randint(0, 9, (items, n, k), generator=g)
    terminals = torch.randint(0, 30, (2, items, cuts, n), generator=g)
    terminals *= torch.rand(terminals.shape, generator=g) < 0.4
    return indices, weights.to(dtype), *terminals.to(dtype)


def on_device(graphs: tuple[Tensor, ...], device: str = "cuda") -> list[Tensor]:
    return [t.to(device) for t in graphs]


def assert_as_emulated(graphs: tuple[Tensor, ...]) -> None:
    """Certificates hold, labels and work are the model's; values to the order of their sums."""
    found = device_cuts(*on_device(graphs), certify=True)
    expected = emulated_cuts(*graphs)
    assert torch.equal(found.status.cpu(), expected.status)
    assert torch.equal(found.source_side.cpu(), expected.source_side)
    assert torch.equal(found.work.cpu(), expected.work)
    torch.testing.assert_close(found.value.cpu(), expected.value, rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(3, 2, 12, 3), (1, 4, 40, 9), (5, 1, 6, 5), (2, 3, 1500, 4), (1, 1, 1, 1)]
)
def test_integers_in_every_dtype(dtype: torch.dtype, shape: tuple[int, int, int, int]):
    graphs = random_graphs(*shape, dtype)
    assert_as_emulated(graphs)
    found = gx.knn_maxflow(*on_device(graphs), solver="push_relabel")
    expected = gx.knn_maxflow(*graphs, solver="bk")
    assert found.value.is_cuda
    assert found.source_side.is_cuda
    assert torch.equal(found.value.cpu(), expected.value)
    assert torch.equal(found.source_side.cpu(), expected.source_side)


@pytest.mark.slow
@pytest.mark.parametrize("links", ["weighted", "unit"])
def test_feature_maps(links: str):
    graphs = feature_graphs(links, 41, 16)
    assert_as_emulated(graphs)
    found = gx.knn_maxflow(*on_device(graphs), solver="push_relabel")
    expected = gx.knn_maxflow(graphs[0], *(c.double() for c in graphs[1:]), solver="bk")
    assert torch.equal(found.source_side.cpu(), expected.source_side)


@pytest.mark.slow
@pytest.mark.parametrize("side", [60, 110, 160])
def test_graphs_beyond_shared_memory(side: int):
    """Flows, and then nodes as well, in global memory."""
    assert_as_emulated(feature_graphs("weighted", side, 1))


def test_hub():
    n = 1000
    indices = torch.zeros(1, n, 1, dtype=torch.int64)
    weights = torch.rand(1, n, 1, generator=torch.Generator().manual_seed(0))
    source, sink = torch.rand(2, 1, 3, n, generator=torch.Generator().manual_seed(1))
    assert_as_emulated((indices, weights, source, sink))


def test_infinite_capacities():
    indices, weights, source, sink = feature_graphs()
    weights[torch.rand(weights.shape, generator=torch.Generator().manual_seed(0)) < 0.02] = (
        torch.inf
    )
    source[:, :, 5], sink[:, :, 5] = torch.inf, 0.0
    sink[:, :, 77], source[:, :, 77] = torch.inf, 0.0
    assert_as_emulated((indices, weights, source, sink))


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_on_every_call_and_in_every_batch(dtype: torch.dtype):
    graphs = on_device(random_graphs(6, 2, 300, 6, dtype))
    if dtype.is_floating_point:
        graphs[1:] = [c * torch.rand_like(c) for c in graphs[1:]]
    first = device_cuts(*graphs)
    for _ in range(3):
        for one, other in zip(device_cuts(*graphs), first, strict=True):
            assert torch.equal(one, other)
    for b in (0, 5):
        for one, other in zip(device_cuts(*(g[b : b + 1] for g in graphs)), first, strict=True):
            assert torch.equal(one[0], other[b])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("index", r"indices\[1, 3, 2\] = 144 is out of range"),
        ("weight", r"weights\[1\] is -1 at entry 29"),
        ("nan", r"sink\[1\] is nan at node 7"),
        ("path", "path of infinite capacity"),
    ],
)
def test_bad_values_are_named_or_have_no_value(bad: str, message: str):
    graphs = feature_graphs()
    indices, weights, source, sink = (t.clone() for t in graphs)
    if bad == "index":
        indices[1, 3, 2] = 144
    elif bad == "weight":
        weights[1, 3, 2] = -1.0
    elif bad == "nan":
        sink[1, 0, 7] = torch.nan
    else:
        source[1, 0, 7] = sink[1, 0, 7] = torch.inf
    damaged = on_device((indices, weights, source, sink))
    with pytest.raises((IndexError, ValueError), match=message):
        gx.knn_maxflow(*damaged, solver="push_relabel")
    with gx.no_value_checks():
        found = gx.knn_maxflow(*damaged, solver="push_relabel")
    assert found.value.isnan().flatten().tolist() == [False, True, False]
    assert not found.source_side[1].any()
    expected = gx.knn_maxflow(*graphs, solver="push_relabel")
    assert torch.equal(found.source_side[::2].cpu(), expected.source_side[::2])


def test_integers_beyond_64_bits_are_solved_by_the_host():
    indices = torch.tensor([[[1], [0]]])
    big = torch.tensor([[[2**61, 0]]])
    weights = torch.tensor([[[2**60], [2**60]]])
    graphs = on_device((indices, weights, big, big.flip(2)))
    assert gx.knn_maxflow(*graphs, solver="push_relabel").value.item() == 2**61


def test_nothing_is_waited_for():
    graphs = on_device(feature_graphs())
    gx.knn_maxflow(*graphs, solver="push_relabel")
    torch.cuda.set_sync_debug_mode("error")
    try:
        with gx.no_value_checks():
            gx.knn_maxflow(*graphs, solver="push_relabel")
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_every_device():
    graphs = random_graphs(2, 2, 300, 5, torch.float32)
    expected = gx.knn_maxflow(*graphs)
    for index in range(torch.cuda.device_count()):
        device = f"cuda:{index}"
        found = gx.knn_maxflow(*on_device(graphs, device), solver="push_relabel")
        assert found.value.device == torch.device(device)
        assert torch.equal(found.source_side.cpu(), expected.source_side)
        assert torch.cuda.current_device() == 0


def test_threads_with_graphs_of_different_sizes():
    """Each launches the same kernel with another amount of shared memory."""
    batches = [on_device(random_graphs(2, 1, n, 4, torch.float32)) for n in (40, 300, 900, 1500)]
    expected = [gx.knn_maxflow(*graphs, solver="push_relabel") for graphs in batches]

    def repeat(at: int) -> list[gx.MinCut]:
        with torch.cuda.stream(torch.cuda.Stream()):
            found = [gx.knn_maxflow(*batches[at], solver="push_relabel") for _ in range(50)]
            torch.cuda.current_stream().synchronize()
        return found

    torch.cuda.synchronize()
    with ThreadPoolExecutor(len(batches)) as threads:
        for of_thread, once in zip(threads.map(repeat, range(len(batches))), expected, strict=True):
            for found in of_thread:
                assert torch.equal(found.value, once.value)
                assert torch.equal(found.source_side, once.source_side)


def test_side_stream():
    graphs = random_graphs(4, 2, 900, 9, torch.float32)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        found = gx.knn_maxflow(*on_device(graphs), solver="push_relabel")
    stream.synchronize()
    assert torch.equal(found.source_side.cpu(), gx.knn_maxflow(*graphs).source_side)


@pytest.mark.parametrize("solver", ["auto", "push_relabel"])
def test_cuda_graph(solver: str):
    """From features to labels accepted, captured once and replayed on other values."""
    features = torch.randn(2, 300, 16, generator=torch.Generator().manual_seed(0))
    beliefs = torch.rand(2, 3, 300, generator=torch.Generator().manual_seed(1))

    def supervise(x: Tensor, belief: Tensor, of: str) -> Tensor:
        found = gx.knn(x, 9)
        weights = gx.knn_weights(found.indices, found.distances)
        source, sink = -(1 - belief).log10(), -belief.log10()
        cut = gx.knn_maxflow(found.indices, weights, source, sink, solver=of)
        return cut.source_side & (belief > 0.7)

    x, belief = features.cuda(), beliefs.cuda()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        supervise(x, belief, "push_relabel")  # cuBLAS allocates on first use
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        labels = supervise(x, belief, solver)
    for seed in (2, 3):
        features = torch.randn(2, 300, 16, generator=torch.Generator().manual_seed(seed))
        beliefs = torch.rand(2, 3, 300, generator=torch.Generator().manual_seed(seed))
        x.copy_(features)
        belief.copy_(beliefs)
        graph.replay()
        assert torch.equal(labels.cpu(), supervise(features, beliefs, "bk"))


def test_host_solvers_cannot_be_captured():
    graphs = on_device(feature_graphs())
    with pytest.raises(RuntimeError, match="use 'push_relabel'"):  # noqa: SIM117
        with torch.cuda.graph(torch.cuda.CUDAGraph()):
            gx.knn_maxflow(*graphs, solver="bk")


def test_gradient():
    graphs = feature_graphs()
    gradients = []
    for device in ("cpu", "cuda"):
        indices, *capacities = on_device(graphs, device)
        capacities = [c.detach().requires_grad_() for c in capacities]
        gx.knn_maxflow(indices, *capacities, solver="push_relabel").value.sum().backward()
        gradients.append([c.grad.cpu() for c in capacities])
    for one, other in zip(*gradients, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("shape", [(0, 2, 5, 3), (2, 0, 5, 3), (2, 2, 0, 3), (2, 2, 5, 0)])
def test_empty(shape: tuple[int, int, int, int]):
    graphs = random_graphs(*shape, torch.float32) if shape[2] else None
    items, cuts, n, k = shape
    if graphs is None:
        ends = torch.zeros(items, cuts, n)
        graphs = (torch.zeros(items, n, k).long(), torch.zeros(items, n, k), ends, ends)
    found = gx.knn_maxflow(*on_device(graphs), solver="push_relabel")
    expected = gx.knn_maxflow(*graphs)
    assert torch.equal(found.value.cpu(), expected.value)
    assert torch.equal(found.source_side.cpu(), expected.source_side)


def test_operator_contract():
    graphs = on_device(random_graphs(2, 2, 9, 3, torch.float64))
    torch.library.opcheck(torch.ops.graphcut_ext.knn_maxflow.default, (*graphs, "push_relabel", 0))
