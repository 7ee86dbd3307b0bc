"""Signatures of operators are ones that torch 2.6, the oldest that is promised, understands."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import graphcut_ext
from graphcut_ext._operator import Operator


def test_lists_are_annotated_as_sequences() -> None:
    """``infer_schema`` of torch 2.6 refuses ``list[float]``, and the package is not imported."""
    operators = {}
    for module in pkgutil.walk_packages(graphcut_ext.__path__, "graphcut_ext."):
        if module.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Operator):
                operators[value.kernel] = value
    assert len(operators) >= 8
    for kernel in operators:
        for parameter in inspect.signature(kernel).parameters.values():
            assert not str(parameter.annotation).startswith(("list", "tuple", "dict")), (
                f"{kernel.__module__}: {parameter}"
            )
