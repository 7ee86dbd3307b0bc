"""The pages that users read, and the examples in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = ("dgcn", "make", "python", "torchrun", ".venv/bin/python")


class Block(NamedTuple):
    """A fenced block of a page: what stands behind its first fence, and its lines."""

    language: str
    text: str


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    """Every fenced block, in order."""
    return [Block(*match) for match in FENCE.findall(page.read_text(encoding="utf-8"))]


def inline_code(page: Path) -> list[str]:
    """What stands between backticks, on one line each."""
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    return [" ".join(code.split()) for code in re.findall(r"`+([^`]+)`+", prose)]


def commands(page: Path) -> list[str]:
    """Command lines, from blocks and from between backticks."""
    lines: list[str] = []
    for block in blocks(page):
        if block.language in ("", "sh"):
            lines += re.sub(r"\\\n\s*", "", block.text).splitlines()
    lines = [re.sub(r"^(\w+=\S+ )+", "", line) for line in lines + inline_code(page)]
    return [line for line in lines if line.split() and line.split()[0] in PROGRAMS]
