"""The neighbour search against a brute force in float64."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from brute_force import brute_force
from torch import Tensor

import graphcut_ext as gx
from graphcut_ext import _core
from graphcut_ext._knn import clouds, cpu

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@pytest.fixture(autouse=True, params=[False, True], ids=["", "rounded"])
def rounds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether points are rounded first, which processors differ in."""
    monkeypatch.setattr(cpu, "ROUNDS", request.param)


def random_points(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def assert_exact(x: Tensor, k: int) -> None:
    found = gx.knn(x, k)
    distances, indices = brute_force(x, k)
    assert torch.equal(found.indices, indices)
    torch.testing.assert_close(found.distances, distances.to(found.distances.dtype))


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(2, 2, 1), (3, 40, 7), (1, 300, 33), (2, 560, 70)])
@pytest.mark.parametrize("mean", [0.0, 5.0])
def test_agrees_with_brute_force(dtype: torch.dtype, shape: tuple[int, int, int], mean: float):
    x = (random_points(*shape) + mean).to(dtype)
    assert_exact(x, min(9, shape[1] - 1))


@pytest.mark.parametrize("k", [1, 63, 64, 65, 200, 599])
def test_any_k(k: int):
    assert_exact(random_points(1, 600, 5), k)


def test_integers_of_numpy():
    x = random_points(2, 20, 3)
    assert torch.equal(gx.knn(x, np.int64(4)).indices, gx.knn(x, 4).indices)  # type: ignore[arg-type]


def test_by_hand():
    found = gx.knn(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0], [0.0, -1.0]]), 2)
    assert found.indices.tolist() == [[2, 3], [2, 0], [0, 3], [0, 2]]
    assert found.distances.tolist() == [[1.0, 1.0], [18.0, 25.0], [1.0, 4.0], [1.0, 4.0]]


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_of_the_result(dtype: torch.dtype):
    found = gx.knn(random_points(1, 4, 2, dtype=dtype), 2)
    assert found.distances.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert found.indices.dtype == torch.int64
    assert found.distances.shape == found.indices.shape == (1, 4, 2)


def test_points_without_a_batch():
    x = random_points(2, 30, 4)
    found, batched = gx.knn(x[1], 3), gx.knn(x, 3)
    assert torch.equal(found.indices, batched.indices[1])
    assert torch.equal(found.distances, batched.distances[1])


def test_empty_batch():
    found = gx.knn(torch.empty(0, 5, 3), 2)
    assert found.indices.shape == found.distances.shape == (0, 5, 2)


def test_self_is_excluded_by_index_and_ties_go_to_the_lower_index():
    found = gx.knn(torch.full((1, 1100, 3), 7.25), 3)
    expected = torch.tensor([0, 1, 2]).repeat(1100, 1)
    expected[0] = torch.tensor([1, 2, 3])
    expected[1] = torch.tensor([0, 2, 3])
    expected[2] = torch.tensor([0, 1, 3])
    assert torch.equal(found.indices[0], expected)
    assert not found.distances.any()


def test_thousands_of_duplicates():
    kinds = random_points(7, 16, seed=3)
    x = kinds[torch.arange(3000) * 5 % 7][None]
    found = gx.knn(x, 4)
    same = torch.arange(3000) * 5 % 7
    for i in (0, 1, 50, 2999):
        expected = [j for j in range(200) if same[j] == same[i] and j != i][:4]
        assert found.indices[0, i].tolist() == expected
    assert not found.distances.any()


def test_distant_offset_is_centred_away():
    x = random_points(1, 800, 20, dtype=torch.float64)
    assert_exact((x + 1e6).float(), 9)
    assert_exact(x + 1e12, 9)


def test_one_outlier_does_not_spoil_the_rest():
    x = random_points(1, 600, 6)
    x[0, 17] = 1e30
    found = gx.knn(x, 3)
    distances, indices = brute_force(x, 3)
    assert torch.equal(found.indices, indices)
    assert found.distances[0, 17].isinf().all()
    torch.testing.assert_close(found.distances, distances.float())


@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e30, 1e38])
def test_extreme_floats(scale: float):
    assert_exact(random_points(2, 90, 4).clamp(-3, 3) * scale, 5)


@pytest.mark.parametrize("exponent", [-1000, -600, 600, 1020])
def test_extreme_doubles_are_ranked_as_scaled_ones(exponent: int):
    x = random_points(1, 120, 5, dtype=torch.float64).clamp(-3, 3)
    found = gx.knn(
        torch.ldexp(x, torch.tensor(exponent // 2)).ldexp(torch.tensor(exponent - exponent // 2)), 6
    )
    assert torch.equal(found.indices, brute_force(x, 6)[1])
    assert bool((found.distances == (0 if exponent < 0 else float("inf"))).all())


def test_non_contiguous_points():
    x = random_points(3, 6, 50).transpose(1, 2)
    assert not x.is_contiguous()
    assert_exact(x, 4)
    assert_exact(random_points(4, 60, 8)[::2, ::3, 1::2], 4)


def test_item_larger_than_a_block():
    assert_exact(random_points(1, 3100, 3, dtype=torch.float64), 5)


def test_many_channels():
    x = random_points(1, 3, (1 << 20) + 1)
    assert_exact(x, 2)


@pytest.mark.parametrize("points", [60, 700])
def test_independent_of_the_batch(points: int):
    x = random_points(5, points, 24)
    whole = gx.knn(x, 9)
    for b in range(5):
        alone = gx.knn(x[b : b + 1], 9)
        assert torch.equal(whole.indices[b], alone.indices[0])
        assert torch.equal(whole.distances[b], alone.distances[0])


@pytest.mark.usefixtures("threads")
def test_independent_of_the_threads():
    x = random_points(2, 700, 40)
    torch.set_num_threads(1)
    one = gx.knn(x, 9)
    for count in (2, 5):
        torch.set_num_threads(count)
        many = gx.knn(x, 9)
        assert torch.equal(one.indices, many.indices)
        assert torch.equal(one.distances, many.distances)


@pytest.mark.parametrize(("format", "error"), [(torch.bfloat16, "bf16"), (torch.float16, "tf32")])
def test_exact_with_a_coarse_product(format: torch.dtype, error: str):
    """Operands rounded as hardware may round them (float16 has TF32's precision)."""
    x = random_points(1, 576, 200) + 2
    y, norm = torch.empty_like(x), torch.empty(1, 576)
    rescale = torch.empty(1, dtype=torch.float64)
    assert _core.knn_center(x.numpy(), y.numpy(), norm.numpy(), rescale.numpy(), 1) == -1
    coarse = y.to(format).float()
    product = coarse @ coarse.mT
    distances, indices = torch.empty(1, 576, 9), torch.empty(1, 576, 9, dtype=torch.int64)
    _core.knn_select(
        x.numpy(),
        norm.numpy(),
        rescale.numpy(),
        None,
        product.numpy(),
        0,
        0,
        clouds.OPERAND_ERROR[error],
        distances.numpy(),
        indices.numpy(),
        torch.empty(1, 576, dtype=torch.int64).numpy(),
        1,
    )
    assert torch.equal(indices, brute_force(x, 9)[1])
    assert not torch.equal(brute_force(coarse, 9)[1], indices)


def test_float32_precision_setting_leaves_the_result():
    x = random_points(1, 600, 64)
    expected = gx.knn(x, 9)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        found = gx.knn(x, 9)
    finally:
        torch.set_float32_matmul_precision(before)
    assert torch.equal(found.indices, expected.indices)
    assert torch.equal(found.distances, expected.distances)


def test_memory_stays_far_below_the_distance_matrix():
    """The matrix of 12,000 points would take 576 MB."""
    script = """
import resource, torch, graphcut_ext as gx
x = torch.randn(1, 12000, 4)
gx.knn(x[:, :100], 5)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = gx.knn(x, 5)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
near = (x[0, 123] - x[0]).double().square().sum(-1)
assert found.indices[0, 123].tolist() == near.topk(6, largest=False).indices[1:].tolist()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=200
    )
    assert int(done.stdout) < 128 << 10  # KB


@pytest.mark.parametrize(
    ("x", "k", "error", "message"),
    [
        ([[1.0], [2.0]], 1, TypeError, r"x must be a torch.Tensor, not list"),
        (torch.zeros(3, 2).to_sparse(), 1, TypeError, r"x must be a strided tensor"),
        (torch.zeros(3, 2, dtype=torch.int64), 1, TypeError, r"x must be float16.*not int64"),
        (torch.zeros(3, 2, dtype=torch.complex64), 1, TypeError, r"x must be .*not complex64"),
        (torch.zeros(3), 1, ValueError, r"shape \(B, N, C\) or \(N, C\), not \(3,\)"),
        (torch.zeros(1, 2, 3, 4), 1, ValueError, r"shape \(B, N, C\) or \(N, C\), not \(1, 2, 3"),
        (torch.zeros(2, 3, 0), 1, ValueError, r"at least one channel, not shape \(2, 3, 0\)"),
        (torch.zeros(2, 3, 4), 0, ValueError, r"k must be at least 1, not 0"),
        (torch.zeros(2, 3, 4), -1, ValueError, r"k must be at least 1, not -1"),
        (torch.zeros(2, 3, 4), 3, ValueError, r"k must be at most N - 1 = 2: .* N = 3 .* k is 3"),
        (torch.zeros(2, 1, 4), 1, ValueError, r"k must be at most N - 1 = 0"),
        (torch.zeros(0, 0, 4), 1, ValueError, r"k must be at most N - 1 = -1"),
        (torch.zeros(2, 3, 4), 1.0, TypeError, r"k must be an int, not float"),
        (torch.zeros(2, 3, 4), True, TypeError, r"k must be an int, not bool"),
    ],
)
def test_bad_arguments(x: object, k: object, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        gx.knn(x, k)  # type: ignore[arg-type]


def test_unknown_precision():
    with pytest.raises(ValueError, match="precision must be one of 'exact', 'fast', not 'tf32'"):
        gx.knn(torch.zeros(3, 2), 1, precision="tf32")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite(dtype: torch.dtype, value: float):
    x = torch.zeros(3, 200, 300, dtype=dtype)
    x[2, 150, 299] = value
    x[2, 199, 0] = value
    with pytest.raises(ValueError, match=rf"x must be finite, but x\[2, 150, 299\] is {value}"):
        gx.knn(x, 2)


def test_largest_finite_values_are_accepted():
    for dtype in DTYPES:
        largest = torch.finfo(dtype).max
        x = torch.tensor([[-largest], [largest], [0.0], [largest]], dtype=dtype)
        assert gx.knn(x, 1).indices.flatten().tolist() == [2, 3, 0, 1]
