"""A copy of the tree with one mutant at a time, and the tests run there; see mutants.py."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mutant import Mutant, mutated

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "mutants"
TIMEOUT = 900  # seconds for the tests of one mutant; a mutant that never ends is killed
COPIED = ("graphcut_ext", "python", "tests", "csrc", "docs", "examples", "benchmarks")
FILES = ("pyproject.toml", "README.md", "CHANGELOG.md", "CMakeLists.txt")
# An editable install finds its own tree before the copy.
WITHOUT_EDITABLE = """
import sys
sys.meta_path[:] = [f for f in sys.meta_path if "ScikitBuild" not in type(f).__name__]
"""


class Copy:
    """The tree, as it is now, in a folder of its name: copies of two kinds serve two processes."""

    def __init__(self, name: str) -> None:
        self.root = WORK / name
        for name in COPIED:
            _synchronise(ROOT / name, self.root / name)
        for name in FILES:
            shutil.copy2(ROOT / name, self.root / name)

    def prepare(self, tests: Sequence[str]) -> None:
        """Make what the tests need, without a mutant."""

    def passes(self, tests: Sequence[str]) -> bool:
        """Whether tests pass, within `TIMEOUT`."""
        raise NotImplementedError

    def survives(self, mutant: Mutant) -> bool:
        """Whether all its tests pass."""
        with self._mutated(mutant):
            return self.passes(mutant.tests.split())

    @contextmanager
    def _mutated(self, mutant: Mutant) -> Iterator[None]:
        path = self.root / mutant.file
        source, former = path.read_text(), path.stat()
        try:
            path.write_text(mutated(mutant, source))
            yield
        finally:
            path.write_text(source)
            os.utime(path, ns=(former.st_atime_ns, former.st_mtime_ns))


class PythonCopy(Copy):
    """Tests by pytest, with the compiled core that is installed."""

    def __init__(self) -> None:
        super().__init__("python")
        shutil.copy2(_compiled_core(), self.root / "graphcut_ext")
        (self.root / "site").mkdir(exist_ok=True)
        (self.root / "site" / "sitecustomize.py").write_text(WITHOUT_EDITABLE)
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # it would be of a mutant
        for name in ("torch", "scipy.sparse", "lightning_fabric", "skimage", "jsonargparse"):
            importlib.import_module(name)

    def passes(self, tests: Sequence[str]) -> bool:
        """Run pytest in a child that need not load torch and the like anew."""
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = self._pytest(tests)
            finally:
                os._exit(code)
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status) == 0
            time.sleep(0.05)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return False

    def _pytest(self, tests: Sequence[str]) -> int:
        import pytest

        os.setsid()
        with (WORK / "pytest.txt").open("w") as output:
            for stream in (1, 2):
                os.dup2(output.fileno(), stream)
        paths = [str(path) for path in (self.root / "site", self.root, self.root / "python")]
        os.environ |= {"PYTHONPATH": os.pathsep.join(paths), "CI": "true"}
        exec(WITHOUT_EDITABLE)
        sys.path[:0] = paths
        os.chdir(self.root)
        options = ["-q", "-x", "-m", "not cuda", "-p", "no:cacheprovider"]
        return int(pytest.main([*options, *tests]))


class CoreCopy(Copy):
    """The core's test programs. What the mutants leave untouched is compiled once."""

    def __init__(self) -> None:
        super().__init__("core")
        self.build, self.sound = WORK / "build", WORK / "sound"
        ninja = Path(sys.executable).parent / "ninja"
        command = [_cmake(), "-G", "Ninja", "-S", str(self.root / "tests" / "core")]
        command += ["-B", str(self.build), f"-DCMAKE_MAKE_PROGRAM={ninja}"]
        if not _succeeds([*command, "-DGRAPHCUT_FLAGS=-O1"], self.root):
            raise RuntimeError(f"the core's tests cannot be configured: see {WORK}/*.txt")

    def prepare(self, tests: Sequence[str]) -> None:
        """Compile the programs, and keep what was compiled."""
        self._compile(tests)
        _copy_changed(self.build, self.sound)

    def passes(self, tests: Sequence[str]) -> bool:
        """Whether the programs end without an error."""
        self._compile(tests)
        return all(_succeeds(self._command(test), self.build) for test in tests)

    def survives(self, mutant: Mutant) -> bool:
        """Whether all its tests pass; what was compiled of it is then forgotten."""
        try:
            return super().survives(mutant)
        finally:
            _copy_changed(self.sound, self.build)

    def _compile(self, tests: Sequence[str]) -> None:
        if not _succeeds([_cmake(), "--build", str(self.build), "--target", *tests], self.root):
            raise RuntimeError(f"the core does not compile: see {WORK}/*.txt")

    def _command(self, test: str) -> list[str]:
        program = str(self.build / test)
        if test == "stuck_supply_test":
            return [program, str(self.root / "tests" / "core" / "data" / "retired_supply.txt")]
        if test.endswith("_fuzz"):
            return [program, "-runs=20000", "-seed=1", "-max_total_time=60", "-timeout=60"]
        return [program]


def _synchronise(source: Path, target: Path) -> None:
    """Copy what differs, so that what is built of the rest stays."""
    for path in source.rglob("*"):
        copy = target / path.relative_to(source)
        if path.is_dir() or "__pycache__" in path.parts:
            continue
        if not copy.is_file() or copy.read_bytes() != path.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def _copy_changed(source: Path, target: Path) -> None:
    """Copy files of another time, which the copies then have too."""
    for path in source.rglob("*"):
        copy = target / path.relative_to(source)
        if path.is_dir():
            continue
        if not copy.exists() or copy.stat().st_mtime_ns != path.stat().st_mtime_ns:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)


def _compiled_core() -> str:
    command = [sys.executable, "-c", "import graphcut_ext._core as c; print(c.__file__)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _cmake() -> str:
    return str(Path(sys.executable).parent / "cmake")


def _succeeds(command: Sequence[str], folder: Path) -> bool:
    """Whether a command ends in time and without an error; what it says goes to a file."""
    with (WORK / f"{Path(command[0]).name}.txt").open("w") as output:
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0
