"""A study: cells times random seeds, one table and one plot; finished cells are kept."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dgcn.config import Config
from dgcn.engine.chain import evaluated_split, run_chain
from dgcn.engine.fabric import make_fabric
from dgcn.engine.run import Run, open_run
from dgcn.engine.settings import prediction_settings
from dgcn.engine.stages import is_finished
from dgcn.engine.studies import STUDIES, Cell, cells_of
from dgcn.options import write_text
from dgcn.report.study import plot_study, study_table

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
    random_seeds: tuple[int, ...] = (0, 1, 2),
    variant: str = "graph_cut",
    cells: tuple[str, ...] = (),
    minutes: float | None = None,
) -> dict[str, Any]:
    """Run the cells of a study that are not finished, and write its table and its plot.

    The run folder has one run per random seed, ``seed0/`` and so on, in which the cells are
    trainings that share the classifier and the cues. ``study_NAME.json``, ``.md`` and ``.png`` are
    written anew after every cell.

    Parameters
    ----------
    config : Config
        All settings but the seed and those that the cells vary.
    study, variant, cells
        As `dgcn.engine.studies.cells_of`.
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
    start = time.monotonic()
    fabric = make_fabric(config.runtime)
    base = open_run(config, fabric=fabric)
    split = evaluated_split(base)
    if not any(record.mask is not None for record in base.records(split)):
        raise ValueError(f"{base.dataset.root}: no image of the split '{split}' has a mask")
    title = study if variant == "graph_cut" or study == "supervision" else f"{study}_{variant}"
    path = config.out / f"study_{title}"
    found: dict[str, dict[int, dict[str, Any]]] = {cell.name: {} for cell in chosen}
    left: list[str] = []
    result: dict[str, Any] = {}
    for seed in random_seeds:
        run = _seeded(base, seed)
        for cell in chosen:
            each = _run_of(run, cell)
            scores = _finished(each, split)
            if scores is None:
                late = minutes is not None and time.monotonic() - start > 60 * minutes
                # Every process must come to the same answer: the first one's.
                if bool(fabric.broadcast(late)):
                    left.append(f"{cell.name} (seed {seed})")
                    continue
                base.screen.line(f"cell {cell.name}, seed {seed}")
                began = time.monotonic()
                run_chain(each)
                base.screen.line(f"cell {cell.name}: {(time.monotonic() - began) / 60:.1f} minutes")
                scores = _finished(each, split)
                assert scores is not None
            found[cell.name][seed] = scores
            result = _summary(study, chosen, found)
            if base.leads:
                _write(path, result)
    base.screen.line(study_table(result))
    for name in left:
        base.screen.line(f"not begun within {minutes:g} minutes: {name}")
    base.screen.line(f"table and plot: {path}.md, .json, .png")
    return result


def _seeded(base: Run, seed: int) -> Run:
    """The run of one random seed on the same data."""
    config = replace(
        base.config,
        out=base.config.out / f"seed{seed}",
        data=replace(base.config.data, root=base.dataset.root),
        runtime=replace(base.config.runtime, seed=seed),
    )
    return open_run(config, fabric=base.fabric, screen=base.screen)


def _run_of(run: Run, cell: Cell) -> Run:
    folder = cell.name.partition("+")[0]
    run = run.with_supervision(**cell.options, name=folder)
    run = run.with_network("retrained" if cell.retrain else "trained")
    retrain = replace(run.config.retrain, enabled=cell.retrain)
    return replace(run, config=replace(run.config, retrain=retrain))


def _finished(run: Run, split: str) -> dict[str, Any] | None:
    """What is kept of a finished cell; None where it is not finished with these settings."""
    settings = prediction_settings(run.config, run.dataset, split)
    metrics = run.network / "metrics.json"
    done = is_finished(run.network / "predictions" / split, settings) and metrics.is_file()
    run.fabric.barrier()
    scores = json.loads(metrics.read_text(encoding="utf-8")).get(split) if done else None
    if scores is None:
        return None
    supervision = run.network / "supervision.json"
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
                "options": cell.options,
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
