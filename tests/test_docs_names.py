"""What the README and the documentation name is there: commands, options, files, functions."""

from __future__ import annotations

import argparse
import functools
import importlib
import re
import shlex
from pathlib import Path

import pytest
from documentation import PAGES, ROOT, commands, inline_code, name
from jsonargparse import ArgumentParser

import graphcut_ext as gx
from benchmarks.__main__ import BENCHMARKS
from dgcn.commands import COMMANDS
from dgcn.config import SECTIONS
from dgcn.options import parse, settings_of

GUIDE = ROOT / "docs" / "from-pymaxflow.md"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_are_understood(page: Path, tmp_path: Path) -> None:
    """Targets of make exist; commands and benchmarks take the options they are given."""
    for command in commands(page):
        words = [w for w in shlex.split(command, comments=True) if w not in ("...", "[options]")]
        program, *rest = words
        if program == "make":
            understand_make(rest)
        elif program == "dgcn":
            understand_dgcn(rest, tmp_path)
        elif rest[:1] == ["-m"] or "-m" in rest:
            module, *options = rest[rest.index("-m") + 1 :]
            if module == "dgcn":
                understand_dgcn(options, tmp_path)
            elif module == "benchmarks":
                understand_benchmark(options)
            else:
                assert module in ("graphcut_ext", "mkdocs", "pytest"), command


def understand_make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in words:
        known = re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE)
        assert known or re.fullmatch(r"[A-Z]+=\w+", target), target


def understand_dgcn(words: list[str], folder: Path) -> None:
    if len(words) < 2 or not words[0].islower():  # a command alone, or COMMAND
        assert not words or words[0] in ("COMMAND", *COMMANDS), words
        return
    settings = folder / "empty.yaml"
    settings.write_text("{}")
    files = [k + 1 for k, word in enumerate(words) if word == "--config"]
    words = [str(settings) if k in files else word for k, word in enumerate(words)]
    if not {"--help", "--help-all"} & {*words}:
        parse(dgcn_parser(words[0]), words[1:])


@functools.cache
def dgcn_parser(command: str) -> ArgumentParser:
    return COMMANDS[command].parser(command)


def understand_benchmark(words: list[str]) -> None:
    benchmark, *options = words
    if benchmark == "NAME":
        return
    assert benchmark in BENCHMARKS, benchmark
    parser = argparse.ArgumentParser(exit_on_error=False)
    importlib.import_module(f"benchmarks.{benchmark}").add_arguments(parser)
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--json")
    taken = {a for action in parser._actions for a in action.option_strings}
    for option in options:
        assert not option.startswith("--") or option in taken, option


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_settings_exist(page: Path) -> None:
    """Every ``--section.field`` is a setting."""
    for code in inline_code(page):
        for section, field in re.findall(r"--([a-z]+)\.([a-z_0-9.]+)", code):
            known = set(settings_of(SECTIONS[section], section))
            parts = {key.rsplit(".", 1)[0] for key in known}
            assert f"{section}.{field}" in known | parts, code


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_exist(page: Path) -> None:
    """Every path into the sources leads somewhere, but for those that a reader is to make."""
    folders = ("csrc/", "graphcut_ext/", "python/", "benchmarks/", "tests/", "docs/", ".ci/")
    for code in inline_code(page):
        if code.startswith(folders) and " " not in code and "my_" not in code:
            assert list(ROOT.glob(code.rstrip("/"))), code


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_functions_exist(page: Path) -> None:
    for function in re.findall(r"\bgx\.(\w+)", page.read_text(encoding="utf-8")):
        assert hasattr(gx, function), function


def test_every_operator_is_documented() -> None:
    """All public names of `graphcut_ext` are in the pages on the operators."""
    pages = (ROOT / "docs" / "operators").glob("*.md")
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    shown = set(re.findall(r"^::: graphcut_ext\.(\w+)$", text, re.MULTILINE))
    assert shown | {"__version__"} == set(gx.__all__)


def test_extras_exist() -> None:
    """Every ``graphcut-ext[EXTRA]`` can be installed."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for page in PAGES:
        for extra in re.findall(r"graphcut-ext\[(\w+)\]", page.read_text(encoding="utf-8")):
            assert re.search(rf"^{extra} = \[", project, re.MULTILINE), (name(page), extra)


def test_every_method_of_pymaxflow_is_there() -> None:
    """All that PyMaxflow's graphs can do is in the guide's table, and our side of it exists."""
    pymaxflow = pytest.importorskip("maxflow")
    text = GUIDE.read_text(encoding="utf-8")
    table = [line for line in text.splitlines() if line.startswith("| `")]
    left = " ".join(line.split(" | ")[0] for line in table)
    for method in dir(pymaxflow.GraphFloat):
        if not method.startswith("_") and method not in ("get_edge_num", "get_node_num"):
            assert f"g.{method}(" in left, method
    right = " ".join(line.split(" | ")[1] for line in table)
    for method in re.findall(r"\bg\.(\w+)", right):
        assert hasattr(gx.Graph, method), method


def test_options_of_pytest_that_pages_use_are_installed_with_the_extra_dev() -> None:
    assert any(
        re.search(r"-m pytest .*-n \d", command) for page in PAGES for command in inline_code(page)
    )
    extras = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    dev = extras[extras.index("\ndev = [") : extras.index("\ndocs = [")]
    assert '"pytest-xdist' in dev
