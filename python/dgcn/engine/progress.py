"""Progress on the screen: bars with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Advance = Callable[[str], None]
"""Called after every item with a short remark (the loss, a file name), which may be empty."""


class Screen:
    """Where a run reports; silent on every process but the first of a parallel run.

    Parameters
    ----------
    quiet : bool, default False
        Print nothing.
    console : Console or None, default None
        None: standard output.
    """

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self.console = console or Console(quiet=quiet, highlight=False, soft_wrap=True)

    def line(self, text: str) -> None:
        """Print one line as it is."""
        self.console.print(text, markup=False)

    @contextmanager
    def bar(self, title: str, total: int, *, brief: bool = False) -> Iterator[Advance]:
        """Show the progress of `total` items; on no terminal, one line when they are done.

        Parameters
        ----------
        title : str
        total : int
        brief : bool, default False
            Leave nothing behind: no line on no terminal, no bar that stays on one.

        Yields
        ------
        Advance
            To be called once per item.
        """
        if not self.console.is_terminal or self.console.is_dumb_terminal:
            start = time.perf_counter()
            remarks = [""]

            def remember(remark: str) -> None:
                remarks[0] = remark

            yield remember
            seconds = time.perf_counter() - start
            tail = f", {remarks[0]}" if remarks[0] else ""
            if not brief:
                self.line(f"{title}: {total} done in {seconds:.1f} s{tail}")
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("eta"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[remark]}", markup=False),
        )
        with Progress(*columns, console=self.console, transient=brief) as progress:
            task = progress.add_task(title, total=total, remark="")
            yield lambda remark: progress.update(task, advance=1, remark=remark)
