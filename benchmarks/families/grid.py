"""Binary segmentation on image grids: photographs, and a noisy sphere in a volume."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from benchmarks.problem import Array, Batch, Problem

PHOTOGRAPHS, PHOTO_SIDE = ("astronaut", "coffee"), 512
STRENGTHS = (1.0, 5.0, 25.0)  # of the n-links against unaries in nats
LARGEST_LINK, LARGEST_TERMINAL = 30, 100  # of a random grid
SPHERE_SIDE, SPHERE_NOISE, SPHERE_STRENGTH = 64, 1.0, 0.7


def photographs(neighbours: int, scale: float, graphs: int) -> Batch:
    """scikit-image's bundled photographs, each under three strengths of regularisation."""
    side = max(8, round(PHOTO_SIDE * scale))
    images = [photograph(name, side) for name in PHOTOGRAPHS]
    return Batch(
        tuple(segmentation(i, neighbours, s) for i, s in itertools.product(images, STRENGTHS))
    )


def photograph(name: str, side: int) -> Array:
    """(side, side, 3) float64 in 0..1; the file is part of scikit-image's wheel."""
    import skimage.data
    import skimage.transform

    image = getattr(skimage.data, name)() / 255.0
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    if image.shape[:2] == (side, side):
        return np.asarray(image)
    return np.asarray(skimage.transform.resize(image, (side, side), anti_aliasing=True))


def segmentation(image: Array, neighbours: int, strength: float) -> Problem:
    """The centre box against the rest: a Gaussian each for the unaries, contrast for the n-links.

    n-links are strength * exp(-d^2 / 2 s^2) / length, s^2 being the mean of d^2 over the image.
    """
    rows, columns, _ = image.shape
    inside = np.zeros((rows, columns), dtype=bool)
    inside[rows // 4 : -(rows // 4), columns // 4 : -(columns // 4)] = True
    pixels, inside = image.reshape(-1, 3), inside.ravel()
    foreground = negative_log_gaussian(pixels, pixels[inside])
    background = negative_log_gaussian(pixels, pixels[~inside])
    least = np.minimum(foreground, background)
    offsets = [(0, 1), (1, 0), (1, 1), (1, -1)][: neighbours // 2]
    tail, head, length = lattice((rows, columns), offsets)
    contrast = np.square(pixels[tail] - pixels[head]).sum(axis=1)
    capacity = strength * np.exp(-contrast / (2 * contrast.mean())) / length
    return single_precision(tail, head, capacity, background - least, foreground - least)


def negative_log_gaussian(pixels: Array, samples: Array) -> Array:
    """(N,): -log of the normal density fitted to ``samples``, up to a common constant."""
    covariance = np.cov(samples, rowvar=False) + 1e-4 * np.eye(samples.shape[1])
    centred = pixels - samples.mean(axis=0)
    mahalanobis = np.einsum("ni,ij,nj->n", centred, np.linalg.inv(covariance), centred)
    return np.asarray(0.5 * (mahalanobis + np.linalg.slogdet(covariance).logabsdet))


def sphere(scale: float, graphs: int) -> Batch:
    """A noisy ball in a volume, 6-connected, squared differences to its two grey values."""
    side = max(6, round(SPHERE_SIDE * scale))
    rng = np.random.default_rng(0)
    axes = np.indices((side,) * 3) - (side - 1) / 2
    volume = (np.sqrt(np.square(axes).sum(axis=0)) < side / 3) * 1.0
    volume = (volume + SPHERE_NOISE * rng.standard_normal(volume.shape)).ravel()
    tail, head, _ = lattice((side,) * 3, [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
    capacity = np.full(len(tail), SPHERE_STRENGTH)
    problem = single_precision(tail, head, capacity, np.square(volume), np.square(volume - 1))
    return Batch((problem,))


def random_grid(side: int) -> Problem:
    """A square, 4-connected, all capacities random integers in float32: sums of them are exact."""
    rng = np.random.default_rng(0)
    tail, head, _ = lattice((side, side), [(0, 1), (1, 0)])
    capacity = rng.integers(LARGEST_LINK, size=len(tail), endpoint=True, dtype=np.int32)
    terminals = rng.integers(LARGEST_TERMINAL, size=(2, side * side), endpoint=True, dtype=np.int32)
    return single_precision(tail, head, capacity, *terminals)


def lattice(
    shape: tuple[int, ...], offsets: Sequence[tuple[int, ...]]
) -> tuple[Array, Array, Array]:
    """Tails, heads and lengths of the edges from every grid node to those at ``offsets``."""
    node = np.arange(np.prod(shape)).reshape(shape)
    parts = []
    for offset in offsets:
        pairs = list(zip(offset, shape, strict=True))
        here = node[tuple(slice(max(0, -o), n - max(0, o)) for o, n in pairs)].ravel()
        there = node[tuple(slice(max(0, o), n - max(0, -o)) for o, n in pairs)].ravel()
        parts.append((here, there, np.full(len(here), np.linalg.norm(offset))))
    tail, head, length = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return tail, head, length


def single_precision(
    tail: Array, head: Array, capacity: Array, source: Array, sink: Array
) -> Problem:
    """Undirected problem with float32 capacities."""
    capacity, source, sink = (a.astype(np.float32) for a in (capacity, source, sink))
    return Problem(tail, head, capacity, None, source, sink)
