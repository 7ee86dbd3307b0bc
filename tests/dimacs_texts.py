"""DIMACS files in memory."""

from __future__ import annotations

import io

import torch

import graphcut_ext as gx

TOP = 2**63 - 1
INF = float("inf")
HEAD = b"p max 4 2\nn 1 s\nn 4 t\n"
HEADER = "p max 6 {}\nn 2 s\nn 5 t\n"


def text(*arcs: str, header: str = HEADER) -> bytes:
    return (header.format(len(arcs)) + "".join(f"{arc}\n" for arc in arcs)).encode()


def read(content: bytes) -> gx.FlowProblem:
    return gx.read_dimacs(io.BytesIO(content))


def written(problem: gx.FlowProblem) -> bytes:
    file = io.BytesIO()
    gx.write_dimacs(file, problem)
    return file.getvalue()


def assert_same(a: gx.FlowProblem, b: gx.FlowProblem) -> None:
    for name, x, y in zip(a._fields, a, b, strict=True):
        if isinstance(x, torch.Tensor):
            assert x.dtype == y.dtype, name
            assert torch.equal(x, y), name
        else:
            assert (type(x), x) == (type(y), y), name
