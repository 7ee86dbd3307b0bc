"""The command ``dgcn``: weakly supervised segmentation of a folder of images, verb by verb."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from jsonargparse import ArgumentParser, Namespace

from dgcn.companions import COMPANIONS
from dgcn.engine.termination import Terminated
from dgcn.options import OptionError, config_from, config_parser, parse

CONFIGS = Path(__file__).parent / "configs"

VERBS: dict[str, str] = {
    "run": "The whole chain: classify, seed, train, predict, eval. Finished stages are kept.",
    "demo": "Static cues against graph cut on a synthetic set: a table and a contact sheet.",
    "classify": "Train the classifier on image labels.",
    "seed": "Make cues of the training images from activation maps and saliency.",
    "train": "Train the segmentation network on supervision rebuilt at every step.",
    "retrain": "Train the network again, fully supervised by its own masks of the training images.",
    "predict": "Write a mask of every image of a split, or of a folder given by --images.",
    "ablate": "A study of the paper over random seeds: supervision, k or theta; a table, a plot.",
    "eval": "Score predicted masks against true ones: mIoU, pixel accuracy.",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Parameters
    ----------
    arguments : sequence of str or None, default None
        None: those of the process. With DGCN_TRACEBACK set in the environment, errors in options
        and files come with their traceback.

    Returns
    -------
    int
        Exit status: 0 done, 1 the training diverged, 2 an option or an input file is wrong (one
        line on standard error says which), 130 interrupted, 143 terminated after a checkpoint.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(arguments)
    except OptionError as error:
        return _fail(f"{error} (see 'dgcn --help' and 'dgcn VERB --help')")
    except FloatingPointError as error:
        return _fail(str(error), status=1)
    except (ValueError, OSError) as error:
        if os.environ.get("DGCN_TRACEBACK"):
            raise
        return _fail(_in_words(error))
    except KeyboardInterrupt:
        return _interrupted(arguments)
    except Terminated as error:
        return _fail(f"{error}; the same command goes on from there", 143)


def verb_parser() -> ArgumentParser:
    """Parser of the whole command line."""
    parser = ArgumentParser(
        prog="dgcn", description=__doc__, exit_on_error=False, default_env=False
    )
    verbs = parser.add_subcommands(dest="verb", required=True)
    for name, description in VERBS.items():
        options = config_parser(description)
        if name == "predict":
            _add_prediction_options(options)
        if name == "ablate":
            _add_study(options)
        verbs.add_subcommand(name, options, help=description)
    for name, companion in COMPANIONS.items():
        verbs.add_subcommand(name, companion.parser(), help=companion.description)
    return parser


def _add_prediction_options(options: ArgumentParser) -> None:
    options.add_argument(
        "--images",
        type=str,
        nargs="+",
        default=None,
        help="Pictures to predict instead: files, folders, globs ('photos/**/*.jpg').",
    )
    options.add_argument(
        "--checkpoint",
        type=Path,
        default=None,
        help="Network to predict --images by, without its run: a checkpoint file, which brings "
        "its classes, size and protocol. Masks and overlays go to --out.",
    )
    options.add_argument(
        "--overlays",
        type=bool,
        default=True,
        help="Whether --images are also drawn with their masks over them.",
    )
    options.add_argument(
        "--archive", type=Path, default=None, help="Pack the masks for VOC's server (.tgz)."
    )


def _add_study(options: ArgumentParser) -> None:
    """Options of ``dgcn ablate``."""
    options.add_argument("study", type=str, help="supervision (Table 3), k (4) or theta (5).")
    options.add_argument(
        "--random_seeds", type=str, default="0,1,2", help="As 0,1,2: a run for each."
    )
    options.add_argument(
        "--cells", type=str, default="", help="Rows to run, as graph_cut,static; default: all."
    )
    options.add_argument(
        "--variant", type=str, default="graph_cut", help="Whose k or theta is varied."
    )
    options.add_argument(
        "--minutes", type=float, default=None, help="Begin no cell after this time."
    )


def _integers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise OptionError(f"random_seeds must be integers like 0,1,2, got {text!r}") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def with_base(arguments: Sequence[str], namespace: Namespace) -> list[str]:
    """The arguments, with the configuration they stand on named in front of the verb's options.

    A verb without ``--config`` stands on the run folder's own config.yaml where there is one, so
    that ``dgcn predict --out RUN`` needs no other option; ``demo`` stands on the shipped demo.yaml,
    ``predict --checkpoint`` on what the checkpoint says.
    """
    at = list(arguments).index(namespace.verb) + 1
    before, after = list(arguments[:at]), list(arguments[at:])
    options = namespace[namespace.verb]
    if namespace.verb == "demo":
        return [*before, "--config", str(CONFIGS / "demo.yaml"), *after]
    if options.get("checkpoint") is not None:
        return [*before, "--config", _settings_of(options.checkpoint), *after]
    kept = options.out / "config.yaml"
    if options.config or not kept.is_file():
        return [*before, *after]
    # The folder may have been moved since its configuration was written.
    return [*before, "--config", str(kept), *after, "--out", str(options.out)]


def _run(arguments: Sequence[str]) -> int:
    parser = verb_parser()
    first = parse(parser, arguments)
    if first.verb in COMPANIONS:
        return COMPANIONS[first.verb].perform(first[first.verb])
    namespace = parse(parser, with_base(arguments, first))
    options = namespace[namespace.verb]
    config = config_from(options)
    images, checkpoint = options.get("images"), options.get("checkpoint")
    if checkpoint is not None and images is None:
        raise OptionError("--checkpoint needs --images: files, folders or globs of pictures")
    # Imported late: --help and a mistyped option need not wait for torch.
    from dgcn.engine import verbs
    from dgcn.engine.ablate import ablate

    if namespace.verb == "ablate":
        ablate(
            config,
            options.study,
            random_seeds=_integers(options.random_seeds),
            variant=options.variant,
            cells=_names(options.cells),
            minutes=options.minutes,
        )
        return 0
    archive = options.get("archive")
    if images is not None:
        verbs.predict_given(config, images, checkpoint, overlays=options.overlays, archive=archive)
    else:
        verbs.perform(namespace.verb, config, archive)
    return 0


def _settings_of(checkpoint: Path) -> str:
    """What a checkpoint says, as YAML; ``out`` is a folder of predictions, not of a run."""
    from dgcn.engine.portable import describe_checkpoint, find_checkpoint

    network = describe_checkpoint(find_checkpoint(checkpoint))[1]
    return yaml.safe_dump({"out": "predictions", **network["settings"]})


def _interrupted(arguments: Sequence[str]) -> int:
    """Say how to go on, once for all processes of a parallel run."""
    if os.environ.get("LOCAL_RANK", "0") != "0":
        return 130
    command = f"dgcn {shlex.join(arguments)}"
    verb = next((argument for argument in arguments if not argument.startswith("-")), "")
    if verb not in VERBS or any(argument.startswith("--images") for argument in arguments):
        return _fail(f"interrupted; to begin again: {command}", 130)
    return _fail(f"interrupted; finished stages and epochs are kept, go on with: {command}", 130)


def _in_words(error: ValueError | OSError) -> str:
    """What is wrong with which file, without the number of the error."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _fail(message: str, status: int = 2) -> int:
    print(f"dgcn: error: {' '.join(message.split())}", file=sys.stderr)
    return status
