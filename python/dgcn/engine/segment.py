"""Stage 3: train the segmentation network on supervision that is rebuilt at every step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

import graphcut_ext as gx
from dgcn.config import Config
from dgcn.data.batches import TrainingSet
from dgcn.data.dataset import SPLITS
from dgcn.engine.beside import Beside
from dgcn.engine.classify import CACHE_BYTES, load_classifier
from dgcn.engine.evaluate import validation_miou
from dgcn.engine.fabric import seed_stage
from dgcn.engine.loop import Training, fit
from dgcn.engine.portable import describe
from dgcn.engine.predict import forget_predictions
from dgcn.engine.quality import supervision_quality
from dgcn.engine.record import record_supervision
from dgcn.engine.run import Run
from dgcn.engine.settings import segmenter_settings
from dgcn.engine.stages import is_finished, made_with, mark_finished, unmark
from dgcn.engine.step import StepLosses
from dgcn.engine.stopwatch import Stopwatch
from dgcn.engine.supervise import CRFMarginals, make_supervision
from dgcn.losses import boundary_loss, floored_softmax, seeding_loss
from dgcn.models import Segmenter, SegmenterOutput, aggregate, build_backbone
from dgcn.options import save_config, write_text
from dgcn.seeds import load_cues
from dgcn.supervision import Supervision


def segment(run: Run) -> None:
    """Train the segmentation network and leave it in the run's folder.

    Every step: forward pass; supervision from the pass's probabilities and features and the static
    cues; balanced seeding loss on it, boundary loss against the CRF of the probabilities; SGD step.

    Parameters
    ----------
    run : Run
        With cues, and with a classifier where ``train.init`` is "classifier".

    Raises
    ------
    ValueError
        These are not finished.
    """
    config = run.config
    settings = segmenter_settings(config, run.dataset)
    settings["cues"] = made_with(run.cues, settings["cues"], "seed")
    if settings["classifier"] is not None:
        settings["classifier"] = made_with(run.classifier, settings["classifier"], "classify")
    if run.leads:
        if not is_finished(run.training, settings):
            forget_predictions(run.training, *SPLITS)
        unmark(run.training)
        save_config(config, run.training)
    model = new_segmenter(run, config.train.init, config.train.dropout)
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
                figures |= _supervision_figures(scores)
                if run.leads:
                    text = json.dumps(scores, indent=2) + "\n"
                    write_text(run.training / "supervision" / f"epoch_{epoch}.json", text)
                    if last:
                        write_text(run.training / "supervision.json", text)
        return figures | validated(run, model, _title(run), epoch, config.train.validate_every)

    clock = Stopwatch(run.fabric.device)
    with Beside(run.fabric.device) as beside:
        training = Training(
            title=_title(run),
            model=model,
            samples=samples,
            options=config.train,
            losses=SupervisedLosses(config, supervision, model.backbone.taps, beside, clock),
            after_epoch=after_epoch,
            folder=run.training,
            settings=settings,
            network=describe(config, run.dataset.classes),
            clock=clock,
        )
        last = fit(run.fabric, training, config, run.screen)
    if run.leads:
        write_text(run.training / "history.json", json.dumps(last.history, indent=2) + "\n")
        mark_finished(run.training, settings)
    run.fabric.barrier()


class SupervisedLosses:
    """Losses of one step; callable as `dgcn.engine.step.Losses`.

    The CRF's marginals, if the boundary loss asks for them, are computed beside the supervision.

    Parameters
    ----------
    config : Config
    supervision : Supervision
    taps : tuple of int
        Stages of the backbone whose maps are the graph's features.
    beside : Beside
        Computes the marginals.
    clock : Stopwatch
        Counts the time of "supervision" and "crf"; see `dgcn.engine.supervise.CRFMarginals`.
    """

    def __init__(
        self,
        config: Config,
        supervision: Supervision,
        taps: tuple[int, ...],
        beside: Beside,
        clock: Stopwatch,
    ) -> None:
        self.supervision, self.taps, self.clock = supervision, taps, clock
        self.boundary_weight = config.train.boundary_weight
        self.crf = config.crf.training_params()
        self.beside = beside if self.boundary_weight else None

    def __call__(self, model: nn.Module, batch: Mapping[str, Tensor]) -> StepLosses:
        output: SegmenterOutput = model(batch["image"])
        logits = output.logits.float()
        probabilities = floored_softmax(logits)
        # The cues were looked at when they were loaded; a loss that is not finite is found out.
        with torch.no_grad(), gx.no_value_checks():
            marginals = CRFMarginals(
                probabilities, batch["rgb"], self.crf, beside=self.beside, clock=self.clock
            )
            with self.clock.within("supervision"):
                features = aggregate(output.features, self.taps)
                supervised = self.supervision(
                    logits.softmax(1), features, batch["cues"], batch["present"], marginals
                )
            refined = marginals() if self.boundary_weight else None
        losses = {"seeding": seeding_loss(probabilities, supervised)}
        if refined is not None:
            losses["boundary"] = self.boundary_weight * boundary_loss(probabilities, refined)
        return StepLosses(losses, labelled=supervised.sum())


def _supervision_figures(scores: dict[str, Any]) -> dict[str, float]:
    """The figures of the supervision that go into the history."""
    figures = {**scores, **scores["foreground"]}
    names = ("miou", "coverage", "precision", "recall")
    return {f"supervision_{name}": figures[name] for name in names if figures[name] is not None}


def new_segmenter(run: Run, init: Literal["classifier", "weights"], dropout: float) -> Segmenter:
    """A segmentation network to be trained.

    Parameters
    ----------
    run : Run
    init : {"classifier", "weights"}
        Start of its backbone: the classifier's, or ``model.weights``.
    dropout : float
    """
    seed_stage(run.config.runtime.seed, "segmenter")
    options = run.config.model
    if init == "classifier":
        backbone = load_classifier(run).backbone.train()
    else:
        backbone = build_backbone(options.backbone, options.weights)
    if options.freezes_norm:
        backbone.freeze_norm()
    return Segmenter(
        backbone, run.classes, head=options.head, dropout=dropout, dilation=options.dilation
    )


def validated(run: Run, model: Segmenter, title: str, epoch: int, every: int) -> dict[str, float]:
    """Validation mIoU as "score", in every n-th epoch and where there are masks."""
    miou = validation_miou(run, model) if every and epoch % every == 0 else None
    if miou is None:
        return {}
    run.screen.line(f"{title}: val mIoU {100 * miou:.1f} (1 scale, CRF off)")
    return {"score": miou}


def _title(run: Run) -> str:
    return f"training ({run.config.supervision.folder.replace('_', ' ')})"
