"""Coverage of a cue file of SEC and DSRG on PASCAL VOC, class by class.

For each class: images labelled with it (by the file itself), the share of them that have a cue of
it, the mean share of the grid that its cues cover in them; for the background all images.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from dgcn.cues.cue_files import one_hot
from dgcn.cues.field_pickle import read_field_cues, read_list
from dgcn.data import VOC_CLASSES

GRID = 41


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--cues", required=True, help="localization_cues.pickle or .pickle.gz")
    parser.add_argument("--list", required=True, help="input_list.txt, '<file name> <i>' a line")


def run(arguments: argparse.Namespace) -> None:
    """Read every image's cues, print the table."""
    result = coverage(Path(arguments.cues), Path(arguments.list))
    print(f"{result['images']} images, {result['several']} with a cell of several classes")
    print(
        f"{result['coverage']:.1%} of the cells have a cue, {result['foreground']:.1%} of a class"
    )
    print(f"{'':14}{'images':>8}{'with cues':>11}{'covered':>9}")
    for name, row in result["classes"].items():
        print(f"{name:14}{row['images']:8}{row['with_cues']:11.1%}{row['covered']:9.1%}")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(result, indent=2) + "\n")


def coverage(cues: Path, listing: Path) -> dict[str, Any]:
    """Count over all images of a cue file.

    Returns
    -------
    dict
        "images"; "several": images with a cell that is cue of more than one class; "coverage" and
        "foreground": share of all cells with a cue, with one of a foreground class; "classes": for
        each name "images", "with_cues" and "covered".
    """
    classes = len(VOC_CLASSES)
    entries, names = read_field_cues(cues), read_list(listing)
    if strangers := entries.keys() - names.keys():
        raise SystemExit(f"{cues}: image {min(strangers)} is not in {listing}")
    labelled, cued, cells = (np.zeros(classes, dtype=np.int64) for _ in range(3))
    several = 0
    for index, entry in entries.items():
        grid = one_hot(cues, index, entry.cues, (classes, GRID, GRID))
        areas = grid.sum((1, 2))
        labelled[[0, *entry.labels]] += 1
        cued += areas > 0
        cells += areas
        several += int(areas.sum() < entry.cues.shape[1])
    total = len(entries) * GRID * GRID
    return {
        "images": len(entries),
        "several": several,
        "coverage": float(cells.sum() / total),
        "foreground": float(cells[1:].sum() / total),
        "classes": {
            name: {
                "images": int(labelled[c]),
                "with_cues": float(cued[c] / max(labelled[c], 1)),
                "covered": float(cells[c] / max(labelled[c] * GRID * GRID, 1)),
            }
            for c, name in enumerate(VOC_CLASSES)
        },
    }
