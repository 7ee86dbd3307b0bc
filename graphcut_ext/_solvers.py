"""The names of the solvers, as the compiled core lists them."""

from __future__ import annotations

from typing import Literal

from graphcut_ext import _core

Solver = Literal["auto", "bk", "ibfs", "push_relabel", "hpf"]
"""Names that ``solver=`` takes, for type checkers; a test keeps it equal to the core's list."""

SOLVERS: tuple[str, ...] = _core.SOLVERS
"""Names that ``solver=`` takes: ``"auto"`` first, then the solvers of the compiled core."""
