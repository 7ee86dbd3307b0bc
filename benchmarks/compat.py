"""The modules of graphcut_ext.compat against the libraries whose calls they have.

One program runs on both, results are compared, then both are timed in turn: CPU time on one thread,
and how many times as fast ours is. A library that is not installed is left out.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.timing import write_json

Array = NDArray[Any]
Program = Callable[[Any], "Answer"]


@dataclass(frozen=True)
class Answer:
    """What a program finds: the value or energy, and the labels."""

    value: float
    labels: Array


@dataclass(frozen=True)
class Case:
    """A program for a library and for the module that takes its place."""

    distribution: str
    library: str  # the module's name, there and in graphcut_ext.compat
    prepare: Callable[[float], Program]  # from a scale of the sizes
    rises: float = 0.0  # by how much our value may be above theirs, relative
    differing: float = 0.0  # which share of the labels may differ


def photograph(side: int) -> Array:
    """Return scikit-image's astronaut, (side, side, 3) from 0 to 1."""
    from skimage import data
    from skimage.transform import resize

    return np.asarray(resize(data.astronaut(), (side, side), anti_aliasing=True), dtype=np.float64)


def terminals(image: Array) -> tuple[Array, Array]:
    """Costs of background and foreground: how dark and how bright a pixel is."""
    grey = np.clip(image.mean(-1), 0.01, 0.99)
    return -np.log(1 - grey), -np.log(grey)


def grid(connectivity: int) -> Callable[[float], Program]:
    """An image cut by the calls for grids."""

    def prepare(scale: float) -> Program:
        image = photograph(max(8, round(512 * scale)))
        source, sink = terminals(image)
        contrast = np.square(np.gradient(image.mean(-1))).sum(0)
        weights = 2 * np.exp(-contrast / (2 * contrast.mean()))

        def program(maxflow: Any) -> Answer:
            graph = maxflow.GraphFloat()
            nodes = graph.add_grid_nodes(source.shape)
            kinds = {4: maxflow.vonNeumann_structure, 8: maxflow.moore_structure}
            graph.add_grid_edges(nodes, weights, kinds[connectivity](2))
            graph.add_grid_tedges(nodes, source, sink)
            return Answer(graph.maxflow(), graph.get_grid_segments(nodes))

        return program

    return prepare


def changing(scale: float) -> Program:
    """An image cut again after each of ten strokes."""
    image = photograph(max(32, round(256 * scale)))
    source, sink = terminals(image)
    rows = np.linspace(2, len(image) - 3, 10).astype(int)

    def program(maxflow: Any) -> Answer:
        graph = maxflow.GraphFloat()
        nodes = graph.add_grid_nodes(source.shape)
        graph.add_grid_edges(nodes, 2.0)
        graph.add_grid_tedges(nodes, source, sink)
        value = graph.maxflow()
        for stroke, row in enumerate(rows):
            touched = nodes[row, 5:25].copy()
            graph.add_grid_tedges(touched, 9.0 * (stroke % 2), 9.0 * (1 - stroke % 2))
            graph.mark_grid_nodes(touched)
            value = graph.maxflow(reuse_trees=True)
        return Answer(value, graph.get_grid_segments(nodes))

    return program


def random_edges(nodes: int) -> tuple[Array, Array, Array, Array]:
    """Edges to nine nodes nearby, their capacities, and terminals, all of small integers."""
    rng = np.random.default_rng(0)
    tail = np.repeat(np.arange(nodes), 9)
    head = (tail + rng.integers(1, 400, len(tail))) % nodes
    return tail, head, rng.integers(1, 20, len(tail)), rng.integers(0, 100, (2, nodes))


def edges(scale: float) -> Program:
    """A graph from arrays of edges."""
    tail, head, capacity, (source, sink) = random_edges(max(100, round(25_000 * scale)))

    def program(maxflow: Any) -> Answer:
        graph = maxflow.GraphInt(len(source), len(tail))
        nodes = graph.add_nodes(len(source))
        graph.add_edges(tail, head, capacity, capacity)
        graph.add_grid_tedges(nodes, source, sink)
        return Answer(graph.maxflow(), graph.get_grid_segments(nodes))

    return program


def one_by_one(scale: float) -> Program:
    """A graph from a call for every edge and node."""
    tail, head, capacity, (source, sink) = random_edges(max(100, round(1_681 * scale)))
    links = list(zip(tail.tolist(), head.tolist(), capacity.tolist(), strict=True))
    ends = list(zip(range(len(source)), source.tolist(), sink.tolist(), strict=True))

    def program(maxflow: Any) -> Answer:
        graph = maxflow.GraphInt(len(source), len(links))
        graph.add_nodes(len(source))
        for i, j, weight in links:
            graph.add_edge(i, j, weight, weight)
        for i, s, t in ends:
            graph.add_tedge(i, s, t)
        value = graph.maxflow()
        return Answer(value, np.array([graph.get_segment(i) for i in range(len(source))]))

    return program


def labels_by(move: str) -> Callable[[float], Program]:
    """An image in six grey levels."""

    def prepare(scale: float) -> Program:
        grey = photograph(max(8, round(128 * scale))).mean(-1)
        levels = np.linspace(0, 1, 6)
        unary = np.round(200 * np.abs(grey[..., None] - levels)).astype(np.int64)
        binary = 15 * np.minimum(np.abs(np.subtract.outer(range(6), range(6))), 2)

        def program(maxflow: Any) -> Answer:
            fastmin = maxflow.fastmin
            labels = getattr(fastmin, move)(unary, binary)
            return Answer(fastmin.energy_of_grid_labeling(unary, binary, labels), labels)

        return program

    return prepare


def strokes(dimensions: int) -> Callable[[float], Program]:
    """An image or a volume cut from probabilities and strokes."""

    def prepare(scale: float) -> Program:
        rng = np.random.default_rng(0)
        if dimensions == 2:
            image = np.moveaxis(photograph(max(16, round(512 * scale))), -1, 0)
            bright = np.clip(image.mean(0), 0.01, 0.99)
        else:
            side = max(8, round(64 * scale))
            axes = np.meshgrid(*[np.linspace(-1, 1, side)] * 3, indexing="ij")
            ball = (np.square(axes).sum(0) < 0.4).astype(np.float64)
            image = (ball + 0.3 * rng.standard_normal(ball.shape))[None]
            bright = np.clip(0.2 + 0.6 * image[0], 0.01, 0.99)
        image = image.astype(np.float32)
        prob = np.stack([1 - bright, bright]).astype(np.float32)
        seed = np.zeros_like(prob)
        seed[0, ..., :3], seed[1, ..., seed.shape[-1] // 2, 5:9] = 1, 1

        def program(module: Any) -> Answer:
            found = module.maxflow_interactive(image, prob.copy(), seed, 2.0, 0.1, 2 * dimensions)
            return Answer(float(found.sum()), found)

        return program

    return prepare


def levels_of_gco(algorithm: str) -> Callable[[float], Program]:
    """An image in six grey levels by gco-wrapper's call for grids."""

    def prepare(scale: float) -> Program:
        grey = photograph(max(8, round(128 * scale))).mean(-1)
        unary = np.round(200 * np.abs(grey[..., None] - np.linspace(0, 1, 6))).astype(np.int32)
        pairwise = 15 * (1 - np.eye(6, dtype=np.int32))

        def program(gco: Any) -> Answer:
            labels = gco.cut_grid_graph_simple(unary, pairwise, algorithm=algorithm)
            shown = labels.reshape(grey.shape)
            cost = np.take_along_axis(unary, shown[..., None].astype(np.int64), -1).sum()
            for axis in (0, 1):
                cost += 15 * np.count_nonzero(np.diff(shown, axis=axis))
            return Answer(float(cost), labels)

        return program

    return prepare


CASES = {
    "grid, 4 neighbours": Case("PyMaxflow", "maxflow", grid(4), 1e-9, 1e-4),
    "grid, 8 neighbours": Case("PyMaxflow", "maxflow", grid(8), 1e-9, 1e-4),
    "ten strokes, trees reused": Case("PyMaxflow", "maxflow", changing, 1e-9, 1e-4),
    "arrays of edges": Case("PyMaxflow", "maxflow", edges),
    "edge by edge": Case("PyMaxflow", "maxflow", one_by_one),
    "aexpansion_grid": Case("PyMaxflow", "maxflow", labels_by("aexpansion_grid")),
    "abswap_grid": Case("PyMaxflow", "maxflow", labels_by("abswap_grid")),
    "maxflow_interactive, 2-D": Case("numpymaxflow", "numpymaxflow", strokes(2), 1e-4, 1e-4),
    "maxflow_interactive, 3-D": Case("numpymaxflow", "numpymaxflow", strokes(3), 1e-4, 1e-4),
    "cut_grid_graph_simple": Case("gco-wrapper", "gco", levels_of_gco("expansion"), 0.01, 1),
    "the same by swaps": Case("gco-wrapper", "gco", levels_of_gco("swap"), 0.01, 1),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--scale", type=float, default=1.0, help="of the sizes")


def run(arguments: argparse.Namespace) -> None:
    """Check, time, print and store."""
    torch.set_num_threads(1)
    results: dict[str, Any] = {}
    print(f"{'':28}{'theirs, ms':>12}{'ours, ms':>12}{'times':>8}")
    for name in arguments.cases:
        case = CASES[name]
        if not find_spec(case.library):
            print(f"{name:28}{case.distribution} is not installed")
            continue
        results[name] = row = measure(case, arguments.scale, arguments.repeats)
        print(f"{name:28}{row['theirs_ms']:12.2f}{row['ours_ms']:12.2f}{row['ratio']:8.2f}")
    write_json(arguments.json, results, scale=arguments.scale, repeats=arguments.repeats)


def measure(case: Case, scale: float, repeats: int) -> dict[str, Any]:
    """Compare both answers, then take the medians of both CPU times, in turn."""
    program = case.prepare(scale)
    modules = {
        "ours": importlib.import_module(f"graphcut_ext.compat.{case.library}"),
        "theirs": importlib.import_module(case.library),
    }
    if case.library == "maxflow":
        importlib.import_module("maxflow.fastmin")
    answers = {side: program(module) for side, module in modules.items()}
    differing = check(case, answers["ours"], answers["theirs"])
    rounds: dict[str, list[float]] = {side: [] for side in modules}
    for _ in range(repeats):
        for side, module in modules.items():
            begun = time.process_time()
            program(module)
            rounds[side].append(time.process_time() - begun)
    ours, theirs = (statistics.median(rounds[side]) * 1e3 for side in ("ours", "theirs"))
    return {
        "library": f"{case.distribution} {metadata.version(case.distribution)}",
        "ours_ms": ours,
        "theirs_ms": theirs,
        "ratio": theirs / ours,
        "our_value": float(answers["ours"].value),
        "their_value": float(answers["theirs"].value),
        "differing_labels": differing,
    }


def check(case: Case, ours: Answer, theirs: Answer) -> float:
    """Return which share of the labels differs; refuse answers that are not as good."""
    allowed = case.rises * abs(theirs.value)
    if ours.value - theirs.value > allowed:
        raise AssertionError(f"our value {ours.value} is above {theirs.value}")
    differing = float(np.mean(ours.labels != theirs.labels))
    if differing > case.differing:
        raise AssertionError(f"{differing:.2%} of the labels differ")
    return differing
