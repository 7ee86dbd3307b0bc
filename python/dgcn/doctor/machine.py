"""Versions, devices and packages."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator

import torch

import graphcut_ext as gx
from dgcn.doctor.finding import Finding

_PACKAGES = ("numpy", "scipy", "scikit-image", "pillow", "lightning-fabric", "jsonargparse")
_REBUILD = (
    "install the CUDA toolkit (nvcc) and build again: pip install --force-reinstall --no-deps "
    "--no-binary graphcut-ext --config-settings=cmake.define.GRAPHCUT_CUDA=ON graphcut-ext"
)


def check_machine() -> Iterator[Finding]:
    """Versions of what results depend on, and the accelerators."""
    yield Finding("ok", f"Python {platform.python_version()} on {platform.platform()}")
    build = gx.build_info()
    kind = "" if build["build_type"] == "Release" else f", {build['build_type']} build"
    yield Finding("ok", f"graphcut_ext {build['version']}, compiled by {build['compiler']}{kind}")
    yield Finding("ok", f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    listed = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    yield Finding("ok", listed)
    yield from _accelerators(build["cuda"], build["cuda_architectures"])
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if usable and torch.get_num_threads() > usable:
        yield Finding(
            "warning",
            f"torch uses {torch.get_num_threads()} threads on {usable} usable cores",
            f"OMP_NUM_THREADS={usable}",
        )


def _accelerators(cuda: str | None, architectures: str | None) -> Iterator[Finding]:
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            memory = properties.total_memory / 2**30
            yield Finding("ok", f"GPU {index}: {properties.name}, {memory:.0f} GiB")
        if cuda is None:
            yield Finding(
                "warning", "graphcut_ext is built without CUDA: neighbours on the CPU", _REBUILD
            )
    elif shutil.which("nvidia-smi"):
        yield Finding(
            "warning",
            f"there is an NVIDIA driver, but torch finds no GPU (built for CUDA "
            f"{torch.version.cuda or 'none'})",
            "install a CUDA build of torch (https://pytorch.org/get-started), and look whether "
            "CUDA_VISIBLE_DEVICES hides the GPU",
        )
    else:
        yield Finding("ok", "no GPU: everything runs on the CPU")
    if cuda is not None:
        yield Finding("ok", f"CUDA kernels: toolkit {cuda}, architectures {architectures}")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
