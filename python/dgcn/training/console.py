"""What a run shows meanwhile: lines, bars with the time left, curves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import rich.console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from dgcn.text import printable, printable_lines
from dgcn.training.forecast import Forecast
from dgcn.training.loggers import make_logger

if TYPE_CHECKING:
    from dgcn.config.runtime import LoggerName

Advance = Callable[[str], None]
"""Called after every item with a short remark (the loss, a file name), which may be empty."""


class _Terminal(rich.console.Console):
    """Leaves it to the command line that the reader has gone."""

    def on_broken_pipe(self) -> None:
        raise


class Console:
    """Where a run reports; silent on every process but the first of a parallel run.

    Parameters
    ----------
    quiet : bool, default False
        Print nothing.
    rich_console : rich.console.Console or None, default None
        None: standard output.

    Attributes
    ----------
    forecast : Forecast
        How long the run still takes.
    """

    def __init__(
        self, *, quiet: bool = False, rich_console: rich.console.Console | None = None
    ) -> None:
        self.rich = rich_console or _Terminal(quiet=quiet, highlight=False, soft_wrap=True)
        self.forecast = Forecast()

    def begin(self, stage: str) -> None:
        """A stage of the run begins; say how long the run still takes, where that is known."""
        self._say(self.forecast.begin(stage))

    def pace(self, images: float, seconds: float) -> None:
        """The stage has `images` left and takes `seconds` for one; say what that means."""
        self._say(self.forecast.pace(images, seconds))

    def _say(self, sentence: str) -> None:
        if sentence:
            self.line(sentence)

    def line(self, text: str) -> None:
        """Print one line as it is."""
        self.rich.print(printable_lines(text), markup=False)

    @contextmanager
    def bar(
        self, title: str, total: int, *, brief: bool = False, summary: bool = False
    ) -> Iterator[Advance]:
        """Show the progress of `total` items; on no terminal, one line when they are done.

        Parameters
        ----------
        title : str
        total : int
        brief : bool, default False
            Leave nothing behind: no line on no terminal, no bar that stays on one.
        summary : bool, default False
            Whether the last remark is of all items, as a mean, and ends the line; else it names the
            last item, and a line that is written at the end leaves it out.

        Yields
        ------
        Advance
            To be called once per item.
        """
        if not self.rich.is_terminal or self.rich.is_dumb_terminal:
            start = time.perf_counter()
            remarks = [""]

            def remember(remark: str) -> None:
                remarks[0] = remark

            yield remember
            seconds = time.perf_counter() - start
            tail = f", {printable(remarks[0])}" if summary and remarks[0] else ""
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
        with Progress(*columns, console=self.rich, transient=brief) as progress:
            task = progress.add_task(title, total=total, remark="")
            yield lambda remark: progress.update(task, advance=1, remark=printable(remark))


class Curves:
    """The curves of a training, by the logger that the settings name.

    Parameters
    ----------
    folder : Path
        The training's folder.
    writes : bool
        Whether this process writes at all.
    step : int
        Steps done before: curves of a broken-off training beyond it are dropped.
    logger : {"auto", "none", "csv", "tensorboard", "wandb", "mlflow"}, default "auto"
    settings : mapping, optional
        What the training depends on.
    """

    def __init__(
        self,
        folder: Path,
        writes: bool,
        step: int,
        logger: LoggerName = "auto",
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._logger = make_logger(logger, folder, step, settings or {}) if writes else None

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """Add a point to the curve of each figure."""
        if self._logger is not None:
            self._logger.log_metrics(dict(figures), step)

    def __enter__(self) -> Curves:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._logger is not None:
            self._logger.finalize("success" if error is None else "aborted")
