"""The border prior on images whose answer is plain, and against path lengths found by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.color import rgb2lab

from dgcn.cues import border_geodesic, read_saliency, saliency_to_grid
from dgcn.cues import saliency as module
from dgcn.data.errors import DataError


def disc(
    height: int = 120, width: int = 160, *, grey: bool = False, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """An object in the middle of a shaded, slightly noisy background."""
    y, x = np.mgrid[:height, :width]
    inside = (y - height / 2) ** 2 + (x - width / 2) ** 2 < (0.25 * min(height, width)) ** 2
    image = np.empty((height, width, 3))
    image[:] = np.array((90, 110, 80)) + 40 * (x / width)[..., None]
    image[inside] = (170, 60, 50)
    if grey:
        image[:] = image.mean(2, keepdims=True)
        image[inside] = 220
    image += np.random.default_rng(seed).normal(0, 3, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8), inside


def test_object_in_the_middle_stands_out() -> None:
    image, inside = disc()
    saliency = border_geodesic(image)
    assert saliency.shape == inside.shape
    assert saliency.dtype == np.float32
    assert saliency.max() == 1
    assert saliency.min() >= 0
    assert saliency[inside].mean() > 0.8
    assert saliency[~inside].mean() < 0.1
    outer = np.ones_like(inside)
    outer[8:-8, 8:-8] = False
    assert saliency[outer].max() < 0.01


def test_grey_pictures_work_by_lightness() -> None:
    image, inside = disc(grey=True)
    saliency = border_geodesic(image)
    assert saliency[inside].mean() > 0.8
    assert saliency[~inside].mean() < 0.1


def test_object_behind_a_frame_of_its_own_colour_costs_the_path_there_and_back() -> None:
    """Nested squares: the distance adds up along the path, it is no plain colour contrast."""
    image = np.zeros((160, 160, 3), np.uint8)
    image[:] = 60
    image[40:120, 40:120] = 160
    image[64:96, 64:96] = 60
    saliency = border_geodesic(image, tolerance=0.0)
    ring, core = saliency[46:54, 70:90], saliency[76:84, 76:84]
    assert core.min() == 1
    # The core has the border's colour, yet lies twice the step away; superpixels on the edges of
    # the squares mix the two colours, which shortens no path.
    np.testing.assert_allclose(ring, 0.5, atol=0.02)
    assert saliency[:30].max() < 1e-3


def brute_force(
    labels: NDArray[np.int64], colours: NDArray[np.float64], tolerance: float
) -> NDArray[np.float64]:
    """Bellman and Ford's relaxation over neighbouring pixels."""
    height, width = labels.shape
    distance = np.full(len(colours), np.inf)
    for y, x in np.ndindex(height, width):
        if y in (0, height - 1) or x in (0, width - 1):
            distance[labels[y, x]] = 0
    for _ in range(len(colours)):
        for y, x in np.ndindex(height, width):
            for v, u in ((y + 1, x), (y, x + 1)):
                if v < height and u < width and labels[y, x] != labels[v, u]:
                    a, b = labels[y, x], labels[v, u]
                    step = max(np.sqrt(((colours[a] - colours[b]) ** 2).sum()) - tolerance, 0)
                    distance[b] = min(distance[b], distance[a] + step)
                    distance[a] = min(distance[a], distance[b] + step)
    return distance


@pytest.mark.parametrize("tolerance", [0.0, 1.0, 8.0])
def test_distances_equal_brute_force(tolerance: float) -> None:
    rng = np.random.default_rng(1)
    image = np.kron(rng.integers(0, 256, (6, 7, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    lab = rgb2lab(image)
    labels = module._superpixels(lab, 30)
    count = labels.max() + 1
    assert count > 15
    assert set(np.unique(labels)) == set(range(count))
    colours = np.array([lab[labels == k].mean(0) for k in range(count)])
    wanted = brute_force(labels, colours, tolerance)
    found = border_geodesic(image, segments=30, tolerance=tolerance)
    np.testing.assert_allclose(found, (wanted / wanted.max())[labels], atol=1e-5)


@pytest.mark.parametrize("value", [0, 127, 255])
def test_constant_picture_is_all_background(value: int) -> None:
    image = np.full((50, 70, 3), value, np.uint8)
    np.testing.assert_array_equal(border_geodesic(image), np.zeros((50, 70)))


def test_contrast_below_the_tolerance_is_none() -> None:
    image = np.full((64, 64, 3), 120, np.uint8)
    image[24:40, 24:40] = 121
    assert border_geodesic(image, tolerance=2.0).max() == 0
    assert border_geodesic(image, tolerance=0.0).max() == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 40), (7, 7), (15, 15)])
def test_tiny_pictures(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(2).integers(0, 256, (*shape, 3)).astype(np.uint8)
    saliency = border_geodesic(image)
    assert saliency.shape == shape
    assert np.isfinite(saliency).all()
    assert saliency.min() >= 0
    assert saliency.max() <= 1


def test_same_picture_same_map_and_input_kept() -> None:
    image, _ = disc(60, 60, seed=3)
    before = image.copy()
    image.setflags(write=False)
    np.testing.assert_array_equal(border_geodesic(image), border_geodesic(before))


def test_border_geodesic_errors() -> None:
    image = np.zeros((9, 9, 3), np.uint8)
    with pytest.raises(TypeError, match="image must be uint8, got float64"):
        border_geodesic(image / 255)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"image must have shape \(H, W, 3\), got \(9, 9\)"):
        border_geodesic(image[..., 0])
    with pytest.raises(ValueError, match="image must have shape"):
        border_geodesic(image[:0])
    with pytest.raises(ValueError, match="segments must be at least 1, got 0"):
        border_geodesic(image, segments=0)
    with pytest.raises(ValueError, match="tolerance must not be negative, got -1"):
        border_geodesic(image, tolerance=-1)


def test_grid_of_a_plane_is_the_plane_at_its_positions() -> None:
    """Averaging keeps a plane, but for the margin where the image ends."""
    y, x = np.mgrid[:81, :121]
    found = saliency_to_grid(0.002 * y + 0.005 * x, 11, 16)
    wanted = 0.002 * 8 * np.arange(11)[:, None] + 0.005 * 8 * np.arange(16)
    np.testing.assert_allclose(found[2:-2, 2:-2], wanted[2:-2, 2:-2], atol=1e-4)
    assert np.abs(found - wanted).max() < 0.03


def test_grid_averages_over_about_half_a_cell() -> None:
    spot = np.zeros((81, 81))
    spot[40, 40] = 1
    found = saliency_to_grid(spot, 11, 11)
    # A Gaussian of deviation 4 pixels at distances 0, 8 and 16.
    assert found[5, 5] == pytest.approx(1 / (2 * np.pi * 16), rel=0.01)
    assert found[5, 6] == pytest.approx(np.exp(-2) / (2 * np.pi * 16), rel=0.02)
    assert found[5, 7] == pytest.approx(0, abs=1e-5)


def test_grid_leaves_what_fits_and_interpolates_what_is_coarser() -> None:
    saliency = np.random.default_rng(4).random((5, 7))
    np.testing.assert_array_equal(saliency_to_grid(saliency, 5, 7), saliency.astype(np.float32))
    finer = saliency_to_grid(saliency, 9, 13)
    np.testing.assert_allclose(finer[::2, ::2], saliency, atol=1e-6)
    np.testing.assert_allclose(finer[1::2, ::2], (saliency[:-1] + saliency[1:]) / 2, atol=1e-6)
    assert saliency_to_grid(np.array([[0.0, 1.0, 2.0]]), 1, 1)[0, 0] == pytest.approx(1)
    with pytest.raises(ValueError, match=r"saliency must be finite, got nan at \(0, 1\)"):
        saliency_to_grid(np.array([[0, np.nan]]), 1, 1)
    with pytest.raises(ValueError, match="height must be at least 1, got 0"):
        saliency_to_grid(saliency, 0, 1)
    with pytest.raises(ValueError, match=r"saliency must have shape \(H, W\)"):
        saliency_to_grid(saliency[0], 1, 1)


def test_read_saliency_of_every_kind(tmp_path: Path) -> None:
    grey = np.random.default_rng(5).integers(0, 256, (6, 8)).astype(np.uint8)
    wanted = grey / 255
    Image.fromarray(grey).save(tmp_path / "a.png")
    Image.fromarray(np.repeat(grey[..., None], 3, 2)).save(tmp_path / "b.PNG")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "c.png")
    Image.fromarray(grey > 100).save(tmp_path / "d.png")
    for name in "abc":
        found = read_saliency(tmp_path, name)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, atol=1e-6)
    np.testing.assert_array_equal(read_saliency(tmp_path, "d"), grey > 100)
    smooth = np.linspace(0, 255, 64, dtype=np.uint8)[None].repeat(16, 0)
    Image.fromarray(np.repeat(smooth[..., None], 3, 2)).save(tmp_path / "e.jpeg", quality=95)
    np.testing.assert_allclose(read_saliency(tmp_path, "e"), smooth / 255, atol=0.02)


def test_read_saliency_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no saliency map for 'a'"):
        read_saliency(tmp_path, "a")
    with pytest.raises(FileNotFoundError, match="no such saliency folder"):
        read_saliency(tmp_path / "none", "a")
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"a\.png: cannot be read as an image"):
        read_saliency(tmp_path, "a")
    coloured = np.zeros((4, 4, 3), np.uint8)
    coloured[..., 0] = 200
    Image.fromarray(coloured).save(tmp_path / "b.png")
    with pytest.raises(DataError, match=r"b\.png: a saliency map must be grey"):
        read_saliency(tmp_path, "b")
    Image.fromarray(coloured[..., 1]).save(tmp_path / "b.jpg")
    with pytest.raises(DataError, match="both saliency maps of 'b'"):
        read_saliency(tmp_path, "b")
