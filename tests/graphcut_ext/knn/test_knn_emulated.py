"""The CUDA kernels' source, run by emulated warps, against a brute force in float64."""

from __future__ import annotations

import pytest
import torch
from brute_force import brute_force
from emulated_knn import Problem, emulated_products, emulated_tiles
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import graphcut_ext as gx
from graphcut_ext._knn import cuda
from graphcut_ext._knn.clouds import OPERAND_ERROR, Clouds, Found

KERNELS = ("products", "tiles")


FORMATS = {"tf32": torch.float16, "bf16": torch.bfloat16}
"""What operands are rounded to; float16 has the bits of TF32."""


def emulated(
    problem: Problem, kernel: str, descending: bool = False, coarse: str = "none"
) -> Found:
    """What a device would write; with ``coarse``, from products of rounded operands."""

    def multiply(a: Tensor, b: Tensor) -> tuple[Tensor, float]:
        rounded = FORMATS.get(coarse, a.dtype)
        return a.to(rounded).to(a.dtype) @ b.to(rounded).to(b.dtype), OPERAND_ERROR[coarse]

    if kernel == "tiles":
        return emulated_tiles(problem, descending)
    return emulated_products(problem, multiply, descending)


def assert_exact(problem: Problem, kernel: str, descending: bool = False) -> Found:
    """The brute force's neighbours, and the bits of the CPU's distances."""
    x, k, query, lengths = problem
    found = emulated(problem, kernel, descending)
    assert torch.equal(found.indices, brute_force(x, k, query, lengths)[1])
    expected = gx.knn(x, k, query=query, lengths=lengths)
    assert torch.equal(found.distances, expected.distances)
    assert bool((found.measured >= (found.indices >= 0).sum(-1)).all())
    return found


def random_points(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Small searches of every kind; coordinates are whole numbers, so that the oracle is exact."""
    batch, points = draw(st.integers(0, 3)), draw(st.integers(1, 140))
    channels = draw(st.sampled_from([1, 2, 15, 16, 17, 33, 64]))
    values = draw(st.sampled_from([0, 1, 3, 1000]))  # 0: all points are equal
    offset = draw(st.sampled_from([0, 5, 1 << 20]))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))

    def cloud(count: int) -> Tensor:
        shape = (batch, count, channels)
        return torch.randint(-values, values + 1, shape, generator=generator).to(dtype) + offset

    query = cloud(draw(st.integers(1, 70))) if points == 1 or draw(st.booleans()) else None
    lengths = None
    if draw(st.booleans()):
        lengths = torch.randint(0, points + 1, (batch,), generator=generator)
    most = points if query is not None else points - 1
    k = min(draw(st.sampled_from([1, 2, 9, 32, most])), most, 32)
    return Problem(cloud(points), k, query, lengths)


@pytest.mark.parametrize("kernel", KERNELS)
@settings(deadline=None)
@given(problem=problems(), descending=st.booleans())
def test_agrees_with_brute_force(kernel: str, problem: Problem, descending: bool):
    assert_exact(problem, kernel, descending)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("points", [511, 512, 700])  # below and from four groups of minima on
def test_points_of_more_than_a_tile(kernel: str, dtype: torch.dtype, points: int):
    assert_exact(Problem(random_points(2, points, 19, dtype=dtype) + 3, 9), kernel)


@pytest.mark.parametrize("k", [31, 32, 33, 64, 65, 139])
def test_any_k_from_products(k: int):
    assert_exact(Problem(random_points(1, 140, 5), k), "products")


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e18, 1e30])
def test_extreme_floats(kernel: str, scale: float):
    x = random_points(1, 200, 4).clamp(-3, 3) * scale
    found = emulated(Problem(x, 5), kernel)
    expected = gx.knn(x, 5)
    assert torch.equal(found.indices, expected.indices)
    assert torch.equal(found.distances, expected.distances)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e200, 1e307])
def test_extreme_doubles(kernel: str, scale: float):
    x = random_points(1, 200, 4, dtype=torch.float64).clamp(-3, 3) * scale
    assert torch.equal(emulated(Problem(x, 5), kernel).indices, gx.knn(x, 5).indices)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_rest_of_the_batch_does_not_matter(kernel: str):
    x = random_points(3, 150, 6)
    whole = emulated(Problem(x, 9), kernel)
    alone = emulated(Problem(x[1:2], 9), kernel)
    for of_batch, of_item in zip(whole, alone, strict=True):
        assert torch.equal(of_batch[1], of_item[0])


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_stay_in_their_item(kernel: str, value: float):
    x = random_points(3, 150, 6)
    expected = gx.knn(x, 9)
    x[1, 70, 2] = value
    found = emulated(Problem(x, 9), kernel)
    assert torch.equal(found.indices[::2], expected.indices[::2])
    assert bool(((found.indices >= -1) & (found.indices < 150)).all())


@pytest.mark.parametrize("coarse", ["tf32", "bf16"])
def test_coarse_products_are_redone_and_counted(coarse: str):
    """The neighbours are the same; the rows that the wider bounds leave open are more."""
    problem = Problem(random_points(1, 576, 200) + 2, 9)
    exact, fast = emulated(problem, "products"), emulated(problem, "products", coarse=coarse)
    assert torch.equal(fast.indices, brute_force(problem.x, 9)[1])
    assert torch.equal(fast.distances, exact.distances)
    redone = [int((found.measured > 9).sum()) for found in (exact, fast)]
    assert redone[0] < redone[1]


def test_equal_points_are_not_all_measured():
    x = torch.full((1, 600, 3), 7.25)
    for kernel in KERNELS:
        assert int(emulated(Problem(x, 3), kernel).measured.max()) <= 32


def test_tiles_measure_few_points():
    """About k (1 + log(N / k)) of them for points in no order."""
    found = emulated(Problem(random_points(1, 2000, 8), 9), "tiles")
    assert float(found.measured.double().mean()) < 120


def test_shared_memory_limits_are_kept():
    x = random_points(1, 5000, cuda.TILE_CHANNELS)
    assert cuda.suits_tiles(Clouds(x, None, None), cuda.TILE_NEIGHBOURS)
    assert not cuda.suits_tiles(Clouds(x, None, None), cuda.TILE_NEIGHBOURS + 1)
    assert not cuda.suits_tiles(Clouds(x.repeat(1, 1, 2), None, None), 9)
    assert not cuda.suits_tiles(Clouds(x[:, :100], None, None), 9)
    assert not cuda.suits_tiles(Clouds(x, x[:, :0], None), 9)
