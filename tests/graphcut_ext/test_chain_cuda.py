"""From points to cuts on a CUDA device: against the CPU, brute force and one another."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from brute_force import brute_force
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracles import Problem, scipy_mincut
from torch import Tensor

import graphcut_ext as gx
from graphcut_ext._knn import cuda

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
DTYPES = (torch.float32, torch.float64, torch.int32, torch.int64)
DRAWN = settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


class Search(NamedTuple):
    """Arguments of knn, on the CPU; whole numbers, so that the brute force is exact."""

    x: Tensor
    k: int
    query: Tensor | None
    lengths: Tensor | None

    def on_device(self, **options: object) -> gx.KNN:
        query, lengths = (None if t is None else t.cuda() for t in (self.query, self.lengths))
        return gx.knn(self.x.cuda(), self.k, query=query, lengths=lengths, **options)


@st.composite
def searches(draw: st.DrawFn) -> Search:
    dtype = draw(st.sampled_from([torch.float16, torch.float32, torch.float64]))
    items, points = draw(st.integers(0, 3)), draw(st.integers(1, 150))
    channels = draw(st.sampled_from([1, 3, 16, 17, 64, 70]))
    values = draw(st.sampled_from([0, 1, 3, 500]))  # 0: all points are equal
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))

    def cloud(count: int) -> Tensor:
        shape = (items, count, channels)
        return torch.randint(-values, values + 1, shape, generator=generator).to(dtype)

    query = cloud(draw(st.integers(0, 40))) if points == 1 or draw(st.booleans()) else None
    lengths = None
    if draw(st.booleans()):
        lengths = torch.randint(0, points + 1, (items,), generator=generator)
    most = points if query is not None else points - 1
    k = min(draw(st.sampled_from([1, 2, 9, 31, 32, 33, 64, most])), most)
    return Search(cloud(points), k, query, lengths)


@DRAWN
@given(search=searches(), tiles=st.booleans(), precision=st.sampled_from(["exact", "fast"]))
def test_neighbours_are_those_of_brute_force(
    monkeypatch: pytest.MonkeyPatch, search: Search, tiles: bool, precision: str
) -> None:
    monkeypatch.setattr(cuda, "TILE_POINTS", 0 if tiles else 1 << 40)
    found = search.on_device(precision=precision)
    distances, indices = brute_force(*search)
    assert torch.equal(found.indices.cpu(), indices)
    torch.testing.assert_close(
        found.distances.cpu().double(), distances.to(found.distances.dtype).double(), rtol=0, atol=0
    )


@pytest.mark.parametrize("tiles", [False, True])
def test_values_that_nobody_looked_at(monkeypatch: pytest.MonkeyPatch, tiles: bool) -> None:
    """Lengths count as 0 or N, and a point that is not finite harms its own item alone."""
    monkeypatch.setattr(cuda, "TILE_POINTS", 0 if tiles else 1 << 40)
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(-9, 10, (5, 40, 3), generator=generator).float()
    lengths = torch.tensor([41, -1, 1 << 62, -(1 << 62), 7])
    with gx.no_value_checks():
        found = gx.knn(x.cuda(), 6, lengths=lengths.cuda())
    expected = gx.knn(x, 6, lengths=lengths.clamp(0, 40))
    assert torch.equal(found.indices.cpu(), expected.indices)
    for bad in (torch.nan, torch.inf, -torch.inf):
        harmed = x.clone()
        harmed[2, 5, 1] = bad
        with gx.no_value_checks():
            found = gx.knn(harmed.cuda(), 6)
        fine = torch.tensor([0, 1, 3, 4])
        assert torch.equal(found.indices.cpu()[fine], gx.knn(x[fine], 6).indices)
        assert bool(((found.indices[2] >= -1) & (found.indices[2] < 40)).all())


@st.composite
def cuts(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Graphs of whole numbers with hubs, missing neighbours, loops and pairs listed twice."""
    items, labels = draw(st.integers(0, 2)), draw(st.integers(0, 3))
    nodes, k = draw(st.integers(0, 40)), draw(st.sampled_from([0, 1, 4, 9, 64]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))
    indices = torch.randint(-1, max(nodes, 1), (items, nodes, k), generator=generator)
    if draw(st.booleans()):
        indices[:, ::2] = min(0, nodes - 1)
    largest = draw(st.sampled_from([1, 9, 1000]))
    weights = torch.randint(0, largest + 1, indices.shape, generator=generator)
    ends = torch.randint(0, 4 * largest + 1, (2, items, labels, nodes), generator=generator)
    ends *= torch.rand(ends.shape, generator=generator) < 0.5
    return indices, weights, *ends


@DRAWN
@given(graphs=cuts(), dtype=st.sampled_from(DTYPES))
def test_cuts_are_those_of_scipy(graphs: tuple[Tensor, ...], dtype: torch.dtype) -> None:
    indices, *capacities = graphs
    found = gx.knn_maxflow(
        indices.cuda(), *(c.to(dtype).cuda() for c in capacities), solver="push_relabel"
    )
    value, side = found.value.cpu(), found.source_side.cpu()
    items, nodes, k = indices.shape
    heads = torch.arange(nodes).repeat_interleave(k)
    for item in range(items):
        listed = indices[item].flatten()
        edges = listed >= 0
        edge_index = torch.stack([heads, listed])[:, edges].numpy()
        weights = capacities[0][item].flatten()[edges].numpy()
        for label in range(value.shape[1]):
            source, sink = (c[item, label].numpy() for c in capacities[1:])
            expected = scipy_mincut(Problem(edge_index, weights, weights, source, sink))
            assert value[item, label].item() == expected[0]
            assert side[item, label].tolist() == expected[1].tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("weighting", ["unit", "gaussian"])
def test_points_to_cuts_and_back(dtype: torch.dtype, ragged: bool, weighting: str) -> None:
    """Labels, values and the gradients of all that is differentiable are the CPU's."""
    generator = torch.Generator().manual_seed(1)
    points = torch.randint(-9, 10, (3, 70, 5), generator=generator).to(dtype)
    terminals = torch.randint(0, 200, (2, 3, 2, 70), generator=generator).to(dtype) / 64
    lengths = torch.tensor([70, 20, 0]) if ragged else None
    results = []
    for device in ("cpu", "cuda"):
        x, source, sink = (t.to(device, copy=True).requires_grad_() for t in (points, *terminals))
        sizes = None if lengths is None else lengths.to(device)
        near = gx.knn(x, 9, lengths=sizes)
        weights = gx.knn_weights(near.indices, near.distances, weighting=weighting, sigma=8.0)
        cut = gx.knn_maxflow(near.indices, weights, source, sink, solver="push_relabel")
        assert cut.value.device.type == device
        cut.value.sum().backward()
        gradients = [torch.zeros_like(t) if t.grad is None else t.grad for t in (x, source, sink)]
        results.append([t.detach().cpu() for t in (*near, weights, *cut, *gradients)])
    for here, there in zip(*results, strict=True):
        if here.is_floating_point():
            torch.testing.assert_close(there, here, rtol=1e-5, atol=1e-6)
        else:
            assert torch.equal(there, here)


def test_an_error_leaves_the_next_call_as_it_was() -> None:
    x = torch.randn(2, 50, 4, generator=torch.Generator().manual_seed(2))
    expected = gx.knn(x.cuda(), 5)
    for bad in (torch.nan, torch.inf):
        with pytest.raises(ValueError, match=r"x must be finite, but x\[1, 3, 2\]"):
            gx.knn(x.index_put((torch.tensor(1), torch.tensor(3), torch.tensor(2)),
                               torch.tensor(bad)).cuda(), 5)  # fmt: skip
        found = gx.knn(x.cuda(), 5)
        assert torch.equal(found.indices, expected.indices)
        assert torch.equal(found.distances, expected.distances)


def test_tensors_of_two_devices_are_refused() -> None:
    x = torch.zeros(1, 5, 2)
    with pytest.raises(ValueError, match="query"):
        gx.knn(x.cuda(), 2, query=x)
    graph = torch.zeros(1, 5, 2, dtype=torch.int64), x, torch.zeros(1, 1, 5), torch.zeros(1, 1, 5)
    for at in range(4):
        mixed = [t.cuda() if at == number else t for number, t in enumerate(graph)]
        with pytest.raises(ValueError, match="device"):
            gx.knn_maxflow(*mixed)
