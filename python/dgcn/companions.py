"""Verbs beside the stages of a run: to look at one, to begin one, to check, to hand on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace


@dataclass(frozen=True)
class Companion:
    """A verb with options of its own.

    Attributes
    ----------
    description : str
    add_options : callable
        Adds the options to a parser.
    perform : callable
        From the parsed options to the exit status. Imports late, so that ``--help`` need not wait
        for torch.
    """

    description: str
    add_options: Callable[[ArgumentParser], None]
    perform: Callable[[Namespace], int]

    def parser(self) -> ArgumentParser:
        """Parser of the verb's options."""
        parser = ArgumentParser(description=self.description, exit_on_error=False)
        self.add_options(parser)
        return parser


def _report_options(parser: ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="Run folder: what 'dgcn run' was given as --out.")
    parser.add_argument(
        "--page", type=Path, default=None, help="File to write; default: report.html in the run."
    )
    parser.add_argument("--images", type=int, default=500, help="At most this many images.")
    parser.add_argument(
        "--data.root", type=Path, default=None, help="The data set, where it has been moved since."
    )


def _report(options: Namespace) -> int:
    from dgcn.engine.report import report

    written = report(
        options["run"], page=options["page"], images=options["images"], root=options["data.root"]
    )
    for note in written.notes:
        print(note)
    size = written.path.stat().st_size / 1e6
    print(
        f"report: {written.path} ({written.pictures} images, {size:.1f} MB; open it in a browser)"
    )
    return 0


COMPANIONS: dict[str, Companion] = {
    "report": Companion(
        "Write one HTML page about a run: scores, curves, and every stage's pictures.",
        _report_options,
        _report,
    ),
}
"""By the verb's name, in the order of the help."""
