"""Every setting of a run, typed, documented and checked; `dgcn.options` reads and writes them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from dgcn.config.cues import CuesConfig
from dgcn.config.data import DataConfig
from dgcn.config.evaluate import EvaluateConfig
from dgcn.config.model import ModelConfig
from dgcn.config.optimisation import (
    ClassifyConfig,
    Optimisation,
    RetrainConfig,
    SegmenterOptimisation,
    TrainConfig,
)
from dgcn.config.runtime import RuntimeConfig
from dgcn.config.supervision import SupervisionConfig, SupervisionSection
from dgcn.crf import CRF
from dgcn.models import find_backbone

__all__ = [
    "CRF",
    "SECTIONS",
    "ClassifyConfig",
    "Config",
    "CuesConfig",
    "DataConfig",
    "EvaluateConfig",
    "ModelConfig",
    "Optimisation",
    "RetrainConfig",
    "RuntimeConfig",
    "SegmenterOptimisation",
    "SupervisionConfig",
    "SupervisionSection",
    "TrainConfig",
]


@dataclass(frozen=True)
class Config:
    """All settings of a run; every section is checked when it is made.

    Raises
    ------
    ValueError
        A field is out of range; the message names it and its value.
    FileNotFoundError
        A folder or file that is to be read does not exist.
    """

    out: Path = Path("runs/dgcn")
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    classify: ClassifyConfig = field(default_factory=ClassifyConfig)
    cues: CuesConfig = field(default_factory=CuesConfig)
    supervision: SupervisionSection = field(default_factory=SupervisionConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    retrain: RetrainConfig = field(default_factory=RetrainConfig)
    crf: CRF = field(default_factory=CRF)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)

    def __post_init__(self) -> None:
        for section in ("classify", "train", "retrain"):
            batch: int = getattr(self, section).batch_size
            if batch % self.runtime.devices:
                raise ValueError(
                    f"{section}.batch_size must be a multiple of runtime.devices "
                    f"({self.runtime.devices}), got {batch}"
                )
        if self.classify.frozen and self.classifier_model.weights is None:
            where = "model.weights" if self.classify.backbone is None else "classify.weights"
            raise ValueError(
                f"classify.frozen must be false for a backbone that starts at random: {where} is "
                f"not given"
            )
        self._check_head()
        own = self.classify.backbone
        if own is None or own == self.model.backbone:
            return
        for section in ("train", "retrain"):
            init: str = getattr(self, section).init
            if init.startswith("classifier"):
                raise ValueError(
                    f"{section}.init must not be {init!r} where classify.backbone ({own}) is "
                    f"not model.backbone ({self.model.backbone})"
                )

    def _check_head(self) -> None:
        backbone = find_backbone(self.model.backbone)
        fits = backbone.normalised and (self.model.head or backbone.head) == "conv"
        if self.train.init == "classifier_and_head" and not fits:
            raise ValueError(
                f"train.init must not be 'classifier_and_head' on {self.model.backbone}: it needs "
                f"the head 'conv' on a backbone with normalisation layers"
            )

    @property
    def trained(self) -> list[str]:
        """Names of the backbones that are trained: the classifier's may be frozen."""
        frozen = self.classify.frozen
        return [self.model.backbone, *([] if frozen else [self.classifier_model.backbone])]

    @property
    def classifier_model(self) -> ModelConfig:
        """The classifier's backbone, weights and batch normalisation; its maps are of stride 8."""
        own, model = self.classify, replace(self.model, output_stride=8)
        if own.backbone is None:
            return model
        return replace(model, backbone=own.backbone, weights=own.weights, head="conv", taps=None)


SECTIONS: dict[str, type] = {
    each.name: each.default_factory  # type: ignore[misc]
    for each in fields(Config)
    if each.name != "out"
}
"""Sections by name, in the order of the files."""
