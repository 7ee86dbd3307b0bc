"""Settings of the trainings: the classifier's, the segmentation network's and its retraining."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dgcn.checks import require, require_at_least, require_file, require_positive
from dgcn.models import find_backbone
from dgcn.supervision import GraphCut


@dataclass(frozen=True)
class Optimisation:
    """The optimiser, and the schedule of its learning rate."""

    epochs: int = 8
    """Passes over the training images."""
    batch_size: int = 16
    """Images per step, over all devices together."""
    accumulate: int = 1
    """Parts in which each device computes its share of a batch, to save memory; the gradient is
    their mean. Batch normalisation sees the parts."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """"sgd": stochastic gradient descent with momentum. "adamw": Adam with decoupled weight decay;
    it wants a lower lr, e.g. 1e-4, and a higher weight_decay, e.g. 1e-2."""
    lr: float = 1e-3
    """Learning rate of the backbone, per step."""
    head_lr_factor: float = 10.0
    """Factor on lr for the layers that the backbone does not have."""
    momentum: float = 0.9
    """Momentum of the gradient; of AdamW the decay rate of its mean."""
    weight_decay: float = 5e-4
    """L2 penalty on the weights; of AdamW the share, times lr, that they lose in a step."""
    schedule: Literal["step", "poly"] = "step"
    """"step": multiply lr by gamma every step_size epochs. "poly": lr (1 - t / T) ** 0.9 with t the
    step and T their total."""
    gamma: float = 0.3
    """Factor of the step schedule."""
    step_size: int = 0
    """Epochs between two decays of the step schedule; 0 keeps the rate constant."""
    warmup_steps: int = 0
    """Steps during which the rate rises linearly from 0."""

    def __post_init__(self) -> None:
        require_at_least(self, 1, "epochs", "batch_size", "accumulate")
        require_positive(self, "lr", "head_lr_factor")
        require(self, "momentum", 0 <= self.momentum < 1, "in [0, 1)")
        require(self, "weight_decay", 0 <= self.weight_decay < 1, "in [0, 1)")
        require(self, "gamma", 0 < self.gamma <= 1, "in (0, 1]")
        require_at_least(self, 0, "step_size", "warmup_steps")


@dataclass(frozen=True)
class ClassifyConfig(Optimisation):
    """Training of the classifier whose activation maps give the cues."""

    backbone: str | None = None
    """Backbone of the classifier, as model.backbone. None: model.backbone with model.weights. The
    paper takes vgg16 for the classifier and another for the segmentation network."""
    weights: Path | None = None
    """.safetensors or .pth file of weights for classify.backbone. None: random initialisation."""
    frozen: bool = False
    """Whether the backbone stays as its weights are, and the last layer alone is trained. Features
    of an image are computed once, and an epoch takes seconds: give it more of them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.backbone is not None:
            find_backbone(self.backbone)
        alone = self.weights is not None and self.backbone is None
        require(self, "weights", not alone, "None without classify.backbone")
        require_file(self, "weights")


@dataclass(frozen=True)
class SegmenterOptimisation(Optimisation):
    """What the two trainings of a segmentation network share."""

    dropout: float = 0.5
    """Probability of dropping an activation before the last convolution."""
    validate_every: int = 1
    """Epochs between two evaluations (one scale, no CRF) on the validation images; 0: never."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "dropout", 0 <= self.dropout < 1, "in [0, 1)")
        require_at_least(self, 0, "validate_every")


@dataclass(frozen=True)
class TrainConfig(SegmenterOptimisation):
    """Training of the segmentation network."""

    epochs: int = 7
    lr: float = 5e-4
    step_size: int = 3
    init: Literal["classifier", "classifier_and_head", "weights"] = "weights"
    """Start of the backbone: the trained classifier's, or model.weights. "classifier_and_head": the
    head, too, starts with the classifier's last layer, so that the first scores are its activation
    maps; for the head "conv" on a backbone with normalisation layers."""
    probabilities: Literal["training_pass", "clean_pass", "teacher"] = "training_pass"
    """Whose probabilities the supervision goes by: "training_pass", as in the paper, with dropout;
    "clean_pass", the network without dropout and with the running statistics of its head;
    "teacher", an average of the network over the steps, for another forward pass a step."""
    teacher_decay: float = 0.99
    """Share of the teacher that a step keeps; the rest comes from the network."""
    boundary_weight: float = 1.0
    """Weight of the boundary loss beside the seeding loss; 0 leaves it (and the CRF) out."""
    supervision_every: int = 0
    """Epochs between two measurements of the supervision against the training masks, per class in
    supervision/epoch_N.json; 0: only after the last epoch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(self, 0, "boundary_weight", "supervision_every")
        require(self, "teacher_decay", 0 <= self.teacher_decay < 1, "in [0, 1)")

    @property
    def from_classifier(self) -> bool:
        """Whether the training starts from the trained classifier."""
        return self.init != "weights"


@dataclass(frozen=True)
class RetrainConfig(SegmenterOptimisation):
    """The network trained once more, fully supervised by its own masks of the training images."""

    batch_size: int = 10
    schedule: Literal["step", "poly"] = "poly"
    enabled: bool = False
    """Whether "dgcn run" retrains; "dgcn retrain" does in any case."""
    init: Literal["weights", "classifier", "trained"] = "weights"
    """Start of the backbone: model.weights, the classifier's, or the whole trained network."""
    loss: Literal["cross_entropy", "balanced"] = "cross_entropy"
    """"cross_entropy": mean over the cells of the batch. "balanced": as in training, each image's
    mean over its objects plus its mean over the background, so that small and rare objects are not
    lost in few epochs."""
    image_labels_only: bool = True
    """Whether an image's mask is made of the classes alone that it is labelled with."""
    masks: Literal["argmax", "graph_cut"] = "argmax"
    """"argmax": masks as the network predicts, at image size. "graph_cut": one more cut on the grid
    by the trained network, its features and the cues, with the parameters below."""
    cut: GraphCut = field(
        default_factory=lambda: GraphCut(
            theta=0.0,
            cue_capacity=5.0,
            edge_sum=3.0,
            image_labels_only=True,
            unary="crf",
            cut_background=True,
        )
    )
    """Parameters of the cut: at the end it decides, so that nothing stays open (theta 0)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        cut = self.cut
        planned = cut.cues_only_epochs or cut.theta_schedule or cut.cue_capacity_schedule
        require(self, "cut", not planned, "without schedules: it is made once")
