"""Class activation maps over scales, their normalisation and the seeds taken from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dgcn.cues import cam_multiscale, foreground_cues, normalised_cam
from dgcn.models import Classifier, SmallNet
from dgcn.models.backbone import Backbone


class EighthPixel(Backbone):
    """Hands out every eighth pixel: activation that can be computed by hand."""

    channels, strides, taps = (3,), (8,), (0,)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [x[:, :, ::8, ::8]]


def transparent() -> Classifier:
    """Class 1 shows the red channel, class 2 green less blue."""
    model = Classifier(EighthPixel(), 2)
    with torch.no_grad():
        model.head.weight[:, :, 0, 0] = torch.tensor([[1.0, 0, 0], [0, 1.0, -1.0]])
    return model


def trained() -> Classifier:
    torch.manual_seed(0)
    model = Classifier(SmallNet(), 3)
    nn.init.normal_(model.head.weight)
    model(torch.randn(4, 3, 33, 33))
    return model


def test_one_scale_is_the_networks_own_map() -> None:
    model = trained().eval()
    x = torch.randn(2, 3, 41, 57)
    with torch.no_grad():
        torch.testing.assert_close(cam_multiscale(model, x), model.cam(x))


def test_scales_of_a_linear_picture_agree() -> None:
    """A ramp sampled corner to corner is the same ramp at every size."""
    ramp = torch.linspace(0, 1, 33)[None, None, None].expand(1, 3, 25, 33)
    found = cam_multiscale(transparent(), ramp, scales=(0.5, 1.0, 1.5), flip=True)
    wanted = torch.linspace(0, 1, 5).expand(4, 5)
    torch.testing.assert_close(found[0, 0], wanted)
    torch.testing.assert_close(found[0, 1], torch.zeros(4, 5))


def test_average_over_scales_and_mirror_written_out() -> None:
    model = trained().eval()
    x = torch.randn(1, 3, 49, 49, generator=torch.Generator().manual_seed(1))
    wanted = torch.zeros(1, 3, 7, 7)
    with torch.no_grad():
        for size in (25, 49, 73):  # 0.5, 1 and 1.5 times 48, plus 1
            scaled = functional.interpolate(x, (size, size), mode="bilinear", align_corners=True)
            for mirrored in (False, True):
                cam = model.cam(scaled.flip(3) if mirrored else scaled)
                cam = cam.flip(3) if mirrored else cam
                wanted += functional.interpolate(cam, (7, 7), mode="bilinear", align_corners=True)
        found = cam_multiscale(model, x, scales=(0.5, 1, 1.5), flip=True)
    torch.testing.assert_close(found, wanted / 6)


def test_mirrored_picture_gives_the_mirrored_average() -> None:
    model, x = trained(), torch.randn(2, 3, 41, 41)
    left = cam_multiscale(model, x, scales=(1.0, 1.4), flip=True)
    right = cam_multiscale(model, x.flip(3), scales=(1.0, 1.4), flip=True)
    torch.testing.assert_close(left, right.flip(3), rtol=1e-4, atol=1e-5)


def test_training_mode_and_statistics_are_kept() -> None:
    model = trained().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = cam_multiscale(model, torch.randn(2, 3, 33, 33))
    assert model.training
    assert not found.requires_grad
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_parts_frozen_in_evaluation_mode_stay_so() -> None:
    model = trained().train()
    model.backbone.eval()
    cam_multiscale(model, torch.randn(1, 3, 33, 33))
    assert model.training
    assert not any(module.training for module in model.backbone.modules())


def test_cam_multiscale_errors() -> None:
    model = transparent()
    with pytest.raises(ValueError, match=r"images must have shape \(B, 3, H, W\), got \(3, 9, 9\)"):
        cam_multiscale(model, torch.zeros(3, 9, 9))
    with pytest.raises(ValueError, match="scales must hold at least one"):
        cam_multiscale(model, torch.zeros(1, 3, 9, 9), scales=())
    with pytest.raises(ValueError, match="scales must be positive, got -1"):
        cam_multiscale(model, torch.zeros(1, 3, 9, 9), scales=(1, -1))


def test_normalised_cam_by_loops() -> None:
    cam = np.random.default_rng(0).normal(0, 5, (2, 3, 4, 5))
    cam[0, 1] = -np.abs(cam[0, 1])
    cam[1, 2] = 0
    found = normalised_cam(cam)
    assert found.dtype == np.float32
    for b, c in np.ndindex(2, 3):
        peak = max(max(row) for row in cam[b, c].tolist())
        for y, x in np.ndindex(4, 5):
            wanted = max(cam[b, c, y, x], 0) / peak if peak > 0 else 0
            assert found[b, c, y, x] == pytest.approx(wanted, rel=1e-6)


def test_foreground_cues_exceed_the_fraction_of_the_maximum() -> None:
    cam = np.array([[[10.0, 2.0, 2.1]], [[0.5, 0.2, -3.0]], [[9.0, 9.0, 9.0]], [[-1.0, 0.0, -2.0]]])
    present = np.array([True, True, True, False, True])
    found = foreground_cues(cam, present, 0.2)
    np.testing.assert_array_equal(
        found[:, 0],
        [[True, False, True], [True, True, False], [False] * 3, [False] * 3],
    )
    np.testing.assert_array_equal(foreground_cues(1000 * cam, present, 0.2), found)


def test_seeds_errors() -> None:
    cam, present = np.zeros((2, 3, 3)), np.ones(3, dtype=bool)
    with pytest.raises(ValueError, match=r"present must have shape \(3,\), got \(2,\)"):
        foreground_cues(cam, present[:2])
    with pytest.raises(TypeError, match="present must be bool"):
        foreground_cues(cam, present.astype(int))
    with pytest.raises(ValueError, match=r"foreground threshold must be in \[0, 1\), got 1"):
        foreground_cues(cam, present, 1)
    with pytest.raises(ValueError, match=r"cam must have shape \(L - 1, h, w\)"):
        foreground_cues(cam[0], present)
    cam[1, 2, 0] = np.inf
    with pytest.raises(ValueError, match=r"cam must be finite, got inf at \(1, 2, 0\)"):
        normalised_cam(cam)
    with pytest.raises(ValueError, match=r"cam must have shape \(\.\.\., h, w\)"):
        normalised_cam(np.zeros((2, 0, 3)))
