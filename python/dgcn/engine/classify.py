"""Stage 1: train the classifier whose activation maps become the cues."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from dgcn.data.batches import TrainingSet
from dgcn.data.folder import Record
from dgcn.data.images import read_image, to_tensor
from dgcn.engine.checkpoint import load_network
from dgcn.engine.fabric import seed_stage
from dgcn.engine.loop import Training, fit
from dgcn.engine.portable import CLASSIFIER, describe
from dgcn.engine.run import Run
from dgcn.engine.settings import classifier_settings
from dgcn.engine.stages import mark_finished, unmark
from dgcn.engine.step import StepLosses
from dgcn.engine.stopwatch import Stopwatch
from dgcn.models import Classifier, build_backbone
from dgcn.options import write_text

CACHE_BYTES = 512 * 2**20
"""Decoded training images kept in memory."""


def classify(run: Run) -> None:
    """Train the classifier on image labels and leave it in the run's folder.

    Multi-label logistic loss on the globally averaged logits. After every epoch the F1 score of the
    labels on the validation images is measured, where there are any.

    Parameters
    ----------
    run : Run
    """
    config = run.config
    settings = classifier_settings(config, run.dataset)
    if run.leads:
        unmark(run.classifier)
    seed_stage(config.runtime.seed, "classifier")
    backbone = build_backbone(config.model.backbone, config.model.weights)
    if config.model.freezes_norm:
        backbone.freeze_norm()
    model = Classifier(backbone, run.classes - 1)
    held_out = run.dataset.split("val")
    training = Training(
        title="classifier",
        model=model,
        samples=TrainingSet(
            run.records("train"),
            run.classes,
            config.data.size,
            mirror=config.data.mirror,
            seed=config.runtime.seed,
            cache_bytes=CACHE_BYTES,
        ),
        options=config.classify,
        losses=_losses,
        after_epoch=lambda epoch: _validate(run, model, held_out),
        folder=run.classifier,
        settings=settings,
        network=describe(config, run.dataset.classes, CLASSIFIER),
        clock=Stopwatch(run.fabric.device),
    )
    last = fit(run.fabric, training, config, run.screen)
    if run.leads:
        write_text(run.classifier / "history.json", json.dumps(last.history, indent=2) + "\n")
        mark_finished(run.classifier, settings)
    run.fabric.barrier()


def load_classifier(run: Run) -> Classifier:
    """The trained classifier of a run, on its device, in evaluation mode.

    Raises
    ------
    FileNotFoundError
        The run has no classifier yet.
    """
    model = Classifier(build_backbone(run.config.model.backbone), run.classes - 1)
    load_network(run.classifier / "last.pt", model)
    return model.to(run.fabric.device).eval()


def _losses(model: nn.Module, batch: Mapping[str, Tensor]) -> StepLosses:
    target = batch["present"][:, 1:].float()
    logits = model(batch["image"]).float()
    loss = functional.binary_cross_entropy_with_logits(logits, target)
    return StepLosses({"labels": loss}, labelled=len(target))


@torch.no_grad()
def _validate(run: Run, model: Classifier, records: Sequence[Record]) -> dict[str, float]:
    """F1 of the predicted labels over all images and classes, as "score"."""
    if not records:
        return {}
    hits = torch.zeros(3)  # right, predicted, true
    mine = run.mine(list(records))
    with run.screen.bar("classifier: validation", len(mine), brief=True) as advance:
        for record in mine:
            image = to_tensor(read_image(record.image), run.config.data.size)
            predicted = model(image[None].to(run.fabric.device))[0].cpu() > 0
            truth = torch.zeros_like(predicted)
            truth[[label - 1 for label in record.labels]] = True
            hits += torch.stack([(predicted & truth).sum(), predicted.sum(), truth.sum()])
            advance("")
    right, guessed, true = torch.as_tensor(run.fabric.all_reduce(hits, reduce_op="sum")).tolist()
    f1 = 2 * right / max(guessed + true, 1)
    run.screen.line(f"classifier: label F1 on val {f1:.3f}")
    return {"score": f1}
