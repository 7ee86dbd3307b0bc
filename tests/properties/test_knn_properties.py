"""The neighbour search on generated shapes and values."""

from __future__ import annotations

from unittest import mock

import torch
from brute_force import brute_force
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import graphcut_ext as gx
from graphcut_ext._knn import cpu, direct

FORMATS = {
    "half": (torch.float16, 1e4, 1e-7),
    "bfloat": (torch.bfloat16, 1e30, 1e-39),
    "single": (torch.float32, 1e30, 1e-40),
    "double": (torch.float64, 1e100, 1e-100),
}
KINDS = ("normal", "integers", "equal", "duplicates", "offset", "huge", "tiny", "mixed", "strided")


@st.composite
def clouds(draw: st.DrawFn) -> tuple[Tensor, int]:
    items = draw(st.integers(0, 3))
    points = draw(st.one_of(st.integers(2, 40), st.sampled_from([127, 128, 513, 600])))
    channels = draw(st.sampled_from([1, 2, 3, 31, 32, 33, 65]))
    k = draw(st.one_of(st.integers(1, points - 1), st.just(1), st.just(points - 1)))
    dtype, huge, tiny = FORMATS[draw(st.sampled_from(sorted(FORMATS)))]
    kind = draw(st.sampled_from(KINDS))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    shape = (items, points, channels)
    x = torch.randn(shape, generator=generator, dtype=torch.float64).clamp(-4, 4)
    if kind == "integers":
        x = torch.randint(-2, 3, shape, generator=generator).double()
    elif kind == "equal":
        x = x[:, :1].expand(shape)
    elif kind == "duplicates":
        x = x[:, torch.randint(0, min(3, points), (points,), generator=generator)]
    elif kind == "offset":
        x = x + (1e6 if dtype in (torch.float32, torch.float64) else 16)
    elif kind == "huge":
        x = x * huge
    elif kind == "tiny":
        x = x * tiny
    elif kind == "mixed":
        x = x.clone()
        x[:, ::3] *= huge
    elif kind == "strided":
        x = x.transpose(1, 2).contiguous().transpose(1, 2)
    return x.to(dtype), k


@settings(max_examples=150, deadline=None)
@given(clouds(), st.booleans(), st.booleans())
def test_equals_a_brute_force_in_float64(cloud: tuple[Tensor, int], rounds: bool, few: bool):
    x, k = cloud
    most = direct.MAX_WORK if few else -1
    with mock.patch.object(cpu, "ROUNDS", rounds), mock.patch.object(direct, "MAX_WORK", most):
        found = gx.knn(x, k)
    distances, indices = brute_force(x, k)
    torch.testing.assert_close(found.distances, distances.to(found.distances.dtype))
    assert torch.equal(found.indices, indices)


@settings(max_examples=60, deadline=None)
@given(clouds())
def test_neighbours_are_distinct_others_in_ascending_order(cloud: tuple[Tensor, int]):
    x, k = cloud
    found = gx.knn(x, k)
    own = torch.arange(x.shape[1])[:, None]
    assert not (found.indices == own).any()
    assert bool((found.indices.sort(-1).values.diff(dim=-1) > 0).all())
    assert bool(((found.indices >= 0) & (found.indices < x.shape[1])).all())
    assert bool((found.distances[..., 1:] >= found.distances[..., :-1]).all())
    ties = found.distances.diff(dim=-1) == 0
    if x.dtype == torch.float64:  # else different doubles may round to one float
        assert bool((found.indices.diff(dim=-1)[ties] > 0).all())


@settings(max_examples=40, deadline=None)
@given(clouds(), st.integers(0, 2**32))
def test_permuting_the_points_permutes_the_result(cloud: tuple[Tensor, int], seed: int):
    x, k = cloud
    order = torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(seed))
    # Which of several equals comes first depends on the order; their distances do not.
    assert torch.equal(gx.knn(x[:, order], k).distances, gx.knn(x, k).distances[:, order])
