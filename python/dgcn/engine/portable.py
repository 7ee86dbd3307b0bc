"""A trained network from its checkpoint alone: no run folder, no data set, no configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from dgcn.config import Config, ModelConfig
from dgcn.engine.checkpoint import Checkpoint, load_checkpoint
from dgcn.models import Segmenter, build_backbone
from dgcn.options import as_plain

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


def describe(config: Config, classes: Sequence[str], kind: str = SEGMENTER) -> dict[str, Any]:
    """What a checkpoint says about its network, in plain types.

    Parameters
    ----------
    config : Config
    classes : sequence of str
        By id, the background first.
    kind : {"segmenter", "classifier"}, default "segmenter"
    """
    model: dict[str, Any] = as_plain(config.model)
    model.pop("weights")  # they have become the checkpoint
    return {
        "kind": kind,
        "classes": list(classes),
        "settings": {
            "data": {"size": config.data.size},
            "model": model,
            "evaluate": {"scales": list(config.evaluate.scales), "crf": config.evaluate.crf},
            "crf": as_plain(config.crf),
        },
    }


def build_segmenter(options: ModelConfig, classes: int) -> Segmenter:
    """The segmentation network of some settings, for evaluation: random weights, no dropout."""
    backbone = build_backbone(options.backbone)
    return Segmenter(backbone, classes, head=options.head, dilation=options.dilation).eval()


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


def describe_checkpoint(path: Path) -> tuple[Checkpoint, dict[str, Any]]:
    """A checkpoint, and what it says about its network as `describe` gives it.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_checkpoint`; or it is not of a segmentation network.
    """
    checkpoint = load_checkpoint(path)
    network = checkpoint.network or _from_settings(checkpoint.settings)
    if network.get("kind") != SEGMENTER:
        raise ValueError(
            f"{path} is the checkpoint of a {network.get('kind', 'foreign network')}; masks come "
            f"from the segmentation network, in the run's graph_cut/last.pt or static/last.pt"
        )
    try:
        return checkpoint, _checked(network)
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path} does not describe its network rightly: {error!r}") from error


def load_portable(path: Path) -> Portable:
    """Build the network of a checkpoint and give it its parameters.

    Parameters
    ----------
    path : Path
        As `find_checkpoint` takes it.

    Raises
    ------
    FileNotFoundError, ValueError
        As `find_checkpoint` and `describe_checkpoint`; or the parameters do not fit the network.
    """
    path = find_checkpoint(path)
    checkpoint, network = describe_checkpoint(path)
    options = network["settings"]["model"]
    foreign = sorted(set(options) - {field.name for field in fields(ModelConfig)})
    if foreign:
        raise ValueError(f"{path} was written by a newer dgcn: unknown model.{foreign[0]}")
    try:
        model = build_segmenter(ModelConfig(**options), len(network["classes"]))
        model.load_state_dict(checkpoint.model)
    except (RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} does not fit the network it describes: {reason}") from error
    return Portable(path, model, tuple(network["classes"]), network["settings"], checkpoint.epoch)


def _checked(network: dict[str, Any]) -> dict[str, Any]:
    """A description with the parts of `describe` alone: a file from elsewhere sets nothing else."""
    classes, settings = network["classes"], network["settings"]
    if len(classes) < 2 or not all(isinstance(name, str) for name in classes):
        raise TypeError("classes must be two names or more")
    model = {name: value for name, value in settings["model"].items() if name != "weights"}
    kept: dict[str, Any] = {"data": {"size": int(settings["data"]["size"])}, "model": model}
    if "evaluate" in settings:
        evaluate = settings["evaluate"]
        scales = [float(scale) for scale in evaluate["scales"]]
        kept["evaluate"] = {"scales": scales, "crf": bool(evaluate["crf"])}
    if "crf" in settings:
        kept["crf"] = dict(settings["crf"])
        if not all(isinstance(value, (bool, int, float, str)) for value in kept["crf"].values()):
            raise TypeError("crf must hold numbers and names")
    return {"classes": [str(name) for name in classes], "settings": kept}


def _from_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """The same from checkpoints that do not say it: from what the training depended on."""
    try:
        classifier = settings["cues"]["classifier"]
        model = {"backbone": classifier["model"]["backbone"], "dilation": settings["dilation"]}
        data = classifier["data"]
        return {
            "kind": SEGMENTER,
            "classes": data["classes"],
            "settings": {"data": {"size": data["size"]}, "model": model},
        }
    except KeyError:
        return {"kind": CLASSIFIER} if "classify" in settings else {}
