"""Verbs beside the stages of a run: to look at one, to begin one, to check, to hand on."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, Namespace

from dgcn.options import add_config_options, config_from


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


def _init_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        type=Path,
        help="Pictures: one folder a class, all in one place, or as VOC or COCO has them.",
    )
    parser.add_argument(
        "--weights", type=Path, default=None, help="ImageNet weights, to be named in config.yaml."
    )
    parser.add_argument(
        "--val", type=float, default=0.2, help="Share of every class held out (val.txt); 0: none."
    )
    parser.add_argument(
        "--force", action="store_true", help="Write files anew that are there already."
    )


def _init(options: Namespace) -> int:
    from dgcn.starter import start

    folder: Path = options["folder"]
    begun = start(folder, weights=options["weights"], val=options["val"], force=options["force"])
    for path in begun.written:
        print(f"wrote {path}")
    for path in begun.kept:
        print(f"kept {path}, which was there already (--force writes it anew)")
    for remark in begun.remarks:
        print(remark)
    config = shlex.quote(str(folder / "config.yaml"))
    if folder / "labels.csv" in begun.kept:
        print(f"next: dgcn doctor --config {config}")
    elif begun.classes:
        print(
            f"{begun.images} images, {begun.held_out} of them held out, "
            f"{len(begun.classes)} classes: {', '.join(begun.classes)}"
        )
        print(f"next: dgcn doctor --config {config}")
    else:
        print(f"{begun.images} images, no labels yet. Next:")
        print(f"  1. open {folder / 'labels.csv'} in a spreadsheet or an editor and write behind")
        print("     every image the classes in it, separated by spaces: beach.jpg,dog boat")
        print("     (nothing where there is only background)")
        print(f"  2. dgcn doctor --config {config}")
    print(f"then: dgcn run --config {config}")
    if options["weights"] is None and folder / "config.yaml" in begun.written:
        print("Without ImageNet weights the masks will be poor: set model.weights, or --weights.")
    return 0


def _doctor(options: Namespace) -> int:
    from dgcn.doctor import examine
    from dgcn.engine.progress import Screen

    return examine(lambda: config_from(options), Screen())


def _export_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "network", type=Path, help="A checkpoint, or the run folder that its training is in."
    )
    parser.add_argument(
        "--format", type=Literal["onnx", "torch"], default="onnx", help="ONNX or torch.export."
    )
    parser.add_argument(
        "--file", type=Path, default=None, help="File to write; default: beside the checkpoint."
    )


def _export(options: Namespace) -> int:
    from rich.console import Console

    from dgcn.engine.export import export

    with Console(stderr=True).status("exporting and checking"):  # shown on a terminal alone
        path, difference = export(options["network"], options["format"], options["file"])
    print(f"network: {path} ({path.stat().st_size / 1e6:.1f} MB)")
    print(f"checked on batches of 1 and 3: logits differ by {difference:.1g} of the largest")
    return 0


COMPANIONS: dict[str, Companion] = {
    "init": Companion(
        "Write config.yaml, labels.csv and val.txt for a folder of pictures.",
        _init_options,
        _init,
    ),
    "doctor": Companion(
        "Check the machine, the kernels, the settings and the data set; say how to mend them.",
        add_config_options,
        _doctor,
    ),
    "report": Companion(
        "Write one HTML page about a run: scores, curves, and every stage's pictures.",
        _report_options,
        _report,
    ),
    "export": Companion(
        "Write a trained network as ONNX or as a torch.export program, and check it.",
        _export_options,
        _export,
    ),
}
"""By the verb's name, in the order of the help."""
