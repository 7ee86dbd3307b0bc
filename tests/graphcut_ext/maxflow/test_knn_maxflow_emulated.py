"""The source of the CUDA cuts, run by emulated threads, against the solvers of the host."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from emulated import emulated_cuts
from torch import Tensor

import graphcut_ext as gx
from benchmarks.families.knn import neighbour_links
from graphcut_ext import _core

INF = float("inf")
DTYPES = (torch.float32, torch.float64, torch.int32, torch.int64)


def feature_graphs(links: str, side: int = 41, items: int = 4) -> tuple[Tensor, ...]:
    found = neighbour_links(links, side, items, 16)
    return tuple(
        torch.from_numpy(a) for a in (found.indices, found.weights, found.source, found.sink)
    )


def random_graphs(rng: np.random.Generator, items: int, cuts: int, n: int, k: int):
    indices = torch.as_tensor(rng.integers(-1, n, (items, n, k)))
    weights = torch.as_tensor(rng.integers(0, 9, (items, n, k)))
    source, sink = (
        torch.as_tensor(
            rng.integers(0, 30, (items, cuts, n)) * (rng.random((items, cuts, n)) < 0.4)
        )
        for _ in range(2)
    )
    return indices, weights, source, sink


@pytest.mark.parametrize("links", ["weighted", "unit"])
def test_feature_maps_as_float64_on_the_host(links):
    indices, *capacities = feature_graphs(links)
    found = emulated_cuts(indices, *capacities)
    wide = gx.knn_maxflow(indices, *(c.double() for c in capacities), solver="bk")
    assert not found.status.any()
    assert torch.equal(found.source_side, wide.source_side)
    torch.testing.assert_close(found.value, wide.value, rtol=1e-6, atol=0)  # float32 sums of pairs
    host = gx.knn_maxflow(indices, *capacities)
    torch.testing.assert_close(found.value, host.value, rtol=1e-9, atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(5))
def test_integers_in_every_dtype(dtype, seed):
    indices, *capacities = random_graphs(np.random.default_rng(seed), 3, 2, 60, 5)
    capacities = [c.to(dtype) for c in capacities]
    expected = gx.knn_maxflow(indices, *capacities, solver="bk")
    for threads in (1, 32, 256):
        found = emulated_cuts(indices, *capacities, threads=threads)
        assert not found.status.any()
        assert torch.equal(found.value, expected.value)
        assert torch.equal(found.source_side, expected.source_side)


def test_same_bits_in_any_order():
    graphs = feature_graphs("unit", 20, 2)
    expected = emulated_cuts(*graphs, order="ascending")
    for order, seed in (("descending", 0), ("shuffled", 1), ("shuffled", 2)):
        found = emulated_cuts(*graphs, order=order, seed=seed)
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one, other)


def test_hub_and_chain():
    n = 700
    hub = torch.zeros(1, n, 1, dtype=torch.int64)  # all list node 0
    chain = (torch.arange(n) + 1).clamp(max=n - 1).view(1, n, 1)
    ends = torch.zeros(1, 1, n)
    ends[..., n - 1] = 5.0
    for indices in (hub, chain):
        weights = torch.full((1, n, 1), 3.0)
        weights[0, n // 2] = 2.0
        for source, sink in ((ends, ends.flip(2)), (ends.flip(2), ends)):
            found = emulated_cuts(indices, weights, source, sink)
            expected = gx.knn_maxflow(indices, weights, source, sink, solver="bk")
            assert torch.equal(found.source_side, expected.source_side)
            assert torch.equal(found.value, expected.value)
            assert expected.value.item() == (2.0 if indices is chain else min(3.0, 5.0))


def test_infinite_capacities_are_never_cut():
    graphs = feature_graphs("weighted", 12, 3)
    indices, weights, source, sink = (t.clone() for t in graphs)
    generator = torch.Generator().manual_seed(0)
    weights[torch.rand(weights.shape, generator=generator) < 0.02] = INF
    source[:, :, 5], sink[:, :, 5] = INF, 0.0
    sink[:, :, 77], source[:, :, 77] = INF, 0.0
    expected = gx.knn_maxflow(indices, weights, source, sink, solver="bk")
    found = emulated_cuts(indices, weights, source, sink)
    assert not found.status.any()
    assert torch.equal(found.source_side, expected.source_side)
    torch.testing.assert_close(found.value, expected.value, rtol=1e-12, atol=0)


def test_infinite_links_from_infinite_supply():
    """Nothing bounds what the terminals give or what passes on, and yet a finite cut exists."""
    indices = torch.tensor([[[1], [2], [3], [-1]]])
    weights = torch.tensor([[[INF], [4.0], [INF], [0.0]]])
    source = torch.tensor([[[INF, 0.0, 0.0, 0.0]]])
    sink = torch.tensor([[[0.0, 1.0, 0.0, INF]]])
    found = emulated_cuts(indices, weights, source, sink)
    assert found.value.item() == 5.0
    assert found.source_side.tolist() == [[[True, True, False, False]]]


@pytest.mark.parametrize("bad", ["index", "weight", "nan", "path"])
def test_what_the_host_refuses_has_no_value(bad):
    graphs = feature_graphs("weighted", 9, 3)
    indices, weights, source, sink = (t.clone() for t in graphs)
    if bad == "index":
        indices[1, 3, 2] = 81
    elif bad == "weight":
        weights[1, 3, 2] = -1.0
    elif bad == "nan":
        sink[1, 0, 7] = float("nan")
    else:
        source[1, 0, 7] = sink[1, 0, 7] = INF
    with pytest.raises((IndexError, ValueError)):
        gx.knn_maxflow(indices, weights, source, sink)
    found = emulated_cuts(indices, weights, source, sink)
    assert found.status.flatten().tolist() == [0, 1, 0]
    assert found.value[1].isnan().all()
    assert not found.source_side[1].any()
    expected = gx.knn_maxflow(*graphs)
    assert torch.equal(found.source_side[::2], expected.source_side[::2])


def test_integers_beyond_64_bits_are_left_to_the_host():
    indices = torch.tensor([[[1], [0]]])
    big = torch.tensor([[[2**61, 0]]])
    weights = torch.tensor([[[2**60], [2**60]]])
    assert gx.knn_maxflow(indices, weights, big, big.flip(2)).value.item() == 2**61
    found = emulated_cuts(indices, weights, big, big.flip(2))
    assert found.status.item() == 1
    assert found.value.item() == -1


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e290])
def test_units_follow_the_scale(scale):
    indices, *capacities = feature_graphs("weighted", 12, 2)
    expected = emulated_cuts(indices, *(c.double() for c in capacities))
    found = emulated_cuts(indices, *(c.double() * scale for c in capacities))
    assert torch.equal(found.source_side, expected.source_side)
    torch.testing.assert_close(found.value, expected.value * scale, rtol=1e-12, atol=0)


def test_capacities_below_a_unit_stay_open():
    """A link far below the resolution still ties a node without terminals to its neighbour."""
    indices = torch.tensor([[[1], [2], [-1]]])
    weights = torch.tensor([[[1e-200], [1e-100], [0.0]]], dtype=torch.float64)
    source = torch.tensor([[[1e200, 0.0, 0.0]]], dtype=torch.float64)
    sink = torch.zeros_like(source)
    found = emulated_cuts(indices, weights, source, sink)
    assert found.source_side.all()
    assert found.value.item() == 0.0


def test_value_checks_are_as_ever_on_the_cpu():
    indices, weights, source, sink = feature_graphs("weighted", 9, 1)
    weights[0, 2, 1] = -3.0
    with gx.no_value_checks(), pytest.raises(ValueError, match="weights is -3 at entry 19"):
        gx.knn_maxflow(indices, weights, source, sink)


@pytest.mark.skipif(
    torch.cuda.is_available() or gx.build_info()["cuda"] is None,
    reason="there is a device, or there are no kernels",
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_a_missing_device_is_an_error(dtype):
    with pytest.raises(RuntimeError, match=r"cudaGetDevice.* failed"):
        getattr(_core, f"knn_cut_workspace_{dtype}")(1, 1, 10, 3, 0)
