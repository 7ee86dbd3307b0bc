"""Stage 3: train the segmentation network on supervision that is rebuilt at every step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from dgcn.config import SupervisionConfig
from dgcn.crf import dense_crf_batch, images_to_grid
from dgcn.data.batches import TrainingSet
from dgcn.engine.classify import CACHE_BYTES, load_classifier
from dgcn.engine.evaluate import validation_miou
from dgcn.engine.loop import Training, fit
from dgcn.engine.portable import describe
from dgcn.engine.quality import supervision_quality
from dgcn.engine.record import record_supervision
from dgcn.engine.run import Run
from dgcn.engine.settings import segmenter_settings
from dgcn.engine.stages import mark_finished, unmark
from dgcn.losses import boundary_loss, floored_softmax, seeding_loss
from dgcn.models import Backbone, Segmenter, SegmenterOutput, aggregate, build_backbone
from dgcn.options import save_config, write_text
from dgcn.seeds import load_cues
from dgcn.supervision import GraphCutSupervision, StaticSupervision, Supervision


def segment(run: Run) -> None:
    """Train the segmentation network and leave it in the run's folder.

    Every step: forward pass; supervision from the pass's probabilities and features and the static
    cues; balanced seeding loss on it, boundary loss against the CRF of the probabilities; SGD step.

    Parameters
    ----------
    run : Run
        With cues, and with a classifier where ``train.init`` is "classifier".
    """
    config = run.config
    settings = segmenter_settings(config, run.dataset)
    if run.leads:
        unmark(run.training)
        save_config(config, run.training)
    model = Segmenter(
        _initial_backbone(run),
        run.classes,
        dropout=config.train.dropout,
        dilation=config.model.dilation,
    )
    supervision = make_supervision(config.supervision)
    cues = load_cues(run.cues / "cues.npz")
    samples = TrainingSet(
        run.records("train"),
        run.classes,
        config.data.size,
        cues=cues,
        mirror=config.data.mirror,
        seed=config.runtime.seed,
        cache_bytes=CACHE_BYTES,
    )

    def after_epoch(epoch: int) -> dict[str, float]:
        figures: dict[str, float] = {}
        record_supervision(run, model, supervision, cues, epoch)
        last = epoch == config.train.epochs
        every = config.train.supervision_every
        if last or (every and epoch % every == 0):
            scores = supervision_quality(run, model, supervision, cues)
            if scores is not None:
                figures |= {f"supervision_{k}": scores[k] for k in ("miou", "coverage")}
                if last and run.leads:
                    text = json.dumps(scores, indent=2) + "\n"
                    write_text(run.training / "supervision.json", text)
        every = config.train.validate_every
        if every and epoch % every == 0:
            miou = validation_miou(run, model)
            if miou is not None:
                run.screen.line(f"{_title(run)}: val mIoU {100 * miou:.1f} (1 scale, CRF off)")
                figures["score"] = miou
        return figures

    training = Training(
        title=_title(run),
        model=model,
        samples=samples,
        options=config.train,
        losses=StepLosses(run, supervision, model.backbone.taps),
        after_epoch=after_epoch,
        folder=run.training,
        settings=settings,
        network=describe(config, run.dataset.classes),
    )
    last = fit(run.fabric, training, config, run.screen)
    if run.leads:
        write_text(run.training / "history.json", json.dumps(last.history, indent=2) + "\n")
        mark_finished(run.training, settings)
    run.fabric.barrier()


class StepLosses:
    """Losses of one step; callable as `dgcn.engine.loop.Losses`."""

    def __init__(self, run: Run, supervision: Supervision, taps: tuple[int, ...]) -> None:
        self.supervision, self.taps = supervision, taps
        self.boundary_weight = run.config.train.boundary_weight
        self.crf = run.config.crf.training_params()

    def __call__(self, model: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        output: SegmenterOutput = model(batch["image"])
        logits = output.logits.float()
        with torch.no_grad():
            features = aggregate(output.features, self.taps)
            supervised = self.supervision(
                logits.softmax(1), features, batch["cues"], batch["present"]
            )
        probabilities = floored_softmax(logits)
        losses = {"seeding": seeding_loss(probabilities, supervised)}
        if self.boundary_weight:
            pictures = images_to_grid(batch["rgb"], *logits.shape[2:])
            target = dense_crf_batch(probabilities, pictures, self.crf)
            losses["boundary"] = self.boundary_weight * boundary_loss(probabilities, target)
        return losses


def make_supervision(options: SupervisionConfig) -> Supervision:
    """The supervision that the settings describe."""
    if options.kind == "static":
        return StaticSupervision()
    values: dict[str, Any] = asdict(options)
    values.pop("kind")
    return GraphCutSupervision(**values)


def _initial_backbone(run: Run) -> Backbone:
    if run.config.train.init == "classifier":
        return load_classifier(run).backbone.train()
    return build_backbone(run.config.model.backbone, run.config.model.weights)


def _title(run: Run) -> str:
    return f"training ({run.config.supervision.kind.replace('_', ' ')})"
