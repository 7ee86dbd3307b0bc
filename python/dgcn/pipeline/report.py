"""The report of a run: what its folder holds, gathered into one page."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from dgcn.atomic import write_text
from dgcn.config import Config
from dgcn.options import load_config
from dgcn.pipeline.baselines import BASELINES
from dgcn.pipeline.cues import read_remarks
from dgcn.pipeline.page_images import page_images
from dgcn.pipeline.panels import Training, open_training
from dgcn.pipeline.run import Run, open_run
from dgcn.pipeline.segmenter import recorded_supervision
from dgcn.pipeline.stage import read_record
from dgcn.report.curves import Point, line_chart
from dgcn.report.page import Page, Scores, render_page
from dgcn.text import counted
from dgcn.training.checkpoint import load_checkpoint
from graphcut_ext import __version__

PAGE = "report.html"

GONE = (
    "--model.weights=null",
    "--classify.weights=null",
    "--classify.frozen=false",
    "--data.saliency=null",
    "--cues.path=null",
    "--cues.drawn=null",
    "--cues.saliency=border_geodesic",
)
"""Settings without the files that a run was made with: to look at it they need not be there."""

# Figure of the history: title of its chart, whether it is a share.
_CHARTS = {
    "seeding": ("Seeding loss", False),
    "boundary": ("Boundary loss", False),
    "cross_entropy": ("Retraining: cross-entropy", False),
    "balanced": ("Retraining: balanced loss", False),
    "score": ("Mean IoU on val (one scale, no CRF), percent", True),
    "supervision_miou": ("Mean IoU of the supervision, training images, percent", True),
    "supervision_coverage": ("Share of cells supervised, percent", True),
}


@dataclass(frozen=True)
class Report:
    """What `report` has written.

    Attributes
    ----------
    path : Path
        The page.
    images : int
    notes : tuple of str
        What is missing from it, and why.
    """

    path: Path
    images: int
    notes: tuple[str, ...]


def report(
    folder: Path,
    *,
    page: Path | None = None,
    images: int = 500,
    root: Path | None = None,
    against: Path | None = None,
) -> Report:
    """Write the report of a run as one HTML page.

    Parameters
    ----------
    folder : Path
        Run folder (or the folder of one training in it). An unfinished run is reported as far as
        it has come.
    page : Path or None, default None
        File to write; None: report.html in the run folder.
    images : int, default 500
        At most this many images, evenly spread over the evaluated ones; not negative.
    root : Path or None, default None
        The data set, where it has been moved since.
    against : Path or None, default None
        Run folder of the same data set, to stand beside this one: scores, curves, predictions.

    Raises
    ------
    FileNotFoundError
        There is no run in the folder, or its data set is not where it was.
    ValueError
        ``images`` is negative, the data set is damaged, or the other run has other classes.
    """
    if images < 0:
        raise ValueError(f"images must be 0 or more, got {images}")
    folder = run_folder(folder)
    run = opened(folder, root)
    trainings = _trainings(run)
    if against is not None:
        trainings = _beside(run, folder, trainings, run_folder(against))
    notes = [] if trainings else ["No segmentation network is trained in this run yet."]
    notes += [
        f"The training on {each.title} is not finished ({each.run.trained_folder})."
        for each in trainings
        if not read_record(each.run.trained_folder)[0]
    ]
    notes += [f"Cues: {what}. To do: {fix}." for what, fix in read_remarks(run.cues_folder)]
    shown = page_images(run, trainings, images)
    notes += shown.notes
    dataset = run.dataset
    made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    content = Page(
        title=f"dgcn report: {folder.resolve().name}",
        subtitle=(
            f"{counted(len(dataset.classes) - 1)} and background; "
            f"{len(dataset.split('train'))} training and {len(dataset.split('val'))} validation "
            f"images in {dataset.root}"
        ),
        classes=dataset.classes,
        scores=_scores(trainings),
        labellings=_labellings(run, trainings),
        baselines=BASELINES,
        agreement=shown.agreement,
        together=_together(run),
        confusions=_confusions(trainings),
        charts=_charts(run, trainings),
        images=shown.images,
        notes=notes,
        settings=_settings(folder, trainings),
        footer=f"Written by dgcn {__version__} on {made}.",
    )
    path = page or folder / PAGE
    write_text(path, render_page(content))
    return Report(path, len(shown.images), tuple(notes))


def _beside(run: Run, folder: Path, trainings: list[Training], other: Path) -> list[Training]:
    """The trainings of two runs, named after their folders."""
    theirs = opened(other, run.dataset.root)
    if theirs.dataset.classes != run.dataset.classes:
        raise ValueError(
            f"{other}: its classes are {', '.join(theirs.dataset.classes)}, those of {folder} are "
            f"{', '.join(run.dataset.classes)}"
        )
    first, second = folder.resolve(), other.resolve()
    if first == second:
        raise ValueError(f"{other} is the run itself: name another one")
    names = (first.name, second.name)
    if names[0] == names[1]:
        names = (str(first), str(second))
    own = [replace(each, title=f"{names[0]}: {each.title}") for each in trainings]
    return own + [
        replace(each, title=f"{names[1]}: {each.title}", supervised=False)
        for each in _trainings(theirs)
    ]


def _together(run: Run) -> NDArray[np.int64]:
    """Training images by pairs of their labels, shape (L, L); 0 stands for those without any."""
    counts = np.zeros((run.classes, run.classes), dtype=np.int64)
    for record in run.dataset.split("train"):
        labels = np.array(record.labels or (0,))
        counts[np.ix_(labels, labels)] += 1
    return counts


def _confusions(trainings: list[Training]) -> dict[str, NDArray[np.int64]]:
    """Pixels by true class (row) and predicted class, by training and split."""
    found = {}
    for title, folder in _networks(trainings).items():
        for path in sorted(folder.glob("confusion_*.csv")):
            rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
            split = path.stem.removeprefix("confusion_")
            found[f"{title}, {split}"] = np.array([row[1:] for row in rows[1:]], dtype=np.int64)
    return found


def run_folder(folder: Path) -> Path:
    """The run folder that `folder` is, or that the training in `folder` belongs to.

    Raises
    ------
    FileNotFoundError
        It is neither.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no such run folder: {folder}")
    parent = folder.resolve().parent
    if (folder / "last.pt").is_file() and (parent / "config.yaml").is_file():
        return parent
    if (folder / "versions.yaml").is_file():
        return folder
    if not (folder / "config.yaml").is_file():
        raise FileNotFoundError(
            f"{folder} is not a run folder: it has no config.yaml (the folder meant is the one "
            f"given to 'dgcn run' as --out)"
        )
    meant = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    raise FileNotFoundError(
        f"{folder} is not a run folder: its config.yaml has not been run there; with it "
        f"'dgcn run' writes to {Config.out if not meant else meant.get('out', Config.out)}"
    )


def opened(folder: Path, root: Path | None = None) -> Run:
    """The run of a folder, for reading: what it was made with need not be there any more."""
    overrides = ["--out", str(folder), *GONE]
    if root is not None:
        overrides += ["--data.root", str(root)]
    try:
        return open_run(load_config(folder / "config.yaml", *overrides), reads_only=True)
    except FileNotFoundError as error:
        if root is not None:
            raise
        raise FileNotFoundError(f"{error}; --data.root DIR says where the images are now") from None


def _trainings(run: Run) -> list[Training]:
    """Trainings in the run's folder, each opened with its own settings."""
    found = []
    for path in sorted(run.config.out.glob("*/last.pt")):
        settings = path.with_name("config.yaml")
        if not settings.is_file():  # the classifier's folder
            continue
        own = load_config(settings, *GONE, "--data.root=.")
        config = replace(
            own,
            out=run.config.out,
            data=replace(own.data, root=run.config.data.root),
            evaluate=replace(own.evaluate, network="trained"),
        )
        trained = replace(run, config=config)
        if trained.trained_folder.resolve() == path.parent.resolve():
            kept = recorded_supervision(trained.trained_folder)
            found.append(open_training(_title(config.supervision.folder), trained, kept))
    return found


def _title(folder: str) -> str:
    return {"static": "static cues"}.get(folder, folder.replace("_", " "))


def _networks(trainings: list[Training]) -> dict[str, Path]:
    """Folders of the trained networks and of those retrained on their masks, by title."""
    folders = {}
    for each in trainings:
        folders[each.title] = each.run.trained_folder
        if each.run.retrained_folder.is_dir():
            folders[f"{each.title}, retrained"] = each.run.retrained_folder
    return folders


def _scores(trainings: list[Training]) -> list[Scores]:
    return [
        Scores(title, split, values)
        for title, folder in _networks(trainings).items()
        for split, values in (_read(folder / "metrics.json") or {}).items()
    ]


def _labellings(run: Run, trainings: list[Training]) -> dict[str, dict[str, Any]]:
    files = {"cues": run.cues_folder / "quality.json"}
    for each in trainings:
        if each.run.config.supervision.method.rebuilt:
            files[f"{each.title} supervision"] = each.run.trained_folder / "supervision.json"
        files[f"{each.title} masks to retrain on"] = each.run.retrained_folder / "supervision.json"
    found = {name: _read(path) for name, path in files.items()}
    return {name: values for name, values in found.items() if values is not None}


def _charts(run: Run, trainings: list[Training]) -> list[str]:
    charts = []
    classifier = history(run.classifier_folder)
    for key, title, percent in (
        ("labels", "Classifier: loss", False),
        ("score", "Classifier: F1 of the labels on val, percent", True),
    ):
        line = _series(classifier, key)
        if line:
            charts.append(line_chart(title, {"classifier": line}, percent=percent))
    histories = {title: history(path) for title, path in _networks(trainings).items()}
    for key, (title, percent) in _CHARTS.items():
        lines = {name: _series(rows, key) for name, rows in histories.items()}
        lines = {name: line for name, line in lines.items() if line}
        # Figures of the last epoch alone stand in the table.
        if lines and not (key.startswith("supervision") and max(map(len, lines.values())) == 1):
            charts.append(line_chart(title, lines, percent=percent))
    return charts


def _series(rows: list[dict[str, float]], key: str) -> list[Point]:
    """Points of a figure; without a score of its own an epoch's is minus the loss: left out."""
    return [
        (row["epoch"], row[key])
        for row in rows
        if key in row and not (key == "score" and row[key] == -row["loss"])
    ]


def history(folder: Path) -> list[dict[str, float]]:
    """Figures of the epochs of a training, finished or not; empty where there is none."""
    rows: list[dict[str, float]] | None = _read(folder / "history.json")
    if rows is not None:
        return rows
    last = folder / "last.pt"
    return load_checkpoint(last).history if last.is_file() else []


def _settings(folder: Path, trainings: list[Training]) -> dict[str, str]:
    texts = {}
    for each in trainings:
        for name in ("config.yaml", "versions.yaml"):
            path = each.run.trained_folder / name
            if path.is_file():
                texts[f"{each.title}: {name}"] = path.read_text(encoding="utf-8")
    if not texts:
        texts["config.yaml"] = (folder / "config.yaml").read_text(encoding="utf-8")
    return texts


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
