"""A solver's name stands in several places: they all have the same ones."""

from __future__ import annotations

import re
from typing import get_args, get_type_hints

import pytest
from documentation import ROOT

import graphcut_ext as gx
from dgcn.config import SupervisionConfig
from dgcn.doctor import kernels
from graphcut_ext._arguments import SOLVERS


def test_lists_of_solvers() -> None:
    assert kernels.SOLVERS == SOLVERS
    assert get_args(get_type_hints(SupervisionConfig)["solver"]) == SOLVERS


@pytest.mark.parametrize("documented", [gx.maxflow, gx.knn_maxflow, SupervisionConfig])
def test_docstrings(documented: object) -> None:
    listed = re.search(r"solver : \{(.*?)\}", documented.__doc__ or "")
    assert listed
    assert tuple(re.findall(r'"(\w+)"', listed[1])) == SOLVERS


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("tests/core/edge_lists.hpp", r"kSolvers\[\] = \{(.*?)\}"),
        ("tests/wheel_smoke.py", r"for solver in \((.*?)\)"),
        ("docs/solvers.md", r"for solver in \((.*?)\)"),
    ],
)
def test_files(file: str, pattern: str) -> None:
    listed = re.search(pattern, (ROOT / file).read_text(encoding="utf-8"), re.DOTALL)
    assert listed
    assert tuple(re.findall(r'"(\w+)"', listed[1])) == SOLVERS
