"""Checkpoints: written whole or not at all, read without running what is in them."""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dgcn.atomic import atomic_file

FORMAT = 1


@dataclass
class Checkpoint:
    """State of a training after some steps.

    The random state is not in it: every step starts from a seed that is a function of the run's
    seed, the epoch and the step (`dgcn.training.fabric.seed_step`).

    Attributes
    ----------
    model, optimizer : dict
        Their ``state_dict``.
    epoch : int
        Epochs done.
    fingerprint : dict
        What the training depends on, in plain types; a checkpoint is resumed only by a training
        with the same fingerprint.
    score : float or None
        The figure "best" is chosen by, larger is better.
    precision : dict
        State of the loss scaler (precision "16-mixed"), otherwise empty.
    history : list of dict
        Figures of each epoch.
    network : dict
        What the network is, with its classes and the protocol it is meant to predict by, so that
        the file can be used alone (`dgcn.pipeline.portable`).
    step : int
        Steps done of the epoch after those.
    sums : dict
        Sums of the losses over these steps.
    teacher : dict
        ``state_dict`` of the averaged network, where there is one, otherwise empty.
    """

    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    epoch: int
    fingerprint: dict[str, Any]
    score: float | None = None
    precision: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    network: dict[str, Any] = field(default_factory=dict)
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    teacher: dict[str, Tensor] = field(default_factory=dict)


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint: a crash at any moment leaves the former one or the new one."""
    with atomic_file(path) as file:
        try:
            torch.save({"format": FORMAT, **vars(checkpoint)}, file)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):  # torch.save says less than the system
                raise error.__context__ from None
            raise


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU; only tensors and plain types are admitted.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is damaged, or not a checkpoint of this program.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such checkpoint: {path}")
    try:
        _check_sums(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"damaged or foreign checkpoint {path}: it is a pickle of more than tensors and plain "
            f"types, which is not loaded"
        ) from error
    except zipfile.BadZipFile as error:
        raise ValueError(
            f"damaged or foreign checkpoint {path}: {error}; dgcn writes last.pt and best.pt"
        ) from error
    except (RuntimeError, EOFError, OSError) as error:
        reason = str(error).strip().splitlines()[:1]
        raise ValueError(f"damaged or foreign checkpoint {path}: {' '.join(reason)}") from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise ValueError(f"{path} is not a dgcn checkpoint of format {FORMAT}")
    _check_parts(path, content)
    return Checkpoint(**content)


def _check_parts(path: Path, content: dict[Any, Any]) -> None:
    """Refuse a part that is missing, unknown, or of another type."""
    types: dict[str, tuple[type, ...]] = {
        **dict.fromkeys(
            ("model", "optimizer", "fingerprint", "precision", "network", "sums", "teacher"),
            (dict,),
        ),
        **{"epoch": (int,), "step": (int,), "history": (list,), "score": (float, int, type(None))},
    }
    wrong = [f"no {part}" for part in types if part not in content]
    wrong += [f"the unknown part {part!r}" for part in content if part not in types]
    wrong += [
        f"{part} of type {type(content[part]).__name__}"
        for part, kinds in types.items()
        if part in content and not isinstance(content[part], kinds)
    ]
    if not wrong:
        wrong = [
            f"{name!r} among the names of its {part}"
            for part in ("model", "teacher")
            for name in content[part]
            if not isinstance(name, str)
        ]
    if wrong:
        raise ValueError(f"{path} is not a dgcn checkpoint of format {FORMAT}: it has {wrong[0]}")


def _check_sums(path: Path) -> None:
    """Raise for a record whose checksum is wrong: torch.load itself does not look at them."""
    with zipfile.ZipFile(path) as file:
        wrong = file.testzip()
    if wrong is not None:
        raise zipfile.BadZipFile(f"the checksum of {wrong} is wrong")


def load_network(path: Path, model: nn.Module) -> None:
    """Give a network the parameters of a checkpoint.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_checkpoint`; or the checkpoint is of another network.
    """
    try:
        model.load_state_dict(load_checkpoint(path).model)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} does not fit the network of these settings: {reason}") from error
