"""Mutation testing: whether the tests notice an error that is put into the program.

``python tests/mutants.py [--python-only | --core-only] [NAME...]`` copies the tree, makes one
change of the lists in ``mutants_python.py`` and ``mutants_core.py`` at a time, and runs the tests
that should fail then. ``mutants.md`` has the last result. Names select mutants by a part of theirs.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "mutants"
TIMEOUT = 600  # seconds for the tests of one mutant; a mutant that never ends is killed
COPIED = ("graphcut_ext", "python", "tests", "csrc", "docs", "examples", "benchmarks")
FILES = ("pyproject.toml", "README.md", "CHANGELOG.md", "CMakeLists.txt")
# An editable install finds its own tree before the copy.
WITHOUT_EDITABLE = """
import sys
sys.meta_path[:] = [f for f in sys.meta_path if "ScikitBuild" not in type(f).__name__]
"""


class Mutant(NamedTuple):
    """An error in one place.

    Attributes
    ----------
    name : str
        What is wrong then.
    file : str
        Below the root of the repository.
    text : str
        Occurs once in the file.
    replacement : str
    tests : str
        Those that should fail: paths for pytest, or names of the core's test programs.
    equivalent : str
        Why no test can fail, where that is so; "" for all others.
    """

    name: str
    file: str
    text: str
    replacement: str
    tests: str
    equivalent: str = ""

    @property
    def core(self) -> bool:
        return self.file.startswith("csrc/")


def all_mutants() -> list[Mutant]:
    """The two lists."""
    from mutants_core import CORE
    from mutants_python import PYTHON

    return [*PYTHON, *CORE]


def mutated(mutant: Mutant, source: str) -> str:
    """The file's content with the error."""
    count = source.count(mutant.text)
    if count != 1:
        raise ValueError(f"{mutant.name}: its text occurs {count} times in {mutant.file}")
    return source.replace(mutant.text, mutant.replacement)


class Copy:
    """The tree with one mutant at a time, and the tests run there."""

    def __init__(self, core: bool) -> None:
        self.root = WORK / "tree"
        self.build = WORK / "build"
        self.made: Path | None = None
        for name in COPIED:
            _synchronise(ROOT / name, self.root / name)
        for name in FILES:
            shutil.copy2(ROOT / name, self.root / name)
        if core:
            self._configure()
        else:
            shutil.copy2(_compiled_core(), self.root / "graphcut_ext")
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # it would be of a mutant
            for name in ("torch", "scipy.sparse", "lightning_fabric", "skimage", "jsonargparse"):
                importlib.import_module(name)
        (self.root / "site").mkdir(exist_ok=True)
        (self.root / "site" / "sitecustomize.py").write_text(WITHOUT_EDITABLE)

    def survives(self, mutant: Mutant) -> bool:
        """Whether all its tests pass."""
        path = self.root / mutant.file
        source = path.read_text()
        try:
            path.write_text(mutated(mutant, source))
            return self.passes(mutant.tests, mutant.core)
        finally:
            path.write_text(source)

    def passes(self, tests: str, core: bool) -> bool:
        """Whether tests pass, within `TIMEOUT`."""
        return self._core_passes(tests.split()) if core else self._pytest_passes(tests.split())

    def _pytest_passes(self, tests: Sequence[str]) -> bool:
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

    def _core_passes(self, tests: Sequence[str]) -> bool:
        if not _succeeds([*_cmake("--build"), str(self.build), "--target", *tests], self.root):
            raise RuntimeError("the mutant does not compile")
        data = self.root / "tests" / "core" / "data" / "retired_supply.txt"
        for test in tests:
            arguments: list[str] = []
            if test == "stuck_supply_test":
                arguments = [str(data)]
            elif test.endswith("_fuzz"):
                arguments = ["-runs=20000", "-seed=1", "-max_total_time=60", "-timeout=10"]
            if not _succeeds([str(self.build / test), *arguments], self.build):
                return False
        return True

    def _configure(self) -> None:
        ninja = Path(sys.executable).parent / "ninja"
        source = self.root / "tests" / "core"
        command = [*_cmake("-G"), "Ninja", "-S", str(source), "-B", str(self.build)]
        if not _succeeds([*command, f"-DCMAKE_MAKE_PROGRAM={ninja}"], self.root):
            raise RuntimeError("the core's tests cannot be configured")


def _synchronise(source: Path, target: Path) -> None:
    """Copy what differs, so that what is built of the rest stays."""
    for path in source.rglob("*"):
        copy = target / path.relative_to(source)
        if path.is_dir() or "__pycache__" in path.parts:
            continue
        if not copy.is_file() or copy.read_bytes() != path.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def _compiled_core() -> str:
    command = [sys.executable, "-c", "import graphcut_ext._core as c; print(c.__file__)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _cmake(option: str) -> list[str]:
    return [str(Path(sys.executable).parent / "cmake"), option]


def _output(command: Sequence[str]) -> Path:
    return WORK / f"{Path(command[0]).name}.txt"


def _succeeds(command: Sequence[str], folder: Path) -> bool:
    """Whether a command ends in time and without an error; what it says goes to a file."""
    with _output(command).open("w") as output:
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


def main() -> int:
    """Run the mutants that are asked for; 1 where one survives that should not."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--python-only", action="store_true", help="those of Python alone")
    kinds.add_argument("--core-only", action="store_true", help="those of csrc/ alone")
    parser.add_argument(
        "--trusted", action="store_true", help="do not run the tests without a mutant first"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="parts of names")
    options = parser.parse_args()
    chosen = [
        mutant
        for mutant in all_mutants()
        if not (options.python_only and mutant.core)
        and not (options.core_only and not mutant.core)
        and (not options.names or any(name in mutant.name for name in options.names))
    ]
    WORK.mkdir(parents=True, exist_ok=True)
    survivors = 0
    for core in (False, True):
        of_kind = [mutant for mutant in chosen if mutant.core == core]
        if not of_kind:
            continue
        copy = Copy(core)
        tests = sorted({test for mutant in of_kind for test in mutant.tests.split()})
        if not (options.trusted or copy.passes(" ".join(tests), core)):
            print(f"the tests fail without a mutant: see {WORK}/*.txt")
            return 1
        for mutant in of_kind:
            begin = time.monotonic()
            survives = copy.survives(mutant)
            seconds = time.monotonic() - begin
            unexpected = survives != bool(mutant.equivalent)
            survivors += unexpected
            word = "SURVIVED" if survives else "killed"
            mark = "  unexpected" if unexpected else ""
            print(f"{word:8} {seconds:5.0f} s  {mutant.name}{mark}", flush=True)
    print(f"{len(chosen)} mutants, {survivors} with another outcome than expected")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
