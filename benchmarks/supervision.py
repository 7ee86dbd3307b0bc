"""One step of graph-cut supervision, stage by stage, against what each stage has to move.

Features to labels for a batch of images: neighbours, weights, t-links, cuts and the rule of theta;
then all at once, as a CUDA graph, and as the trainer calls it. The floor of a stage is the time to
read its inputs and write its outputs once, at the bandwidth of a copy; of the neighbours also that
of the bare matrix product.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

import graphcut_ext as gx
from benchmarks.device import bandwidth, captured, require_cuda
from benchmarks.timing import interleaved, summary, write_json
from dgcn.supervision import GraphCutSupervision
from dgcn.supervision.graph_cut import t_links

CLASSES, K, THETA, SEED_WEIGHT, CUTS = 21, 9, 0.7, 10.0, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--channels", type=int, default=1280)
    parser.add_argument("--side", type=int, default=41)
    parser.add_argument("--solver", default="push_relabel")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))


class Step(NamedTuple):
    """The inputs of a step, and what its stages hand on."""

    probabilities: Tensor  # (B, CLASSES, N)
    features: Tensor  # (B, N, C)
    cues: Tensor  # (B, CLASSES, N) bool
    chosen: Tensor  # (B, CUTS): the classes present

    def beliefs(self) -> tuple[Tensor, Tensor, Tensor]:
        """Probability, own cues and other cues of each cut, (B, CUTS, N)."""
        nodes = self.chosen[:, :, None].expand(-1, -1, self.cues.shape[2])
        own = self.cues.gather(1, nodes)
        return self.probabilities.gather(1, nodes), own, self.cues.any(1, keepdim=True) & ~own

    def terminals(self) -> tuple[Tensor, Tensor]:
        """Capacities (B, CUTS, N) of the t-links."""
        belief, own, other = self.beliefs()
        return t_links(belief, own, other, belief.new_full((), SEED_WEIGHT))

    def labels(self, source_side: Tensor) -> Tensor:
        """Cues (B, CLASSES, N) grown by the cuts: the rule of theta."""
        belief = self.beliefs()[0]
        score, winner = torch.where(source_side & (belief > THETA), belief, -1.0).max(1)
        grown = torch.zeros_like(self.cues)
        grown.scatter_(1, self.chosen.gather(1, winner)[:, None], True)
        return torch.where((score >= 0)[:, None], grown, self.cues)

    def whole(self, solver: str) -> Tensor:
        """All stages; nothing waits for a device."""
        with gx.no_value_checks():
            found = gx.knn(self.features, K)
            weights = gx.knn_weights(found.indices, found.distances)
            source, sink = self.terminals()
            cut = gx.knn_maxflow(found.indices, weights, source, sink, solver=solver)
            return self.labels(cut.source_side)


def make_step(batch: int, channels: int, side: int, device: str) -> Step:
    """Smooth features, and probabilities that go with them."""
    from benchmarks.families.knn import feature_maps

    generator = torch.Generator().manual_seed(0)
    features = feature_maps(batch, side, channels)
    scores = 2 * features[..., : min(CLASSES, channels)].mT
    scores = torch.nn.functional.pad(scores, (0, 0, 0, CLASSES - scores.shape[1]))
    probabilities = scores.softmax(1)
    nodes = side * side
    of_class = torch.randint(0, CLASSES, (batch, 1, nodes), generator=generator)
    some = torch.rand(batch, 1, nodes, generator=generator) < 0.05
    cues = torch.zeros(batch, CLASSES, nodes, dtype=torch.bool).scatter_(1, of_class, some)
    chosen = torch.stack([torch.arange(batch) % 10 + 1, torch.arange(batch) % 10 + 11], 1)
    return Step(*(t.to(device) for t in (probabilities, features, cues, chosen)))


def run(arguments: argparse.Namespace) -> None:
    """Check, time, print and store."""
    on_cuda = arguments.device == "cuda"
    if on_cuda:
        require_cuda("supervision", "--device cpu times the stages on the CPU")
    step = make_step(arguments.batch, arguments.channels, arguments.side, arguments.device)
    stages, moved = prepare(step, arguments.solver)
    check(step, arguments)
    if on_cuda:
        stages["whole, CUDA graph"] = captured(partial(step.whole, arguments.solver))
    speed = bandwidth() if on_cuda else None
    rows: dict[str, Any] = {}
    for name, times in interleaved(stages, arguments.repeats).items():
        floor = None if speed is None or name not in moved else moved[name] / speed * 1e3
        rows[name] = summary(times) | {"bytes": moved.get(name), "floor_ms": floor}
    batch, nodes, channels = step.features.shape
    operations = 2 * batch * nodes * nodes * channels
    show(rows, operations, arguments)
    write_json(
        arguments.json, rows, operations_of_products=operations, bandwidth_bytes_per_second=speed
    )


def prepare(step: Step, solver: str) -> tuple[dict[str, Callable[[], object]], dict[str, int]]:
    """The stages on ready inputs, by name, and the bytes that each has to move."""
    found = gx.knn(step.features, K)
    weights = gx.knn_weights(found.indices, found.distances)
    belief = step.beliefs()
    terminals = step.terminals()
    cut = gx.knn_maxflow(found.indices, weights, *terminals, solver=solver)
    labels = step.labels(cut.source_side)

    def quietly(work: Callable[[], object]) -> Callable[[], object]:
        def call() -> object:
            with gx.no_value_checks():
                return work()

        return call

    side = round(step.features.shape[1] ** 0.5)
    maps = [t.unflatten(2, (side, side)) for t in (step.probabilities, step.features.mT, step.cues)]
    present = torch.zeros(step.cues.shape[:2], dtype=torch.bool, device=step.cues.device)
    present.scatter_(1, step.chosen, True)
    stages: dict[str, Callable[[], object]] = {
        "torch.bmm alone": lambda: torch.bmm(step.features, step.features.mT),
        "knn": quietly(lambda: gx.knn(step.features, K)),
        "knn_weights": lambda: gx.knn_weights(found.indices, found.distances),
        "t-links": step.terminals,
        "knn_maxflow": quietly(
            lambda: gx.knn_maxflow(found.indices, weights, *terminals, solver=solver)
        ),
        "rule of theta": lambda: step.labels(cut.source_side),
        "whole": partial(step.whole, solver),
        "whole, as the trainer calls it": quietly(
            lambda: GraphCutSupervision(solver=solver)(*maps, present)
        ),
    }
    inputs: dict[str, list[Tensor]] = {
        "knn": [step.features, *found],
        "knn_weights": [found.distances, weights],
        "t-links": [*belief, *terminals],
        "knn_maxflow": [found.indices, weights, *terminals, *cut],
        "rule of theta": [cut.source_side, belief[0], step.cues, labels],
        "whole": [step.features, belief[0], step.cues, labels],
    }
    moved = {
        name: sum(t.numel() * t.element_size() for t in tensors) for name, tensors in inputs.items()
    }
    return stages, moved


def check(step: Step, arguments: argparse.Namespace) -> None:
    """Raise ``AssertionError`` unless the labels are those of the CPU in float64."""
    on_cpu = Step(*(t.cpu() for t in step))
    found = gx.knn(on_cpu.features, K)
    weights = gx.knn_weights(found.indices, found.distances).double()
    source, sink = (t.double() for t in on_cpu.terminals())
    cut = gx.knn_maxflow(found.indices, weights, source, sink, solver="bk")
    differ = (step.whole(arguments.solver).cpu() != on_cpu.labels(cut.source_side)).any(1).sum()
    # logarithms may differ in the last bit, which can decide a tie
    if int(differ) > step.features.shape[0] * step.features.shape[1] // 10_000:
        raise AssertionError(f"{int(differ)} labels differ from those of the CPU")


def show(rows: dict[str, Any], operations: int, arguments: argparse.Namespace) -> None:
    """Print a table."""
    print(
        f"{arguments.batch} images, {arguments.side} x {arguments.side} positions, "
        f"{arguments.channels} channels, {CUTS} cuts each, {arguments.solver}, on "
        f"{arguments.device}; products take {operations / 1e9:.1f} Gflop"
    )
    print(f"{'':32}{'ms':>10}{'q1':>10}{'q3':>10}{'MB':>9}{'floor ms':>10}{'/ floor':>9}")
    for name, row in rows.items():
        floor, size = row["floor_ms"], row["bytes"]
        cells = [
            f"{'-' if size is None else format(size / 1e6, '.1f'):>9}",
            f"{'-' if floor is None else format(floor, '.4f'):>10}",
            f"{'-' if floor is None else format(row['median_ms'] / floor, '.1f'):>9}",
        ]
        print(
            f"{name:32}{row['median_ms']:10.3f}{row['q1_ms']:10.3f}{row['q3_ms']:10.3f}"
            + "".join(cells)
        )
