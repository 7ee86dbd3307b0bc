"""The commands of ``dgcn``: options and work of each, in one table."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jsonargparse import ArgumentParser, Namespace

if TYPE_CHECKING:
    from dgcn.config import Config

CONFIGS = Path(__file__).parent / "configs"


class CommandError(ValueError):
    """Options that do not go together."""


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes
    ----------
    description : str
    perform : callable
        From the parsed options to the exit status. Imports late: ``dgcn --help`` need not wait for
        torch.
    add_options : callable or None
        Adds the command's own options to a parser.
    settings : bool
        Whether it takes the settings of a run as options.
    resumes : bool
        Whether the same command goes on after an interruption.
    """

    description: str
    perform: Callable[[Namespace], int]
    add_options: Callable[[ArgumentParser], None] | None = None
    settings: bool = True
    resumes: bool = True

    def parser(self, name: str) -> ArgumentParser:
        """Parser of the command's options."""
        parser = ArgumentParser(
            prog=f"dgcn {name}",
            description=self.description,
            exit_on_error=False,
            allow_abbrev=False,
            default_env=False,
        )
        if self.settings:
            from dgcn.options import add_config_options

            add_config_options(parser)
        if self.settings and self.resumes:
            parser.add_argument(
                "--overwrite",
                action="store_true",
                help="Replace what was made with other settings, and what is built on it.",
            )
        if self.add_options is not None:
            self.add_options(parser)
        return parser


def config_of(options: Namespace, base: Mapping[str, Any] | Path | None = None) -> Config:
    """The settings that a command was given.

    Without ``--config`` they stand on the run folder's own config.yaml where there is one, so that
    ``dgcn predict --out RUN`` needs no other option.

    Parameters
    ----------
    options : Namespace
        What was given.
    base : mapping, Path or None, default None
        What they stand on instead.
    """
    from dataclasses import replace

    from dgcn.options import config_from

    out = options.get("out")
    if base is None and options.get("config") is None and out is not None:
        kept = out / "config.yaml"
        base = kept if kept.is_file() else None
    config = config_from(options, base)
    # The folder may have been moved since its configuration was written.
    return config if out is None else replace(config, out=out)


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


def _prediction_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--images",
        type=str,
        nargs="+",
        help="Images to predict instead: files, folders, globs ('photos/**/*.jpg').",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        help="Network to predict --images by, without its run: a checkpoint file, which brings "
        "its classes, size and protocol. Masks and overlays go to --out.",
    )
    parser.add_argument(
        "--overlays",
        type=bool,
        default=True,
        help="Whether --images are also drawn with their masks over them.",
    )
    parser.add_argument("--archive", type=Path, help="Pack the masks for VOC's server (.tgz).")


def _predict(options: Namespace) -> int:
    if options.get("images") is not None:
        return _predict_images(options)
    if options.get("checkpoint") is not None:
        raise CommandError("--checkpoint needs --images: files, folders or globs of images")

    from dgcn.pipeline.chain import PREDICTION
    from dgcn.pipeline.run import open_run

    with open_run(config_of(options), overwrite=options.get("overwrite", False)) as run:
        PREDICTION.perform(run)
        folder = PREDICTION.folder(run)
        run.console.line(f"masks: {folder}")
        if run.is_rank_zero:
            records = run.records(run.evaluated_split())
            _pack(options, [folder / f"{record.name}.png" for record in records])
    return 0


def _predict_images(options: Namespace) -> int:
    """Predict images that need not belong to the data set, by a checkpoint or by the run's network.

    Of a checkpoint the results go to masks/ and overlays/ in ``--out``, of a run to folders in the
    training's, named after the images.
    """
    from dgcn.pipeline.portable import load_portable
    from dgcn.pipeline.prediction import predict_files
    from dgcn.training.fabric import make_fabric

    images: Sequence[str] = options.images
    model = options.get("model")
    backbone = None if model is None else model.get("backbone")
    name = ""
    if options.get("checkpoint") is not None:
        portable = load_portable(options.checkpoint, backbone=backbone)
        config = config_of(options, {"out": "predictions", **portable.settings})
        folder = config.out
    else:
        config = config_of(options)
        folder = config.out / config.supervision.folder
        if config.evaluate.network == "retrained":
            folder /= "retrained"
        path = folder / f"{config.evaluate.checkpoint}.pt"
        portable = load_portable(path, backbone=config.model.backbone)
        only = Path(images[0])
        name = only.resolve().name if len(images) == 1 and only.is_dir() else "images"
    overlays = folder / "overlays" / name if options.get("overlays", True) else None
    masks = folder / "masks" / name
    fabric = make_fabric(config.runtime)
    made = predict_files(images, portable, config, fabric, masks=masks, overlays=overlays)
    _pack(options, made)
    return 0


def _pack(options: Namespace, masks: Sequence[Path]) -> None:
    """Pack masks for the evaluation server of PASCAL VOC, where that is asked for."""
    from dgcn.data import write_voc_archive

    archive = options.get("archive")
    if archive is not None:
        print(f"archive: {write_voc_archive(archive, masks)} masks in {archive}")


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
        "--data.root", type=Path, help="The data set, where it has been moved since."
    )


def _report(options: Namespace) -> int:
    from dgcn.pipeline.report import report

    written = report(
        options["run"],
        page=options.get("page"),
        images=options.get("images", 500),
        root=options.get("data.root"),
    )
    for note in written.notes:
        print(note)
    size = written.path.stat().st_size / 1e6
    print(f"report: {written.path} ({written.images} images, {size:.1f} MB; open it in a browser)")
    return 0


def _init_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        type=Path,
        help="Images: one folder a class, all in one place, or as VOC or COCO has them.",
    )
    parser.add_argument(
        "--weights", type=Path, help="ImageNet weights, to be named in config.yaml."
    )
    parser.add_argument(
        "--val", type=float, default=0.2, help="Share of every class held out (val.txt); 0: none."
    )
    parser.add_argument(
        "--force", action="store_true", help="Write files anew that are there already."
    )


def _init(options: Namespace) -> int:
    from dgcn.starter import next_steps, start

    folder, weights = options["folder"], options.get("weights")
    begun = start(
        folder, weights=weights, val=options.get("val", 0.2), force=options.get("force", False)
    )
    print("\n".join(next_steps(begun, folder, weights)))
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
        path, difference = export(
            options["network"],
            options.get("format", "onnx"),
            options.get("file"),
            backbone=options.get("backbone"),
        )
    print(f"network: {path} ({path.stat().st_size / 1e6:.1f} MB)")
    print(f"checked on batches of 1 and 3: logits differ by {difference:.1g} of the largest")
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
        _predict,
        _prediction_options,
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
