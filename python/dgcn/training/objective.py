"""What a step minimises: forward pass, supervision and losses of every training, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from types import TracebackType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

import graphcut_ext as gx
from dgcn.config import Config
from dgcn.crf import CRF, dense_crf_batch, images_to_grid
from dgcn.data.batches import Sample
from dgcn.data.masks import VOID
from dgcn.losses import boundary_loss, floored_softmax, seeding_loss
from dgcn.models import Segmenter, SegmenterOutput, aggregate
from dgcn.supervision import Supervision
from dgcn.training.background import BackgroundThread
from dgcn.training.teacher import Teacher
from dgcn.training.throughput import Stopwatch


def classification_losses(
    model: nn.Module, batch: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], int]:
    """Multi-label logistic loss of the classifier on the image labels."""
    target = batch["present"][:, 1:].float()
    logits = model(batch["image"]).float()
    loss = functional.binary_cross_entropy_with_logits(logits, target)
    return {"labels": loss}, len(target)


class SupervisedLosses:
    """Losses of a segmentation network on supervision that is rebuilt at every step.

    A context manager: within it the CRF's marginals, if the boundary loss asks for them, are
    computed in the background while the supervision is built.

    Parameters
    ----------
    config : Config
    taps : tuple of int
        Stages of the backbone whose maps are the graph's features.
    clock : Stopwatch
        Counts the time of "supervision" and "crf"; see `CRFMarginals`.
    teacher : Teacher or None, default None
        Whose probabilities the supervision goes by. None: ``train.probabilities`` says it.
    """

    def __init__(
        self,
        config: Config,
        taps: tuple[int, ...],
        clock: Stopwatch,
        teacher: Teacher | None = None,
    ) -> None:
        self.method, self.crf = config.supervision.method, config.crf.on_grid()
        self.supervision = self.method.at(1)
        self.boundary_weight = config.train.boundary_weight
        self.clean_pass = config.train.probabilities == "clean_pass"
        self.teacher = teacher
        self.taps, self.clock = taps, clock
        self.background: BackgroundThread | None = None
        self._stack = ExitStack()

    def __call__(
        self, model: nn.Module, batch: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Balanced seeding loss on the supervision, boundary loss against the CRF."""
        output: SegmenterOutput = model(batch["image"])
        logits = output.logits.float()
        probabilities = floored_softmax(logits)
        # The cues were looked at when they were loaded; a loss that is not finite is found out.
        with torch.no_grad(), gx.no_value_checks():
            marginals = CRFMarginals(
                probabilities, batch["rgb"], self.crf, background=self.background, clock=self.clock
            )
            with self.clock.within("supervision"):
                features = aggregate(output.features, self.taps)
                seen, its_marginals = logits, marginals
                if self.teacher is not None:
                    seen = self.teacher.logits(batch["image"])
                elif self.clean_pass:
                    seen = _segmenter(model).clean_logits(output.features).float()
                if seen is not logits:
                    its_marginals = CRFMarginals(floored_softmax(seen), batch["rgb"], self.crf)
                supervised = self.supervision(
                    seen.softmax(1), features, batch["cues"], batch["present"], its_marginals
                )
            refined = marginals() if self.boundary_weight else None
        losses = {"seeding": seeding_loss(probabilities, supervised)}
        if refined is not None:
            losses["boundary"] = self.boundary_weight * boundary_loss(probabilities, refined)
        return losses, supervised.sum()

    def begin_epoch(self, epoch: int) -> None:
        """Take the supervision of an epoch; the first, 1, is in force from the start."""
        self.supervision = self.method.at(epoch)

    def __enter__(self) -> SupervisedLosses:
        if self.boundary_weight:
            thread = BackgroundThread(self.clock.device)
            self.background = self._stack.enter_context(thread)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()


def _segmenter(model: nn.Module) -> Segmenter:
    """The network itself, without what Fabric and DDP put around it."""
    inner: Any = model
    while not isinstance(inner, Segmenter):
        inner = inner.module
    return inner


@torch.no_grad()
def supervise_sample(
    model: Segmenter,
    supervision: Supervision,
    sample: Sample,
    crf: CRF,
    device: torch.device,
    teacher: Teacher | None = None,
) -> NDArray[np.bool_]:
    """Supervision (L, h, w) that the network, as it is, gives one sample with cues.

    Parameters
    ----------
    model : Segmenter
        In evaluation mode: nothing is dropped out, unlike in a training step.
    supervision : Supervision
    sample : Sample
    crf : CRF
        On the grid.
    device : torch.device
    teacher : Teacher or None, default None
        Gives the probabilities in place of the network.
    """
    image = sample["image"][None].to(device)
    output = model(image)
    logits = output.logits.float() if teacher is None else teacher.logits(image)
    labels = supervision(
        logits.softmax(1),
        aggregate(output.features, model.taps),
        sample["cues"][None].to(device),
        sample["present"][None].to(device),
        CRFMarginals(floored_softmax(logits), sample["rgb"][None].to(device), crf),
    )
    result: NDArray[np.bool_] = labels[0].cpu().numpy()
    return result


def cross_entropy_losses(
    model: nn.Module, batch: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], Tensor]:
    """Cross-entropy over the labelled cells of the grid, the masks given as cues."""
    output: SegmenterOutput = model(batch["image"])
    labels = batch["cues"]
    target = labels.int().argmax(1).masked_fill(~labels.any(1), VOID)
    each = functional.cross_entropy(
        output.logits.float(), target, ignore_index=VOID, reduction="none"
    )
    return {"cross_entropy": each.sum() / labels.sum().clamp_min(1)}, labels.sum()


def balanced_losses(
    model: nn.Module, batch: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], Tensor]:
    """The seeding loss, the masks given as cues."""
    output: SegmenterOutput = model(batch["image"])
    labels = batch["cues"]
    return {"balanced": seeding_loss(floored_softmax(output.logits.float()), labels)}, labels.sum()


class CRFMarginals:
    """Marginals of one batch, computed at most once: in the background, or when first called for.

    The boundary loss and the supervision of a step share them.

    Parameters
    ----------
    probabilities : Tensor, shape (B, L, h, w)
        Positive.
    images : Tensor of uint8, shape (B, H, W, 3)
    crf : CRF
        On the grid.
    background : BackgroundThread or None, default None
        Begins at once to compute them. None: they are computed by the first call.
    clock : Stopwatch or None, default None
        Counts the time that calls take as "crf", and that of the background as "crf_work".
    """

    def __init__(
        self,
        probabilities: Tensor,
        images: Tensor,
        crf: CRF,
        *,
        background: BackgroundThread | None = None,
        clock: Stopwatch | None = None,
    ) -> None:
        inputs = probabilities.detach(), images
        self._inputs, self._crf, self._clock = inputs, crf, clock
        self._pending = None if background is None else background.start(self._compute, *inputs)
        self._kept: Tensor | None = None

    def __call__(self) -> Tensor:
        """Marginals (B, L, h, w), float32, on the device of the probabilities."""
        if self._kept is None:
            with nullcontext() if self._clock is None else self._clock.within("crf"):
                self._kept = self._joined()
        return self._kept

    def _joined(self) -> Tensor:
        if self._pending is None:
            return self._compute(*self._inputs)
        done = self._pending()
        if self._clock is not None:
            self._clock.add("crf_work", done.start, done.end)
        return done.result

    def _compute(self, probabilities: Tensor, images: Tensor) -> Tensor:
        grid = images_to_grid(images, *probabilities.shape[2:])
        return dense_crf_batch(probabilities, grid, self._crf)
