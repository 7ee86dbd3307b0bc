"""Mutation testing: whether the tests notice an error that is put into the program.

``python tests/mutants.py [--python-only | --core-only] [NAME...]`` copies the tree, makes one
change of the lists in ``mutants_*.py`` at a time, and runs the tests that should fail then. A NAME
selects mutants by a part of their name or their file. The outcomes go into ``mutants.md``, which
keeps the former ones of mutants that were not run.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from mutant import Mutant
from mutants_copy import WORK, CoreCopy, PythonCopy
from mutants_core import CORE
from mutants_operators import OPERATORS
from mutants_supervision import SUPERVISION
from mutants_training import DGCN

RESULT = Path(__file__).with_name("mutants.md")
MUTANTS: list[Mutant] = [*DGCN, *SUPERVISION, *OPERATORS, *CORE]
KILLED, SURVIVED = "killed", "SURVIVED"
TITLE = """# Mutants

`make mutants` puts one error at a time into the program, and runs the tests that should notice it.
It writes this file. The changes and their tests are in `tests/mutants_*.py`.
"""


def outcomes() -> dict[str, str]:
    """The last outcome of every mutant in `RESULT`, by its name."""
    if not RESULT.is_file():
        return {}
    rows = re.findall(r"^\| ([^|]+) \| `[^`]+` \| (\w+) \|$", RESULT.read_text(), re.MULTILINE)
    return dict(rows)


def report(found: Mapping[str, str]) -> str:
    """The text of `RESULT`."""
    said = {mutant: found.get(mutant.name, "not run") for mutant in MUTANTS}
    real = {mutant: outcome for mutant, outcome in said.items() if not mutant.equivalent}
    counts = Counter(real.values())
    said_of = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    lines = [TITLE, f"Of {len(real)} that tests can find: {said_of}.", ""]
    lines += ["| error | file | outcome |", "|---|---|---|"]
    lines += [f"| {m.name} | `{m.file}` | {outcome} |" for m, outcome in real.items()]
    if len(real) < len(said):
        lines += [
            "",
            "No test can fail of these:",
            "",
            "| error | file | outcome |",
            "|---|---|---|",
        ]
        others = {mutant: outcome for mutant, outcome in said.items() if mutant.equivalent}
        lines += [f"| {m.name} | `{m.file}` | {outcome} |" for m, outcome in others.items()]
        lines += ["", *(f"- {m.name}: {m.equivalent}." for m in others)]
    return "\n".join(lines) + "\n"


def run(mutants: list[Mutant], copy: PythonCopy | CoreCopy, trusted: bool) -> dict[str, str]:
    """The outcomes of mutants; none where the tests fail without one."""
    tests = sorted({test for mutant in mutants for test in mutant.tests.split()})
    copy.prepare(tests)
    if not trusted and not copy.passes(tests):
        raise RuntimeError(f"the tests fail without a mutant: see {WORK}/*.txt")
    found = {}
    for mutant in mutants:
        begin = time.monotonic()
        outcome = found[mutant.name] = SURVIVED if copy.survives(mutant) else KILLED
        RESULT.write_text(report({**outcomes(), mutant.name: outcome}))
        print(f"{outcome:8} {time.monotonic() - begin:5.0f} s  {mutant.name}", flush=True)
    return found


def main() -> int:
    """Run the mutants that are asked for; 1 where one survives that should not."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--python-only", action="store_true", help="those of Python alone")
    kinds.add_argument("--core-only", action="store_true", help="those of csrc/ alone")
    parser.add_argument(
        "--trusted", action="store_true", help="do not run the tests without a mutant first"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="parts of names or files")
    options = parser.parse_args()
    chosen = [
        mutant
        for mutant in MUTANTS
        if not (options.python_only and mutant.core)
        and not (options.core_only and not mutant.core)
        and (not options.names or any(name in mutant.name + mutant.file for name in options.names))
    ]
    WORK.mkdir(parents=True, exist_ok=True)
    found: dict[str, str] = {}
    for kind in (PythonCopy, CoreCopy):
        mutants = [mutant for mutant in chosen if mutant.core == (kind is CoreCopy)]
        if mutants:
            found |= run(mutants, kind(), options.trusted)
    unexpected = [m for m in chosen if (found[m.name] == SURVIVED) != bool(m.equivalent)]
    for mutant in unexpected:
        print(f"unexpected: {mutant.name} {found[mutant.name]}")
    print(f"{len(chosen)} mutants, {len(unexpected)} with another outcome than expected")
    return int(bool(unexpected))


if __name__ == "__main__":
    sys.exit(main())
