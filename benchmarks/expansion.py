"""Labellings by expansion moves, against gco and PyMaxflow's fastmin.

All start from the cheapest labels by unary cost, on integer costs, which all of them hold exactly.
Energies are compared first. Times are of the processor, of one thread, in turn; setting the labels
to start from in gco, one call a node, is left out.

gco-wrapper is a peer where it is installed: `pip install gco-wrapper`. Its licence is for research
only, so no extra of this package asks for it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

from benchmarks.problem import Array
from benchmarks.timing import summary, write_json


@dataclass(frozen=True)
class Scene:
    """A multi-label energy of integer costs."""

    edge_index: Array  # (2, E)
    unary: Array  # (N, L)
    weights: Array  # (E,)
    pairwise: Array  # (L, L)
    shape: tuple[int, int] | None = None  # of a grid with one weight

    def energy(self, labels: Array) -> int:
        """What a labelling costs."""
        ends = labels[self.edge_index]
        own = self.unary[np.arange(len(labels)), labels].sum()
        return int(own + (self.weights * self.pairwise[ends[0], ends[1]]).sum())


def grid(shape: tuple[int, int]) -> Array:
    """Ends of the edges between pixels side by side."""
    import graphcut_ext as gx

    return np.asarray(gx.Graph.grid(shape, 1).edge_index)


def stereo(height: int) -> Scene:
    """Astronaut beside a view in which it is shifted, by planes of ten depths; noise."""
    import skimage.data
    import skimage.transform

    rng = np.random.default_rng(20)
    shape, labels = (height, height * 3 // 2), 10 + height // 15
    left = skimage.transform.resize(skimage.data.astronaut(), shape, anti_aliasing=True)
    depth = np.full(shape, 2)
    for k in range(9):
        top, side = rng.integers(0, height * 3 // 4), rng.integers(0, shape[1] * 3 // 4)
        depth[top : top + height // 3, side : side + height // 3] = 3 + (labels - 5) * k // 8
    columns = np.clip(np.arange(shape[1]) - depth, 0, None)
    right = np.take_along_axis(left, columns[:, :, None], axis=1)
    left, right = (view + rng.normal(0, 0.05, view.shape) for view in (left, right))
    cost = np.full((labels, *shape), 0.15)
    for d in range(labels):
        difference = np.abs(right[:, d:] - left[:, : shape[1] - d]).mean(axis=2)
        cost[d, :, d:] = np.minimum(difference, 0.15)
    ends, colours = grid(shape), right.reshape(-1, 3)
    contrast = np.abs(colours[ends[0]] - colours[ends[1]]).mean(axis=1)
    steps = np.arange(labels)
    return Scene(
        ends,
        np.rint(cost.reshape(labels, -1).T * 1e4).astype(np.int64).copy(),
        np.where(contrast < 0.08, 240, 120),
        np.minimum(abs(steps[:, None] - steps), 3),
    )


def denoising(potts: bool) -> Scene:
    """Coins with noise, 192 pixels a side, in sixteen grey levels."""
    import skimage.data
    import skimage.transform

    rng = np.random.default_rng(21)
    clean = skimage.transform.resize(skimage.data.coins(), (192, 192), anti_aliasing=True)
    levels = np.linspace(0, 1, 16)
    noisy = clean + rng.normal(0, 0.1, clean.shape)
    unary = np.rint((noisy.reshape(-1, 1) - levels) ** 2 * 1e4).astype(np.int64)
    steps = np.arange(16)
    pairwise = (
        1 - np.eye(16, dtype=np.int64) if potts else np.minimum(abs(steps[:, None] - steps), 4)
    )
    ends = grid(clean.shape)
    return Scene(ends, unary, np.full(ends.shape[1], 200 if potts else 100), pairwise, clean.shape)


def superpixels() -> Scene:
    """Superpixels of a cat in twenty colours, edges by the contrast."""
    import skimage.data
    import skimage.segmentation

    image = skimage.data.cat() / 255
    regions = skimage.segmentation.slic(image, n_segments=6000, compactness=5, start_label=0)
    _, regions = np.unique(regions, return_inverse=True)
    regions = regions.reshape(image.shape[:2])
    sides = [(regions[:, 1:], regions[:, :-1]), (regions[1:], regions[:-1])]
    pairs = np.concatenate([np.stack([a.ravel(), b.ravel()]) for a, b in sides], 1)
    pairs, length = np.unique(
        np.sort(pairs[:, pairs[0] != pairs[1]], 0), axis=1, return_counts=True
    )
    sizes = np.bincount(regions.ravel())
    colours = np.stack(
        [np.bincount(regions.ravel(), image[..., c].ravel()) / sizes for c in range(3)], 1
    )
    palette = colours[np.random.default_rng(22).choice(len(colours), 20, replace=False)]
    unary = ((colours[:, None] - palette) ** 2).sum(2)
    contrast = ((colours[pairs[0]] - colours[pairs[1]]) ** 2).sum(1)
    weights = length * np.exp(-contrast / (2 * contrast.mean()))
    return Scene(
        pairs,
        np.rint(unary * 1e5).astype(np.int64),
        np.rint(weights * 100).astype(np.int64),
        1 - np.eye(20, dtype=np.int64),
    )


SCENES: dict[str, Callable[[], Scene]] = {
    "stereo": lambda: stereo(120),
    "large stereo": lambda: stereo(240),
    "Potts denoising": lambda: denoising(True),
    "truncated denoising": lambda: denoising(False),
    "superpixels": superpixels,
}


def ours(scene: Scene, start: Array) -> tuple[Array, float]:
    """Labels of this package, and the seconds they took."""
    import torch

    import graphcut_ext as gx

    costs = (torch.from_numpy(a) for a in (scene.unary, scene.weights, scene.pairwise))
    ends, init = torch.from_numpy(scene.edge_index), torch.from_numpy(start)
    begin = time.process_time()
    found = gx.alpha_expansion(ends, *costs, init=init, num_threads=1)
    return found.labels.numpy(), time.process_time() - begin


def gco(scene: Scene, start: Array) -> tuple[Array, float]:
    """The same of gco."""
    from gco.pygco import GCO

    begin = time.process_time()
    graph = GCO()
    graph.create_general_graph(*scene.unary.shape, False)
    graph.set_data_cost(scene.unary)
    graph.set_all_neighbors(*np.sort(scene.edge_index, 0).astype(np.int32), scene.weights)
    graph.set_smooth_cost(scene.pairwise)
    seconds = time.process_time() - begin
    for node, label in enumerate(start):
        graph.init_label_at_site(node, int(label))
    begin = time.process_time()
    graph.expansion(-1)
    labels = graph.get_labels()
    seconds += time.process_time() - begin
    graph.destroy_graph()
    return labels, seconds


def fastmin(scene: Scene, start: Array) -> tuple[Array, float]:
    """The same of PyMaxflow, which has grids of one weight only."""
    from maxflow.fastmin import aexpansion_grid

    assert scene.shape is not None
    unary = scene.unary.reshape(*scene.shape, -1)
    pairwise = scene.pairwise * scene.weights[0]
    begin = time.process_time()
    labels = aexpansion_grid(unary, pairwise, labels=start.reshape(scene.shape).copy())
    return labels.ravel(), time.process_time() - begin


PEERS = {"gco-wrapper": gco, "PyMaxflow": fastmin}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--scenes", nargs="+", choices=tuple(SCENES), default=tuple(SCENES))


def run(arguments: argparse.Namespace) -> None:
    """Compare energies, time, print and store."""
    versions = {name: version(name) for name in PEERS}
    results = {}
    for name in arguments.scenes:
        results[name] = compare(SCENES[name](), arguments.repeats, versions)
        print(f"{name}: {results[name]['nodes']} nodes, {results[name]['labels']} labels")
        for row in results[name]["rows"]:
            print(
                f"  {row['label']:16}{row['median_ms']:9.1f} ms   x{row['ratio']:.2f}   "
                f"energy {row['energy']} ({row['above_ours']:+.1e})"
            )
    write_json(arguments.json, results, peers=versions, repeats=arguments.repeats)


def version(distribution: str) -> str | None:
    """Of an installed package."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        print(f"{distribution} is not installed and is left out")
        return None


def compare(scene: Scene, repeats: int, versions: dict[str, str | None]) -> dict[str, Any]:
    """One scene, in rounds of all contenders."""
    start = scene.unary.argmin(1)
    contenders = {"graphcut_ext": ours}
    for name, peer in PEERS.items():
        if versions[name] is not None and (peer is gco or scene.shape is not None):
            contenders[name] = peer
    energies: dict[str, int] = {}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, work in contenders.items():
            labels, took = work(scene, start)
            energies[name] = scene.energy(labels)
            seconds[name].append(took)
    own = statistics.median(seconds["graphcut_ext"])
    rows = [
        {
            "label": name,
            **summary(seconds[name]),
            "ratio": statistics.median(seconds[name]) / own,
            "energy": energy,
            "above_ours": energy / energies["graphcut_ext"] - 1,
        }
        for name, energy in energies.items()
    ]
    nodes, labels = scene.unary.shape
    return {"nodes": nodes, "edges": len(scene.weights), "labels": labels, "rows": rows}
