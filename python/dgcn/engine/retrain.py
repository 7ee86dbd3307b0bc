"""The trained network's masks of the training images, and a network fully supervised by them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from dgcn.data.batches import TrainingSet
from dgcn.data.dataset import SPLITS
from dgcn.data.images import VOID, mask_to_grid, read_mask
from dgcn.engine.classify import CACHE_BYTES
from dgcn.engine.loop import Training, fit
from dgcn.engine.portable import describe
from dgcn.engine.predict import Picture, forget_predictions, load_segmenter, write_masks
from dgcn.engine.quality import add_grid, quality
from dgcn.engine.run import Run
from dgcn.engine.segment import new_segmenter, validated
from dgcn.engine.settings import retrain_settings
from dgcn.engine.stages import is_finished, made_with, mark_finished, unmark
from dgcn.engine.step import StepLosses
from dgcn.engine.stopwatch import Stopwatch
from dgcn.losses import floored_softmax, seeding_loss
from dgcn.metrics import Confusion
from dgcn.models import Segmenter, SegmenterOutput
from dgcn.options import save_config, write_text


def retrain(run: Run) -> None:
    """Predict masks of the training images, and train a network on them by cross-entropy.

    Parameters
    ----------
    run : Run
        With a trained segmentation network, and with a classifier where ``retrain.init`` is
        "classifier".

    Raises
    ------
    ValueError
        These are not finished.
    """
    config, folder = run.config, run.retraining
    settings = retrain_settings(config, run.dataset)
    masks = settings["masks"]
    masks["segmenter"] = made_with(run.training, masks["segmenter"], "train")
    if settings["classifier"] is not None:
        settings["classifier"] = made_with(run.classifier, settings["classifier"], "classify")
    if run.leads:
        if not is_finished(folder, settings):
            forget_predictions(folder, *SPLITS)
        unmark(folder)
        save_config(config, folder)
    targets = _targets(run, masks)
    title = f"retraining ({config.supervision.folder.replace('_', ' ')})"
    model = _initial(run)
    training = Training(
        title=title,
        model=model,
        samples=TrainingSet(
            run.records("train"),
            run.classes,
            config.data.size,
            cues=targets,
            mirror=config.data.mirror,
            seed=config.runtime.seed,
            cache_bytes=CACHE_BYTES,
        ),
        options=config.retrain,
        losses=balanced_losses if config.retrain.loss == "balanced" else full_losses,
        after_epoch=lambda epoch: validated(
            run, model, title, epoch, config.retrain.validate_every
        ),
        folder=folder,
        settings=settings,
        network=describe(config, run.dataset.classes),
        clock=Stopwatch(run.fabric.device),
    )
    last = fit(run.fabric, training, config, run.screen)
    if run.leads:
        write_text(folder / "history.json", json.dumps(last.history, indent=2) + "\n")
        mark_finished(folder, settings)
    run.fabric.barrier()


def full_losses(model: nn.Module, batch: Mapping[str, Tensor]) -> StepLosses:
    """Cross-entropy over the labelled positions of the grid; see `dgcn.engine.step.Losses`."""
    output: SegmenterOutput = model(batch["image"])
    labels = batch["cues"]
    target = labels.int().argmax(1).masked_fill(~labels.any(1), VOID)
    each = functional.cross_entropy(
        output.logits.float(), target, ignore_index=VOID, reduction="none"
    )
    loss = each.sum() / labels.sum().clamp_min(1)
    return StepLosses({"cross_entropy": loss}, labelled=labels.sum())


def balanced_losses(model: nn.Module, batch: Mapping[str, Tensor]) -> StepLosses:
    """The seeding loss with the masks for cues; see `dgcn.engine.step.Losses`."""
    output: SegmenterOutput = model(batch["image"])
    labels = batch["cues"]
    loss = seeding_loss(floored_softmax(output.logits.float()), labels)
    return StepLosses({"balanced": loss}, labelled=labels.sum())


def _initial(run: Run) -> Segmenter:
    options = run.config.retrain
    if options.init != "trained":
        return new_segmenter(run, options.init, options.dropout)
    model = new_segmenter(run, "weights", options.dropout)
    trained = load_segmenter(run.with_network("trained"), run.config.evaluate.checkpoint)
    model.load_state_dict(trained.state_dict())
    return model


def _targets(run: Run, settings: dict[str, Any]) -> dict[str, NDArray[np.bool_]]:
    """One-hot masks (L, h, w) of every training image on the grid, predicted where need be."""
    folder = run.retraining / "masks"
    records = run.records("train")
    done = is_finished(folder, settings)
    run.fabric.barrier()
    if not done:
        if run.leads:
            unmark(folder)
        restrict = run.config.retrain.restrict
        pictures = [
            Picture(record.name, record.image, record.labels if restrict else None)
            for record in records
        ]
        write_masks(run.with_network("trained"), pictures, folder, "masks to retrain on")
        if run.leads:
            mark_finished(folder, settings)
    ids = np.arange(run.classes)[:, None, None]
    targets = {}
    for record in records:
        mask = read_mask(folder / f"{record.name}.png")
        targets[record.name] = mask_to_grid(mask, run.grid, run.grid)[None] == ids
    if run.leads:
        _score(run, targets)
    return targets


def _score(run: Run, targets: Mapping[str, NDArray[np.bool_]]) -> None:
    """Print the masks' scores and keep them in supervision.json, where there are true masks."""
    masked = [record for record in run.records("train") if record.mask is not None]
    if not masked:
        return
    confusion = Confusion(run.classes)
    for record in masked:
        add_grid(confusion, record, targets[record.name])
    scores: dict[str, Any] = quality(confusion, run.dataset.classes)
    write_text(run.retraining / "supervision.json", json.dumps(scores, indent=2) + "\n")
    run.screen.line(
        f"masks to retrain on: mIoU {100 * confusion.miou():.1f} % "
        f"[train, {len(masked)} images with masks, {run.grid} x {run.grid} grid]"
    )
