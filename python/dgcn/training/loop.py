"""The training loop that the classifier and the segmentation networks share.

Read it from the top: `fit`, an epoch, a step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader

from dgcn.config import Optimisation, RuntimeConfig
from dgcn.data.batches import TrainingSet
from dgcn.data.epoch_batches import EpochBatches
from dgcn.models import Classifier, Segmenter
from dgcn.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from dgcn.training.console import Console, Curves
from dgcn.training.fabric import seed_step
from dgcn.training.optimizer import make_optimizer, rate_factor
from dgcn.training.signals import Received, noted_signals
from dgcn.training.teacher import Teacher
from dgcn.training.throughput import Row, Stopwatch, read_rows, sentence, write_rows

Losses = Callable[[nn.Module, Mapping[str, Tensor]], tuple[dict[str, Tensor], Tensor | int]]
"""From network and batch to named scalars, whose sum is minimised, and the number of supervised
cells or images; 0: there is nothing to learn from."""


@dataclass
class Training:
    """What a training is made of; the model is trained in place."""

    title: str
    model: Classifier | Segmenter
    samples: TrainingSet
    options: Optimisation
    losses: Losses
    after_epoch: Callable[[int], dict[str, float]]
    """From the number of epochs done to figures of the network; "score" decides which is best."""
    folder: Path
    """Takes last.pt and best.pt."""
    fingerprint: dict[str, Any]
    """All that the result depends on, in plain types."""
    network: dict[str, Any]
    """What the network is, for whoever has only the checkpoint."""
    clock: Stopwatch
    """Times the steps; the losses may count parts of them."""
    before_epoch: Callable[[int], None] = lambda epoch: None
    """Called with the number of the epoch that begins or is gone on with; the first is 1."""
    teacher: Teacher | None = None
    """Follows the model after every step."""
    passes: Callable[[float], float] = lambda epochs: epochs
    """Passes over the images that so many epochs take: as many, but where features are kept."""


def fit(fabric: Fabric, training: Training, runtime: RuntimeConfig, console: Console) -> Checkpoint:
    """Train to the last epoch, from last.pt in the folder where one of the same fingerprint is.

    Of `runtime` it reads seed, workers, checkpoint_minutes and logger. The state after the last
    epoch is returned, as it is in last.pt.

    Raises
    ------
    FloatingPointError
        A loss is not finite; the message names the step and the images.
    Terminated
        SIGTERM came; last.pt has the state after the last step.
    """
    with noted_signals() as received:
        try:
            return _Loop(fabric, training, runtime, console, received).run()
        except RuntimeError as error:
            # torch.save, interrupted, stumbles over its half-written file.
            if received.interrupt:
                raise KeyboardInterrupt from error
            raise


_SOON = 3  # steps after the first by which the whole is estimated


class _Loop:
    def __init__(
        self,
        fabric: Fabric,
        training: Training,
        runtime: RuntimeConfig,
        console: Console,
        received: Received,
    ) -> None:
        self.fabric, self.training, self.runtime = fabric, training, runtime
        self.console, self.received, self.options = console, received, training.options
        self.state = _Progress()
        optimizer = make_optimizer(training.model, self.options)
        training.model.to(fabric.device)
        if training.teacher is not None:
            training.teacher.network.to(fabric.device)
        last = resumable(training)
        if last is not None:
            training.model.load_state_dict(last.model)
            optimizer.load_state_dict(last.optimizer)
            if training.teacher is not None:
                training.teacher.network.load_state_dict(last.teacher)
            fabric.strategy.precision.load_state_dict(last.precision)
            self.state = _Progress(last.epoch, last.step, last.sums, last.history)
            within = f" and {last.step} steps" if last.step else ""
            console.line(f"{training.title}: resumed after epoch {last.epoch}{within}")
        self.model, self.optimizer = fabric.setup(training.model, optimizer)
        self.batches = EpochBatches(
            len(training.samples),
            self.options.batch_size,
            seed=runtime.seed,
            rank=fabric.global_rank,
            processes=fabric.world_size,
        )
        # A generator of its own: the loader must not draw from the one that dropout draws from.
        loader: DataLoader[Any] = DataLoader(
            training.samples,
            batch_sampler=self.batches,
            num_workers=runtime.workers,
            persistent_workers=runtime.workers > 0,
            generator=torch.Generator().manual_seed(runtime.seed),
        )
        self.loader: Any = fabric.setup_dataloaders(loader, use_distributed_sampler=False)
        self.rows = read_rows(training.folder, self.state.epoch)
        self.saved = time.monotonic()
        self.pace: tuple[int, float] | None = None  # a step of this process, and when it ended

    def run(self) -> Checkpoint:
        state, training, steps = self.state, self.training, len(self.batches)
        first = state.epoch
        with Curves(
            training.folder,
            self.fabric.is_global_zero,
            state.done(steps),
            self.runtime.logger,
            training.fingerprint,
        ) as curves:
            while state.epoch < self.options.epochs:
                self.epoch(curves)
                figures = {name: value / steps for name, value in state.sums.items()}
                self.model.eval()
                figures |= training.after_epoch(state.epoch + 1)
                figures.setdefault("score", -figures["loss"])
                state.epoch, state.step, state.sums = state.epoch + 1, 0, {}
                state.history.append({"epoch": state.epoch, **figures})
                curves.add(state.done(steps), figures)
                best = figures["score"] >= max(row["score"] for row in state.history)
                # last.pt comes last: a run killed between the two repeats the epoch.
                self.save(*(("best.pt",) if best else ()), "last.pt")
                self.foresee()
                self.fabric.barrier()
        if self.rows and state.epoch > first:
            self.console.line(f"{training.title}: {sentence(self.rows)}")
        self.model.eval()
        return self.checkpoint()

    def epoch(self, curves: Curves) -> None:
        """Take the steps of an epoch that are left; sums of the losses go into the state."""
        state, training, steps = self.state, self.training, len(self.batches)
        clock = training.clock
        self.batches.set_epoch(state.epoch, first=state.step)
        training.samples.set_epoch(state.epoch)
        training.before_epoch(state.epoch + 1)
        self.model.train()
        title = f"{training.title}: epoch {state.epoch + 1}/{self.options.epochs}"
        before = state.step
        with self.console.bar(title, steps - before, summary=True) as advance:
            clock.begin("data")
            for batch in self.loader:
                clock.begin("network")
                at = state.done(steps)
                factor = rate_factor(self.options, at, steps)
                for group in self.optimizer.param_groups:
                    group["lr"] = group["base_lr"] * factor
                seed_step(self.fabric, self.runtime.seed, state.epoch, state.step)
                outcome = take_step(
                    self.fabric,
                    self.model,
                    self.optimizer,
                    training.losses,
                    batch,
                    parts=self.options.accumulate,
                    terminate=self.received.terminate,
                )
                clock.begin("rest")
                values = {**outcome.losses, "loss": sum(outcome.losses.values())}
                if not outcome.finite:
                    raise FloatingPointError(self.not_finite(values, at, batch))
                if not outcome.labelled:
                    self.console.line(
                        f"{training.title}: step {at} (epoch {state.epoch + 1}) left out, no cell "
                        f"is supervised in its images: {self.names(batch)}"
                    )
                elif training.teacher is not None:
                    training.teacher.follow(training.model, at + 1)
                state.step += 1
                for name, value in values.items():
                    state.sums[name] = state.sums.get(name, 0.0) + value
                curves.add(at, {**values, "rate": self.options.lr * factor})
                advance(f"loss {state.sums['loss'] / state.step:.3f}")
                self.first_steps(at)
                # Several processes end after the step in which they have told each other.
                alone = self.fabric.world_size == 1
                self.pause(self.received.terminate if alone else outcome.terminate)
                clock.begin("data")
            clock.begin("")
        seconds = clock.take()
        if state.step > before:
            images = (state.step - before) * self.batches.batch
            self.rows.append(Row(state.epoch + 1, images, seconds))
            if self.fabric.is_global_zero:
                write_rows(training.folder, self.rows)

    def first_steps(self, at: int) -> None:
        """Note when the first step ended, which may have compiled; soon after it, look ahead."""
        if self.pace is None:
            self.pace = at, time.monotonic()
        elif at == self.pace[0] + _SOON:
            self.foresee()

    def foresee(self) -> None:
        """Say how long it still takes, by all that has passed since the first step."""
        steps, done = len(self.batches), self.state.done(len(self.batches))
        if self.pace is None or done <= self.pace[0] + 1:
            return
        first, since = self.pace
        # Counted from where this process began: it keeps no features of an earlier one.
        started, passes = first / steps, self.training.passes
        now = passes(done / steps - started)
        left = (passes(self.options.epochs - started) - now) * steps
        measured = now * steps - 1
        if measured <= 0:  # all features came with the first step
            return
        seconds = (time.monotonic() - since) / measured
        self.console.pace(left * self.batches.batch, seconds / self.batches.batch)

    def pause(self, terminate: bool) -> None:
        """Write a checkpoint where it is time; end where that is asked for."""
        if self.received.interrupt:
            raise KeyboardInterrupt
        minutes = self.runtime.checkpoint_minutes
        if terminate or (minutes and time.monotonic() - self.saved > 60 * minutes):
            self.save("last.pt")
        if terminate:
            self.fabric.barrier()
            raise Terminated(
                f"{self.training.title}: terminated in epoch {self.state.epoch + 1} after step "
                f"{self.state.step} of {len(self.batches)}"
            )

    def save(self, *names: str) -> None:
        checkpoint = self.checkpoint()
        if self.fabric.is_global_zero:
            for name in names:
                save_checkpoint(self.training.folder / name, checkpoint)
        self.saved = time.monotonic()

    def checkpoint(self) -> Checkpoint:
        state, training = self.state, self.training
        return Checkpoint(
            model=training.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            epoch=state.epoch,
            fingerprint=training.fingerprint,
            precision=self.fabric.strategy.precision.state_dict(),
            history=state.history,
            step=state.step,
            sums=state.sums,
            network=training.network,
            teacher={} if training.teacher is None else training.teacher.network.state_dict(),
        )

    def names(self, batch: Mapping[str, Tensor]) -> str:
        records = self.training.samples.records
        return ", ".join(records[index].name for index in batch["index"].tolist())

    def not_finite(self, values: Mapping[str, float], at: int, batch: Mapping[str, Tensor]) -> str:
        listed = ", ".join(f"{name} {value}" for name, value in values.items())
        return (
            f"{self.training.title}: the loss is not finite at step {at} (epoch "
            f"{self.state.epoch + 1}): {listed}; images: {self.names(batch)}. A lower learning "
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


def resumable(training: Training) -> Checkpoint | None:
    """The folder's last.pt, if this training would have come through it; otherwise None.

    The fingerprints must be equal, but for the number of epochs where the learning rate does not
    depend on it: a finished training may be prolonged.
    """
    path = training.folder / "last.pt"
    if not path.is_file():
        return None
    last = load_checkpoint(path)
    theirs, ours = dict(last.fingerprint), dict(training.fingerprint)
    if training.options.schedule == "step":
        theirs.pop("epochs", None)
        ours.pop("epochs", None)
    begun = last.epoch + (last.step > 0)
    return last if theirs == ours and begun <= training.options.epochs else None


class Outcome(NamedTuple):
    """Figures of a step, equal on all processes."""

    losses: dict[str, float]
    labelled: bool  # False: no cell of the batch was supervised, and no step was taken
    terminate: bool  # whether some process was asked to end
    finite: bool  # False: a loss is infinite or not a number, and no step was taken


def take_step(
    fabric: Fabric,
    model: Any,
    optimizer: Any,
    losses: Losses,
    batch: Mapping[str, Tensor],
    *,
    parts: int = 1,
    terminate: bool = False,
) -> Outcome:
    """Forward, backward and update on this process's share of a batch.

    The share is computed in `parts`, whose gradients are averaged by their sizes. `terminate` says
    whether this process was asked to end; the outcome says whether any was.
    """
    images = len(batch["index"])
    parts = min(parts, images)
    figures: list[Tensor] = []
    names: list[str] = []
    for part in range(parts):
        rows = slice(part * images // parts, (part + 1) * images // parts)
        share = {name: values[rows] for name, values in batch.items()}
        # Processes exchange their gradients once, with the last part.
        synchronised = fabric.world_size == 1 or part == parts - 1
        with fabric.no_backward_sync(model, enabled=not synchronised):
            found, supervised = losses(model, share)
            names = list(found)
            values = torch.stack(list(found.values())) * (len(share["index"]) / images)
            fabric.backward(values.sum())
        count = torch.as_tensor(supervised, device=values.device)[None]
        figures.append(torch.cat([count.to(torch.float64), values.detach().double()]))
    # One transfer from the device, and one exchange between the processes, per step.
    total = torch.stack(figures).sum(0).cpu()
    total = torch.cat([torch.tensor([float(terminate)], dtype=torch.float64), total])
    if fabric.world_size > 1:
        total = torch.as_tensor(fabric.all_reduce(total.to(fabric.device), reduce_op="mean")).cpu()
    ended, labelled, *means = total.tolist()
    finite = all(math.isfinite(value) for value in means)
    if finite and labelled:
        optimizer.step()
    optimizer.zero_grad()
    return Outcome(dict(zip(names, means, strict=True)), bool(labelled), bool(ended), finite)


class Terminated(Exception):
    """A training was ended by SIGTERM after it had written a checkpoint."""
