"""The core lists its solvers; what repeats a name has the same ones."""

from __future__ import annotations

import re
from typing import get_args, get_type_hints

from documentation import ROOT

import graphcut_ext as gx
from dgcn.config import SupervisionConfig
from dgcn.doctor import kernels
from graphcut_ext import _core


def test_type_of_names() -> None:
    assert gx.SOLVERS == _core.SOLVERS
    assert get_args(gx.Solver) == gx.SOLVERS


def test_lists_of_dgcn() -> None:
    assert kernels.SOLVERS == gx.SOLVERS
    assert get_args(get_type_hints(SupervisionConfig)["solver"]) == gx.SOLVERS


def test_documented() -> None:
    """Every solver has a row in the guide's table."""
    guide = (ROOT / "docs/solvers.md").read_text(encoding="utf-8")
    rows = re.findall(r'^\| `"(\w+)"` \|', guide, re.MULTILINE)
    assert sorted(rows) == sorted(gx.SOLVERS[1:])
