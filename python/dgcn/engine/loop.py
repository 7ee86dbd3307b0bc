"""The training loop that the classifier and the segmentation network share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader

from dgcn.config import Config, Optimisation
from dgcn.data.batches import TrainingSet
from dgcn.engine.batches import EpochBatches
from dgcn.engine.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from dgcn.engine.fabric import seed_epoch
from dgcn.engine.progress import Screen
from dgcn.engine.schedule import make_optimizer, rate_factor, set_rate
from dgcn.models import Classifier, Segmenter

Losses = Callable[[nn.Module, Mapping[str, Tensor]], dict[str, Tensor]]
"""From the (set-up) network and a batch to named scalar losses, whose sum is minimised."""
AfterEpoch = Callable[[int], dict[str, float]]
"""From the number of epochs done to figures of the network as it is now."""


@dataclass
class Training:
    """What a training is made of.

    Attributes
    ----------
    title : str
        Name on the screen.
    model : Classifier or Segmenter
        The network.
    samples : TrainingSet
        Training images.
    options : Optimisation
        Schedule.
    losses : Losses
        One step's losses.
    after_epoch : AfterEpoch
        Figures of an epoch besides the losses; "score", if there, decides which epoch is best.
    folder : Path
        Takes last.pt and best.pt.
    settings : dict
        All that the training's result depends on, in plain types.
    network : dict
        What the network is, for whoever has only the checkpoint.
    """

    title: str
    model: Classifier | Segmenter
    samples: TrainingSet
    options: Optimisation
    losses: Losses
    after_epoch: AfterEpoch
    folder: Path
    settings: dict[str, Any]
    network: dict[str, Any]


def fit(fabric: Fabric, training: Training, config: Config, screen: Screen) -> Checkpoint:
    """Train to the last epoch, from last.pt in the folder where one of the same settings is.

    Parameters
    ----------
    fabric : Fabric
        Launched; it alone knows about devices and precision.
    training : Training
        Its model is trained in place and ends in evaluation mode.
    config : Config
        Read for the seed and the number of worker processes.
    screen : Screen

    Returns
    -------
    Checkpoint
        The state after the last epoch, as in last.pt.

    Raises
    ------
    FloatingPointError
        A loss is not finite; the message names the step and the images.
    """
    options, raw = training.options, training.model
    optimizer = make_optimizer(raw, options)
    last = resumable(training)
    raw.to(fabric.device)
    if last is not None:
        raw.load_state_dict(last.model)
        optimizer.load_state_dict(last.optimizer)
        fabric.strategy.precision.load_state_dict(last.precision)
        screen.line(f"{training.title}: resumed after epoch {last.epoch}")
    model, optimizer = fabric.setup(raw, optimizer)
    batches = EpochBatches(
        len(training.samples),
        options.batch_size,
        seed=config.runtime.seed,
        rank=fabric.global_rank,
        processes=fabric.world_size,
    )
    # A generator of its own: the loader must not draw from the one that dropout draws from.
    plain: DataLoader[Any] = DataLoader(
        training.samples,
        batch_sampler=batches,
        num_workers=config.runtime.workers,
        persistent_workers=config.runtime.workers > 0,
        generator=torch.Generator().manual_seed(config.runtime.seed),
    )
    loader: Any = fabric.setup_dataloaders(plain, use_distributed_sampler=False)
    history = list(last.history) if last else []
    for epoch in range(last.epoch if last else 0, options.epochs):
        seed_epoch(fabric, config.runtime.seed, epoch)
        batches.set_epoch(epoch)
        training.samples.set_epoch(epoch)
        model.train()
        figures = _epoch(fabric, training, model, optimizer, loader, epoch, screen)
        model.eval()
        figures |= training.after_epoch(epoch + 1)
        figures.setdefault("score", -figures["loss"])
        history.append({"epoch": epoch + 1, **figures})
        best = figures["score"] >= max(row["score"] for row in history)
        last = Checkpoint(
            model=raw.state_dict(),
            optimizer=optimizer.state_dict(),
            epoch=epoch + 1,
            settings=training.settings,
            precision=fabric.strategy.precision.state_dict(),
            history=history,
            network=training.network,
        )
        if fabric.is_global_zero:
            save_checkpoint(training.folder / "last.pt", last)
            if best:
                save_checkpoint(training.folder / "best.pt", last)
        fabric.barrier()
    assert last is not None  # epochs >= 1
    model.eval()
    return last


def resumable(training: Training) -> Checkpoint | None:
    """The folder's last.pt, if this training would have come through it; otherwise None.

    All settings must be equal, but for the number of epochs where the learning rate does not
    depend on it: a finished training may be prolonged.
    """
    path = training.folder / "last.pt"
    if not path.is_file():
        return None
    last = load_checkpoint(path)
    theirs, ours = dict(last.settings), dict(training.settings)
    if training.options.schedule == "step":
        theirs.pop("epochs", None)
        ours.pop("epochs", None)
    return last if theirs == ours and last.epoch <= training.options.epochs else None


def _epoch(
    fabric: Fabric,
    training: Training,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loader: Any,
    epoch: int,
    screen: Screen,
) -> dict[str, float]:
    """One pass; returns the mean of every loss over its steps, and of their sum as "loss"."""
    sums: dict[str, float] = {}
    title = f"{training.title}: epoch {epoch + 1}/{training.options.epochs}"
    with screen.bar(title, len(loader)) as advance:
        for step, batch in enumerate(loader):
            at = epoch * len(loader) + step
            set_rate(optimizer, rate_factor(training.options, at, len(loader)))
            losses = training.losses(model, batch)
            total = torch.stack(list(losses.values())).sum()
            values = {name: loss.item() for name, loss in losses.items()}
            if not math.isfinite(sum(values.values())):
                raise FloatingPointError(_not_finite(training, values, at, epoch, batch))
            fabric.backward(total)
            optimizer.step()
            optimizer.zero_grad()
            for name, value in {**values, "loss": sum(values.values())}.items():
                sums[name] = sums.get(name, 0.0) + value
            advance(f"loss {sums['loss'] / (step + 1):.3f}")
    means = {name: value / len(loader) for name, value in sums.items()}
    if fabric.world_size > 1:
        reduced = fabric.all_reduce(torch.tensor(list(means.values())), reduce_op="mean")
        means = dict(zip(means, torch.as_tensor(reduced).tolist(), strict=True))
    return means


def _not_finite(
    training: Training,
    values: Mapping[str, float],
    step: int,
    epoch: int,
    batch: Mapping[str, Tensor],
) -> str:
    records = training.samples.records
    names = ", ".join(records[index].name for index in batch["index"].tolist())
    listed = ", ".join(f"{name} {value}" for name, value in values.items())
    return (
        f"{training.title}: the loss is not finite at step {step} (epoch {epoch + 1}): {listed}; "
        f"images: {names}. A lower learning rate is the usual remedy"
    )
