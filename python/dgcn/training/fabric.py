"""Lightning Fabric set-up: the only place that knows about devices, precision and processes."""

from __future__ import annotations

import logging
import os
import warnings
import zlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from lightning_fabric import Fabric, seed_everything

from dgcn.config import RuntimeConfig
from dgcn.models import Backbone


def make_fabric(runtime: RuntimeConfig, backbones: Sequence[type[Backbone]] = ()) -> Fabric:
    """Fabric of a run, launched; every later random draw depends on ``runtime.seed`` alone.

    Parameters
    ----------
    runtime : RuntimeConfig
        With ``devices > 1`` the command that is running is started once more per device (data-
        parallel, gloo on CPUs and NCCL on GPUs), unless torchrun has started all of them, on this
        machine or on several.

    backbones : sequence of subclasses of Backbone, default ()
        What is trained, for the precision "auto".

    Raises
    ------
    ValueError
        ``runtime.device`` is "cuda" and there is no CUDA device, or ``runtime.precision`` is
        "16-mixed" on a CPU, or ``runtime.devices`` is not the number of torchrun's processes.
    """
    if runtime.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("runtime.device: 'cuda' was asked for and torch finds no CUDA device")
    graphics = torch.cuda.is_available() and runtime.device != "cpu"
    if runtime.precision == "16-mixed" and not graphics:
        raise ValueError(
            "runtime.precision: '16-mixed' needs a CUDA device; 'bf16-mixed' works on a CPU"
        )
    machines = _machines(runtime.devices)
    # Fabric's remarks on seeds and on the lack of a GPU say what the settings say already.
    for name in ("lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    fabric = Fabric(
        accelerator=runtime.device,
        devices=runtime.devices // machines,
        num_nodes=machines,
        strategy="ddp" if runtime.devices > 1 else "auto",
        precision=precision_of(runtime, backbones),
    )
    fabric.launch()
    seed_everything(runtime.seed, workers=False, verbose=False)
    return fabric


def precision_of(
    runtime: RuntimeConfig, backbones: Sequence[type[Backbone]] = ()
) -> Literal["32-true", "bf16-mixed", "16-mixed"]:
    """The precision of a run: what "auto" comes to on this machine, for what is trained."""
    if runtime.precision != "auto":
        return runtime.precision
    if runtime.device != "cpu" and torch.cuda.is_available():
        # Before Ampere, bf16 is emulated.
        found = torch.cuda.get_device_capability() >= (8, 0)
    else:
        found = any(_processor_has(name) for name in ("amx_tile", "avx512_bf16"))
        found = found and all(each.gains_in_bf16 for each in backbones)
    return "bf16-mixed" if found else "32-true"


def _processor_has(instructions: str) -> bool:
    """Whether the processor has some instructions, by torch's names; False where it cannot say."""
    supported = getattr(torch.cpu, f"_is_{instructions}_supported", None)
    return supported is not None and bool(supported())


def _machines(devices: int) -> int:
    """Machines that the processes of the run are on, one unless torchrun says otherwise."""
    if not torch.distributed.is_torchelastic_launched():
        return 1
    processes, here = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if devices != processes:
        raise ValueError(
            f"runtime.devices: torchrun has started {processes} processes, one for each device of "
            f"all machines, so it must be {processes}, got {devices}"
        )
    if processes % here:
        raise ValueError(
            f"runtime.devices: every machine needs as many processes, but torchrun has started "
            f"{here} of {processes} on this one"
        )
    return processes // here


def seed_stage(seed: int, stage: str) -> None:
    """Set the state of torch's generators to a function of (seed, stage).

    Called before a network is made: its initial weights do not depend on what ran before it, and
    trainings that are compared begin with the same ones.
    """
    torch.manual_seed(zlib.crc32(f"{seed} {stage}".encode()))


def seed_step(fabric: Fabric, seed: int, epoch: int, step: int) -> None:
    """Set the state of torch's generators to a function of (seed, epoch, step, rank).

    Called before every step: it draws the same numbers (dropout) whether the run came to it
    without a break or was resumed from a checkpoint, on every process of a parallel run.
    """
    state = np.random.SeedSequence([seed, epoch, step, fabric.global_rank]).generate_state(2)
    torch.manual_seed(int(state[0]) << 31 ^ int(state[1]))


def lost_peer(error: RuntimeError) -> bool:
    """Whether an error says that another process of a parallel run has ended."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return False
    told = ("closed by peer", "reset by peer", "Broken pipe", "Timed out waiting", "onnect timeout")
    return isinstance(error, torch.distributed.DistError) or any(t in str(error) for t in told)
