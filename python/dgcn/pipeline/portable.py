"""A trained network from its checkpoint alone: no run folder, no data set, no configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from dgcn.config import Config, ModelConfig
from dgcn.models import TIMM, Classifier, Segmenter, build_backbone
from dgcn.options import as_plain
from dgcn.training.checkpoint import load_checkpoint

SEGMENTER, CLASSIFIER = "segmenter", "classifier"


@dataclass(frozen=True)
class Portable:
    """A segmentation network and what is needed to use it as it was meant.

    Attributes
    ----------
    path : Path
        The checkpoint.
    model : Segmenter
        On the CPU, in evaluation mode.
    classes : tuple of str
        By id, the background first.
    settings : dict
        Sections of a `Config`: "data" (size), "model", "evaluate" (scales, crf) and "crf".
    epoch : int
        Epochs trained.
    """

    path: Path
    model: Segmenter
    classes: tuple[str, ...]
    settings: dict[str, Any]
    epoch: int


def describe(
    config: Config,
    classes: Sequence[str],
    kind: str = SEGMENTER,
    logit_adjustment: Sequence[float] = (),
) -> dict[str, Any]:
    """What a checkpoint says about its network, in plain types.

    Parameters
    ----------
    config : Config
    classes : sequence of str
        By id, the background first.
    kind : {"segmenter", "classifier"}, default "segmenter"
    logit_adjustment : sequence of float, default ()
        The numbers that ``evaluate.logit_adjustment`` stands for.
    """
    model: dict[str, Any] = as_plain(
        config.classifier_model if kind == CLASSIFIER else config.model
    )
    model.pop("weights")  # they have become the checkpoint
    return {
        "kind": kind,
        "classes": list(classes),
        "settings": {
            "data": {"size": config.data.size},
            "model": model,
            "evaluate": {
                "scales": list(config.evaluate.scales),
                "crf": config.evaluate.crf,
                "classifier": config.evaluate.classifier,
                "contrast": config.evaluate.contrast,
                "logit_adjustment": list(logit_adjustment),
            },
            "crf": as_plain(config.crf),
        },
    }


def build_segmenter(options: ModelConfig, classes: int) -> Segmenter:
    """The segmentation network of some settings, for evaluation: random weights, no dropout."""
    backbone = build_backbone(options.backbone, output_stride=options.output_stride)
    return Segmenter(
        backbone, classes, head=options.head, dilation=options.dilation, taps=options.taps
    ).eval()


def find_checkpoint(path: Path) -> Path:
    """The checkpoint that a path means.

    Parameters
    ----------
    path : Path
        A checkpoint, the folder of a training, or a run folder with one training in it.

    Raises
    ------
    FileNotFoundError
        There is none.
    ValueError
        There are several.
    """
    if not path.is_dir():
        if not path.is_file():
            raise FileNotFoundError(f"no such checkpoint: {path}")
        return path
    if (path / "last.pt").is_file():
        return path / "last.pt"
    found = sorted(p for p in path.glob("*/last.pt") if p.parent.name != "classifier")
    if not found:
        raise FileNotFoundError(f"no trained segmentation network in {path} (graph_cut/last.pt)")
    if len(found) > 1:
        listed = ", ".join(str(each) for each in found)
        raise ValueError(f"{path} has several trained networks, name one of them: {listed}")
    return found[0]


def load_portable(path: Path, *, backbone: str | None = None) -> Portable:
    """Build the network of a checkpoint and give it its parameters; the file is read once.

    Parameters
    ----------
    path : Path
        As `find_checkpoint` takes it.
    backbone : str or None, default None
        ``package.module:Class`` that the checkpoint may name: no file decides what is imported.

    Raises
    ------
    FileNotFoundError, ValueError
        As `find_checkpoint` and `load_checkpoint`; it is not of a segmentation network, names a
        backbone of somebody's own that was not asked for, or its parameters do not fit.
    """
    path = find_checkpoint(path)
    checkpoint = load_checkpoint(path)
    network = checkpoint.network
    if network.get("kind") != SEGMENTER:
        raise ValueError(
            f"{path} is the checkpoint of a {network.get('kind', 'foreign network')}; masks come "
            f"from the segmentation network, in the run's graph_cut/last.pt or static/last.pt"
        )
    network = _described(path, network)
    options = network["settings"]["model"]
    foreign = sorted(set(options) - {field.name for field in fields(ModelConfig)})
    if foreign:
        raise ValueError(f"{path} was written by another dgcn: unknown model.{foreign[0]}")
    _refuse_foreign(path, options["backbone"], backbone, "--model.backbone")
    try:
        model = build_segmenter(ModelConfig(**options), len(network["classes"]))
        model.load_state_dict(checkpoint.model)
    except (RuntimeError, TypeError, AttributeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} does not fit the network it describes: {reason}") from error
    return Portable(path, model, tuple(network["classes"]), network["settings"], checkpoint.epoch)


def load_classifier_beside(path: Path, *, backbone: str | None = None) -> Classifier:
    """The classifier of the run that a segmentation network's checkpoint lies in.

    Parameters
    ----------
    path : Path
        The segmentation network's checkpoint.
    backbone : str or None, default None
        As for `load_portable`.

    Raises
    ------
    FileNotFoundError
        There is none: ``evaluate.classifier`` has nothing to multiply by.
    ValueError
        It is no classifier, or names a backbone of somebody's own that was not asked for.
    """
    found = [p / "classifier" / "last.pt" for p in path.resolve().parents[1:3]]
    beside = next((each for each in found if each.is_file()), None)
    if beside is None:
        raise FileNotFoundError(
            f"evaluate.classifier needs the run's classifier/last.pt, which is not beside {path}: "
            f"--evaluate.classifier false predicts without it"
        )
    checkpoint = load_checkpoint(beside)
    network = checkpoint.network
    if network.get("kind") != CLASSIFIER:
        raise ValueError(f"{beside} is not the checkpoint of a classifier")
    network = _described(beside, network)
    name = network["settings"]["model"]["backbone"]
    _refuse_foreign(beside, name, backbone, "--classify.backbone")
    model = Classifier(build_backbone(name), len(network["classes"]) - 1)
    try:
        model.load_state_dict(checkpoint.model)
    except (RuntimeError, TypeError, AttributeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{beside} does not fit the network it describes: {reason}") from error
    return model.eval()


def _refuse_foreign(path: Path, name: str, allowed: str | None, option: str) -> None:
    """Raise `ValueError` for a backbone that would be imported because a file says so."""
    if ":" in name and not name.startswith(TIMM) and name != allowed:
        raise ValueError(
            f"{path} needs the backbone {name}, code that is not part of dgcn: "
            f"{option} {name} allows it to be imported"
        )


def _described(path: Path, network: dict[str, Any]) -> dict[str, Any]:
    try:
        return _checked(network)
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path} does not describe its network rightly: {error!r}") from error


def _checked(network: dict[str, Any]) -> dict[str, Any]:
    """A description with the parts of `describe` alone: a file from elsewhere sets nothing else."""
    classes, settings = network["classes"], network["settings"]
    if len(classes) < 2 or not all(isinstance(name, str) for name in classes):
        raise TypeError("classes must be two names or more")
    model = {name: value for name, value in settings["model"].items() if name != "weights"}
    if not all(isinstance(name, str) for name in (*model, model["backbone"])):
        raise TypeError("model must hold settings by name, and a backbone's name")
    kept: dict[str, Any] = {"data": {"size": int(settings["data"]["size"])}, "model": model}
    if "evaluate" in settings and network["kind"] == SEGMENTER:
        evaluate = settings["evaluate"]
        scales = [float(scale) for scale in evaluate["scales"]]
        kept["evaluate"] = {
            "scales": scales,
            "crf": bool(evaluate["crf"]),
            "classifier": bool(evaluate["classifier"]),
            "contrast": bool(evaluate["contrast"]),
            "logit_adjustment": [float(number) for number in evaluate["logit_adjustment"]],
        }
        if len(kept["evaluate"]["logit_adjustment"]) not in (0, len(classes)):
            raise TypeError("logit_adjustment must have one number a class")
    if "crf" in settings:
        kept["crf"] = dict(settings["crf"])
        if not all(isinstance(value, (bool, int, float, str)) for value in kept["crf"].values()):
            raise TypeError("crf must hold numbers and names")
    return {"classes": [str(name) for name in classes], "settings": kept}
