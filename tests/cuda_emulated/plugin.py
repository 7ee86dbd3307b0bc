"""For ``pytest -p cuda_emulated.plugin``: the device, and the core with kernels for the CPU."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

BUILD = Path(os.environ["GRAPHCUT_EMULATED"])
"""Where CMake has built ``tests/cuda_emulated``."""


# Minutes for each here; test_chain_cuda.py has the same in small.
LARGE = {
    "test_agrees_with_the_cpu",
    "test_any_k",
    "test_fast_is_exact",
    "test_full_image_by_the_lattice",
    "test_item_larger_than_a_block",
    "test_queries_and_lengths",
    "test_queries_and_lengths_in_tiles",
    "test_same_bits_on_every_call_and_in_every_batch",
    "test_tf32_leaves_the_result",
    "test_threads_with_graphs_of_different_sizes",
    "test_ties_go_to_the_lower_index",
    "test_ties_in_tiles",
    "test_tiles",
    "test_tiles_need_memory_for_points_alone",
    "test_tiles_on_a_side_stream_in_a_graph_and_on_every_device",
}
# torch's compiler asks CUDA's own libraries.
COMPILED = {"test_operator_contract"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests for CUDA that this device is made for."""
    kept, left = [], []
    for item in items:
        name = getattr(item, "originalname", item.name)
        wanted = item.get_closest_marker("cuda") and not item.get_closest_marker("slow")
        (kept if wanted and name not in LARGE | COMPILED else left).append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = kept


def _load_core() -> ModuleType:
    name = "graphcut_ext._core"
    (path,) = BUILD.glob("_core*.so")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    core = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(core)
    return core


assert "torch" not in sys.modules, "torch was imported before its device"
_library = ctypes.CDLL(str(BUILD / "torch_device.so"))
import torch  # noqa: E402, F401

from cuda_emulated import operators, runtime  # noqa: E402

runtime.install(_library, _load_core())
operators.install()
