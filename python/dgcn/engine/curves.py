"""Losses and figures as curves for TensorBoard, where it is installed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any


class Curves:
    """Writer of ``tensorboard/`` in a training's folder; without TensorBoard it writes nothing.

    Parameters
    ----------
    folder : Path
        The training's folder.
    leads : bool
        Whether this process writes at all.
    step : int
        Steps done before: curves of a broken-off training beyond it are dropped.
    """

    def __init__(self, folder: Path, leads: bool, step: int) -> None:
        self._writer: Any = _writer(folder / "tensorboard", step) if leads else None

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """Add a point to the curve of each figure."""
        if self._writer is not None:
            for name, value in figures.items():
                self._writer.add_scalar(name, value, step)

    def __enter__(self) -> Curves:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()


def _writer(folder: Path, step: int) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step)
