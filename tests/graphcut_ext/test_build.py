"""The installed package: its facts, its data files, its independence of torch and of a driver."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from pathlib import Path

import graphcut_ext as gx
from graphcut_ext import _core


def test_build_info():
    info = gx.build_info()
    assert info["version"] == gx.__version__ == importlib.metadata.version("graphcut-ext")
    assert info["compiler"].split()[0] in {"GNU", "Clang", "AppleClang", "MSVC"}
    assert (info["cuda"] is None) == (info["cuda_architectures"] is None)


def test_core_needs_neither_torch_nor_a_cuda_library():
    binary = Path(_core.__file__).read_bytes()
    for library in (b"libtorch", b"libc10", b"libcudart.so"):
        assert library not in binary


def test_core_imports_without_torch():
    code = (
        "import importlib.util, sys;"
        f"spec = importlib.util.spec_from_file_location('_core', {_core.__file__!r});"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module);"
        "assert 'torch' not in sys.modules; print(module.build_info()['version'])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == gx.__version__


def refused_import(folder: Path, *path: Path) -> str:
    """Import the package of ``folder``, from there, and return the error."""
    result = subprocess.run(
        [sys.executable, "-S", "-c", "import graphcut_ext"],
        cwd=folder,
        env={"PYTHONPATH": ":".join(map(str, path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    return result.stderr


def test_source_tree_without_the_core_says_what_to_do(tmp_path):
    source, site = tmp_path / "source", tmp_path / "site-packages"
    shutil.copytree(
        Path(gx.__file__).parent, source / "graphcut_ext", ignore=shutil.ignore_patterns("*.so")
    )
    assert "has to be installed first (pip install -e .)" in refused_import(source)
    installed = site / "graphcut_ext" / "_core.abi.so"
    installed.parent.mkdir(parents=True)
    installed.touch()
    told = refused_import(source, site)
    assert f"hides the package that is installed in {installed.parent}" in told
    assert "python -P" in told


def test_core_of_another_python_says_what_to_do(tmp_path):
    package = tmp_path / "graphcut_ext"
    shutil.copytree(
        Path(gx.__file__).parent, package, ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    (package / Path(_core.__file__).name).write_bytes(b"no library")
    assert "was built for another Python or machine" in refused_import(tmp_path)


def test_typed():
    assert (Path(gx.__file__).parent / "py.typed").is_file()
    assert (Path(gx.__file__).parent / "_core.pyi").is_file()
