"""gx.knn_edges against loops over all pairs of points."""

from __future__ import annotations

import re

import pytest
import torch

import graphcut_ext as gx


def looped(x: torch.Tensor, items: list[int], k: int, loop: bool) -> list[list[int]]:
    """Tails (neighbours) and heads of the edges, x (N, C) in float64, item of every point."""
    edges = []
    for head in range(len(x)):
        others = [tail for tail in range(len(x)) if items[tail] == items[head] and tail != head]
        others.sort(key=lambda tail: ((x[tail] - x[head]).square().sum().item(), tail))
        chosen = [head, *others][:k] if loop else others[:k]
        edges += [(tail, head) for tail in chosen]
    return [list(ends) for ends in zip(*edges, strict=True)] or [[], []]


SIZES = [[9], [5, 1, 7], [2, 2], [1], [4, 0, 3]]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("k", [1, 3, 20])
@pytest.mark.parametrize("loop", [False, True])
def test_edges(sizes, k, loop):
    torch.manual_seed(0)
    x = torch.randint(0, 4, (sum(sizes), 2)).double()  # with ties
    items = [item for item, size in enumerate(sizes) for _ in range(size)]
    expected = looped(x, items, k, loop)
    batch = torch.tensor(items)
    ptr = torch.tensor([0, *sizes]).cumsum(0)
    for given in ({"batch": batch}, {"batch": 7 * batch}, {"ptr": ptr}):
        found = gx.knn_edges(x, k, loop=loop, **given)
        assert found.dtype == torch.int64
        assert found.tolist() == expected
    assert (
        gx.knn_edges(x, k, ptr=ptr, loop=loop, flow="target_to_source").tolist() == expected[::-1]
    )
    if len(sizes) == 1:
        assert gx.knn_edges(x, k, loop=loop).tolist() == expected


@pytest.mark.parametrize("loop", [False, True])
def test_padded_items(loop):
    torch.manual_seed(0)
    x, lengths = torch.randn(3, 6, 4), torch.tensor([6, 2, 0])
    kept = torch.cat([torch.arange(6), torch.arange(6, 8)])
    flat = gx.knn_edges(x.flatten(0, 1)[kept], 3, ptr=torch.tensor([0, 6, 8]), loop=loop)
    assert torch.equal(gx.knn_edges(x, 3, lengths=lengths, loop=loop), kept[flat])
    whole = gx.knn_edges(x, 3, loop=loop)
    expected = gx.knn_edges(x.flatten(0, 1), 3, ptr=torch.tensor([0, 6, 12, 18]), loop=loop)
    assert torch.equal(whole, expected)


def test_no_points():
    for x in (torch.zeros(0, 3), torch.zeros(2, 0, 3), torch.zeros(0, 4, 3)):
        assert gx.knn_edges(x, 2).shape == (2, 0)
        assert gx.knn_edges(x, 2, loop=True).shape == (2, 0)


def test_edges_are_those_of_a_cut():
    """Two clusters, one edge list: the cut between them costs nothing."""
    torch.manual_seed(0)
    x = torch.cat([torch.randn(20, 2), torch.randn(20, 2) + 50])
    edges = gx.knn_edges(x, 4)
    source, sink = torch.zeros(40), torch.zeros(40)
    source[0], sink[39] = 1, 1
    cut = gx.maxflow(edges, torch.ones(edges.shape[1]), source, sink)
    assert cut.value.item() == 0


X = torch.arange(8.0).view(4, 2)
ERRORS = [
    ({"k": 0}, ValueError, "k must be at least 1, not 0"),
    ({"x": X.tolist()}, TypeError, "x must be a torch.Tensor, not list"),
    ({"x": X[0]}, ValueError, "x must have shape (B, N, C) or (N, C), not (2,)"),
    ({"x": X.int()}, TypeError, "x must be float16, bfloat16, float32 or float64"),
    ({"flow": "up"}, ValueError, "flow must be one of 'source_to_target', 'target_to_source'"),
    ({"loop": 1}, TypeError, "loop must be a bool, not int"),
    ({"batch": torch.tensor([0, 1])}, ValueError, "batch must have shape (4,), not (2,)"),
    (
        {"batch": torch.tensor([0, 2, 1, 1])},
        ValueError,
        "batch must not decrease: batch[2] = 1 after 2",
    ),
    ({"batch": torch.zeros(4)}, TypeError, "batch must be int64, not float32"),
    ({"ptr": torch.tensor([0, 3, 2, 4])}, ValueError, "ptr must not decrease: ptr[2] = 2 after 3"),
    ({"ptr": torch.tensor([0, 3])}, ValueError, "ptr must lead from 0 to 4, not from 0 to 3"),
    ({"ptr": torch.tensor(4)}, ValueError, "ptr must have shape (B + 1,), not ()"),
    ({"lengths": torch.tensor([2])}, ValueError, "lengths needs x of shape (B, N, C)"),
    ({"x": X[None], "lengths": torch.tensor([5])}, ValueError, "lengths"),
    (
        {"batch": torch.zeros(4).long(), "ptr": torch.tensor([0, 4])},
        ValueError,
        "only one of batch and ptr can be given",
    ),
]


@pytest.mark.parametrize(("changes", "error", "message"), ERRORS)
def test_refused(changes, error, message):
    with pytest.raises(error, match=re.escape(message)):
        gx.knn_edges(**({"x": X, "k": 2} | changes))
