"""The comparison that the demonstration shows: static cues against graph cuts."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from rich.table import Table

from dgcn.engine.chain import prepare, run_chain
from dgcn.engine.pictures import sheet
from dgcn.engine.run import Run
from dgcn.options import write_text


def compare(run: Run) -> dict[str, Any]:
    """Run the chain on static cues and on graph cuts, everything else equal, and show both.

    Classifier, cues, network, schedule and seed are the same; only the supervision differs. The
    data set must have masks, which are used for scoring alone.

    Parameters
    ----------
    run : Run

    Returns
    -------
    dict
        "cues": scores of the cues; "static" and "graph_cut": each with "supervision" and
        "network", as `dgcn.engine.quality.quality`; "seconds". Kept in comparison.json.
    """
    start = time.perf_counter()
    prepare(run)
    runs = [
        run.with_supervision(kind="static", name=None),
        run.with_supervision(kind="graph_cut", name=None),
    ]
    result: dict[str, Any] = {"cues": _read(run.cues / "quality.json")}
    for each in runs:
        network = run_chain(each, pictures=False)
        result[each.config.supervision.kind] = {
            "supervision": _read(each.training / "supervision.json"),
            "network": network,
        }
    result["seconds"] = time.perf_counter() - start
    if run.leads:
        write_text(run.config.out / "comparison.json", json.dumps(result, indent=2) + "\n")
        _show(run, result)
        if run.config.evaluate.pictures:
            path = sheet(runs, run.config.out / "contact_sheet.png")
            run.screen.line(f"contact sheet: {path}")
    run.fabric.barrier()
    return result


def _show(run: Run, result: dict[str, Any]) -> None:
    table = Table(title="Static cues against graph cut, percent")
    table.add_column("")
    for name in ("mIoU", "fg precision", "fg recall", "coverage"):
        table.add_column(name, justify="right")
    table.add_row("cues (training images)", *_cells(result["cues"]))
    supervision = result["graph_cut"]["supervision"]
    table.add_row("graph-cut supervision (training images)", *_cells(supervision))
    for kind in ("static", "graph_cut"):
        scores = result[kind]["network"]
        name = f"network trained on {kind.replace('_', ' ')}"
        table.add_row(name if kind != "static" else f"{name} cues", *_cells(scores))
    run.screen.console.print(table)
    network = result["graph_cut"]["network"]
    if network is not None:
        static = result["static"]["network"]
        run.screen.line(f"networks: {network['protocol']}")
        gain = 100 * (network["miou"] - static["miou"])
        run.screen.line(f"graph cut instead of static cues: {gain:+.1f} mIoU")
    run.screen.line(f"{result['seconds']:.0f} s")


def _cells(scores: dict[str, Any] | None) -> list[str]:
    if scores is None:
        return ["-"] * 4
    values = [
        scores["miou"],
        scores["foreground"]["precision"],
        scores["foreground"]["recall"],
        scores["coverage"],
    ]
    return ["-" if value is None else f"{100 * value:.1f}" for value in values]


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
