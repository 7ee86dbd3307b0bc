"""Facts about the compiled core."""

from __future__ import annotations

from typing import TypedDict

from graphcut_ext import _core


class BuildInfo(TypedDict):
    """What :func:`build_info` returns."""

    version: str
    compiler: str
    build_type: str
    cuda: str | None
    cuda_architectures: str | None


def build_info() -> BuildInfo:
    """Return how the compiled core was built.

    Returns
    -------
    dict
        ``version`` of the package, ``compiler`` (id and version), ``build_type``, and, where CUDA
        kernels were built, ``cuda`` (version of the toolkit) and ``cuda_architectures``; else both
        are None. No driver is needed to ask.
    """
    info: BuildInfo = _core.build_info()
    return info


__version__ = build_info()["version"]
