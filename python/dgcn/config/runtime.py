"""Where and how the computation runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from dgcn.checks import require, require_at_least

LoggerName: TypeAlias = Literal["auto", "none", "csv", "tensorboard", "wandb", "mlflow"]


@dataclass(frozen=True)
class RuntimeConfig:
    """Where and how the computation runs."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Accelerator; "auto" takes a GPU where there is one."""
    devices: int = 1
    """Processes on all machines together, each with a device of its own (data-parallel training).
    """
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """Arithmetic of the networks; graph cuts, CRF and losses are always in 32 bit or more. "auto":
    bf16-mixed where the GPU computes in it, or the processor (AMX, AVX512-BF16) does and gains by
    it, which EfficientNet-Lite0 does not; else 32-true."""
    seed: int = 0
    """Seed of every random draw."""
    workers: int = 0
    """Processes that read images, per device; 0 reads in the training process."""
    checkpoint_minutes: float = 10.0
    """Minutes between two checkpoints within an epoch; one is written after every epoch, and on
    SIGTERM, in any case. 0: none within an epoch but on SIGTERM."""
    logger: LoggerName = "auto"
    """Where losses, rates and scores are written besides the console. "auto": TensorBoard where it
    is installed. CSV and TensorBoard files lie in the training's folder."""

    def __post_init__(self) -> None:
        require_at_least(self, 1, "devices")
        require(self, "seed", 0 <= self.seed < 2**32, "in [0, 2**32)")
        require_at_least(self, 0, "workers", "checkpoint_minutes")
