"""Cuts of a device on the host, part by part: the same as all at once, errors included."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import graphcut_ext as gx
from graphcut_ext._maxflow.neighbours_host import PARTS, divided, solve_parts


def graphs(items: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Neighbours (B, 12, 3), weights, and terminals of two cuts (B, 2, 12)."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        return torch.randint(0, 50, shape, generator=generator).to(dtype)

    indices = torch.randint(0, 12, (items, 12, 3), generator=generator)
    return [indices, drawn(items, 12, 3), drawn(items, 2, 12), drawn(items, 2, 12)]


@given(st.integers(0, 3000), st.integers(1, 64))
def test_parts_cover_the_items_and_keep_the_threads_busy(items: int, threads: int) -> None:
    parts = divided(items, threads)
    covered = [index for part in parts for index in range(part.start, part.stop)]
    assert covered == list(range(items))
    assert len(parts) <= PARTS
    sizes = [part.stop - part.start for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == 1 or min(sizes) >= threads


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int32, torch.int64])
@pytest.mark.parametrize("solver", ["auto", "bk"])
def test_parts_give_what_the_whole_gives_each_after_its_arrival(
    dtype: torch.dtype, solver: str
) -> None:
    whole = graphs(17, dtype=dtype)
    expected = gx.knn_maxflow(*whole, solver=solver)
    assert 0 < expected.source_side.float().mean() < 1
    host = [torch.full_like(tensor, -1) for tensor in whole]  # until it arrives
    arrived = []

    def arrival(part: slice) -> None:
        arrived.append(part)
        for copy, tensor in zip(host, whole, strict=True):
            copy[part] = tensor[part]

    parts = divided(17, 2)
    assert len(parts) == PARTS
    waits = [(part, lambda part=part: arrival(part)) for part in parts]
    value, source_side = solve_parts(host, waits, solver, 2)
    assert arrived == parts
    assert torch.equal(value, expected.value)
    assert torch.equal(source_side, expected.source_side)


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_errors_name_the_place_in_the_whole(dtype: torch.dtype) -> None:
    for tensor, at, bad in ((0, (13, 5, 1), 12), (1, (9, 2, 0), -3), (3, (16, 1, 7), -1)):
        whole = graphs(17, dtype=dtype)
        whole[tensor][at] = bad
        if tensor == 1:
            whole[2][3, 0, 0] = -2  # the whole would be refused for its weights first
        with pytest.raises((ValueError, IndexError)) as expected:
            gx.knn_maxflow(*whole)
        waits = [(part, lambda: None) for part in divided(17, 2)]
        with pytest.raises(expected.type) as found:
            solve_parts(whole, waits, "auto", 2)
        assert str(found.value) == str(expected.value)
        assert str(at[0]) in str(found.value)


@pytest.mark.cuda
@pytest.mark.parametrize("items", [1, 17])
def test_graphs_of_a_device_are_cut_on_the_host(items: int) -> None:
    whole = graphs(items)
    expected = gx.knn_maxflow(*whole, solver="bk")
    on_device = [t.cuda() for t in whole]
    torch.cuda._sleep(10_000_000)  # what is queued before the copies to the host is waited for
    late = [t.clone() for t in on_device]
    found = gx.knn_maxflow(*late, solver="bk", num_threads=2)
    assert found.value.is_cuda
    assert torch.equal(found.value.cpu(), expected.value)
    assert torch.equal(found.source_side.cpu(), expected.source_side)
    apart = [t.mT.contiguous().mT for t in on_device]  # not contiguous
    again = gx.knn_maxflow(*apart, solver="bk", num_threads=2)
    assert torch.equal(again.source_side.cpu(), expected.source_side)
