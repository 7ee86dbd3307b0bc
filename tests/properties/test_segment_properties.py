"""gx.segment on small images of any kind: no labelling is better, updates are fresh cuts."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import graphcut_ext as gx

FLOOR = 1e-4


@st.composite
def problems(draw):
    """An image, probabilities, seeds, and other seeds of the same shape."""
    shape = draw(st.sampled_from([(3, 3), (2, 4), (1, 5), (2, 2, 2), (3, 1, 3)]))
    channels = draw(st.sampled_from([(), (3,)]))
    image = draw(arrays.arrays(np.uint8, shape + channels))
    likely = draw(arrays.arrays(np.float32, shape, elements=st.floats(0, 1, width=32)))
    seeds = [
        draw(arrays.arrays(np.int8, shape, elements=st.sampled_from([0, 0, 0, 1, 2])))
        for _ in range(2)
    ]
    return image, likely, *seeds


def least_energy(image, likely, seeds, smoothness):
    """Over all labellings that keep to the seeds, by the documented formula."""
    pixels = image.reshape(likely.size, -1).astype(float)
    places = np.argwhere(np.ones(likely.shape, dtype=bool))
    pairs = [
        (i, j)
        for i, j in itertools.combinations(range(likely.size), 2)
        if np.abs(places[i] - places[j]).max() == 1
    ]
    squares = np.array([np.square(pixels[i] - pixels[j]).sum() for i, j in pairs])
    distances = np.array([np.linalg.norm(places[i] - places[j]) for i, j in pairs])
    steps = [step for step in itertools.product((-1, 0, 1), repeat=likely.ndim) if any(step)]
    factor = (4 + 4 / np.sqrt(2)) / sum(1 / np.linalg.norm(step) for step in steps)
    contrast = np.exp(-squares / (2 * squares.mean())) if squares.any() else np.ones(len(pairs))
    weights = smoothness * factor * contrast / distances
    p, marks = likely.astype(float).ravel().clip(FLOOR, 1 - FLOOR), seeds.ravel()
    costs = np.where(marks == 0, [-np.log(1 - p), -np.log(p)], 0)
    costs[0, marks == 1] = costs[1, marks == 2] = np.inf
    first, second = np.array(pairs).T
    return min(
        costs[labels, np.arange(likely.size)].sum()
        + weights[np.array(labels)[first] != np.array(labels)[second]].sum()
        for labels in map(list, itertools.product((0, 1), repeat=likely.size))
    )


@given(problems(), st.sampled_from([0.0, 0.7, 30.0]))
@settings(max_examples=60, deadline=None)
def test_no_labelling_is_better(problem, smoothness):
    image, likely, seeds, others = problem
    found = gx.segment(image, seeds, probabilities=likely, smoothness=smoothness)
    expected = least_energy(image, likely, seeds, smoothness)
    assert abs(found.value - expected) < 1e-4 * (1 + smoothness)
    assert found.mask[seeds == 1].all()
    assert not found.mask[seeds == 2].any()

    updated = found.update(others)
    fresh = gx.segment(image, others, probabilities=likely, smoothness=smoothness)
    np.testing.assert_array_equal(updated.mask, fresh.mask)
    assert updated.value == fresh.value
