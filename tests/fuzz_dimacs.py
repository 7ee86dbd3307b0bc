"""Fuzz target of the DIMACS reader and what follows it, guided by coverage (atheris).

``python tests/fuzz_dimacs.py [libFuzzer's options] [CORPUS or FILE]``. A file must be refused by
ValueError with the number of a line, or be understood alike in one block, in pieces and line by
line; written and read again it must stay the same, and all solvers must find the cut that SciPy
finds. Anything else is a failure.
"""

from __future__ import annotations

import gzip
import io
import sys
import tempfile
from pathlib import Path
from types import FunctionType, ModuleType
from unittest import mock

import atheris
import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

import graphcut_ext as gx
from graphcut_ext import SOLVERS
from graphcut_ext._dimacs import arcs, dimacs, problem, text

MAX_NODES = 1000  # memory for more would cost more time than anything else
SCIPY_LIMIT = 2**31 - 1  # of a sum of capacities
SEEDS = (
    b"p max 4 5\nn 1 s\nn 4 t\na 1 2 5\na 2 3 3\na 3 2 1\na 3 4 4\na 1 4 2\n",
    b"c comment\n\np max 3 2\nn 3 s\nn 1 t\na 3 2 inf\na 2 1 0.5e1\nc end",
    b"p max 5 3\r\nn 2 s\r\nn 5 t\r\na 2 1 9223372036854775807\r\na 1 1 7\r\na 1 5 .25\r\n",
    b"p max 2 0\nn 1 s\nn 2 t\n",
)


def instrument(module: ModuleType) -> None:
    """Measure coverage of a module's functions, which the hook of an editable install hides."""
    places = [vars(module), *(vars(c) for c in vars(module).values() if isinstance(c, type))]
    for function in (f for place in places for f in place.values()):
        if isinstance(function, FunctionType) and function.__module__ == module.__name__:
            atheris.instrument_func(function)


def plain(problem: gx.FlowProblem) -> list[object]:
    """Values that can be compared."""
    return [p if isinstance(p, int | float | tuple) else p.tolist() for p in problem]


def outcome(content: bytes) -> list[object] | str:
    """What is read, or why nothing is."""
    try:
        return plain(gx.read_dimacs(io.BytesIO(content)))
    except ValueError as error:
        return str(error)


def check(data: bytes) -> None:
    """Fail by any exception."""
    packed, content = data[:1] == b"\1", data
    if packed:
        content = gzip.compress(data[1:], mtime=0)
    found = outcome(content)
    with mock.patch.object(text, "BLOCK", 16):
        assert outcome(content) == found
    with mock.patch.object(text, "parse_arcs", return_value=None):
        assert outcome(content) == found
    if isinstance(found, str):
        assert found.startswith("<file>, line "), found
        assert "\n" not in found
        return
    problem = gx.read_dimacs(io.BytesIO(content))
    file = io.BytesIO()
    gx.write_dimacs(file, problem)
    again = gx.read_dimacs(io.BytesIO(file.getvalue()))
    if problem.edge_index.shape[1] or problem.direct or (problem.source + problem.sink).any():
        assert plain(again) == found  # no arcs at all are read as int64
    check_cut(problem)


def check_cut(problem: gx.FlowProblem) -> None:
    """Compare the solvers with each other, and with SciPy."""
    results = []
    for solver in SOLVERS:
        try:
            value, side = problem.cut(solver=solver, num_threads=1)
            results.append((value.item(), side.tolist()))
        except ValueError as error:
            results.append((str(error), []))
    capacities = torch.cat(problem[1:5]).double()
    total = capacities[capacities.isfinite()].sum()
    whole = (capacities == capacities.round()).all() and total < 2**53
    if whole or not problem.capacity.is_floating_point():
        assert all(result == results[0] for result in results), results
    if whole and capacities.sum() + problem.direct < SCIPY_LIMIT:
        assert results[0][0] == scipy_value(problem) + problem.direct, results[0]


def scipy_value(problem: gx.FlowProblem) -> int:
    """Value of the cut by SciPy."""
    nodes = len(problem.source)
    node = np.arange(nodes)
    (tail, head), forward, backward, source, sink = (p.numpy() for p in problem[:5])
    rows = np.concatenate([tail, head, np.full(nodes, nodes), node])
    columns = np.concatenate([head, tail, node, np.full(nodes, nodes + 1)])
    values = np.concatenate([forward, backward, source, sink]).astype(np.int32)
    graph = csr_array((values, (rows, columns)), shape=(nodes + 2, nodes + 2), dtype=np.int32)
    return int(maximum_flow(graph, nodes, nodes + 1).flow_value)


def main() -> None:
    """Fuzz from the seeds, or run the files of the command line."""
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(SEEDS):
            Path(corpus, f"plain{number}").write_bytes(seed)
            Path(corpus, f"packed{number}").write_bytes(b"\1" + seed)
        own = [] if any(not a.startswith("-") for a in sys.argv[1:]) else [corpus]
        for module in (dimacs, arcs, text, problem):
            instrument(module)
        mock.patch.object(text, "MAX_NODES", MAX_NODES).start()
        atheris.Setup([*sys.argv, *own], check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
