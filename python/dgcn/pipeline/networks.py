"""The networks of a run: made, trained, loaded, looked at, and the masks they predict."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from dgcn.atomic import write_text
from dgcn.config import ModelConfig, Optimisation
from dgcn.cues import cam_multiscale, load_cues, log_rarity
from dgcn.data.batches import TrainingSet
from dgcn.data.images import read_image, to_tensor
from dgcn.data.masks import write_mask
from dgcn.metrics import Confusion
from dgcn.models import Backbone, Classifier, Segmenter, aggregate, build_backbone
from dgcn.models.inference import image_logits, predict_image
from dgcn.pipeline.portable import build_segmenter, describe
from dgcn.pipeline.run import Run
from dgcn.training.checkpoint import load_network
from dgcn.training.fabric import seed_stage
from dgcn.training.loop import Losses, Training, fit
from dgcn.training.teacher import Teacher
from dgcn.training.throughput import Stopwatch

CACHE_BYTES = 512 * 2**20
"""Decoded training images kept in memory."""


def train_network(
    run: Run,
    model: Classifier | Segmenter,
    losses: Losses,
    folder: Path,
    fingerprint: dict[str, Any],
    options: Optimisation,
    title: str,
    *,
    cues: Mapping[str, NDArray[np.bool_]] | None = None,
    after_epoch: Callable[[int], dict[str, float]],
    clock: Stopwatch | None = None,
    before_epoch: Callable[[int], None] = lambda epoch: None,
    teacher: Teacher | None = None,
    passes: Callable[[float], float] = lambda epochs: epochs,
    adjustment: tuple[float, ...] = (),
) -> None:
    """Train a network of a run on its training images and leave it in a folder.

    Parameters
    ----------
    run : Run
    model : Classifier or Segmenter
    losses : Losses
    folder : Path
        Takes last.pt, best.pt and history.json.
    fingerprint : dict
        Of the stage.
    options : Optimisation
    title : str
        Name on the console.
    cues : mapping from name to numpy.ndarray, shape (L, h, w), bool, optional
        Of every training image, for a segmentation network.
    after_epoch, clock, before_epoch, teacher, passes
        As `dgcn.training.loop.Training`.
    adjustment : tuple of float, default ()
        Of its logits, for programs that load the checkpoint.
    """
    config = run.config
    kind: Literal["classifier", "segmenter"]
    kind = "classifier" if isinstance(model, Classifier) else "segmenter"
    training = Training(
        title=title,
        model=model,
        samples=TrainingSet(
            run.records("train"),
            run.classes,
            config.data.size,
            cues=cues,
            mirror=config.data.mirror,
            scale=(config.data.scale[0], config.data.scale[1]),
            colour=config.data.colour,
            seed=config.runtime.seed,
            cache_bytes=CACHE_BYTES,
        ),
        options=options,
        losses=losses,
        after_epoch=after_epoch,
        folder=folder,
        fingerprint=fingerprint,
        network=describe(config, run.dataset.classes, kind, adjustment),
        clock=clock or Stopwatch(run.fabric.device),
        before_epoch=before_epoch,
        teacher=teacher,
        passes=passes,
    )
    last = fit(run.fabric, training, config.runtime, run.console)
    if run.is_rank_zero:
        write_text(folder / "history.json", json.dumps(last.history, indent=2) + "\n")


def new_classifier(run: Run) -> Classifier:
    """A classifier to be trained."""
    seed_stage(run.config.runtime.seed, "classifier")
    return Classifier(_backbone(run.config.classifier_model), run.classes - 1)


def _backbone(options: ModelConfig) -> Backbone:
    """The backbone of the settings with its weights."""
    backbone = build_backbone(options.backbone, options.weights, options.output_stride)
    return backbone.freeze_norm() if options.freezes_norm else backbone


def new_segmenter(
    run: Run, init: Literal["classifier", "classifier_and_head", "weights"], dropout: float
) -> Segmenter:
    """A segmentation network to be trained.

    Parameters
    ----------
    run : Run
    init : {"classifier", "classifier_and_head", "weights"}
        Start of its backbone: the classifier's, or ``model.weights``; with its head or without.
    dropout : float
    """
    seed_stage(run.config.runtime.seed, "segmenter")
    options = run.config.model
    classifier = None if init == "weights" else load_classifier(run)
    if classifier is not None:
        backbone = build_backbone(options.backbone, output_stride=options.output_stride)
        backbone.load_state_dict(classifier.backbone.state_dict())
        if options.freezes_norm:
            backbone.freeze_norm()
    else:
        backbone = _backbone(options)
    model = Segmenter(
        backbone,
        run.classes,
        head=options.head,
        dropout=dropout,
        dilation=options.dilation,
        taps=options.taps,
    )
    if classifier is not None and init == "classifier_and_head":
        model.start_head(classifier.head)
    return model


def load_classifier(run: Run) -> Classifier:
    """The trained classifier of a run, on its device, in evaluation mode.

    Raises
    ------
    FileNotFoundError
        The run has no classifier yet.
    """
    model = Classifier(build_backbone(run.config.classifier_model.backbone), run.classes - 1)
    load_network(run.classifier_folder / "last.pt", model)
    return model.to(run.fabric.device).eval()


def load_segmenter(run: Run, which: str) -> Segmenter:
    """A trained segmentation network of a run, on its device, in evaluation mode.

    Parameters
    ----------
    run : Run
    which : {"last", "best"}

    Raises
    ------
    FileNotFoundError
        The run has no network trained with this kind of supervision yet.
    """
    model = build_segmenter(run.config.model, run.classes)
    load_network(run.network_folder / f"{which}.pt", model)
    return model.to(run.fabric.device).eval()


def activation(
    run: Run, model: Classifier, image: NDArray[np.uint8], *, to_show: bool = False
) -> NDArray[np.float32]:
    """Class activation maps (L-1, h, w) of an image, not normalised.

    As the cues take them; `to_show`: by one look at the image, which is several times faster.
    """
    batch = to_tensor(image, run.config.data.size)[None].to(run.fabric.device)
    options = run.config.cues
    if to_show:
        maps = cam_multiscale(model, batch)
    else:
        maps = cam_multiscale(model, batch, scales=options.scales, flip=options.flip)
    result: NDArray[np.float32] = maps[0].float().cpu().numpy()
    return result


@torch.no_grad()
def stage_features(run: Run, model: Classifier, image: NDArray[np.uint8]) -> torch.Tensor:
    """Features (C, h, w) of the classifier's backbone that make the neighbour graph."""
    batch = to_tensor(image, run.config.data.size)[None].to(run.fabric.device)
    return aggregate(model.backbone(batch), model.backbone.taps)[0]


@dataclass(frozen=True)
class Predictor:
    """The segmentation network of a run, and how it predicts by the protocol of the settings.

    Attributes
    ----------
    run : Run
    model : Segmenter
        On its device, in evaluation mode.
    classifier : Classifier or None
        Where ``evaluate.classifier`` asks for it.
    logit_adjustment : tuple of float
        See `logit_adjustment_of`.
    """

    run: Run
    model: Segmenter
    classifier: Classifier | None
    logit_adjustment: tuple[float, ...]

    def __call__(
        self, image: NDArray[np.uint8], labels: tuple[int, ...] | None = None
    ) -> NDArray[np.uint8]:
        """Mask (H, W) of an image; of `labels` and the background alone, where they are given."""
        options = self.run.config.evaluate
        return predict_image(
            self.model,
            image,
            self.run.config.data.size,
            scales=options.scales,
            crf=self.run.config.crf if options.crf else None,
            labels=labels,
            classifier=self.classifier if labels is None else None,
            contrast=options.contrast,
            logit_adjustment=self.logit_adjustment,
        )


def load_predictor(run: Run) -> Predictor:
    """The predictor of the network that the settings name."""
    classifier = load_classifier(run) if run.config.evaluate.classifier else None
    model = load_segmenter(run, run.config.evaluate.checkpoint)
    return Predictor(run, model, classifier, logit_adjustment_of(run))


def logit_adjustment_of(run: Run) -> tuple[float, ...]:
    """What the logits of the run's network are lowered by, at every scale; () for nothing.

    Raises
    ------
    ValueError
        ``evaluate.logit_adjustment`` has not one number a class.
    """
    given, retrain = run.config.evaluate.logit_adjustment, run.config.retrain
    if given != "auto":
        if given and len(given) != run.classes:
            raise ValueError(
                f"evaluate.logit_adjustment must have {run.classes} numbers, one a class and the "
                f"background first, got {len(given)}"
            )
        return given
    if run.config.evaluate.network == "retrained" and retrain.loss == "cross_entropy":
        return ()  # that loss raises nothing
    cues = load_cues(run.cues_folder / "cues.npz")
    records = run.records("train")
    return log_rarity(((cues[each.name], each.labels) for each in records), run.classes)


class ToPredict(NamedTuple):
    """What a mask is to be predicted of."""

    name: str
    path: Path
    labels: tuple[int, ...] | None = None
    """Foreground classes that the mask may have; None: every one."""


def write_masks(run: Run, images: list[ToPredict], folder: Path, title: str) -> None:
    """Predict images into ``folder/<name>.png``, shared among the processes."""
    predictor = load_predictor(run)
    folder.mkdir(parents=True, exist_ok=True)
    shard = run.local_shard(images)
    with run.console.bar(title, len(shard)) as advance:
        for image in shard:
            mask = predictor(read_image(image.path), image.labels)
            write_mask(folder / f"{image.name}.png", mask)
            advance(image.name)
    run.fabric.barrier()


@torch.no_grad()
def validate(run: Run, model: Segmenter, title: str, epoch: int, every: int) -> dict[str, float]:
    """Validation mIoU as "score", at one scale without CRF, in every n-th epoch.

    Empty where there are no masks, or nothing but void in them.
    """
    masked = run.masked("val")
    if not masked or not every or epoch % every:
        return {}
    confusion = Confusion(run.classes)
    shard = run.local_shard(masked)
    with run.console.bar("validation", len(shard), brief=True) as advance:
        for record in shard:
            logits = image_logits(model, read_image(record.image), run.config.data.size, (1.0,))
            confusion.add(record.truth(), logits.argmax(0).numpy().astype(np.uint8))
            advance("")
    miou = run.total(confusion).miou()
    if math.isnan(miou):
        return {}
    run.console.line(f"{title}: val mIoU {100 * miou:.1f} (1 scale, CRF off)")
    return {"score": miou}
