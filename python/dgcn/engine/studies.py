"""The paper's studies, cell by cell, and the variants of supervision that they compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dgcn.config import SupervisionConfig

_PAPER: dict[str, Any] = {
    "kind": "graph_cut",
    "k": 9,
    "theta": 0.7,
    "n_links": "unit",
    "sigma2": None,
    "belief": "all",
    "unary": "network",
    "cut_background": False,
    "spatial": 0,
    "normalise": "none",
}
_OURS = {**_PAPER, "belief": "present", "cut_background": True}
_JOINT = {**_PAPER, "kind": "joint_cut", "belief": "present"}

VARIANTS: dict[str, dict[str, Any]] = {
    "static": {**_PAPER, "kind": "static"},
    "region_growing": {**_PAPER, "kind": "region_growing"},
    "region_growing_present": {**_PAPER, "kind": "region_growing", "belief": "present"},
    "most_probable": {**_PAPER, "kind": "most_probable", "belief": "present"},
    "graph_cut": _PAPER,
    "graph_cut_script": {**_PAPER, "kind": "graph_cut_script"},
    "graph_cut_present": {**_PAPER, "belief": "present"},
    "graph_cut_ours": _OURS,
    "graph_cut_crf": {**_OURS, "unary": "crf"},
    "graph_cut_weighted": {**_OURS, "n_links": "gaussian", "normalise": "channel"},
    "graph_cut_spatial": {**_OURS, "n_links": "gaussian", "normalise": "channel", "spatial": 8},
    "joint_cut": _JOINT,
    "joint_cut_weighted": {**_JOINT, "n_links": "gaussian", "normalise": "channel"},
    "joint_cut_spatial": {**_JOINT, "n_links": "gaussian", "normalise": "channel", "spatial": 8},
}
"""Named settings of the supervision; options that a variant leaves out are the run's own."""

RETRAIN = "+retrain"
"""Ending of the name of a cell whose network is retrained."""


@dataclass(frozen=True)
class Cell:
    """One row of a study's table: a training per random seed.

    Attributes
    ----------
    name : str
        Of the row and of the training's folder; cells of several studies with one name are one.
    options : dict
        Fields of `dgcn.config.SupervisionConfig`.
    retrain : bool
        Whether the network is retrained on its masks.
    value : float or None
        What is varied, where it is a number.
    """

    name: str
    options: dict[str, Any]
    retrain: bool = False
    value: float | None = None


STUDIES: dict[str, str] = {
    "supervision": "Table 3: kinds of supervision, and retraining",
    "k": "Table 4: neighbours of each position",
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
        plain = [Cell(name, options) for name, options in VARIANTS.items()]
        retrained = [Cell(f"{c.name}{RETRAIN}", c.options, retrain=True) for c in plain]
        known = {cell.name: cell for cell in plain + retrained}
        usual = [*VARIANTS, *(f"{name}{RETRAIN}" for name in _RETRAINED)]
    else:
        known = {cell.name: cell for cell in _varied(study, variant)}
        usual = list(known)
    for name in names:
        if name not in known:
            raise ValueError(f"cells: no cell {name!r} in the study '{study}': {', '.join(known)}")
    return [known[name] for name in names or usual]


def _varied(study: str, variant: str) -> list[Cell]:
    options = VARIANTS[variant]
    if study not in SupervisionConfig(kind=options["kind"]).read():
        raise ValueError(f"variant {variant!r} does not depend on {study}")
    cells = []
    for value in _VALUES[study]:
        setting = int(value) if study == "k" else value
        usual = setting == options[study]
        name = variant if usual else f"{variant}_{study}{setting:g}"
        cells.append(Cell(name, {**options, study: setting}, value=value))
    return cells
