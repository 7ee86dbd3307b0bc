"""Entry point: ``python -m benchmarks NAME [options]``."""

from __future__ import annotations

import argparse
import importlib
import sys

BENCHMARKS = (
    "calls",
    "choice",
    "compat",
    "crf",
    "cues",
    "cut_gpu",
    "expansion",
    "flaws",
    "knn",
    "maxflow",
    "memory",
    "precision",
    "rules",
    "segment",
    "strokes",
    "supervision",
    "tables",
)


def main() -> None:
    """Parse the command line and run one benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="name", required=True)
    # What one benchmark needs another may not: only those asked about are imported.
    asked = [name for name in sys.argv[1:2] if name in BENCHMARKS] or BENCHMARKS
    modules = {name: importlib.import_module(f"benchmarks.{name}") for name in asked}
    for name, module in modules.items():
        doc = (module.__doc__ or "").strip()
        command = commands.add_parser(name, help=doc.splitlines()[0], description=doc)
        module.add_arguments(command)
        command.add_argument("--repeats", type=int, default=9, help="timed rounds (default 9)")
        command.add_argument("--json", help="write the results to this file")
    arguments = parser.parse_args()
    modules[arguments.name].run(arguments)


if __name__ == "__main__":
    main()
