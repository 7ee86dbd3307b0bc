"""The names of the solvers, as the compiled core lists them."""

from __future__ import annotations

from typing import Literal, cast

from graphcut_ext import _core

Solver = Literal["auto", "bk", "ibfs", "push_relabel", "hpf"]
"""Names that ``solver=`` takes, for type checkers; a test keeps it equal to the core's list."""

SOLVERS = cast(tuple[Solver, ...], _core.SOLVERS)
"""Names that ``solver=`` takes: ``"auto"`` first, then the solvers of the compiled core."""


def check_solver(solver: str) -> None:
    """Refuse an unknown solver."""
    if solver not in SOLVERS:
        raise ValueError(f"solver must be one of {', '.join(map(repr, SOLVERS))}, not {solver!r}")
