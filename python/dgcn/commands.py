"""The commands of ``dgcn``: options and work of each, in one table."""

from __future__ import annotations

import shlex
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

from jsonargparse import ArgumentParser, Namespace

from dgcn.command import Command, CommandError, config_of
from dgcn.predict_command import add_prediction_options, predict
from dgcn.text import say

CONFIGS = Path(__file__).parent / "configs"


def _on_run(*work: str, base: Path | None = None, report: bool = False) -> Any:
    """A command that opens the run of its settings and works on it.

    Parameters
    ----------
    *work : str
        Names in `dgcn.pipeline.chain`, called one after the other with the run.
    base : Path or None, default None
        Settings that those given stand on.
    report : bool, default False
        Whether to say how the result can be looked at.
    """

    def perform(options: Namespace) -> int:
        from dgcn.pipeline import chain
        from dgcn.pipeline.run import open_run

        config = config_of(options, base)
        with open_run(config, overwrite=options.get("overwrite", False)) as run:
            for name in work:
                attrgetter(name)(chain)(run)
            run.console.line(f"run folder: {config.out}")
            if report:
                run.console.line(f"to look at it: dgcn report {shlex.quote(str(config.out))}")
        return 0

    return perform


def _study_options(parser: ArgumentParser) -> None:
    parser.add_argument("study", type=str, help="supervision (Table 3), k (4) or theta (5).")
    parser.add_argument(
        "--random_seeds", type=str, default="0,1,2", help="As 0,1,2: a run for each."
    )
    parser.add_argument(
        "--cells", type=str, default="", help="Rows to run, as graph_cut,static; default: all."
    )
    parser.add_argument(
        "--variant", type=str, default="graph_cut", help="Whose k or theta is varied."
    )
    parser.add_argument("--minutes", type=float, help="Begin no cell after this time.")


def _ablate(options: Namespace) -> int:
    from dgcn.pipeline.study import ablate

    given = options.get("random_seeds", "0,1,2")
    try:
        seeds = tuple(int(part) for part in given.split(","))
    except ValueError:
        raise CommandError(f"random_seeds must be integers like 0,1,2, got {given!r}") from None
    ablate(
        config_of(options),
        options.study,
        overwrite=options.get("overwrite", False),
        random_seeds=seeds,
        variant=options.get("variant", "graph_cut"),
        cells=tuple(part.strip() for part in options.get("cells", "").split(",") if part.strip()),
        minutes=options.get("minutes"),
    )
    return 0


def _report_options(parser: ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="Run folder: what 'dgcn run' was given as --out.")
    parser.add_argument("--page", type=Path, help="File to write; default: report.html in the run.")
    parser.add_argument("--images", type=int, default=500, help="At most this many images.")
    parser.add_argument(
        "--against", type=Path, help="Run folder of the same data set, to stand beside this one."
    )
    parser.add_argument(
        "--data.root", type=Path, help="The data set, where it has been moved since."
    )


def _report(options: Namespace) -> int:
    from dgcn.pipeline.report import report

    written = report(
        options["run"],
        page=options.get("page"),
        images=options.get("images", 500),
        root=options.get("data.root"),
        against=options.get("against"),
    )
    for note in written.notes:
        say(note)
    size = written.path.stat().st_size / 1e6
    say(f"report: {written.path} ({written.images} images, {size:.1f} MB; open it in a browser)")
    return 0


def _init_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        type=Path,
        help="Images: one folder a class, all in one place, or as VOC or COCO has them.",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        help="ImageNet weights, to be named in config.yaml; default: those in torch's caches.",
    )
    parser.add_argument(
        "--val", type=float, default=0.2, help="Share of every class held out (val.txt); 0: none."
    )
    parser.add_argument(
        "--force", action="store_true", help="Replace files that are there already."
    )
    parser.add_argument(
        "--paper",
        action="store_true",
        help="The paper's supervision and retraining instead of what is best on photographs.",
    )


def _init(options: Namespace) -> int:
    from dgcn.starter import next_steps, start

    folder = options["folder"]
    begun = start(
        folder,
        weights=options.get("weights"),
        val=options.get("val", 0.2),
        force=options.get("force", False),
        paper=options.get("paper", False),
    )
    say(*next_steps(begun, folder))
    return 0


def _doctor(options: Namespace) -> int:
    from dgcn.doctor import examine
    from dgcn.training.console import Console

    return examine(lambda: config_of(options), Console())


def _export_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "network", type=Path, help="A checkpoint, or the run folder that its training is in."
    )
    parser.add_argument(
        "--format", type=Literal["onnx", "torch"], default="onnx", help="ONNX or torch.export."
    )
    parser.add_argument(
        "--backbone",
        type=str,
        help="Your own backbone, package.module:Class, to be imported.",
    )
    parser.add_argument("--file", type=Path, help="File to write; default: beside the checkpoint.")


def _export(options: Namespace) -> int:
    import rich.console

    from dgcn.pipeline.export import export

    with rich.console.Console(stderr=True).status(
        "exporting and checking"
    ):  # shown on a terminal alone
        path, difference, then = export(
            options["network"],
            options.get("format", "onnx"),
            options.get("file"),
            backbone=options.get("backbone"),
        )
    say(f"network: {path} ({path.stat().st_size / 1e6:.1f} MB)")
    say(f"checked on batches of 1 and 3: logits differ by {difference:.1g} of the largest")
    if then:
        meant = {
            "classifier": "the image classifier's probabilities",
            "contrast": "the contrast of pixels",
            "crf": "the CRF",
        }
        say(f"not in the file, but in dgcn predict: {', '.join(meant[step] for step in then)}")
    return 0


COMMANDS: dict[str, Command] = {
    "run": Command(
        "The whole chain: classify, cues, train, predict, evaluate. Finished stages are kept.",
        _on_run("run_pipeline", report=True),
    ),
    "demo": Command(
        "Static cues against graph cut on a synthetic set: a table and a contact sheet.",
        _on_run("demonstrate", base=CONFIGS / "demo.yaml", report=True),
    ),
    "classify": Command("Train the classifier on image labels.", _on_run("CLASSIFIER.perform")),
    "cues": Command(
        "Make cues of the training images from activation maps and saliency.",
        _on_run("CUES.perform"),
    ),
    "train": Command(
        "Train the segmentation network on supervision rebuilt at every step.",
        _on_run("SEGMENTER.perform"),
    ),
    "retrain": Command(
        "Train the network again, fully supervised by its own masks of the training images.",
        _on_run("TRAINING_MASKS.ensure", "RETRAINING.perform"),
    ),
    "predict": Command(
        "Write a mask of every image of a split, or of a folder given by --images.",
        predict,
        add_prediction_options,
    ),
    "evaluate": Command(
        "Score predicted masks against true ones: mIoU, pixel accuracy.", _on_run("evaluate")
    ),
    "ablate": Command(
        "A study of the paper over random seeds: supervision, k or theta; a table, a plot.",
        _ablate,
        _study_options,
    ),
    "init": Command(
        "Write config.yaml, labels.csv and val.txt for a folder of images.",
        _init,
        _init_options,
        settings=False,
        resumes=False,
    ),
    "doctor": Command(
        "Check the machine, the kernels, the settings and the data set; say what to do.",
        _doctor,
        resumes=False,
    ),
    "report": Command(
        "Write one HTML page about a run: scores, curves, and every stage's images.",
        _report,
        _report_options,
        settings=False,
        resumes=False,
    ),
    "export": Command(
        "Write a trained network as ONNX or as a torch.export program, and check it.",
        _export,
        _export_options,
        settings=False,
        resumes=False,
    ),
}
"""By name, in the order of the help."""
