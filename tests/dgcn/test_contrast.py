"""Local contrast on pictures whose answer is plain, and against filters laid out in the plane."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import fftconvolve
from skimage.color import rgb2lab

from dgcn.contrast import colour_spread, local_contrast
from dgcn.cues.saliency import find_saliency

Image = NDArray[np.uint8]


def textured(
    height: int = 120, width: int = 160, *, grain: float = 4, shading: float = 40, seed: int = 0
) -> NDArray[np.float64]:
    """Grey grain under light that falls off to one side."""
    x = np.linspace(-0.5, 0.5, width)[None, :, None]
    noise = np.random.default_rng(seed).normal(0, grain, (height, width, 1))
    return np.repeat(128 + shading * x + noise, 3, axis=2)


def picture(values: NDArray[np.float64]) -> Image:
    return np.clip(values, 0, 255).round().astype(np.uint8)


def scratched(*, seed: int = 0, shading: float = 40) -> tuple[Image, NDArray[np.bool_]]:
    """A line of two pixels from edge to edge."""
    values = textured(seed=seed, shading=shading)
    inside = np.zeros(values.shape[:2], dtype=bool)
    inside[60:62] = True
    values[inside] -= 30
    return picture(values), inside


@pytest.mark.parametrize("seed", range(3))
def test_thin_line_across_a_texture_stands_out(seed: int) -> None:
    image, inside = scratched(seed=seed)
    found = local_contrast(image)
    assert found.shape == inside.shape
    assert found.dtype == np.float32
    assert (found.min(), found.max()) == (0, 1)
    assert found[inside].mean() > 0.5
    away = np.ones_like(inside)
    away[55:67] = False
    assert (found[away] < 0.07).mean() > 0.8
    assert (found[away] < 0.3).mean() > 0.98


def test_light_that_falls_off_is_no_contrast() -> None:
    even, inside = scratched(shading=0)
    shaded, _ = scratched(shading=120)
    assert abs(local_contrast(even)[inside].mean() - local_contrast(shaded)[inside].mean()) < 0.15
    away = ~inside
    away[50:72] = False
    assert (local_contrast(shaded)[away] < 0.07).mean() > 0.8


def test_lines_along_the_brush_do_not_count_and_one_across_does() -> None:
    rng = np.random.default_rng(3)
    brush = gaussian_filter1d(rng.standard_normal((120, 160)), 30, axis=1)
    values = np.repeat((128 + 9 * brush / brush.std())[..., None], 3, axis=2)
    values[20:100, 80:82] += 25
    found = local_contrast(picture(values))
    assert found[25:95, 80:82].mean() > 0.5
    assert (found[:, :70] < 0.3).mean() > 0.95


def test_colour_counts_where_lightness_does_not() -> None:
    values = textured()
    values[40:50, 70:80] += (34, -20, 12)
    image = picture(values)
    light = rgb2lab(image)[..., 0]
    assert abs(light[42:48, 72:78].mean() - light[42:48, 60:66].mean()) < 3
    found = local_contrast(image)
    assert found[42:48, 72:78].mean() > 0.6
    assert found[:, :50].mean() < 0.05


@pytest.mark.parametrize("seed", range(2))
def test_equals_kernels_laid_out_in_the_plane(seed: int) -> None:
    """Each filter as a weighted mean of the pixels around, the border mirrored."""
    image = picture(textured(61, 83, seed=seed, grain=12))
    image[20:24, 30:60] //= 2
    light = rgb2lab(image)[..., 0]
    down, right = np.mgrid[:61, :83].astype(float)
    powers = [down**i * right**j for i in range(3) for j in range(3 - i)]
    terms = np.stack([each.ravel() for each in powers], axis=1)
    light -= (terms @ np.linalg.pinv(terms) @ light.ravel()).reshape(light.shape)
    around = np.pad(np.pad(light, 60, mode="reflect"), 100, mode="wrap")
    y, x = np.mgrid[-100:101, -100:101].astype(float)

    def mean(along: float, across: float, angle: float) -> NDArray[np.float64]:
        u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        kernel = np.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2))
        averaged = fftconvolve(around, kernel / kernel.sum(), mode="valid")
        return np.asarray(averaged[60:-60, 60:-60])

    shapes = [(size, size, 0.0) for size in (1, 2, 4, 8)]
    shapes += [(5, 1, index * np.pi / 8) for index in range(8)]
    ratio = np.zeros_like(light)
    for shape in shapes:
        distance = mean(*shape) - mean(32, 32, 0)
        distance = abs(distance - np.median(distance))
        ratio = np.maximum(ratio, distance / (1.4826 * np.median(distance)))
    wanted = np.clip((ratio - 2) / (np.quantile(ratio, 0.999) - 2), 0, 1)
    np.testing.assert_allclose(local_contrast(image), wanted, atol=0.02)


def test_large_pictures_are_looked_at_reduced() -> None:
    image, inside = scratched()
    large = np.repeat(np.repeat(image, 4, axis=0), 4, axis=1)
    found = local_contrast(large)
    assert found.shape == large.shape[:2]
    assert found[np.repeat(np.repeat(inside, 4, axis=0), 4, axis=1)].mean() > 0.5


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 2), (40, 60)])
def test_one_colour_has_no_contrast(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 77, dtype=np.uint8)
    np.testing.assert_array_equal(local_contrast(image), np.zeros(shape, dtype=np.float32))
    assert colour_spread(image) == pytest.approx(0, abs=1e-6)


def test_bad_input_is_refused() -> None:
    with pytest.raises(TypeError, match="image must be uint8, got float64"):
        local_contrast(np.zeros((5, 5, 3)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"image must have shape \(H, W, 3\), got \(5, 5\)"):
        local_contrast(np.zeros((5, 5), dtype=np.uint8))
    with pytest.raises(ValueError, match="image must have shape"):
        colour_spread(np.zeros((0, 5, 3), dtype=np.uint8))


def test_it_is_a_saliency_by_name() -> None:
    assert find_saliency("local_contrast") is local_contrast


def test_spread_tells_textures_from_scenes() -> None:
    texture = textured(grain=15, shading=120)
    assert colour_spread(picture(texture)) < 2
    texture[:, 110:] -= 60  # an object of a third of the picture
    assert colour_spread(picture(texture)) < 6
    scene = textured()
    scene[:50] = (120, 160, 220)
    scene[50:, 60:120] = (60, 110, 50)
    assert colour_spread(picture(scene)) > 12
