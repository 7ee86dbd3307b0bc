"""Studies: their cells, their figures against those on the disk, and what is not run again."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from dgcn.cli import main
from dgcn.config import SupervisionConfig
from dgcn.pipeline.study import VARIANTS, cells_of
from dgcn.report.study import plot_study, study_table
from dgcn.supervision import KINDS
from dgcn.training.checkpoint import load_checkpoint

OPTIONS = (
    "--data.size=81",
    "--data.synthetic_images=6",
    "--data.synthetic_val_images=2",
    "--data.synthetic_size=72",
    "--model.backbone=small",
    "--classify.epochs=1",
    "--classify.batch_size=4",
    "--train.epochs=1",
    "--train.batch_size=4",
    "--train.init=classifier",
    "--retrain.epochs=1",
    "--retrain.batch_size=4",
    "--evaluate.pictures=0",
    "--evaluate.scales=[1]",
    "--runtime.device=cpu",
)


def test_variants_are_settings_of_the_supervision() -> None:
    for name, variant in VARIANTS.items():
        section = SupervisionConfig().of(variant.kind, name, **variant.changes)
        assert section.folder == name
        assert type(section.method) is KINDS[variant.kind]


def test_cells_of_the_studies_share_the_usual_one() -> None:
    for study, value in (("k", 9), ("theta", 0.7)):
        names = [cell.name for cell in cells_of(study, "graph_cut_ours")]
        assert names.count("graph_cut_ours") == 1
        usual = next(c for c in cells_of(study, "graph_cut_ours") if c.name == "graph_cut_ours")
        assert (usual.value, usual.variant) == (value, VARIANTS["graph_cut_ours"])
    assert [cell.value for cell in cells_of("k")] == [5, 7, 9, 11, 13]
    assert [cell.variant.changes["theta"] for cell in cells_of("theta")] == [
        i / 10 for i in range(10)
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("colour",), "study must be one of supervision, k, theta, got 'colour'"),
        (("k", "graph_cat"), "variant must be one of .*got 'graph_cat'"),
        (("k", "static"), "variant 'static' does not depend on k"),
        (("theta", "graph_cut", ("magic",)), "cells: no cell 'magic' in the study 'theta'"),
    ],
)
def test_unknown_name_is_refused(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cells_of(*arguments)  # type: ignore[arg-type]


def test_study_is_run_once_and_its_figures_are_those_of_its_cells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "study"
    chosen = ("--cells=region_growing,joint_cut+retrain", "--random_seeds=0,3")
    assert main(["ablate", "supervision", "--out", str(out), *chosen, *OPTIONS]) == 0
    kept = {
        path: path.stat().st_mtime_ns for path in out.rglob("*") if path.suffix in (".pt", ".npz")
    }
    assert len([path for path in kept if path.name == "cues.npz"]) == 2
    scores = {}
    for seed in (0, 3):
        folder = out / f"seed{seed}" / "joint_cut" / "retrained"
        scores[seed] = json.loads((folder / "metrics.json").read_text())["val"]["miou"]
        made_with = load_checkpoint(folder / "last.pt").fingerprint
        segmenter = made_with["training masks"]["segmenter"]
        assert segmenter["cues"]["classifier"]["runtime"]["seed"] == seed
    result = json.loads((out / "study_supervision.json").read_text())
    assert [row["cell"] for row in result["cells"]] == ["region_growing", "joint_cut+retrain"]
    figure = result["cells"][1]["figures"]["miou"]
    assert figure["mean"] == pytest.approx(statistics.mean(scores.values()))
    assert figure["std"] == pytest.approx(statistics.stdev(scores.values()))
    table = (out / "study_supervision.md").read_text()
    assert f"| joint_cut+retrain | {100 * figure['mean']:.1f} ± " in table
    for part in ("| 2 | B |", "Protocol A: val, 2 images", "network retrained", "CRF on"):
        assert part in table
    assert (out / "study_supervision.png").read_bytes()[:4] == b"\x89PNG"

    capsys.readouterr()
    more = "--cells=region_growing,joint_cut+retrain,joint_cut,static"
    late = ("--random_seeds=0,3", "--minutes=1e-9")
    assert main(["ablate", "supervision", "--out", str(out), more, *late]) == 0
    printed = capsys.readouterr().out
    assert "\ncell " not in printed  # joint_cut was trained for joint_cut+retrain
    assert printed.count("not begun within 1e-09 minutes: static") == 2
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    again = json.loads((out / "study_supervision.json").read_text())["cells"]
    assert again[:2] == result["cells"]
    assert again[2]["figures"]["miou"]["seeds"] == 2
    assert again[3]["figures"]["miou"] == {"mean": None, "std": None, "seeds": 0}


def test_table_and_plot_of_a_varied_number(tmp_path: Path) -> None:
    def cell(value: int, miou: list[float]) -> dict[str, object]:
        empty = {"mean": None, "std": None, "seeds": 0}
        names = ("pixel_accuracy", *(f"supervision_{x}" for x in ("miou", "precision", "recall")))
        figures = dict.fromkeys((*names, "supervision_coverage"), empty)
        std = statistics.stdev(miou) if len(miou) > 1 else None
        mean = statistics.mean(miou) if miou else None
        figures["miou"] = {"mean": mean, "std": std, "seeds": len(miou)}
        seeds = {str(i): {"network": {"protocol": "val"}} for i in range(len(miou))}
        return {"cell": f"k{value}", "value": value, "figures": figures, "seeds": seeds}

    rows = [cell(5, [0.5, 0.6]), cell(7, [0.25]), cell(9, [])]
    result = {"study": "k", "title": "K", "cells": rows}
    lines = study_table(result).splitlines()
    assert lines[4] == "| k5 | 55.0 ± 7.1 | - | - | - | - | - | 2 | A |"
    assert lines[5] == "| k7 | 25.0 | - | - | - | - | - | 1 | A |"
    assert lines[6] == "| k9 | - | - | - | - | - | - | 0 | - |"
    plot_study(result, tmp_path / "k.png")
    assert (tmp_path / "k.png").stat().st_size > 1000


def test_wrong_seeds_are_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for given, expected in (("0,x", "integers like 0,1,2"), ("1,1", "must be different")):
        arguments = ["ablate", "k", "--random_seeds", given, "--out", str(tmp_path)]
        assert main(arguments) == 2
        assert expected in capsys.readouterr().err


def test_study_by_two_processes(tmp_path: Path) -> None:
    arguments = ["--cells=static", "--random_seeds=0", "--runtime.devices=2"]
    command = [sys.executable, "-m", "dgcn", "ablate", "supervision", *OPTIONS, *arguments]
    done = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, check=False)
    assert done.returncode == 0
    assert b"Error" not in done.stderr, done.stderr.decode()
    assert json.loads((tmp_path / "study_supervision.json").read_text())["cells"][0]["seeds"]["0"]
