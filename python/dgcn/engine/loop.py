"""The training loop that the classifier and the segmentation networks share."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader

from dgcn.config import Config, Optimisation
from dgcn.data.batches import TrainingSet
from dgcn.engine.batches import EpochBatches
from dgcn.engine.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from dgcn.engine.curves import Curves
from dgcn.engine.fabric import seed_step
from dgcn.engine.progress import Screen
from dgcn.engine.schedule import make_optimizer, rate_factor, set_rate
from dgcn.engine.stages import differences
from dgcn.engine.step import Losses, take_step
from dgcn.engine.stopwatch import Stopwatch
from dgcn.engine.termination import Request, Terminated, termination
from dgcn.engine.throughput import Row, read_rows, sentence, write_rows
from dgcn.models import Classifier, Segmenter

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
    clock : Stopwatch
        Times the steps; the losses may count parts of them.
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
    clock: Stopwatch


def fit(fabric: Fabric, training: Training, config: Config, screen: Screen) -> Checkpoint:
    """Train to the last epoch, from last.pt in the folder where one of the same settings is.

    Parameters
    ----------
    fabric : Fabric
        Launched; it alone knows about devices and precision.
    training : Training
        Its model is trained in place and ends in evaluation mode.
    config : Config
        Read for the seed, the number of worker processes and the time between checkpoints.
    screen : Screen

    Returns
    -------
    Checkpoint
        The state after the last epoch, as in last.pt.

    Raises
    ------
    FloatingPointError
        A loss is not finite; the message names the step and the images.
    Terminated
        SIGTERM came; last.pt has the state after the last step.
    """
    with termination() as request:
        try:
            return _Loop(fabric, training, config, screen, request).run()
        except RuntimeError as error:
            # torch.save, interrupted, stumbles over its half-written file.
            if request.interrupted:
                raise KeyboardInterrupt from error
            raise


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
    begun = last.epoch + (last.step > 0)
    return last if not differences(theirs, ours) and begun <= training.options.epochs else None


class _Loop:
    """A training under way."""

    def __init__(
        self, fabric: Fabric, training: Training, config: Config, screen: Screen, request: Request
    ) -> None:
        self.fabric, self.training, self.screen, self.request = fabric, training, screen, request
        self.runtime, self.options, self.raw = config.runtime, training.options, training.model
        optimizer = make_optimizer(self.raw, self.options)
        last = resumable(training)
        self.raw.to(fabric.device)
        self.state = _Progress()
        if last is not None:
            self.raw.load_state_dict(last.model)
            optimizer.load_state_dict(last.optimizer)
            fabric.strategy.precision.load_state_dict(last.precision)
            self.state = _Progress(last.epoch, last.step, dict(last.sums), list(last.history))
            within = f" and {last.step} steps" if last.step else ""
            screen.line(f"{training.title}: resumed after epoch {last.epoch}{within}")
        self.model, self.optimizer = fabric.setup(self.raw, optimizer)
        self.batches = EpochBatches(
            len(training.samples),
            self.options.batch_size,
            seed=self.runtime.seed,
            rank=fabric.global_rank,
            processes=fabric.world_size,
        )
        # A generator of its own: the loader must not draw from the one that dropout draws from.
        plain: DataLoader[Any] = DataLoader(
            training.samples,
            batch_sampler=self.batches,
            num_workers=self.runtime.workers,
            persistent_workers=self.runtime.workers > 0,
            generator=torch.Generator().manual_seed(self.runtime.seed),
        )
        self.loader: Any = fabric.setup_dataloaders(plain, use_distributed_sampler=False)
        self.saved = time.monotonic()
        self.clock = training.clock
        self.rows = read_rows(training.folder, self.state.epoch)

    def run(self) -> Checkpoint:
        """Train to the last epoch."""
        state, training = self.state, self.training
        steps, first = len(self.batches), self.state.epoch
        with Curves(training.folder, self.fabric.is_global_zero, state.done(steps)) as curves:
            while state.epoch < self.options.epochs:
                self._epoch(curves)
                figures = {name: value / steps for name, value in state.sums.items()}
                self.model.eval()
                figures |= training.after_epoch(state.epoch + 1)
                figures.setdefault("score", -figures["loss"])
                state.epoch, state.step, state.sums = state.epoch + 1, 0, {}
                state.history.append({"epoch": state.epoch, **figures})
                curves.add(state.done(steps), figures)
                best = figures["score"] >= max(row["score"] for row in state.history)
                # last.pt comes last: a run killed between the two makes the epoch anew.
                self._save(*(("best.pt",) if best else ()), "last.pt")
                self.fabric.barrier()
        if self.rows and state.epoch > first:
            self.screen.line(f"{training.title}: {sentence(self.rows)}")
        self.model.eval()
        return self._checkpoint()

    def _epoch(self, curves: Curves) -> None:
        """Take the steps of an epoch that are left; sums of the losses go into the state."""
        state, training, steps = self.state, self.training, len(self.batches)
        self.batches.set_epoch(state.epoch, first=state.step)
        training.samples.set_epoch(state.epoch)
        self.model.train()
        title = f"{training.title}: epoch {state.epoch + 1}/{self.options.epochs}"
        before = state.step
        with self.screen.bar(title, steps - before) as advance:
            self.clock.begin("data")
            for batch in self.loader:
                self.clock.begin("network")
                at = state.done(steps)
                factor = rate_factor(self.options, at, steps)
                set_rate(self.optimizer, factor)
                seed_step(self.fabric, self.runtime.seed, state.epoch, state.step)
                outcome = take_step(
                    self.fabric,
                    self.model,
                    self.optimizer,
                    training.losses,
                    batch,
                    parts=self.options.accumulate,
                    terminate=self.request.made,
                )
                self.clock.begin("rest")
                values = {**outcome.losses, "loss": sum(outcome.losses.values())}
                if not outcome.finite:
                    raise FloatingPointError(self._not_finite(values, at, batch))
                if not outcome.labelled:
                    self.screen.line(
                        f"{training.title}: step {at} (epoch {state.epoch + 1}) left out, no "
                        f"position is supervised in its images: {self._names(batch)}"
                    )
                state.step += 1
                for name, value in values.items():
                    state.sums[name] = state.sums.get(name, 0.0) + value
                curves.add(at, {**values, "rate": self.options.lr * factor})
                advance(f"loss {state.sums['loss'] / state.step:.3f}")
                # Several processes end after the step in which they have told each other.
                alone = self.fabric.world_size == 1
                self._pause(self.request.made if alone else outcome.terminate)
                self.clock.begin("data")
            self.clock.begin("")
        self._record_throughput(state.step - before)

    def _record_throughput(self, steps: int) -> None:
        """Add the epoch's row; of an epoch taken up again, the steps since then."""
        seconds, state = self.clock.take(), self.state
        if not steps:
            return
        self.rows.append(Row(state.epoch + 1, steps * self.batches.batch, seconds))
        if self.fabric.is_global_zero:
            write_rows(self.training.folder, self.rows)

    def _pause(self, terminate: bool) -> None:
        """Write a checkpoint where it is time; end where that is asked for."""
        if self.request.interrupted:
            raise KeyboardInterrupt
        minutes = self.runtime.checkpoint_minutes
        if terminate or (minutes and time.monotonic() - self.saved > 60 * minutes):
            self._save("last.pt")
        if terminate:
            self.fabric.barrier()
            raise Terminated(
                f"{self.training.title}: terminated in epoch {self.state.epoch + 1} after step "
                f"{self.state.step} of {len(self.batches)}"
            )

    def _save(self, *names: str) -> None:
        checkpoint = self._checkpoint()
        if self.fabric.is_global_zero:
            for name in names:
                save_checkpoint(self.training.folder / name, checkpoint)
        self.saved = time.monotonic()

    def _checkpoint(self) -> Checkpoint:
        state = self.state
        return Checkpoint(
            model=self.raw.state_dict(),
            optimizer=self.optimizer.state_dict(),
            epoch=state.epoch,
            settings=self.training.settings,
            precision=self.fabric.strategy.precision.state_dict(),
            history=state.history,
            step=state.step,
            sums=state.sums,
            network=self.training.network,
        )

    def _names(self, batch: Mapping[str, Tensor]) -> str:
        records = self.training.samples.records
        return ", ".join(records[index].name for index in batch["index"].tolist())

    def _not_finite(
        self, values: Mapping[str, float], step: int, batch: Mapping[str, Tensor]
    ) -> str:
        listed = ", ".join(f"{name} {value}" for name, value in values.items())
        return (
            f"{self.training.title}: the loss is not finite at step {step} (epoch "
            f"{self.state.epoch + 1}): {listed}; images: {self._names(batch)}. A lower learning "
            f"rate is the usual remedy"
        )


@dataclass
class _Progress:
    """How far a training has come."""

    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)

    def done(self, steps_per_epoch: int) -> int:
        """Steps taken since the beginning."""
        return self.epoch * steps_per_epoch + self.step
