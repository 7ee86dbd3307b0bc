"""The dense CRF on generated sizes, settings and values."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import graphcut_ext as gx
from graphcut_ext._crf.kernels import Kernels
from graphcut_ext._crf.lattice import lattice_parts
from graphcut_ext._crf.mean_field import differentiate, infer

# No whole multiples of a pixel or of a level: a pixel on the border of two simplices lies in
# either, by rounding, which adds a vertex of no weight through which others may be blurred.
SIGMAS = st.sampled_from([0.3129, 1.0717, 2.0347, 7.113, 50.71])


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_lattice_of_the_core_equals_that_of_torch(data: st.DataObject):
    height, width = data.draw(st.integers(1, 14)), data.draw(st.integers(1, 14))
    labels, channels = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 5))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**32)))
    p = torch.rand(1, labels, height, width, generator=generator) + 1e-3
    image = 255 * torch.rand(1, channels, height, width, generator=generator)
    smooth = (data.draw(SIGMAS.filter(lambda s: s > 2)), data.draw(st.sampled_from([0.0, 1.5])))
    appearance = (data.draw(SIGMAS), data.draw(st.sampled_from([5.171, 60.37, 1013.7])), 2.0)
    p.requires_grad_()
    found = gx.dense_crf(
        p, image, iterations=2, gaussian=smooth, bilateral=appearance, method="lattice"
    )
    kernels = Kernels(*smooth, *appearance)
    energy = -p.detach().clamp_min(1e-8).log()
    expected = infer(energy, None, 2, lattice_parts(image, kernels))
    torch.testing.assert_close(found.sum(1), torch.ones(1, height, width))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)

    upstream = torch.rand(p.shape, generator=generator)
    (gradient,) = torch.autograd.grad((found * upstream).sum(), p)
    slope, _ = differentiate(upstream, energy, None, 2, lattice_parts(image, kernels), 0)
    true = -slope / p.detach()
    scale = max(float(true.abs().max()), 1e-3)
    torch.testing.assert_close(gradient / scale, true / scale, atol=1e-4, rtol=0)
