"""Where and how the computation runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dgcn.config.checks import require


@dataclass
class RuntimeConfig:
    """Where and how the computation runs.

    Attributes
    ----------
    device : {"auto", "cpu", "cuda"}, default "auto"
        Accelerator; "auto" takes a GPU where there is one.
    devices : int, default 1
        Processes on all machines together, each with a device of its own (data-parallel training).
    precision : {"32-true", "bf16-mixed", "16-mixed"}, default "32-true"
        Arithmetic of the networks; graph cuts, CRF and losses are always in 32 bit or more.
    seed : int, default 0
        Seed of every random draw.
    workers : int, default 0
        Processes that read images, per device; 0 reads in the training process.
    checkpoint_minutes : float, default 10
        Minutes between two checkpoints within an epoch; one is written after every epoch, and on
        SIGTERM, in any case. 0: none within an epoch but on SIGTERM.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = 1
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    seed: int = 0
    workers: int = 0
    checkpoint_minutes: float = 10.0

    def check(self) -> None:
        """Raise `ValueError` for the first field out of range."""
        require("runtime", self, "devices", self.devices >= 1, ">= 1")
        require("runtime", self, "seed", 0 <= self.seed < 2**32, "in [0, 2**32)")
        require("runtime", self, "workers", self.workers >= 0, ">= 0")
        valid = 0 <= self.checkpoint_minutes < float("inf")
        require("runtime", self, "checkpoint_minutes", valid, ">= 0 and finite")
