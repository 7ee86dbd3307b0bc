"""``python -m graphcut_ext``: how the package was built, a demo, and cuts of DIMACS files."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch

from graphcut_ext import SOLVERS, FlowProblem, MinCut, Solver, build_info, read_dimacs
from graphcut_ext._demo.demo import demo

PROGRAM = "python -m graphcut_ext"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    int
        Exit status: 0 done, 2 an argument or a file is wrong (one line on standard error says
        which), 130 interrupted.
    """
    try:
        options = _parser().parse_args(arguments)
        if options.command == "solve":
            solve(options.file, options.solver, options.threads, options.side)
        elif options.command == "demo":
            _print_table(demo(options.out))
        else:
            info()
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 2)
    except (ValueError, MemoryError) as error:
        return _fail(str(error) or "out of memory", 2)
    return 0


def info() -> None:
    """Print how the package was built."""
    build = build_info()
    cuda = build["cuda"] and f"{build['cuda']}, architectures {build['cuda_architectures']}"
    _print_table(
        {
            "graphcut-ext": build["version"],
            "compiler": f"{build['compiler']}, {build['build_type']}",
            "CUDA": cuda or "not built",
            "torch": torch.__version__,
        }
    )


def solve(file: Path, solver: Solver, threads: int | None, side: Path | None) -> None:
    """Print the minimum cut of a file, and save its source side if ``side`` names a file."""
    started = time.perf_counter()
    problem = read_dimacs(file)
    read = time.perf_counter()
    try:
        cut = problem.cut(solver=solver, num_threads=threads)
    except ValueError as error:
        raise ValueError(f"{file}: {error} (nodes from 0, without the terminals)") from None
    solved = time.perf_counter()
    nodes = len(cut.source_side)
    _print_table(
        {
            "value": cut.value.item(),
            "nodes": f"{nodes} and two terminals",
            "edges": problem.edge_index.shape[1],
            "source side": f"{int(cut.source_side.sum())} of {nodes} nodes",
            "read": f"{read - started:.3f} s",
            "solved": f"{solved - read:.3f} s",
        }
    )
    if side is not None:
        _save_side(side, problem, cut)


def _save_side(path: Path, problem: FlowProblem, cut: MinCut) -> None:
    """Save the source set, source included: numbers of the file, or a mask (nodes of the file,)."""
    source, sink = problem.terminals or (1, len(cut.source_side) + 2)
    mask = np.zeros(len(cut.source_side) + 2, dtype=np.bool_)
    mask[problem.numbers().numpy() - 1] = cut.source_side.numpy()
    mask[source - 1] = True
    mask[sink - 1] = False
    if path.suffix == ".npy":
        np.save(path, mask)
    else:
        np.savetxt(path, np.flatnonzero(mask) + 1, fmt="%d")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{PROGRAM}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=PROGRAM, description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("info", help="how the package was built (the default)")
    shown = commands.add_parser("demo", help="cut a photograph from a few strokes; no data needed")
    shown.add_argument("--out", type=_picture, metavar="OUT.png", default=Path("graphcut_demo.png"))
    solve = commands.add_parser("solve", help="minimum cut of a DIMACS maximum-flow file")
    solve.add_argument("file", type=Path, metavar="FILE", help="plain or compressed by gzip")
    solve.add_argument("--solver", choices=SOLVERS, default="auto")
    solve.add_argument("--threads", type=_threads, metavar="N", help="default: those of torch")
    solve.add_argument(
        "--side",
        type=_side,
        metavar="OUT",
        help="save the source side: OUT.txt the numbers of its nodes, one a line; OUT.npy a "
        "bool for every node of the file",
    )
    return parser


def _threads(text: str) -> int:
    if not (text.isdecimal() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of threads")
    return int(text)


def _side(text: str) -> Path:
    if Path(text).suffix not in (".npy", ".txt"):
        raise argparse.ArgumentTypeError(f"{text!r} ends in neither .npy nor .txt")
    return Path(text)


def _picture(text: str) -> Path:
    if Path(text).suffix != ".png":
        raise argparse.ArgumentTypeError(f"{text!r} does not end in .png")
    return Path(text)


def _print_table(rows: dict[str, object]) -> None:
    for name, value in rows.items():
        print(f"{name:<13}{value}")


def _fail(message: str, status: int) -> int:
    print(f"{PROGRAM}: error: {message}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
