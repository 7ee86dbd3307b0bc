"""Supervision that a trained network gives its training images, by several rules, against masks.

For each rule: mIoU, mean precision and recall of the object classes, and coverage, in percent.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from dgcn.cues import load_cues
from dgcn.data.batches import TrainingSet
from dgcn.losses import floored_softmax
from dgcn.metrics import Confusion, score
from dgcn.models import aggregate
from dgcn.options import load_config
from dgcn.pipeline.networks import load_segmenter
from dgcn.pipeline.run import open_run
from dgcn.supervision import (
    GraphCut,
    JointCut,
    MostProbable,
    RegionGrowing,
    Static,
    Supervision,
)
from dgcn.training.objective import CRFMarginals

RULES: dict[str, Supervision] = {
    "static cues": Static(),
    "cut, all classes, theta 0.7 (paper)": GraphCut(),
    "cut, all classes, theta 0": GraphCut(theta=0.0),
    "cut, present classes, theta 0.7": GraphCut(image_labels_only=True),
    "cut, present classes and background": GraphCut(image_labels_only=True, cut_background=True),
    "the same, by the CRF's marginals": GraphCut(
        image_labels_only=True, cut_background=True, unary="crf"
    ),
    "joint cut, present classes": JointCut(),
    "joint cut, and edges of the grid": JointCut(spatial=8),
    "region growing (DSRG)": RegionGrowing(),
    "region growing, present classes": RegionGrowing(image_labels_only=True),
    "most probable present class, no cut": MostProbable(theta=0.0),
}

THETAS = (0.0, 0.3, 0.5, 0.7, 0.9)
NEIGHBOURS = (1, 3, 5, 9, 17, 33)
CUES = (2.0, 5.0, 10.0)
LINKS = (3.0, 5.0, 9.0)
PARTS = {"all": slice(None), "even": slice(None, None, 2), "odd": slice(1, None, 2)}


def sweep() -> dict[str, Supervision]:
    """Our rule over the thresholds and the numbers of neighbours of the paper's tables 5 and 4."""
    ours = GraphCut(image_labels_only=True, cut_background=True)
    rules: dict[str, Supervision] = {}
    rules |= {f"ours, K 9, theta {t}": replace(ours, theta=t) for t in THETAS}
    return rules | {f"ours, theta 0.7, K {k}": replace(ours, k=k) for k in NEIGHBOURS}


def links() -> dict[str, Supervision]:
    """Cuts that decide every cell, by the weight of a cue and the sum of a cell's links."""
    cut = GraphCut(theta=0.0, image_labels_only=True, cut_background=True, unary="crf")
    rules: dict[str, Supervision] = {"no cut, the CRF's marginals": MostProbable(0.0, unary="crf")}
    return rules | {
        f"cue {cue:g}, links {total:g}": replace(cut, cue_capacity=cue, edge_sum=total)
        for cue in CUES
        for total in LINKS
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--run", required=True, help="a trained network's folder, RUN/graph_cut")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--sweep", action="store_true", help="our rule over theta and K instead")
    kinds.add_argument("--links", action="store_true", help="masks to retrain on instead")
    parser.add_argument("--part", choices=PARTS, default="all", help="places of the images")
    parser.add_argument("--step", type=int, default=1, help="take every STEP-th image first")


@torch.no_grad()
def run(arguments: argparse.Namespace) -> None:
    """Score every rule and print a table."""
    if arguments.step < 1:
        raise SystemExit(f"--step must be at least 1, got {arguments.step}")
    opened = open_run(load_config(Path(arguments.run) / "config.yaml"), reads_only=True)
    rules = sweep() if arguments.sweep else links() if arguments.links else RULES
    model = load_segmenter(opened, "last").eval()
    cues = load_cues(opened.cues_folder / "cues.npz")
    records = opened.masked("train")[:: arguments.step][PARTS[arguments.part]]
    if not records:
        raise SystemExit("no training image has a mask")
    size = opened.config.data.size
    samples = TrainingSet(records, opened.classes, size, cues=cues, mirror=False)
    confusions = {name: Confusion(opened.classes) for name in rules}
    for index, record in enumerate(records):
        sample = samples[index]
        cued, present = sample["cues"][None], sample["present"][None]
        output = model(sample["image"][None])
        features = aggregate(output.features, model.taps)
        probabilities = output.logits.float().softmax(1)
        crf = opened.config.crf.on_grid()
        marginals = CRFMarginals(floored_softmax(output.logits.float()), sample["rgb"][None], crf)
        for name, rule in rules.items():
            labels = rule(probabilities, features, cued, present, marginals)
            confusions[name].add_grid(record.truth(), labels[0].numpy())
    print(f"{'':38}{'mIoU':>7}{'prec.':>7}{'recall':>7}{'cover.':>7}")
    for name, confusion in confusions.items():
        scores = score(confusion, opened.dataset.classes)
        objects = scores["foreground"]
        row = (scores["miou"], objects["precision"], objects["recall"], scores["coverage"])
        print(f"{name:38}" + "".join(f"{100 * value:7.1f}" for value in row))
