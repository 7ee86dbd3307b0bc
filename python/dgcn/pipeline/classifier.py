"""Stage 1: train the classifier whose activation maps become the cues."""

from __future__ import annotations

from typing import Any

import torch

from dgcn.data.images import read_image, to_tensor
from dgcn.models import Classifier
from dgcn.pipeline.networks import new_classifier, train_network
from dgcn.pipeline.run import Run
from dgcn.pipeline.stage import Stage, training_fingerprint
from dgcn.training.objective import classification_losses


def _options(run: Run) -> dict[str, Any]:
    return training_fingerprint(run, run.config.classify, "classify")


def _make(run: Run, fingerprint: dict[str, Any]) -> None:
    """Train on the image labels, by the logistic loss on the globally averaged logits."""
    model = new_classifier(run)
    train_network(
        run,
        model,
        classification_losses,
        run.classifier_folder,
        fingerprint,
        run.config.classify,
        "classifier",
        after_epoch=lambda epoch: _validate(run, model),
    )


@torch.no_grad()
def _validate(run: Run, model: Classifier) -> dict[str, float]:
    """F1 of the predicted labels over all validation images and classes, as "score"."""
    records = run.dataset.split("val")
    if not records:
        return {}
    hits = torch.zeros(3)  # right, predicted, true
    shard = run.local_shard(records)
    with run.console.bar("classifier: validation", len(shard), brief=True) as advance:
        for record in shard:
            image = to_tensor(read_image(record.image), run.config.data.size)
            predicted = model(image[None].to(run.fabric.device))[0].cpu() > 0
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
