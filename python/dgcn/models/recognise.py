"""Which backbone a file of weights is of."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from dgcn.models.weights import misfits, read_weights

if TYPE_CHECKING:
    from dgcn.models.backbone import Backbone

__all__ = ["recognise"]


def recognise(path: str | os.PathLike[str], backbones: Mapping[str, type[Backbone]]) -> str | None:
    """The backbone whose parameters have the names and shapes of those in a file.

    Parameters
    ----------
    path : path
        As `load_weights` takes it; the layers to the 1000 classes may be in it or not.
    backbones : mapping
        Candidates by name.

    Returns
    -------
    str or None
        The first that fits; None: none does.

    Raises
    ------
    FileNotFoundError, WeightsError
        The file cannot be read, as `load_weights`.
    """
    found = {name: tuple(tensor.shape) for name, tensor in read_weights(path).items()}
    for name, kind in backbones.items():
        with torch.device("meta"):
            wanted = kind().published.state_dict()
        shapes = {key: tuple(tensor.shape) for key, tensor in wanted.items()}
        if not misfits(shapes, found, kind.left_out):
            return name
    return None
