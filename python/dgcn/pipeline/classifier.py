"""Stage 1: train the classifier whose activation maps become the cues."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from dgcn.config import Config
from dgcn.data.dataset import Record
from dgcn.data.images import read_image, to_tensor
from dgcn.models import Classifier
from dgcn.pipeline.networks import new_classifier, train_network
from dgcn.pipeline.run import Run
from dgcn.pipeline.stage import Stage, training_fingerprint
from dgcn.training.frozen import FrozenLosses, KeptFeatures, passes
from dgcn.training.loop import Losses
from dgcn.training.objective import classification_losses


def _options(run: Run) -> dict[str, Any]:
    return training_fingerprint(run, run.config.classify, "classify")


def _make(run: Run, fingerprint: dict[str, Any]) -> None:
    """Train on the image labels, by the logistic loss on the globally averaged logits."""
    model = new_classifier(run)
    losses: Losses = classification_losses
    features = None
    if run.config.classify.frozen:
        features = KeptFeatures(model.freeze_backbone(), run.fabric.autocast)
        losses = FrozenLosses(features, repeats=run.config.data.repeats)
    train_network(
        run,
        model,
        losses,
        run.classifier_folder,
        fingerprint,
        run.config.classify,
        "classifier",
        after_epoch=lambda epoch: _validate(run, model, features),
        passes=partial(classifier_passes, run.config),
    )


def classifier_passes(config: Config, epochs: float) -> float:
    """Passes of the classifier's backbone over the training images in so many epochs."""
    if config.classify.frozen and config.data.repeats:
        return passes(epochs, mirror=config.data.mirror)
    return epochs


@torch.no_grad()
def _validate(run: Run, model: Classifier, features: KeptFeatures | None) -> dict[str, float]:
    """F1 of the predicted labels over all validation images and classes, as "score"."""
    records = run.dataset.split("val")
    if not records:
        return {}
    hits = torch.zeros(3)  # right, predicted, true
    shard, device = run.local_shard(records), run.fabric.device

    def image(record: Record) -> Tensor:
        return to_tensor(read_image(record.image), run.config.data.size).to(device)

    with run.console.bar("classifier: validation", len(shard), brief=True) as advance:
        for record in shard:
            if features is None:
                shown = image(record)[None]
            else:
                shown = features(record.name, partial(image, record))[None].to(device)
            predicted = model(shown)[0].cpu() > 0
            truth = torch.zeros_like(predicted)
            truth[[label - 1 for label in record.labels]] = True
            hits += torch.stack([(predicted & truth).sum(), predicted.sum(), truth.sum()])
            advance("")
    right, guessed, true = torch.as_tensor(run.fabric.all_reduce(hits, reduce_op="sum")).tolist()
    f1 = 2 * right / max(guessed + true, 1)
    run.console.line(f"classifier: label F1 on val {f1:.3f}")
    return {"score": f1}


CLASSIFIER = Stage(
    name="classifier",
    verb="classify",
    folder=lambda run: run.classifier_folder,
    options=_options,
    needs=lambda run: (),
    make=_make,
)
