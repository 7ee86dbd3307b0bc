"""gx.segment against SciPy's maximum flow of the same energy, written down with plain loops."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
import torch
from oracles import Problem, scipy_mincut

import graphcut_ext as gx

UNITS = 2**20  # of the energy that make 1
REACH = {(2, 4): 1, (2, 8): 2, (3, 6): 1, (3, 18): 2, (3, 26): 3}


def scene(shape: tuple[int, ...], channels: int | None = 3) -> tuple[np.ndarray, np.ndarray]:
    """A bright ellipsoid on a dark ground, with noise, and seeds at its middle and a corner."""
    rng = np.random.default_rng(sum(shape))
    places = np.stack(np.indices(shape), axis=-1) / np.array(shape) - 0.5
    inside = np.square(places).sum(-1) < 0.1
    image = 70 + 90 * inside[..., None] + rng.normal(0, 20, (*shape, channels or 1))
    image = image.clip(0, 255).astype(np.uint8)
    seeds = np.zeros(shape, dtype=np.int64)
    seeds[tuple(slice(size // 2 - 2, size // 2 + 2) for size in shape)] = 1
    seeds[tuple(slice(0, max(2, size // 5)) for size in shape)] = 2
    return (image if channels else image[..., 0]), seeds


def host(mask: np.ndarray | torch.Tensor) -> np.ndarray:
    return mask.numpy().copy() if torch.is_tensor(mask) else mask.copy()


def expected(
    image: np.ndarray,
    seeds: np.ndarray,
    probabilities: np.ndarray,
    connectivity: int,
    smoothness: float,
    spacing: tuple[float, ...],
    sigma: float | None = None,
) -> tuple[float, np.ndarray]:
    """Value and minimal object of the documented energy; the image has its channels last."""
    shape = seeds.shape
    number = np.arange(seeds.size).reshape(shape)
    sizes = np.array(spacing) / min(spacing)
    edges = []
    for step in itertools.product((-1, 0, 1), repeat=len(shape)):
        if step > (0,) * len(shape) and np.abs(step).sum() <= REACH[len(shape), connectivity]:
            for tail in itertools.product(*map(range, shape)):
                head = tuple(np.add(tail, step))
                if all(0 <= place < size for place, size in zip(head, shape, strict=True)):
                    distance = np.linalg.norm(np.array(step) * sizes)
                    contrast = np.square(np.subtract(image[tail], image[head], dtype=float)).sum()
                    edges.append((number[tail], number[head], contrast, distance))
    tails, heads, contrasts, distances = map(np.array, zip(*edges, strict=True))
    variance = contrasts.mean() if sigma is None else sigma**2
    around = [step for step in itertools.product((-1, 0, 1), repeat=len(shape)) if any(step)]
    reach = REACH[len(shape), connectivity]
    total = sum(
        1 / np.linalg.norm(np.array(step) * sizes) for step in around if np.abs(step).sum() <= reach
    )
    scale = (4 + 4 / np.sqrt(2)) / total
    weights = smoothness * scale * np.exp(-contrasts / (2 * variance)) / distances
    likely = probabilities.astype(float).clip(1e-4, 1 - 1e-4)
    source, sink = -np.log(1 - likely), -np.log(likely)
    never = 4 * weights.sum() + 100
    source[seeds == 1], sink[seeds == 1] = never, 0
    source[seeds == 2], sink[seeds == 2] = 0, never
    capacity, source, sink = (
        np.rint(1000 * costs).astype(np.int64) for costs in (weights, source.ravel(), sink.ravel())
    )
    problem = Problem(
        np.stack([tails, heads]).astype(np.int64), capacity, capacity.copy(), source, sink
    )
    value, side = scipy_mincut(problem)
    return value / 1000, side.reshape(shape)


@pytest.mark.parametrize(
    ("shape", "connectivity", "spacing", "sigma"),
    [
        ((12, 17), 4, (1.0, 1.0), None),
        ((12, 17), 8, (1.0, 1.0), None),
        ((12, 17), 8, (0.5, 1.5), 25.0),
        ((6, 9, 10), 6, (4.0, 1.0, 1.0), None),
        ((6, 9, 10), 18, (1.0, 1.0, 1.0), None),
        ((6, 9, 10), 26, (5.0, 2.0, 2.5), None),
    ],
)
@pytest.mark.parametrize("channels", [None, 3])
def test_value_and_mask(shape, connectivity, spacing, sigma, channels):
    image, seeds = scene(shape, channels)
    smoothness = 2.0 if len(shape) == 2 else 0.3
    settings = {"connectivity": connectivity, "smoothness": smoothness, "spacing": spacing}
    found = gx.segment(image, seeds, sigma=sigma, **settings)
    pixels = image if channels else image[..., None]
    value, mask = expected(pixels, seeds, found.probabilities, sigma=sigma, **settings)
    # The oracle rounds to thousandths, ours to 2^-20.
    assert found.value == pytest.approx(value, abs=1e-3 * mask.size)
    assert (found.mask != mask).mean() < 0.01
    assert 0.02 < mask.mean() < 0.9


def test_defaults_of_images_and_volumes():
    for shape, settings in (
        ((12, 17), {"connectivity": 8, "smoothness": 50, "iterations": 1}),
        ((6, 9, 10), {"connectivity": 26, "smoothness": 5, "iterations": 1}),
    ):
        image, seeds = scene(shape)
        assert gx.segment(image, seeds).value == gx.segment(image, seeds, **settings).value


def test_noisy_anisotropic_volume():
    """A hollow ball, voxels four times as thick as wide, noise half as strong as its contrast."""
    shape, spacing = (12, 48, 50), (4.0, 1.0, 1.0)
    places = np.stack(np.indices(shape), axis=-1) * spacing
    radius = np.linalg.norm(places - places.mean(axis=(0, 1, 2)), axis=-1)
    ball = (radius < 16) & (radius > 6)
    rng = np.random.default_rng(0)
    image = 100 + 40 * ball + rng.normal(0, 20, shape)
    seeds = np.zeros(shape, dtype=int)
    seeds[6] = np.where((radius[6] > 10) & (radius[6] < 13), 1, 2 * (radius[6] > 18))
    seeds[6][radius[6] < 4] = 2
    found = gx.segment(image, seeds, spacing=spacing)

    def score(mask):
        return (mask & ball).sum() / (mask | ball).sum()

    assert score(found.mask) > 0.85
    assert score(found.probabilities > 0.5) < 0.7


def test_seeds_are_kept_against_everything():
    image, seeds = scene((14, 14))
    against = np.where(seeds == 1, 0.0, 1.0)
    for smoothness in (0.0, 1.0, 1e6):
        mask = gx.segment(image, seeds, probabilities=against, smoothness=smoothness).mask
        assert mask[seeds == 1].all()
        assert not mask[seeds == 2].any()


def test_given_probabilities_alone_are_thresholded_where_there_is_no_smoothness():
    rng = np.random.default_rng(0)
    image, probabilities = rng.random((9, 8)), rng.random((9, 8))
    found = gx.segment(image, probabilities=probabilities, smoothness=0)
    np.testing.assert_array_equal(found.mask, probabilities > 0.5)
    likely = np.where(found.mask, probabilities, 1 - probabilities)
    assert found.value == pytest.approx(-np.log(likely).sum(), abs=1e-4)


def test_probabilities_are_those_of_two_colours():
    image, seeds = scene((40, 40))
    found = gx.segment(image, seeds)
    true = image.mean(-1) > 115
    assert ((found.probabilities > 0.5) == true).mean() > 0.95
    assert found.mask.dtype == bool
    assert found.probabilities.dtype == np.float32


@pytest.mark.parametrize("shape", [(12, 17), (6, 9, 10)])
def test_flips_and_transposes(shape):
    """With given probabilities whole numbers are cut: equal to the bit."""
    image, seeds = scene(shape)
    probabilities = np.random.default_rng(1).random(shape)
    whole = gx.segment(image, seeds, probabilities=probabilities)
    for axis in range(len(shape)):
        turned = [np.flip(a, axis) for a in (image, seeds, probabilities)]
        found = gx.segment(*turned[:2], probabilities=turned[2])
        np.testing.assert_array_equal(np.flip(found.mask, axis), whole.mask)
    turned = [a.swapaxes(0, 1) for a in (image, seeds, probabilities)]
    found = gx.segment(*turned[:2], probabilities=turned[2])
    np.testing.assert_array_equal(found.mask.swapaxes(0, 1), whole.mask)
    assert found.value == pytest.approx(whole.value, abs=1e-3)


def test_swapped_sides():
    image, seeds = scene((20, 20))
    likely = np.random.default_rng(1).random(seeds.shape)
    one = gx.segment(image, seeds, probabilities=likely)
    other = gx.segment(image, np.array([0, 2, 1])[seeds], probabilities=1 - likely)
    assert (one.mask == other.mask).mean() < 0.01
    assert one.value == pytest.approx(other.value, rel=1e-4)


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x.astype(np.float64),
        lambda x: x.astype(np.float32),
        lambda x: x.astype(np.int16) - 300,
        lambda x: x.astype(np.float64) / 255,
        lambda x: x.astype(np.float64) * 1e200,
        lambda x: np.asfortranarray(x),
        lambda x: x.tolist(),
    ],
)
def test_units_and_types_of_the_image_do_not_matter(convert):
    image, seeds = scene((20, 24))
    plain = gx.segment(image, seeds)
    found = gx.segment(convert(image), seeds)
    np.testing.assert_array_equal(found.mask, plain.mask)
    np.testing.assert_allclose(found.probabilities, plain.probabilities, atol=1e-3)


def test_sigma_is_in_units_of_the_image():
    image, seeds = scene((20, 24))
    in_bytes = gx.segment(image, seeds, sigma=30.0)
    in_ones = gx.segment(image / 255.0, seeds, sigma=30.0 / 255)
    assert in_bytes.value == pytest.approx(in_ones.value, rel=1e-4)
    assert in_bytes.value != pytest.approx(gx.segment(image, seeds).value, rel=1e-3)


def test_spacing_is_relative():
    image, seeds = scene((6, 9, 10))
    one = gx.segment(image, seeds, spacing=(3, 1, 1))
    assert gx.segment(image, seeds, spacing=(1.5, 0.5, 0.5)).value == one.value
    assert gx.segment(image, seeds).value != one.value


@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("shape", [(12, 17), (6, 9, 10)])
def test_torch_is_numpy(shape, channels):
    image, seeds = scene(shape, channels)
    plain = gx.segment(image, seeds)
    first = image if channels is None else np.moveaxis(image, -1, 0)
    tensor = torch.from_numpy(first.copy())
    for marks in (seeds, torch.from_numpy(seeds)):
        found = gx.segment(tensor, marks)
        assert torch.is_tensor(found.mask)
        np.testing.assert_array_equal(found.mask.numpy(), plain.mask)
        np.testing.assert_array_equal(found.probabilities.numpy(), plain.probabilities)
    assert found.mask.dtype == torch.bool
    half = gx.segment(tensor.to(torch.bfloat16), seeds)
    assert (half.mask.numpy() == plain.mask).mean() > 0.97


def test_channels_are_found_or_told():
    """The seeds tell which axis is that of the channels; in a cube the usual one is."""
    image, seeds = scene((12, 17))
    plain = gx.segment(image, seeds).mask
    first = np.moveaxis(image, -1, 0)
    np.testing.assert_array_equal(gx.segment(first, seeds).mask, plain)
    np.testing.assert_array_equal(gx.segment(first, seeds, channel_axis=0).mask, plain)
    np.testing.assert_array_equal(gx.segment(image, seeds, channel_axis=-1).mask, plain)
    middle = np.moveaxis(image, -1, 1)
    np.testing.assert_array_equal(gx.segment(middle, seeds, channel_axis=1).mask, plain)
    cube = np.random.default_rng(0).random((3, 3, 3))
    marks = np.array([[1, 0, 0], [0, 0, 0], [0, 0, 2]])
    for give, axis in ((np.array, -1), (torch.tensor, 0)):
        usual = gx.segment(give(cube), marks, components=1)
        told = gx.segment(give(cube), marks, components=1, channel_axis=axis)
        other = gx.segment(give(cube), marks, components=1, channel_axis=-1 - axis)
        assert usual.value == told.value != other.value


def test_pairs_of_masks():
    image, seeds = scene((12, 17))
    found = gx.segment(image, (seeds == 1, torch.from_numpy(seeds == 2)))
    np.testing.assert_array_equal(found.mask, gx.segment(image, seeds).mask)


@pytest.mark.parametrize("shape", [(40, 40), (10, 16, 16)])
def test_box(shape):
    """The object is found in a box around it, by colour, with no seed at all."""
    image, _ = scene(shape)
    true = image.mean(-1) > 115
    corners = [size // 10 for size in shape] + [size - size // 10 for size in shape]
    found = gx.segment(image, box=corners, smoothness=10)
    union, common = (found.mask | true).sum(), (found.mask & true).sum()
    assert common / union > 0.85
    outside = np.ones(shape, dtype=bool)
    outside[tuple(slice(size // 10, size - size // 10) for size in shape)] = False
    assert not found.mask[outside].any()


def test_box_with_seeds():
    """Seeds count against the box."""
    image, _ = scene((40, 40))
    seeds = np.zeros((40, 40), dtype=int)
    seeds[20, 20], seeds[0, 0], seeds[18:22, 10] = 1, 1, 2
    mask = gx.segment(image, seeds, box=(4, 4, 36, 36)).mask
    assert mask[20, 20]
    assert mask[0, 0]
    assert not mask[18:22, 10].any()
    assert not mask[0, 1:].any()


def test_iterations_learn_from_the_cut():
    """Seeds on one of the object's two colours: the other is learnt from what the cut adds."""
    image, seeds = scene((40, 40))
    once = gx.segment(image, seeds, smoothness=20)
    again = gx.segment(image, seeds, smoothness=20, iterations=3)
    assert not np.array_equal(once.probabilities, again.probabilities)
    true = image.mean(-1) > 115
    assert (again.mask == true).mean() > 0.95


@pytest.mark.parametrize("shape", [(60, 70), (8, 20, 22)])
@pytest.mark.parametrize("as_torch", [False, True])
def test_update_is_a_fresh_cut(shape, as_torch):
    """More strokes, fewer strokes, others: equal to the bit to a cut from the beginning."""
    image, seeds = scene(shape)
    if as_torch:
        image = torch.from_numpy(np.moveaxis(image, -1, 0).copy())
    found = first = gx.segment(image, seeds, smoothness=8)
    rng = np.random.default_rng(0)
    before = host(first.mask)
    for step in range(6):
        seeds = seeds.copy()
        if step == 3:
            seeds[seeds == 1] = 0
        seeds.flat[rng.integers(0, seeds.size, 12)] = 1 + step % 2
        found = found.update(seeds)
        fresh = gx.segment(image, seeds, probabilities=first.probabilities, smoothness=8)
        assert type(found.mask) is type(first.mask)
        np.testing.assert_array_equal(host(found.mask), host(fresh.mask))
        assert found.value == fresh.value
    assert not np.array_equal(host(found.mask), before)
    np.testing.assert_array_equal(host(first.mask), before)
    again = first.update(seeds)  # of an older result, too
    np.testing.assert_array_equal(host(again.mask), host(fresh.mask))


def test_update_goes_on_from_the_last_cut():
    image, seeds = scene((60, 70))
    found = gx.segment(image, seeds)
    seeds[3:6, 30:40] = 2
    found.update(seeds)
    assert found._problem.cut._graph.reused


def test_update_with_refit():
    image, seeds = scene((40, 40))
    found = gx.segment(image, seeds)
    seeds[30:34, 30:34] = 2
    refitted, fresh = found.update(seeds, refit=True), gx.segment(image, seeds)
    np.testing.assert_array_equal(refitted.mask, fresh.mask)
    np.testing.assert_array_equal(refitted.probabilities, fresh.probabilities)
    older = found.update(seeds)  # by the colours learnt first
    np.testing.assert_array_equal(older.probabilities, found.probabilities)


def test_writing_to_results_changes_nothing():
    image, seeds = scene((20, 20))
    found = gx.segment(image, seeds)
    expected = found.update(seeds).mask.copy()
    found.probabilities[:] = 0
    found.mask[:] = False
    np.testing.assert_array_equal(found.update(seeds).mask, expected)


def test_pickle():
    image, seeds = scene((20, 20))
    found = gx.segment(image, seeds)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.mask, found.mask)
    np.testing.assert_array_equal(again.update(seeds).mask, found.mask)


def test_constant_image():
    """There is no colour to learn: the cut is the shortest one, here around the one seed."""
    seeds = np.zeros((9, 9), dtype=int)
    seeds[4, 4], seeds[0] = 1, 2
    found = gx.segment(np.full((9, 9), 0.1), seeds)
    assert (found.probabilities == 0.5).all()
    assert found.mask.sum() == 1


def test_threads_and_runs_do_not_matter():
    image, seeds = scene((40, 50))
    one = gx.segment(image, seeds, num_threads=1)
    for threads in (1, 2):
        other = gx.segment(image, seeds, num_threads=threads)
        np.testing.assert_array_equal(one.mask, other.mask)
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        assert one.value == other.value


def test_thin_images():
    for shape in ((1, 30), (30, 1), (1, 1, 30)):
        image = np.where(np.arange(30) < 12, 50, 200).reshape(shape)
        seeds = np.zeros(shape, dtype=int)
        seeds.flat[0], seeds.flat[-1] = 1, 2
        np.testing.assert_array_equal(gx.segment(image, seeds).mask, image < 100)
