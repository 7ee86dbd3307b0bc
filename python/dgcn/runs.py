"""A run in Python: train it, open it again, look at what is in it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import rich.console
from numpy.typing import NDArray
from PIL import Image

from dgcn.config import Config
from dgcn.data.dataset import Record
from dgcn.data.images import read_image
from dgcn.data.masks import read_mask
from dgcn.model import Model, load
from dgcn.options import config_with, load_config
from dgcn.pipeline import run as pipeline_run
from dgcn.pipeline.chain import run_pipeline
from dgcn.pipeline.report import GONE, opened, report, run_folder
from dgcn.report import drawn_over, overlay
from dgcn.training.console import Console

__all__ = ["Picture", "Run", "train"]


@dataclass(frozen=True)
class Picture:
    """An image that a run has predicted.

    Attributes
    ----------
    name : str
        Its name in the data set.
    path : Path
        The image.
    labels : tuple of str
        What the data set says is in it.
    mask_path : Path
        The predicted mask.
    record : Record
        The image in the data set.
    classes : tuple of str
        Names by id, ``background`` first.
    """

    name: str
    path: Path
    labels: tuple[str, ...]
    mask_path: Path
    record: Record
    classes: tuple[str, ...]

    @property
    def image(self) -> NDArray[np.uint8]:
        """Pixels (H, W, 3), uint8."""
        return read_image(self.path)

    @property
    def mask(self) -> NDArray[np.uint8]:
        """Predicted class ids (H, W), uint8."""
        return read_mask(self.mask_path)

    @property
    def truth(self) -> NDArray[np.uint8] | None:
        """True class ids (H, W), uint8, 255 void; None where there is no mask."""
        return None if self.record.mask is None else self.record.truth()

    def overlay(self, *, legend: bool = True) -> Image.Image:
        """The predicted mask laid over the image, as `Prediction.overlay`."""
        draw = drawn_over if legend else overlay
        return Image.fromarray(draw(self.image, self.mask, self.classes))


@dataclass(frozen=True)
class Run:
    """A run folder, for reading; made by `Run.open` and `train`.

    Attributes
    ----------
    folder : Path
        What ``dgcn run`` was given as ``--out``.
    settings : Config
        What it was made with: ``run.settings.train.epochs``. Files of weights, cues and saliency
        are left out, for they may be gone, and with them ``classify.frozen``.
    """

    folder: Path
    settings: Config = field(repr=False)

    @classmethod
    def open(
        cls, folder: str | os.PathLike[str], *, root: str | os.PathLike[str] | None = None
    ) -> Run:
        """Open a run folder; nothing is locked, written or computed.

        Parameters
        ----------
        folder : path
            What ``dgcn run`` was given as ``--out``, or the folder of a training in it.
        root : path or None, default None
            The data set, where it has been moved since.

        Raises
        ------
        FileNotFoundError
            There is no run in the folder.
        ValueError
            Its settings are damaged.
        """
        found = run_folder(Path(folder))
        overrides = [*GONE, "--out", str(found)]
        if root is not None:
            overrides += ["--data.root", str(root)]
        return cls(found, load_config(found / "config.yaml", *overrides))

    @property
    def trainings(self) -> tuple[str, ...]:
        """Trained networks by their folders: ``graph_cut``, ``graph_cut/retrained``, ..."""
        found = [path.parent for path in self.folder.glob("*/last.pt")]
        found += [path.parent for path in self.folder.glob("*/retrained/last.pt")]
        names = sorted(path.relative_to(self.folder).as_posix() for path in found)
        return tuple(name for name in names if name != "classifier")

    @property
    def scores(self) -> dict[str, dict[str, Any]]:
        """Scores by training and split: ``run.scores["graph_cut"]["val"]["miou"]``.

        In [0, 1]; ``classes`` has them for each class, ``protocol`` how they were measured.
        Trainings without true masks have none.
        """
        scores = {}
        for name in self.trainings:
            path = self.folder / name / "metrics.json"
            if path.is_file():
                scores[name] = json.loads(path.read_text(encoding="utf-8"))
        return scores

    @property
    def classes(self) -> tuple[str, ...]:
        """Names by id, ``background`` first."""
        return self._opened.dataset.classes

    @cached_property
    def _opened(self) -> pipeline_run.Run:
        return opened(self.folder, self.settings.data.root)

    def pictures(self, training: str | None = None) -> list[Picture]:
        """The images of the evaluated split whose masks the run has predicted.

        Parameters
        ----------
        training : str or None, default None
            One of `trainings`. None: the one of the settings.

        Raises
        ------
        ValueError
            There is no such training.
        FileNotFoundError
            The data set has been moved: ``Run.open(folder, root=...)``.
        """
        split, classes = self._opened.evaluated_split(), self.classes
        masks = self._folder_of(training) / "predictions" / split
        return [
            Picture(
                name=record.name,
                path=record.image,
                labels=tuple(classes[label] for label in record.labels),
                mask_path=masks / f"{record.name}.png",
                record=record,
                classes=classes,
            )
            for record in self._opened.records(split)
            if (masks / f"{record.name}.png").is_file()
        ]

    def contact_sheet(self, training: str | None = None) -> Image.Image:
        """The sheet of every stage of a few images.

        Raises
        ------
        ValueError
            There is no such training.
        FileNotFoundError
            It has no sheet.
        """
        return Image.fromarray(read_image(self._folder_of(training) / "contact_sheet.png"))

    def model(self, training: str | None = None, **options: Any) -> Model:
        """The trained network.

        Parameters
        ----------
        training : str or None, default None
            One of `trainings`. None: the one of the settings.
        **options
            As `load`.

        Raises
        ------
        ValueError, FileNotFoundError
            There is no such training; or as `load`.
        """
        name = f"{self.settings.evaluate.checkpoint}.pt"
        backbone = self.settings.model.backbone
        return load(self._folder_of(training) / name, **{"backbone": backbone, **options})

    def report(self) -> Path:
        """Write the page of ``dgcn report`` into the folder.

        Returns
        -------
        Path
            ``report.html``.
        """
        return report(self.folder, root=self.settings.data.root).path

    def _folder_of(self, training: str | None) -> Path:
        if training is None:
            training = self.settings.supervision.folder
            if self.settings.evaluate.network == "retrained":
                training += "/retrained"
        if training not in self.trainings:
            known = ", ".join(self.trainings) or "none yet"
            raise ValueError(f"training must be one of {known} in {self.folder}, got {training!r}")
        return self.folder / training


def train(
    root: str | os.PathLike[str] | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    config: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> Run:
    """Run the whole chain on a data set, as ``dgcn run``: finished stages are kept.

    Parameters
    ----------
    root : path or None, default None
        Folder of the data set. None: the one of `config`, or a synthetic set.
    out : path or None, default None
        Run folder. None: the one of `config`, or ``runs/dgcn``.
    config : path or None, default None
        YAML file of settings that the others stand on. None: ``config.yaml`` in `root`, as
        ``dgcn init`` writes it, where there is one.
    overwrite : bool, default False
        Whether stages that were made with other settings may be replaced.
    quiet : bool, default False
        Print nothing.
    **settings
        Nested (``train={"epochs": 8}``) or by dotted name (``**{"train.epochs": 8}``).

    Returns
    -------
    Run
        With its scores, pictures and network.

    Raises
    ------
    OptionError
        There is no such setting, or its value is of another type.
    ValueError, FileNotFoundError
        A setting is out of range, a file of the data set is damaged or missing, or another process
        works in the folder.
    FloatingPointError
        The training diverged.
    """
    base = None if config is None else Path(config)
    if base is not None and not base.is_file():
        raise FileNotFoundError(f"config: no such file: {base}")
    if base is None and root is not None and (Path(root) / "config.yaml").is_file():
        base = Path(root) / "config.yaml"
    given = {"data.root": root, "out": out}
    places = {key: Path(value) for key, value in given.items() if value is not None}
    made = config_with({**settings, **places}, base)
    console = Console(rich_console=rich.console.Console(quiet=True)) if quiet else None
    with pipeline_run.open_run(made, console=console, overwrite=overwrite) as run:
        run_pipeline(run)
    return Run.open(made.out, root=root)
