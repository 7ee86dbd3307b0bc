"""Centring of points on a device, by torch, against what the error bounds ask of it."""

from __future__ import annotations

import pytest
import torch
from brute_force import brute_force

from graphcut_ext import _core
from graphcut_ext._knn import cuda

SCALES = {torch.float32: (1e-42, 1e-3, 1.0, 1e38), torch.float64: (1e-320, 1e-5, 1.0, 1e308)}


@pytest.mark.parametrize(
    ("dtype", "scale"), [(dtype, scale) for dtype, scales in SCALES.items() for scale in scales]
)
def test_centred_points_and_norms(dtype: torch.dtype, scale: float):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 40, 5, generator=generator, dtype=torch.float64).clamp(-1.5, 1.5)
    x = (x * scale).to(dtype)
    peak = x.abs().amax((1, 2))
    y, norm, rescale = cuda.center_on_device(x, peak)
    assert bool((y.abs() <= 8).all())
    torch.testing.assert_close(norm.double(), y.double().square().sum(-1), rtol=1e-6, atol=1e-37)
    distances, indices = (
        torch.empty(2, 40, 4, dtype=dtype),
        torch.empty(2, 40, 4, dtype=torch.int64),
    )
    _core.knn_select(
        x.numpy(),
        norm.numpy(),
        rescale.numpy(),
        None,
        (y @ y.mT).numpy(),
        0,
        0,
        0.0,
        distances.numpy(),
        indices.numpy(),
        torch.empty(2, 40, dtype=torch.int64).numpy(),
        1,
    )
    ranked = x.double() / scale if scale > 1e-300 else x * 2.0**600 * 2.0**400
    assert torch.equal(indices, brute_force(ranked, 4)[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scale_is_a_power_of_two(dtype: torch.dtype):
    """Else multiplying by it would round before the mean is taken off."""
    x = torch.tensor([0.1, 0.3, 5.0, 1e-40, 1e38], dtype=dtype)[:, None, None] * torch.tensor(
        [1.0, -1.0], dtype=dtype
    ).view(1, 2, 1)
    y, _, rescale = cuda.center_on_device(x, x.abs().amax((1, 2)))
    mantissa, exponent = torch.frexp(y[:, 0, 0])
    assert torch.equal(mantissa, torch.frexp(x[:, 0, 0])[0])
    assert int(exponent.abs().max()) <= 14
    assert torch.equal(torch.frexp(rescale)[0], torch.full((5,), 0.5, dtype=torch.float64))
