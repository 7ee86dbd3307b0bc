"""The tables of docs/benchmarks.md and the README, from the stored results.

Each table stands between two comments, ``<!-- table NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.families import HELD_OUT

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGES = (ROOT / "docs" / "benchmarks.md", ROOT / "README.md")
SLOT = re.compile(r"(<!-- table (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
SOLVERS = ("auto", "bk", "ibfs", "push_relabel", "hpf")
CUT_PEERS = ("OR-tools", "SciPy")

Rows = Iterable[Iterable[str]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(arguments: argparse.Namespace) -> None:
    """Write the tables into the pages."""
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"written to {page.relative_to(ROOT)}")


def filled(text: str) -> str:
    """A page with its tables made anew."""
    return SLOT.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


def stored(name: str) -> dict[str, Any]:
    """Results of one benchmark, with the machine."""
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return content


def table(heads: Iterable[str], rows: Rows) -> str:
    """Markdown, numbers as they come."""
    lines = [list(heads), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def machine(name: str) -> str:
    """Where results were taken, as one line above their table."""
    about = stored(name)["machine"]
    return f"*{about['cpu']}, commit {about['commit']}.*\n\n"


def cut_ratios(result: Mapping[str, Any]) -> dict[str, float]:
    """Times as fast as PyMaxflow, by solver or peer, on one thread and merged edges."""
    found = {}
    for row in result["rows"]:
        if row["operator"] == "gx.maxflow" and row["threads"] == 1 and row["merged"] is not False:
            found[row["solver"]] = row["ratio"]
        elif row["operator"] in CUT_PEERS:
            found[row["operator"]] = row["ratio"]
    return found


def cuts() -> str:
    """Minimum cuts by family, with the regret of the choice."""
    rows = []
    for family, result in stored("cpu-maxflow")["results"].items():
        ratios = cut_ratios(result)
        columns = [f"{ratios[name]:.3g}" if name in ratios else "" for name in SOLVERS + CUT_PEERS]
        regret = max(ratios[name] for name in SOLVERS if name in ratios) / ratios["auto"]
        name = f"`{family}`" + (" (held out)" if family in HELD_OUT else "")
        rows.append([name, *columns, f"{regret:.2f}"])
    heads = ["family", *(f"`{name}`" for name in SOLVERS), *CUT_PEERS, "regret of `auto`"]
    return machine("cpu-maxflow") + table(heads, rows)


def expansion() -> str:
    """Moves of labellings."""
    rows = []
    for scene, result in stored("cpu-expansion")["results"].items():
        by_label = {row["label"]: row for row in result["rows"]}
        ours, gco = by_label["graphcut_ext"], by_label["gco-wrapper"]
        fastmin = by_label.get("PyMaxflow")
        rows.append(
            [
                f"{scene}, {result['nodes']:,} nodes, {result['labels']} labels",
                f"{ours['median_ms']:.0f} ms",
                f"{gco['ratio']:.2f}",
                f"{fastmin['ratio']:.2f}" if fastmin else "",
                f"{100 * gco['above_ours']:.3f} %",
            ]
        )
    heads = ["scene", "ours", "gco-wrapper", "PyMaxflow's fastmin", "gco's energy above ours"]
    return machine("cpu-expansion") + table(heads, rows)


def compat() -> str:
    """The modules with other libraries' names."""
    rows = [
        [case, result["library"], f"{result['ratio']:.2f}"]
        for case, result in stored("cpu-compat")["results"].items()
    ]
    return machine("cpu-compat") + table(["case", "library", "times as fast"], rows)


def neighbours(name: str = "cpu-knn") -> str:
    """K nearest neighbours."""
    results = stored(name)["results"]
    names = list(dict.fromkeys(n for r in results.values() for n in r))
    rows = []
    for case, result in results.items():
        ours = result["gx.knn"]["median_ms"]
        ratios = [f"{result[n]['median_ms'] / ours:.3g}" if n in result else "" for n in names[1:]]
        rows.append([case, f"{ours:.0f} ms", *ratios])
    return machine(name) + table(["points", *names], rows)


def calls() -> str:
    """Calls on the smallest problems."""
    rows = [
        [call, f"{row['microseconds']:.0f}", f"{row['first_call_ms']:.1f}"]
        for call, row in stored("cpu-calls")["results"].items()
    ]
    return machine("cpu-calls") + table(["call", "microseconds", "the first, ms"], rows)


def crf() -> str:
    """The dense CRF."""
    rows = []
    for case, result in stored("cpu-crf")["results"].items():
        times = {name: row["median_ms"] for name, row in result["rows"].items()}
        peer = times["pydensecrf"]
        ours = peer / times["gx.dense_crf, 1 thread"]
        shape = result["case"]
        name = f"{case}: {shape['items']} x {shape['height']} x {shape['width']}"
        rows.append([name, str(shape["labels"]), f"{peer:.0f} ms", f"{ours:.2f}"])
    return machine("cpu-crf") + table(["pictures", "labels", "pydensecrf", "ours"], rows)


def replaced() -> str:
    """What stands in the README: the range of every benchmark, on one thread."""
    held_out = [
        cut_ratios(result)["auto"]
        for family, result in stored("cpu-maxflow")["results"].items()
        if family in HELD_OUT
    ]
    cases = stored("cpu-compat")["results"].values()
    same_calls = [r["ratio"] for r in cases if r["library"].startswith("PyMaxflow")]
    monai = [r["ratio"] for r in cases if r["library"].startswith("numpymaxflow")]
    moves = [
        row["ratio"]
        for result in stored("cpu-expansion")["results"].values()
        for row in result["rows"]
        if row["label"] == "gco-wrapper"
    ]
    points = stored("cpu-knn")["results"].values()
    matrix = [
        r[n]["median_ms"] / r["gx.knn"]["median_ms"] for r in points for n in r if "cdist" in n
    ]
    field = [
        result["rows"]["pydensecrf"]["median_ms"]
        / result["rows"]["gx.dense_crf, 1 thread"]["median_ms"]
        for result in stored("cpu-crf")["results"].values()
    ]
    compat_page = "docs/compat.md"
    rows = [
        ["PyMaxflow", "`gx.maxflow`, on graphs no rule was tuned on", span(held_out)],
        ["PyMaxflow, its own calls", f"[`compat.maxflow`]({compat_page})", span(same_calls)],
        ["gco", "`gx.alpha_expansion`, lower energies", span(moves)],
        ["numpymaxflow (MONAI Label)", f"[`compat.numpymaxflow`]({compat_page})", span(monai)],
        ["torch.cdist and topk", "`gx.knn`, two threads each", span(matrix)],
        ["pydensecrf", "`gx.dense_crf`, or `compat.densecrf`", span(field)],
        ["torch_cluster, PyTorch3D's `knn_points`", f"[`compat`]({compat_page})", "not measured"],
    ]
    return table(["you use", "try", "times as fast"], rows)


def span(ratios: Iterable[float]) -> str:
    """Least and most."""
    found = sorted(ratios)
    return f"{found[0]:.2g} to {found[-1]:.2g}"


TABLES: dict[str, Callable[[], str]] = {
    "cuts": cuts,
    "expansion": expansion,
    "compat": compat,
    "neighbours": neighbours,
    "neighbours-64": partial(neighbours, "cpu-knn-64"),
    "neighbours-tree": partial(neighbours, "cpu-knn-tree"),
    "neighbours-avx2": partial(neighbours, "cpu-knn-avx2"),
    "calls": calls,
    "crf": crf,
    "replaced": replaced,
}
