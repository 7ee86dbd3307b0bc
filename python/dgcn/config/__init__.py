"""Every setting of a run, typed, documented and checked; `dgcn.options` reads and writes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dgcn.config.crf import CRFConfig
from dgcn.config.data import DataConfig
from dgcn.config.evaluate import EvaluateConfig
from dgcn.config.model import ModelConfig
from dgcn.config.optimisation import ClassifyConfig, Optimisation, RetrainConfig, TrainConfig
from dgcn.config.runtime import RuntimeConfig
from dgcn.config.supervision import SeedsConfig, SupervisionConfig

__all__ = [
    "SECTIONS",
    "CRFConfig",
    "ClassifyConfig",
    "Config",
    "DataConfig",
    "EvaluateConfig",
    "ModelConfig",
    "Optimisation",
    "RetrainConfig",
    "RuntimeConfig",
    "SeedsConfig",
    "SupervisionConfig",
    "TrainConfig",
]


@dataclass
class Config:
    """All settings of a run; `check` has passed on construction.

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
    seeds: SeedsConfig = field(default_factory=SeedsConfig)
    supervision: SupervisionConfig = field(default_factory=SupervisionConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    retrain: RetrainConfig = field(default_factory=RetrainConfig)
    crf: CRFConfig = field(default_factory=CRFConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)

    def __post_init__(self) -> None:
        for name in SECTIONS:
            getattr(self, name).check()
        for section in ("classify", "train", "retrain"):
            batch: int = getattr(self, section).batch_size
            if batch % self.runtime.devices:
                raise ValueError(
                    f"{section}.batch_size must be a multiple of runtime.devices "
                    f"({self.runtime.devices}), got {batch}"
                )


SECTIONS: dict[str, type] = {
    "data": DataConfig,
    "model": ModelConfig,
    "classify": ClassifyConfig,
    "seeds": SeedsConfig,
    "supervision": SupervisionConfig,
    "train": TrainConfig,
    "retrain": RetrainConfig,
    "crf": CRFConfig,
    "evaluate": EvaluateConfig,
    "runtime": RuntimeConfig,
}
