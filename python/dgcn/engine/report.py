"""The report of a run: what its folder holds, gathered into one page."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from dgcn.config import Config
from dgcn.engine.checkpoint import load_checkpoint
from dgcn.engine.report_pictures import Training, report_pictures
from dgcn.engine.run import Run, open_run
from dgcn.options import load_config, write_text
from dgcn.report.curves import Point, line_chart
from dgcn.report.page import Page, Scores, render_page
from graphcut_ext import __version__

PAGE = "report.html"

_GONE = ("--model.weights=null", "--data.saliency=null", "--seeds.cues=null")

# Figure of the history: title of its chart, whether it is a share.
_CHARTS = {
    "seeding": ("Seeding loss", False),
    "boundary": ("Boundary loss", False),
    "cross_entropy": ("Retraining: cross-entropy", False),
    "balanced": ("Retraining: balanced loss", False),
    "score": ("Mean IoU on val (one scale, no CRF), percent", True),
    "supervision_miou": ("Mean IoU of the supervision, training images, percent", True),
    "supervision_coverage": ("Share of positions supervised, percent", True),
}


@dataclass(frozen=True)
class Report:
    """What `report` has written.

    Attributes
    ----------
    path : Path
        The page.
    pictures : int
        Images in it.
    notes : tuple of str
        What is missing from it, and why.
    """

    path: Path
    pictures: int
    notes: tuple[str, ...]


def report(
    folder: Path, *, page: Path | None = None, images: int = 500, root: Path | None = None
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

    Raises
    ------
    FileNotFoundError
        There is no run in the folder, or its data set is not where it was.
    ValueError
        ``images`` is negative, or the data set is damaged.
    """
    if images < 0:
        raise ValueError(f"images must be 0 or more, got {images}")
    folder = run_folder(folder)
    run = opened(folder, root)
    trainings = _trainings(run)
    notes = [] if trainings else ["No segmentation network is trained in this run yet."]
    notes += [
        f"The training on {each.title} is not finished: {each.run.training} has no metrics yet."
        for each in trainings
        if not (each.run.training / "metrics.json").is_file()
    ]
    pictures, more = report_pictures(run, trainings, images)
    notes += more
    dataset = run.dataset
    made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    content = Page(
        title=f"dgcn report: {folder.resolve().name}",
        subtitle=(
            f"{len(dataset.classes) - 1} classes and background; "
            f"{len(dataset.split('train'))} training and {len(dataset.split('val'))} validation "
            f"images in {dataset.root}"
        ),
        classes=dataset.classes,
        scores=_scores(trainings),
        labellings=_labellings(run, trainings),
        charts=_charts(run, trainings),
        pictures=pictures,
        notes=notes,
        settings=_settings(folder, trainings),
        footer=f"Written by dgcn {__version__} on {made}.",
    )
    path = page or folder / PAGE
    write_text(path, render_page(content))
    return Report(path, len(pictures), tuple(notes))


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
    overrides = ["--out", str(folder), *_GONE]
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
        own = load_config(settings, *_GONE, "--data.root=.")
        config = replace(
            own,
            out=run.config.out,
            data=replace(own.data, root=run.config.data.root),
            evaluate=replace(own.evaluate, network="trained"),
        )
        trained = replace(run, config=config)
        if trained.training.resolve() == path.parent.resolve():
            found.append(Training(_title(config.supervision.folder), trained))
    return found


def _title(folder: str) -> str:
    return {"static": "static cues"}.get(folder, folder.replace("_", " "))


def _networks(trainings: list[Training]) -> dict[str, Path]:
    """Folders of the trained networks and of those retrained on their masks, by title."""
    folders = {}
    for each in trainings:
        folders[each.title] = each.run.training
        if each.run.retraining.is_dir():
            folders[f"{each.title}, retrained"] = each.run.retraining
    return folders


def _scores(trainings: list[Training]) -> list[Scores]:
    return [
        Scores(title, split, values)
        for title, folder in _networks(trainings).items()
        for split, values in (_read(folder / "metrics.json") or {}).items()
    ]


def _labellings(run: Run, trainings: list[Training]) -> dict[str, dict[str, Any]]:
    files = {"cues": run.cues / "quality.json"}
    for each in trainings:
        if each.run.config.supervision.kind != "static":
            files[f"{each.title} supervision"] = each.run.training / "supervision.json"
        files[f"{each.title} masks to retrain on"] = each.run.retraining / "supervision.json"
    found = {name: _read(path) for name, path in files.items()}
    return {name: values for name, values in found.items() if values is not None}


def _charts(run: Run, trainings: list[Training]) -> list[str]:
    charts = []
    classifier = history(run.classifier)
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
            path = each.run.training / name
            if path.is_file():
                texts[f"{each.title}: {name}"] = path.read_text(encoding="utf-8")
    if not texts:
        texts["config.yaml"] = (folder / "config.yaml").read_text(encoding="utf-8")
    return texts


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
