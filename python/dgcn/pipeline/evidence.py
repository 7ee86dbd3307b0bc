"""What the cues of one image are made from."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from dgcn.cues import (
    active_cells,
    find_saliency,
    object_maps,
    read_saliency,
    saliency_to_grid,
)
from dgcn.cues.evidence import FLOOR, NEW, certain_background
from dgcn.cues.make import background_cues
from dgcn.data.dataset import ImageDataset, Record
from dgcn.data.images import read_image
from dgcn.models import Classifier
from dgcn.pipeline.networks import activation
from dgcn.pipeline.novelty import novel_features, novelty_of
from dgcn.pipeline.run import Run

_EVERYWHERE: WeakKeyDictionary[ImageDataset, frozenset[int]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Evidence:
    """Class activation and saliency of an image, and what they say together.

    Attributes
    ----------
    activation : numpy.ndarray, shape (L - 1, h, w)
        0 for absent classes.
    saliency : numpy.ndarray, shape (h, w)
    present : numpy.ndarray, shape (L,), bool
    quiet : numpy.ndarray, shape (h, w), bool
        Cells that the saliency takes for background.
    weight : float
        Of the saliency beside the activation.
    floor : float
        The least automatic threshold of the maps.
    """

    activation: NDArray[np.float32]
    saliency: NDArray[np.float32]
    present: NDArray[np.bool_]
    quiet: NDArray[np.bool_]
    weight: float
    floor: float = FLOOR

    @property
    def maps(self) -> NDArray[np.float32]:
        """Activation and saliency in one map a class, (L - 1, h, w)."""
        return object_maps(self.activation, self.saliency, self.present, self.weight, self.quiet)

    @property
    def certain(self) -> NDArray[np.bool_]:
        """Cells that are background to each class for certain, (L - 1, h, w)."""
        return certain_background(self.activation, self.present, self.quiet)


def evidence_of(run: Run, model: Classifier, record: Record) -> Evidence:
    """The evidence of an image.

    Parameters
    ----------
    run : Run
    model : Classifier
        In evaluation mode.
    record : Record
        Its labels decide which classes can have cues; its mask is not read.
    """
    present = present_classes(run, record)
    image = read_image(record.image)
    maps = activation(run, model, image)
    maps[~present[1:]] = 0
    novelty = novelty_of(run, model)
    weight = 0.0 if run.by_novelty and novelty is None else run.config.cues.weight
    if weight and _untold(run, record):
        maps[:] = 0
    floor = FLOOR
    if novelty is not None:
        saliency, floor = np.zeros(maps.shape[1:], dtype=np.float32), NEW
        if record.labels:
            saliency = novelty.saliency(novel_features(run, model, record))
    elif run.saliency_by_classifier:
        saliency = active_cells(maps, present)
    else:
        saliency = _saliency(run, record, image, maps.shape[1:])
    return Evidence(maps, saliency, present, _quiet(run, saliency), weight, floor)


def quiet_cells(
    run: Run, model: Classifier | None, record: Record, grid: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Cells of an image that the saliency takes for background.

    The model is looked at where ``run.saliency_by_classifier`` alone.
    """
    if model is not None and run.saliency_by_classifier:
        return evidence_of(run, model, record).quiet
    return _quiet(run, _saliency(run, record, read_image(record.image), grid))


def present_classes(run: Run, record: Record) -> NDArray[np.bool_]:
    """Which classes are in an image, (L,); the background always is."""
    present = np.zeros(run.classes, dtype=bool)
    present[[0, *record.labels]] = True
    return present


def _saliency(
    run: Run, record: Record, image: NDArray[np.uint8], grid: tuple[int, ...]
) -> NDArray[np.float32]:
    if run.dataset.saliency is not None:
        found = read_saliency(run.dataset.saliency, record.name)
    else:
        found = find_saliency(run.config.cues.saliency)(image)
    return saliency_to_grid(found, *grid)


def _quiet(run: Run, saliency: NDArray[np.float32]) -> NDArray[np.bool_]:
    options = run.config.cues
    return background_cues(saliency, options.background, options.background_fraction)


def _untold(run: Run, record: Record) -> bool:
    """Whether the image's one class is on every training image: no activation tells where."""
    return len(record.labels) == 1 and record.labels[0] in _everywhere(run)


def _everywhere(run: Run) -> frozenset[int]:
    """Classes of every training image; found once for a data set."""
    known = _EVERYWHERE.get(run.dataset)
    if known is None:
        labels = [frozenset(each.labels) for each in run.dataset.split("train")]
        known = _EVERYWHERE[run.dataset] = frozenset.intersection(*labels)
    return known
