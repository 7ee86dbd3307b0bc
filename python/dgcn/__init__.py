"""Weakly supervised semantic segmentation from image labels, by deep graph cuts.

From Python::

    import dgcn

    run = dgcn.train("my_images", out="runs/mine")  # as `dgcn run`
    model = dgcn.load("runs/mine")  # a checkpoint, or the run that it is in
    result = model.predict("photo.jpg")
    result.mask, result.probabilities, result.overlay()

The command line is in `dgcn.cli`. Nothing here imports torch before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dgcn.model import Model, Prediction, load
    from dgcn.runs import Picture, Run, train

__all__ = ["Model", "Picture", "Prediction", "Run", "load", "train"]

_HOMES = {
    "Model": "dgcn.model",
    "Picture": "dgcn.runs",
    "Prediction": "dgcn.model",
    "Run": "dgcn.runs",
    "load": "dgcn.model",
    "train": "dgcn.runs",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dgcn' has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
