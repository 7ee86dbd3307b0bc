"""The two-label cuts of medical tools against their formulas, written out pixel by pixel."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from graphcut_ext.compat import numpymaxflow, simplecrf, torchmaxflow

pymaxflow = pytest.importorskip("maxflow")
EPS = 2.0**-23
HALF = {  # steps to neighbours not met before, as numpymaxflow and torchmaxflow list them
    4: [(1, 0), (0, 1)],
    8: [(1, 0), (0, 1), (1, 1)],
    6: [(1, 0, 0), (0, 1, 0), (0, 0, 1)],
    18: [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1)],
    26: [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)],
}


def scene(case):
    """An image (C, *S), probabilities (2, *S) with zeros and ones, strokes, and settings."""
    rng = np.random.default_rng(case)
    dimensions = 2 + case % 2
    shape = tuple(rng.integers(1, 6, dimensions))
    image = rng.random((rng.integers(1, 4), *shape)).astype(np.float32)
    p = np.where(rng.random(shape) < 0.2, rng.integers(0, 2, shape), rng.random(shape))
    prob = np.stack([1 - p, p]).astype(np.float32)
    seed = (rng.random((2, *shape)) < 0.15).astype(np.float32)
    connectivity = int(rng.choice([4, 8] if dimensions == 2 else [6, 18, 26]))
    return (
        image,
        prob,
        seed,
        float(rng.choice([0, 0.5, 2])),
        float(rng.choice([0.1, 1])),
        connectivity,
    )


def cut(image, source, sink, lamda, sigma, connectivity, by_length=False):
    """Minimum cut by PyMaxflow over a graph made pixel by pixel; 1 on the source side."""
    graph = pymaxflow.GraphFloat()
    shape = image.shape[1:]
    nodes = graph.add_grid_nodes(shape)
    heaviest = 0.0
    for place in itertools.product(*map(range, shape)):
        for step in HALF[connectivity]:
            other = tuple(p + s for p, s in zip(place, step, strict=True))
            if all(o < size for o, size in zip(other, shape, strict=True)):
                apart = sum((float(c[place]) - float(c[other])) ** 2 for c in image)
                apart /= sum(step) if by_length else 1
                weight = lamda * np.exp(-apart / (2 * sigma**2))
                heaviest = max(heaviest, weight)
                graph.add_edge(nodes[place], nodes[other], weight, weight)
    for place in itertools.product(*map(range, shape)):
        s, t = source(place, heaviest), sink(place, heaviest)
        graph.add_tedge(nodes[place], s, t)
    graph.maxflow()
    return (~graph.get_grid_segments(nodes)).astype(np.float32)


def stroke(seed, place):
    """The label that a stroke gives, or None."""
    return 0 if seed[0][place] > 0 else 1 if seed[1][place] > 0 else None


@pytest.mark.parametrize("case", range(60))
def test_numpymaxflow(case):
    image, prob, seed, lamda, sigma, connectivity = scene(case)
    kept = prob.copy()

    def cost(label, seed=None):
        def of(place, _heaviest):
            given = None if seed is None else stroke(seed, place)
            p = prob[label][place] if given is None else float(given == label)
            return -np.log(max(p, EPS))

        return of

    settings = (lamda, sigma, connectivity)
    found = numpymaxflow.maxflow(image, prob, *settings)
    expected = cut(image, cost(0), cost(1), *settings)
    assert found.dtype == np.float32
    assert (found == expected[None]).all()
    found = numpymaxflow.maxflow_interactive(image, prob, seed, *settings)
    expected = cut(image, cost(0, seed), cost(1, seed), *settings)
    assert found.shape == expected.shape
    assert (found == expected).all()
    assert (prob == kept).all()

    tensors = [torch.from_numpy(a).double()[None] for a in (image, prob, seed)]
    found = torchmaxflow.maxflow(*tensors[:2], *settings)
    assert found.dtype == torch.float64
    assert (found[0, 0].numpy() == cut(image, cost(0), cost(1), *settings, True)).all()
    found = torchmaxflow.maxflow_interactive(*tensors, *settings)
    assert (found[0, 0].numpy() == cut(image, cost(0, seed), cost(1, seed), *settings, True)).all()
    twice = torchmaxflow.maxflow_interactive(
        *(t.expand(2, *t.shape[1:]) for t in tensors), *settings
    )
    assert (twice == found).all()


@pytest.mark.parametrize("case", range(40))
def test_simplecrf(case):
    image, prob, seed, lamda, sigma, _ = scene(case)
    dimensions = image.ndim - 1
    suffix = f"maxflow{dimensions}d"
    last = [np.moveaxis(a, 0, -1) for a in (image, prob, seed)]

    def cost(label, seed=None):
        def of(place, heaviest):
            given = None if seed is None else stroke(seed, place)
            if given is not None:
                return 1e-3 if given == label else 1000 * heaviest
            with np.errstate(divide="ignore"):
                return -np.log(prob[label][place])

        return of

    settings = (lamda, sigma, 2 * dimensions)
    found = getattr(simplecrf, suffix)(*last[:2], (lamda, sigma))
    assert found.dtype == np.int8
    assert (found == cut(image, cost(0), cost(1), *settings)).all()
    found = getattr(simplecrf, f"interactive_{suffix}")(*last, (lamda, sigma))
    assert (found == cut(image, cost(0, seed), cost(1, seed), *settings)).all()
    grey = getattr(simplecrf, suffix)(image[0], last[1], (lamda, sigma))
    assert (grey == cut(image[:1], cost(0), cost(1), *settings)).all()


@pytest.mark.parametrize("case", range(60, 70))
def test_the_original(case):
    """The same bits as numpymaxflow, where it is installed: it asks for an older NumPy."""
    original = pytest.importorskip("numpymaxflow")
    image, prob, seed, *settings = scene(case)
    assert (
        numpymaxflow.maxflow(image, prob, *settings) == original.maxflow(image, prob, *settings)
    ).all()
    found = numpymaxflow.maxflow_interactive(image, prob, seed, *settings)
    assert (found == original.maxflow_interactive(image, prob, seed, *settings)).all()


def test_defaults_and_ties():
    """No connectivity is 4 or 6; of several minimum cuts the one with the most of 1."""
    rng = np.random.default_rng(0)
    for shape in ((5, 6), (3, 4, 5)):
        image, p = rng.random((2, *shape)).astype(np.float32)
        prob = np.stack([1 - p, p])
        found = numpymaxflow.maxflow(image[None], prob, 1, 0.5)
        assert (found == numpymaxflow.maxflow(image[None], prob, 1, 0.5, 2 * len(shape))).all()
        assert 0 < found.mean() < 1
        assert (numpymaxflow.maxflow(image[None], np.full_like(prob, 0.5), 1, 0.5) == 1).all()


BAD = {
    "labels": ({"prob": np.zeros((3, 2, 2))}, ValueError, "prob must have 2 labels"),
    "axes": ({"prob": np.zeros((2, 4))}, ValueError, "prob must have 2 or 3 axes"),
    "image": ({"image": np.zeros((1, 2, 3))}, ValueError, "image of shape"),
    "probability": ({"prob": np.full((2, 2, 2), 1.5)}, ValueError, r"prob is 1\.5 at entry 0"),
    "NaN": ({"image": np.full((1, 2, 2), np.nan)}, ValueError, "image is nan at entry 0"),
    "text": ({"image": [["a"]]}, TypeError, "image must hold numbers"),
    "lamda": ({"lamda": -1}, ValueError, "lamda must be at least 0"),
    "sigma": ({"sigma": 0}, ValueError, "sigma must be above 0"),
    "sigma text": ({"sigma": "wide"}, TypeError, "sigma must be a number"),
    "connectivity": ({"connectivity": 6}, ValueError, "connectivity must be one of 4, 8"),
    "seed": ({"seed": np.zeros((2, 2, 3))}, ValueError, "seed of shape"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    wrong, error, message = BAD[case]
    good = {
        "image": np.zeros((1, 2, 2)),
        "prob": np.full((2, 2, 2), 0.5),
        "seed": np.zeros((2, 2, 2)),
        "lamda": 1,
        "sigma": 1,
        "connectivity": 4,
    }
    with pytest.raises(error, match=message):
        numpymaxflow.maxflow_interactive(**(good | wrong))


def test_bad_input_of_the_others():
    image, prob = np.zeros((2, 2)), np.full((2, 2, 2), 0.5)
    for arguments, message in (
        ((image, np.zeros((2, 2, 2)), (1, 1)), "P is 0.0 at entry 0, as is the other"),
        ((image, prob, (1,)), "param must be"),
        ((image[None, None], prob, (1, 1)), "I must have 2 axes"),
        ((image, prob[:1], (1, 1)), "P must have shape"),
    ):
        with pytest.raises(ValueError, match=message):
            simplecrf.maxflow2d(*arguments)
    tensors = torch.zeros(1, 1, 2, 2), torch.full((1, 2, 2, 2), 0.5)
    with pytest.raises(TypeError, match=r"prob must be a torch\.Tensor"):
        torchmaxflow.maxflow(tensors[0], prob, 1, 1)
    with pytest.raises(ValueError, match="prob has 2 items, image 1"):
        torchmaxflow.maxflow(tensors[0], tensors[1].expand(2, 2, 2, 2), 1, 1)
    with pytest.raises(ValueError, match="image must have 4 or 5 axes"):
        torchmaxflow.maxflow(tensors[0][0], tensors[1], 1, 1)
