"""Settings of the trainings: the classifier's, the segmentation network's and its retraining."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dgcn.config.checks import require


@dataclass
class Optimisation:
    """Stochastic gradient descent with momentum and a step-wise learning rate.

    Attributes
    ----------
    epochs : int
        Passes over the training images.
    batch_size : int, default 16
        Images per step, over all devices together.
    accumulate : int, default 1
        Parts in which each device computes its share of a batch, to save memory; the gradient is
        their mean. Batch normalisation sees the parts.
    lr : float
        Learning rate of the backbone, per step.
    new_layers : float, default 10
        Factor on `lr` for the layers the backbone does not have.
    momentum : float, default 0.9
        Momentum of the gradient.
    weight_decay : float, default 5e-4
        L2 penalty on the weights.
    schedule : {"step", "poly"}, default "step"
        "step": multiply by `decay` every `decay_every` epochs. "poly": lr (1 - t / T) ** 0.9 with
        t the step and T their total.
    decay : float, default 0.3
        Factor of the step schedule.
    decay_every : int
        Epochs between two decays of the step schedule; 0 keeps the rate constant.
    warmup_steps : int, default 0
        Steps during which the rate rises linearly from 0.
    """

    epochs: int = 8
    batch_size: int = 16
    accumulate: int = 1
    lr: float = 1e-3
    new_layers: float = 10.0
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: Literal["step", "poly"] = "step"
    decay: float = 0.3
    decay_every: int = 0
    warmup_steps: int = 0

    def check_as(self, section: str) -> None:
        """Raise `ValueError` for the first field out of range, named as part of `section`."""
        for name in ("epochs", "batch_size", "accumulate"):
            require(section, self, name, getattr(self, name) >= 1, ">= 1")
        for name in ("lr", "new_layers"):
            require(section, self, name, 0 < getattr(self, name) < float("inf"), "> 0 and finite")
        require(section, self, "momentum", 0 <= self.momentum < 1, "in [0, 1)")
        require(section, self, "weight_decay", 0 <= self.weight_decay < 1, "in [0, 1)")
        require(section, self, "decay", 0 < self.decay <= 1, "in (0, 1]")
        for name in ("decay_every", "warmup_steps"):
            require(section, self, name, getattr(self, name) >= 0, ">= 0")


@dataclass
class ClassifyConfig(Optimisation):
    """Training of the classifier whose activation maps give the cues."""

    def check(self) -> None:
        """Raise `ValueError` for the first field out of range."""
        self.check_as("classify")


@dataclass
class TrainConfig(Optimisation):
    """Training of the segmentation network.

    Attributes
    ----------
    init : {"classifier", "weights"}, default "weights"
        Start of the backbone: the trained classifier's, or `model.weights`.
    boundary_weight : float, default 1
        Weight of the boundary loss beside the seeding loss; 0 leaves it (and the CRF) out.
    dropout : float, default 0.5
        Probability of dropping an activation before the last convolution.
    validate_every : int, default 1
        Epochs between two evaluations (one scale, no CRF) on the validation images; 0: never.
    supervision_every : int, default 0
        Epochs between two measurements of the supervision against the training masks, per class in
        supervision/epoch_N.json; 0: only after the last epoch.
    """

    epochs: int = 7
    lr: float = 5e-4
    decay_every: int = 3
    init: Literal["classifier", "weights"] = "weights"
    boundary_weight: float = 1.0
    dropout: float = 0.5
    validate_every: int = 1
    supervision_every: int = 0

    def check(self) -> None:
        """Raise `ValueError` for the first field out of range."""
        self.check_as("train")
        valid = 0 <= self.boundary_weight < float("inf")
        require("train", self, "boundary_weight", valid, ">= 0 and finite")
        require("train", self, "dropout", 0 <= self.dropout < 1, "in [0, 1)")
        for name in ("validate_every", "supervision_every"):
            require("train", self, name, getattr(self, name) >= 0, ">= 0")


@dataclass
class RetrainConfig(Optimisation):
    """The network trained once more, fully supervised by its own masks of the training images.

    Attributes
    ----------
    enabled : bool, default False
        Whether `dgcn run` retrains; `dgcn retrain` does in any case.
    init : {"weights", "classifier", "trained"}, default "weights"
        Start of the backbone: `model.weights`, the classifier's, or the whole trained network.
    loss : {"cross_entropy", "balanced"}, default "cross_entropy"
        "cross_entropy": mean over the positions of the batch. "balanced": as in training, each
        image's mean over its objects plus its mean over the background, so that small and rare
        objects are not lost in few epochs.
    restrict : bool, default True
        Whether an image's mask is made of the classes alone that it is labelled with.
    dropout : float, default 0.5
        Probability of dropping an activation before the last convolution.
    validate_every : int, default 1
        Epochs between two evaluations (one scale, no CRF) on the validation images; 0: never.
    """

    batch_size: int = 10
    schedule: Literal["step", "poly"] = "poly"
    enabled: bool = False
    init: Literal["weights", "classifier", "trained"] = "weights"
    loss: Literal["cross_entropy", "balanced"] = "cross_entropy"
    restrict: bool = True
    dropout: float = 0.5
    validate_every: int = 1

    def check(self) -> None:
        """Raise `ValueError` for the first field out of range."""
        self.check_as("retrain")
        require("retrain", self, "dropout", 0 <= self.dropout < 1, "in [0, 1)")
        require("retrain", self, "validate_every", self.validate_every >= 0, ">= 0")
