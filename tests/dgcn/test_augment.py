"""Random windows and colours: image and cues stay on one another, and draws are reproducible."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dgcn.data import resize_image
from dgcn.data.augment import Window, cut_cues, cut_image, draw_window, recolour
from dgcn.data.images import IMAGENET_MEAN

SIZE, GRID = 65, 9
WHOLE = Window(0.0, 0.0, 1.0)
SEEDS = st.integers(0, 2**32 - 1)


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_the_whole_window_is_the_sample_without_one() -> None:
    image = noise(50, 70)
    np.testing.assert_array_equal(cut_image(image, WHOLE, SIZE), resize_image(image, SIZE))
    cues = np.random.default_rng(1).random((3, GRID, GRID)) > 0.5
    np.testing.assert_array_equal(cut_cues(cues, WHOLE, SIZE), cues)


@given(SEEDS, st.sampled_from([(1.0, 1.0), (1.0, 2.0), (0.5, 1.0), (0.5, 2.0), (3.0, 3.0)]))
def test_windows_lie_in_the_image_or_around_it(seed: int, scale: tuple[float, float]) -> None:
    left, top, side = draw_window(np.random.default_rng(seed), scale, SIZE)
    assert 1 / scale[1] - 1e-9 <= side <= SIZE / round(SIZE * scale[0]) + 1e-9
    for start in (left, top):
        assert min(0, 1 - side) - 1e-9 <= start <= max(0, 1 - side) + 1e-9


def test_scales_are_spread_by_their_logarithm() -> None:
    generator = np.random.default_rng(0)
    sides = [draw_window(generator, (0.5, 2.0), SIZE).side for _ in range(400)]
    assert 0.42 < np.mean(np.less(sides, 1)) < 0.58
    lefts = [draw_window(generator, (2.0, 2.0), SIZE).left for _ in range(400)]
    assert abs(np.mean(lefts) - 0.25) < 0.03


@given(SEEDS)
def test_cues_lie_on_what_they_are_cues_of(seed: int) -> None:
    """An image of smooth colours: a cell's cue is that of the place whose colour it shows."""
    window = draw_window(np.random.default_rng(seed), (0.5, 2.5), SIZE)
    ramp = np.linspace(20, 235, 4 * SIZE)
    image = np.zeros((4 * SIZE, 4 * SIZE, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = ramp, ramp[:, None], 255
    shown = cut_image(image, window, SIZE)
    cells = np.arange(GRID)
    cues = np.zeros((GRID * GRID, GRID, GRID), bool)  # a class for each cell
    cues[np.arange(GRID**2), np.repeat(cells, GRID), np.tile(cells, GRID)] = True
    found = cut_cues(cues, window, SIZE)
    pixels = np.linspace(0, SIZE - 1, GRID).round().astype(int)
    step = (235 - 20) / (GRID - 1)
    for row, down in enumerate(pixels):
        for column, across in enumerate(pixels):
            colour = shown[down, across].astype(float)
            classes = np.flatnonzero(found[:, row, column])
            inside = colour[2] > 250  # beyond the image blue is ImageNet's mean
            if classes.size == 0:
                edge = {0, SIZE - 1} & {down, across}
                assert not inside or edge or window.side > 1
                continue
            assert inside
            expected = np.array(divmod(classes[0], GRID))[::-1] * step + 20
            assert np.abs(colour[:2] - expected).max() < 0.5 * step + 8


def test_beyond_the_image_is_the_mean_colour_and_no_cue() -> None:
    window = draw_window(np.random.default_rng(3), (0.5, 0.5), SIZE)
    shown = cut_image(np.full((30, 40, 3), 255, np.uint8), window, SIZE)
    white = (shown == 255).all(2)
    assert white.sum() == round(SIZE * 0.5) ** 2
    mean = np.round(255 * np.array(IMAGENET_MEAN)).astype(np.uint8)
    assert (shown[~white] == mean).all()
    found = cut_cues(np.ones((1, GRID, GRID), bool), window, SIZE)[0]
    pixels = np.linspace(0, SIZE - 1, GRID).round().astype(int)
    np.testing.assert_array_equal(found, white[pixels[:, None], pixels])


def test_colours_change_by_the_drawn_factors() -> None:
    image = noise(20, 30)
    drawn = np.random.default_rng(5).uniform(0.6, 1.4, 3)
    values = image.astype(float) * drawn[0]
    weights = np.array([0.299, 0.587, 0.114])
    middle = (values @ weights).mean()
    values = middle + drawn[1] * (values - middle)
    grey = (values @ weights)[..., None]
    values = np.clip(grey + drawn[2] * (values - grey), 0, 255)
    found = recolour(image, np.random.default_rng(5), 0.4)
    assert np.abs(found - values).max() <= 0.51
    np.testing.assert_array_equal(recolour(image, np.random.default_rng(5), 0.0), image)


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_grey_stays_grey(strength: float) -> None:
    image = np.repeat(noise(9, 9)[..., :1], 3, axis=2)
    found = recolour(image, np.random.default_rng(0), strength)
    assert np.ptp(found.astype(int), axis=2).max() <= 1
