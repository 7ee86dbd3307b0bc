"""Read weights from a file, all of them or none."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

__all__ = ["WeightsError", "load_weights", "misfits", "read_weights"]

_LISTED = 8
_COUNTER = ".num_batches_tracked"


class WeightsError(ValueError):
    """A file of weights that is damaged or does not fit the network."""


def load_weights(
    module: nn.Module, path: str | os.PathLike[str], *, ignore: Sequence[str] = ()
) -> None:
    """Fill a module's parameters and buffers from a file.

    Every name of the module must be in the file and the other way round; nothing is copied unless
    everything fits. Values are converted to the module's types (float16 files are common). Only
    the counters ``num_batches_tracked`` may be missing, which files from before torch 0.4.1 do not
    have; they stay as they are.

    Parameters
    ----------
    module : nn.Module
        Changed in place.
    path : path
        ``.safetensors``, or ``.pth`` / ``.pt`` holding a dict of tensors, by itself or under the
        key "state_dict"; read without executing anything from the file.
    ignore : sequence of str, default ()
        Prefixes of names in the file that the module is known not to have, e.g. "classifier.".

    Raises
    ------
    FileNotFoundError
        No such file.
    WeightsError
        The file is damaged, of another type, lacks a name, has a name too many, a tensor of
        another shape, or a value that is not finite. The message names the file and lists the
        names.
    """
    found = read_weights(path)
    wanted = module.state_dict()
    problems = misfits(
        {name: tuple(tensor.shape) for name, tensor in wanted.items()},
        {name: tuple(tensor.shape) for name, tensor in found.items()},
        ignore,
    )
    if not problems and (
        invalid := [name for name in wanted if name in found and not _finite(found[name])]
    ):
        problems.append(f"not finite {_listed(invalid)}")
    if problems:
        raise WeightsError(f"{path} does not fit {type(module).__name__}: {'; '.join(problems)}")
    with torch.no_grad():
        for name, tensor in wanted.items():
            if name in found:
                tensor.copy_(found[name])


def read_weights(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a file by name.

    Raises
    ------
    FileNotFoundError
        No such file.
    WeightsError
        The file is damaged or of another type.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such file of weights: {path}")
    return _read(path)


def misfits(
    wanted: Mapping[str, tuple[int, ...]],
    found: Mapping[str, tuple[int, ...]],
    ignore: Sequence[str] = (),
) -> list[str]:
    """Why tensors do not fit a network; empty where they do.

    Parameters
    ----------
    wanted, found : mapping from str to tuple of int
        Names and shapes that the network has, and that a file has.
    ignore : sequence of str, default ()
        Prefixes of names that the file may have besides.
    """
    problems = []
    missing = [name for name in wanted if name not in found and not name.endswith(_COUNTER)]
    if missing:
        problems.append(f"missing {_listed(missing)}")
    unexpected = [
        name
        for name in found
        if name not in wanted and not any(name.startswith(prefix) for prefix in ignore)
    ]
    if unexpected:
        problems.append(f"unexpected {_listed(unexpected)}")
    wrong = [
        f"{name} {found[name]} instead of {shape}"
        for name, shape in wanted.items()
        if name in found and found[name] != shape
    ]
    if wrong:
        problems.append(f"wrong shape {_listed(wrong)}")
    return problems


def _read(path: Path) -> dict[str, Tensor]:
    suffix = path.suffix.lower()
    try:
        if suffix == ".safetensors":
            return load_file(path)
        if suffix in (".pth", ".pt"):
            return _tensors(path, torch.load(path, map_location="cpu", weights_only=True))
    except WeightsError:
        raise
    except pickle.UnpicklingError as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"{path} holds more than weights, or is damaged: {reason}") from error
    except Exception as error:  # damaged bytes lead torch's unpickler to any error
        reason = str(error) or type(error).__name__
        raise WeightsError(f"{path} cannot be read as weights: {reason}") from error
    raise WeightsError(f"{path}: weights must be a .safetensors, .pth or .pt file")


def _tensors(path: Path, content: Any) -> dict[str, Tensor]:
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} holds a {type(content).__name__} instead of a dict of tensors")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsError(f"{path}: {name!r} is a {type(value).__name__}, not a named tensor")
        if value.layout != torch.strided or value.is_quantized or value.is_nested:
            raise WeightsError(f"{path}: {name!r} is not a dense tensor of plain numbers")
    return dict(content)


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"({len(names)}): {', '.join(names[:_LISTED])}{more}"
