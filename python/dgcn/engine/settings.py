"""What the result of each stage depends on: equal settings, equal result.

Each stage's settings hold those of the stages before it. Devices, worker processes and the run
folder's place are not among them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dgcn.config import Config
from dgcn.data.dataset import ImageDataset, Record
from dgcn.options import as_plain
from dgcn.seeds.external import LISTING


def dataset_settings(config: Config, dataset: ImageDataset) -> dict[str, Any]:
    """The images and labels: classes and a digest of the training list."""
    root, out = dataset.root.resolve(), config.out.resolve()
    return {
        # Data inside the run folder move with it.
        "root": str(root.relative_to(out) if root.is_relative_to(out) else root),
        "size": config.data.size,
        "classes": list(dataset.classes),
        "train": digest(dataset.split("train")),
    }


def digest(records: Sequence[Record]) -> str:
    """Short hash of the names and labels of some images."""
    lines = [f"{record.name} {' '.join(map(str, record.labels))}" for record in records]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """Short hash of a file's content, or of the names, sizes and times of a folder's files."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    files = sorted((entry.name, entry.stat()) for entry in os.scandir(path))
    lines = [f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def cue_digests(path: Path) -> dict[str, Any]:
    """Short hashes of cues from elsewhere, and of the list of images that goes with a pickle."""
    digests = {"cues": file_digest(path)}
    listing = path.with_name(LISTING)
    if path.is_file() and path.suffix.lower() != ".npz" and listing.is_file():
        digests["listing"] = file_digest(listing)
    return digests


def classifier_settings(config: Config, dataset: ImageDataset) -> dict[str, Any]:
    """The classifier."""
    options: dict[str, Any] = as_plain(config.classify)
    return {
        "epochs": options.pop("epochs"),
        "data": {**dataset_settings(config, dataset), "mirror": config.data.mirror},
        "model": _backbone(config),
        "classify": options,
        "runtime": _runtime(config),
    }


def cue_settings(config: Config, dataset: ImageDataset) -> dict[str, Any]:
    """The cues."""
    if config.seeds.cues is not None:
        return {
            "data": dataset_settings(config, dataset),
            "seeds": cue_digests(config.seeds.cues),
        }
    return {
        "classifier": classifier_settings(config, dataset),
        "saliency": as_plain(config.data.saliency),
        "seeds": as_plain(config.seeds),
    }


def segmenter_settings(config: Config, dataset: ImageDataset) -> dict[str, Any]:
    """The segmentation network."""
    options: dict[str, Any] = as_plain(config.train)
    from_classifier = config.train.init == "classifier"
    supervision = config.supervision.read()
    by_crf = config.supervision.kind == "region_growing" or supervision.get("unary") == "crf"
    return {
        "epochs": options.pop("epochs"),
        "cues": cue_settings(config, dataset),
        "data": {**dataset_settings(config, dataset), "mirror": config.data.mirror},
        "classifier": classifier_settings(config, dataset) if from_classifier else None,
        "model": _backbone(config),
        "runtime": _runtime(config),
        "head": config.model.head,
        "dilation": config.model.dilation,
        "supervision": {"kind": config.supervision.kind, **supervision},
        "train": options,
        "crf": as_plain(config.crf) if config.train.boundary_weight or by_crf else None,
    }


def mask_settings(config: Config, dataset: ImageDataset) -> dict[str, Any]:
    """The trained network's masks of the training images."""
    return {
        "segmenter": segmenter_settings(config, dataset),
        "restrict": config.retrain.restrict,
        **_prediction(config),
    }


def retrain_settings(config: Config, dataset: ImageDataset) -> dict[str, Any]:
    """The retrained network."""
    options: dict[str, Any] = as_plain(config.retrain)
    del options["enabled"], options["restrict"]
    return {
        "epochs": options.pop("epochs"),
        "masks": mask_settings(config, dataset),
        "classifier": (
            classifier_settings(config, dataset) if config.retrain.init == "classifier" else None
        ),
        "retrain": options,
    }


def prediction_settings(config: Config, dataset: ImageDataset, split: str) -> dict[str, Any]:
    """The predicted masks of a split."""
    trained = config.evaluate.network == "trained"
    network = segmenter_settings if trained else retrain_settings
    return {
        "network": config.evaluate.network,
        "segmenter": network(config, dataset),
        "split": split,
        "images": digest(dataset.split(split)),
        **_prediction(config),
    }


def _prediction(config: Config) -> dict[str, Any]:
    return {
        "checkpoint": config.evaluate.checkpoint,
        "scales": list(config.evaluate.scales),
        "crf": as_plain(config.crf) if config.evaluate.crf else None,
    }


def _backbone(config: Config) -> dict[str, Any]:
    model: dict[str, Any] = as_plain(config.model)
    return {key: model[key] for key in ("backbone", "weights", "batch_norm")}


def _runtime(config: Config) -> dict[str, Any]:
    return {"seed": config.runtime.seed, "precision": config.runtime.precision}
