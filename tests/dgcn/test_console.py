"""How progress is shown."""

from __future__ import annotations

import io
import re

import rich.console

from dgcn.training.console import Console


def test_progress_is_a_plain_line_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    console = Console(rich_console=rich.console.Console(file=stream, force_terminal=False))
    with console.bar("work [x]", 3, summary=True) as advance:
        for index in range(3):
            advance(f"mean {index}")
    with console.bar("work", 2) as advance:
        for name in ("a", "b"):
            advance(name)
    lines = r"work \[x\]: 3 done in \d+\.\d s, mean 2\nwork: 2 done in \d+\.\d s\n"
    assert re.fullmatch(lines, stream.getvalue())


def test_progress_is_a_bar_on_a_terminal() -> None:
    stream = io.StringIO()
    console = Console(
        rich_console=rich.console.Console(file=stream, force_terminal=True, width=120)
    )
    with console.bar("work", 3) as advance:
        for _ in range(3):
            advance("x")
    assert "3/3" in stream.getvalue()
    assert "eta" in stream.getvalue()
