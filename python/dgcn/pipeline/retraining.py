"""Stage 6: the trained network's masks of the training images, and a network trained on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgcn.atomic import write_text
from dgcn.cues import load_cues
from dgcn.data.batches import TrainingSet
from dgcn.data.masks import VOID, mask_to_grid, read_mask, write_mask
from dgcn.models import Segmenter
from dgcn.options import save_config
from dgcn.pipeline.networks import (
    ToPredict,
    load_segmenter,
    logit_adjustment_of,
    new_segmenter,
    train_network,
    validate,
    write_masks,
)
from dgcn.pipeline.run import Run
from dgcn.pipeline.stage import (
    Stage,
    method_fingerprint,
    protocol_fingerprint,
    training_fingerprint,
)
from dgcn.training.objective import balanced_losses, cross_entropy_losses, supervise_sample


def _mask_options(run: Run) -> dict[str, Any]:
    options = run.config.retrain
    masks: dict[str, Any] = {"masks": options.masks, "image_labels_only": options.image_labels_only}
    if options.masks == "graph_cut":
        masks["cut"] = method_fingerprint(options.cut)
    return {"masks": masks, **protocol_fingerprint(run)}


def _make_masks(run: Run, fingerprint: dict[str, Any]) -> None:
    """Masks of the training images by the trained network."""
    options, folder = run.config.retrain, _masks_folder(run)
    trained = run.with_network("trained")
    if options.masks == "graph_cut":
        _cut_masks(trained, folder)
        return
    images = [
        ToPredict(record.name, record.image, record.labels if options.image_labels_only else None)
        for record in run.records("train")
    ]
    write_masks(trained, images, folder, "masks to retrain on")


def _cut_masks(run: Run, folder: Path) -> None:
    """A mask on the grid of every training image: the cut by the trained network."""
    model = load_segmenter(run, run.config.evaluate.checkpoint)
    records, config = run.records("train"), run.config
    cues = load_cues(run.cues_folder / "cues.npz")
    samples = TrainingSet(records, run.classes, config.data.size, cues=cues, mirror=False)
    crf, device = config.crf.on_grid(), run.fabric.device
    shard = run.local_shard(list(range(len(records))))
    with run.console.bar("masks to retrain on, by graph cut", len(shard)) as advance:
        for index in shard:
            labels = supervise_sample(model, config.retrain.cut, samples[index], crf, device)
            mask = np.where(labels.any(0), labels.argmax(0), VOID).astype(np.uint8)
            write_mask(folder / f"{records[index].name}.png", mask)
            advance(records[index].name)


def _masks_folder(run: Run) -> Path:
    return run.trained_folder / "training_masks"


TRAINING_MASKS = Stage(
    name="training masks",
    verb="retrain",
    folder=_masks_folder,
    options=_mask_options,
    needs=lambda run: ("segmenter",),
    make=_make_masks,
    derived=True,
)


def _options(run: Run) -> dict[str, Any]:
    fingerprint = training_fingerprint(run, run.config.retrain, "retrain")
    for elsewhere in ("enabled", "image_labels_only", "masks", "cut"):
        del fingerprint["retrain"][elsewhere]
    return fingerprint


def _needs(run: Run) -> tuple[str, ...]:
    from_classifier = run.config.retrain.init == "classifier"
    return ("classifier", "training masks") if from_classifier else ("training masks",)


def _make(run: Run, fingerprint: dict[str, Any]) -> None:
    """Train a network fully supervised by the masks."""
    options, folder = run.config.retrain, run.retrained_folder
    if run.is_rank_zero:
        save_config(run.config, folder)
    title = f"retraining ({run.config.supervision.folder.replace('_', ' ')})"
    model = _initial(run)
    train_network(
        run,
        model,
        balanced_losses if options.loss == "balanced" else cross_entropy_losses,
        folder,
        fingerprint,
        options,
        title,
        cues=_targets(run),
        after_epoch=lambda epoch: validate(run, model, title, epoch, options.validate_every),
        adjustment=logit_adjustment_of(run.with_network("retrained")),
    )


def _initial(run: Run) -> Segmenter:
    options = run.config.retrain
    if options.init != "trained":
        return new_segmenter(run, options.init, options.dropout)
    model = new_segmenter(run, "weights", options.dropout)
    trained = load_segmenter(run.with_network("trained"), run.config.evaluate.checkpoint)
    model.load_state_dict(trained.state_dict())
    return model


def _targets(run: Run) -> dict[str, NDArray[np.bool_]]:
    """One-hot masks (L, h, w) of every training image on the grid; their scores are kept."""
    ids = np.arange(run.classes)[:, None, None]
    targets = {}
    for record in run.records("train"):
        mask = read_mask(_masks_folder(run) / f"{record.name}.png")
        targets[record.name] = mask_to_grid(mask, run.grid, run.grid)[None] == ids
    scores = run.score_grid(targets) if run.is_rank_zero else None
    if scores is not None:
        path = run.retrained_folder / "supervision.json"
        write_text(path, json.dumps(scores, indent=2) + "\n")
        run.console.line(
            f"masks to retrain on: mIoU {100 * scores['miou']:.1f} % "
            f"[train, {len(run.masked('train'))} images with masks, {run.grid} x {run.grid} grid]"
        )
    return targets


RETRAINING = Stage(
    name="retraining",
    verb="retrain",
    folder=lambda run: run.retrained_folder,
    options=_options,
    needs=_needs,
    make=_make,
)
