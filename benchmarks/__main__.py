"""Entry point: ``python -m benchmarks {crf,cues,knn,maxflow,memory,rules} [options]``."""

from __future__ import annotations

import argparse

from benchmarks import crf, cues, knn, maxflow, memory, rules

BENCHMARKS = {
    "crf": crf,
    "cues": cues,
    "knn": knn,
    "maxflow": maxflow,
    "memory": memory,
    "rules": rules,
}


def main() -> None:
    """Parse the command line and run one benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="name", required=True)
    for name, module in BENCHMARKS.items():
        doc = (module.__doc__ or "").strip()
        command = commands.add_parser(name, help=doc.splitlines()[0], description=doc)
        module.add_arguments(command)
        command.add_argument("--repeats", type=int, default=9, help="timed rounds (default 9)")
        command.add_argument("--json", help="write the results to this file")
    arguments = parser.parse_args()
    BENCHMARKS[arguments.name].run(arguments)


if __name__ == "__main__":
    main()
