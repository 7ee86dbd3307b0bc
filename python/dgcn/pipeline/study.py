"""A study: cells times random seeds, one table and one plot; finished cells are kept."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from dgcn.atomic import write_text
from dgcn.config import Config
from dgcn.pipeline.chain import PREDICTION, run_pipeline
from dgcn.pipeline.run import Run, open_run
from dgcn.report.study import plot_study, study_table
from dgcn.supervision import KINDS

_OPEN = ("cue_capacity", "spatial_weight", "solver", "foreground", "background")
"""Parameters that a study leaves as the run has them; it sets all others of a kind."""


@dataclass(frozen=True)
class Variant:
    """Named parameters of a kind of supervision.

    Attributes
    ----------
    kind : str
        Key of `dgcn.supervision.KINDS`.
    changes : dict
        Every parameter that a study sets: those given, and the defaults of the kind.
    """

    kind: str
    changes: dict[str, Any]


def _variant(kind: str, **changes: Any) -> Variant:
    usual = KINDS[kind]()
    names = [field.name for field in fields(usual) if field.name not in _OPEN]
    return Variant(kind, {**{name: getattr(usual, name) for name in names}, **changes})


_OURS = {"image_labels_only": True, "cut_background": True}
_WEIGHTED = {"edge_weights": "gaussian", "normalise": "channel"}

VARIANTS: dict[str, Variant] = {
    "static": _variant("static"),
    "region_growing": _variant("region_growing"),
    "region_growing_present": _variant("region_growing", image_labels_only=True),
    "most_probable": _variant("most_probable"),
    "most_probable_crf": _variant("most_probable", unary="crf", theta=0.0),
    "label_propagation": _variant("label_propagation"),
    "random_walker": _variant("random_walker"),
    "graph_cut": _variant("graph_cut"),
    "graph_cut_script": _variant("graph_cut", cut_background=True),
    "graph_cut_present": _variant("graph_cut", image_labels_only=True),
    "graph_cut_ours": _variant("graph_cut", **_OURS),
    "graph_cut_crf": _variant("graph_cut", **_OURS, unary="crf"),
    "graph_cut_weighted": _variant("graph_cut", **_OURS, **_WEIGHTED),
    "graph_cut_spatial": _variant("graph_cut", **_OURS, **_WEIGHTED, spatial=8),
    "joint_cut": _variant("joint_cut"),
    "joint_cut_weighted": _variant("joint_cut", **_WEIGHTED),
    "joint_cut_spatial": _variant("joint_cut", **_WEIGHTED, spatial=8),
}
"""What the study "supervision" compares."""

RETRAIN = "+retrain"
"""Ending of the name of a cell whose network is retrained."""


@dataclass(frozen=True)
class Cell:
    """One row of a study's table: a training per random seed.

    Attributes
    ----------
    name : str
        Of the row and of the training's folder; cells of several studies with one name are one.
    variant : Variant
    retrain : bool
        Whether the network is retrained on its masks.
    value : float or None
        What is varied, where it is a number.
    """

    name: str
    variant: Variant
    retrain: bool = False
    value: float | None = None


STUDIES: dict[str, str] = {
    "supervision": "Table 3: kinds of supervision, and retraining",
    "k": "Table 4: neighbours of each cell",
    "theta": "Table 5: threshold of the probability",
}
_VALUES: dict[str, tuple[float, ...]] = {
    "k": (5, 7, 9, 11, 13),
    "theta": tuple(tenth / 10 for tenth in range(10)),
}
_RETRAINED = ("region_growing", "graph_cut", "graph_cut_ours", "graph_cut_crf", "joint_cut")


def cells_of(study: str, variant: str = "graph_cut", names: tuple[str, ...] = ()) -> list[Cell]:
    """The rows of a study.

    Parameters
    ----------
    study : {"supervision", "k", "theta"}
    variant : str, default "graph_cut"
        Key of `VARIANTS` whose K or threshold is varied.
    names : tuple of str, default ()
        The rows to take; empty: all. In the study "supervision" also any variant with "+retrain".

    Raises
    ------
    ValueError
        A name is unknown.
    """
    if study not in STUDIES:
        raise ValueError(f"study must be one of {', '.join(STUDIES)}, got {study!r}")
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {variant!r}")
    if study == "supervision":
        plain = [Cell(name, variant) for name, variant in VARIANTS.items()]
        retrained = [Cell(f"{c.name}{RETRAIN}", c.variant, retrain=True) for c in plain]
        known = {cell.name: cell for cell in plain + retrained}
        usual = [*VARIANTS, *(f"{name}{RETRAIN}" for name in _RETRAINED)]
    else:
        known = {cell.name: cell for cell in _varied(study, variant)}
        usual = list(known)
    for name in names:
        if name not in known:
            raise ValueError(f"cells: no cell {name!r} in the study '{study}': {', '.join(known)}")
    return [known[name] for name in names or usual]


def _varied(study: str, name: str) -> list[Cell]:
    variant = VARIANTS[name]
    if study not in variant.changes:
        raise ValueError(f"variant {name!r} does not depend on {study}")
    cells = []
    for value in _VALUES[study]:
        setting = int(value) if study == "k" else value
        usual = setting == variant.changes[study]
        title = name if usual else f"{name}_{study}{setting:g}"
        changed = Variant(variant.kind, {**variant.changes, study: setting})
        cells.append(Cell(title, changed, value=value))
    return cells


FIGURES = {
    "miou": ("network", "miou"),
    "pixel_accuracy": ("network", "pixel_accuracy"),
    "supervision_miou": ("supervision", "miou"),
    "supervision_precision": ("supervision", "foreground", "precision"),
    "supervision_recall": ("supervision", "foreground", "recall"),
    "supervision_coverage": ("supervision", "coverage"),
}
"""Figures of a cell, and where they stand in what is kept of each seed."""


def ablate(
    config: Config,
    study: str,
    *,
    overwrite: bool = False,
    random_seeds: tuple[int, ...] = (0, 1, 2),
    variant: str = "graph_cut",
    cells: tuple[str, ...] = (),
    minutes: float | None = None,
) -> dict[str, Any]:
    """Run the cells of a study that are not finished, and write its table and its plot.

    The run folder has one run per random seed, ``seed0/`` and so on, in which the cells are
    trainings that share the classifier and the cues. ``study_NAME.json``, ``.md`` and ``.png`` are
    written again after every cell.

    Parameters
    ----------
    config : Config
        All settings but the seed and those that the cells vary.
    study, variant, cells
        As `cells_of`.
    overwrite : bool, default False
        Whether cells that were made with other settings are made again.
    random_seeds : tuple of int, default (0, 1, 2)
    minutes : float or None, default None
        No cell is begun after this time; the same command goes on later.

    Returns
    -------
    dict
        As in ``study_NAME.json``.

    Raises
    ------
    ValueError
        A name is unknown, a seed comes twice, or there are no masks to score against.
    """
    chosen = cells_of(study, variant, cells)
    if not random_seeds or len(set(random_seeds)) < len(random_seeds):
        raise ValueError(f"random_seeds must be different and at least one, got {random_seeds}")
    if minutes is not None and not minutes > 0:
        raise ValueError(f"minutes must be positive, got {minutes}")
    title = study if variant == "graph_cut" or study == "supervision" else f"{study}_{variant}"
    with open_run(config, overwrite=overwrite) as base:
        split = base.evaluated_split()
        if not base.masked(split):
            raise ValueError(f"{base.dataset.root}: no image of the split '{split}' has a mask")
        return _run_study(base, study, chosen, random_seeds, minutes, config.out / f"study_{title}")


def _run_study(
    base: Run,
    study: str,
    cells: list[Cell],
    random_seeds: tuple[int, ...],
    minutes: float | None,
    path: Path,
) -> dict[str, Any]:
    start, split, console = time.monotonic(), base.evaluated_split(), base.console
    found: dict[str, dict[int, dict[str, Any]]] = {cell.name: {} for cell in cells}
    left: list[str] = []
    result: dict[str, Any] = {}
    for seed in random_seeds:
        with _seeded(base, seed) as run:
            for cell in cells:
                each = _run_of(run, cell)
                scores = _finished(each, split)
                if scores is None:
                    late = minutes is not None and time.monotonic() - start > 60 * minutes
                    # Every process must come to the same answer: the first one's.
                    if bool(base.fabric.broadcast(late)):
                        left.append(f"{cell.name} (seed {seed})")
                        continue
                    console.line(f"cell {cell.name}, seed {seed}")
                    began = time.monotonic()
                    run_pipeline(each)
                    spent = (time.monotonic() - began) / 60
                    console.line(f"cell {cell.name}: {spent:.1f} minutes")
                    scores = _finished(each, split)
                    assert scores is not None
                found[cell.name][seed] = scores
                result = _summary(study, cells, found)
                if base.is_rank_zero:
                    _write(path, result)
    console.line(study_table(result))
    for name in left:
        console.line(f"not begun within {minutes:g} minutes: {name}")
    console.line(f"table and plot: {path}.md, .json, .png")
    return result


def _seeded(base: Run, seed: int) -> Run:
    """The run of one random seed on the same data."""
    config = replace(
        base.config,
        out=base.config.out / f"seed{seed}",
        data=replace(base.config.data, root=base.dataset.root),
        runtime=replace(base.config.runtime, seed=seed),
    )
    return open_run(config, fabric=base.fabric, console=base.console, overwrite=base.overwrite)


def _run_of(run: Run, cell: Cell) -> Run:
    folder = cell.name.partition("+")[0]
    run = run.with_supervision(cell.variant.kind, folder, **cell.variant.changes)
    run = run.with_network("retrained" if cell.retrain else "trained")
    retrain = replace(run.config.retrain, enabled=cell.retrain)
    return replace(run, config=replace(run.config, retrain=retrain))


def _finished(run: Run, split: str) -> dict[str, Any] | None:
    """What is kept of a finished cell; None where it is not finished with these settings."""
    metrics = run.network_folder / "metrics.json"
    done = PREDICTION.record(run) == (True, PREDICTION.fingerprint(run)) and metrics.is_file()
    run.fabric.barrier()
    scores = json.loads(metrics.read_text(encoding="utf-8")).get(split) if done else None
    if scores is None:
        return None
    supervision = run.network_folder / "supervision.json"
    known = json.loads(supervision.read_text(encoding="utf-8")) if supervision.is_file() else None
    return {"network": scores, "supervision": known}


def _summary(
    study: str, cells: list[Cell], found: dict[str, dict[int, dict[str, Any]]]
) -> dict[str, Any]:
    rows = []
    for cell in cells:
        seeds = found[cell.name]
        figures = {}
        for name, keys in FIGURES.items():
            values = [_at(kept, keys) for kept in seeds.values()]
            figures[name] = _spread([value for value in values if value is not None])
        rows.append(
            {
                "cell": cell.name,
                "value": cell.value,
                "kind": cell.variant.kind,
                "parameters": cell.variant.changes,
                "retrain": cell.retrain,
                "figures": figures,
                "seeds": {str(seed): kept for seed, kept in seeds.items()},
            }
        )
    return {
        "study": study,
        "title": STUDIES[study],
        "cells": rows,
    }


def _at(kept: dict[str, Any], keys: tuple[str, ...]) -> float | None:
    value: Any = kept
    for key in keys:
        if value is None:
            return None
        value = value[key]
    return None if value is None else float(value)


def _spread(values: list[float]) -> dict[str, Any]:
    """Mean, standard deviation of a sample (None of a single one), and how many."""
    return {
        "mean": float(np.mean(values)) if values else None,
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "seeds": len(values),
    }


def _write(path: Path, result: dict[str, Any]) -> None:
    write_text(path.with_suffix(".json"), json.dumps(result, indent=2) + "\n")
    write_text(path.with_suffix(".md"), study_table(result) + "\n")
    plot_study(result, path.with_suffix(".png"))
