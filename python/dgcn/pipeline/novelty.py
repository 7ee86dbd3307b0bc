"""What is new beside flawless pictures: learnt once, and kept in the folder of the cues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from dgcn.cues.novelty import FEWEST, Novelty, early_features, learn_novelty
from dgcn.data.dataset import Record
from dgcn.data.images import read_image, to_tensor
from dgcn.models import Classifier
from dgcn.pipeline.run import Run

NOVELTY_FILE = "novelty.npz"
"""In the folder of the cues, with ``cues.saliency novelty``."""

_SAMPLE = 200  # flawless pictures, and flawed ones, that it is learnt from at most

_KNOWN: WeakKeyDictionary[Classifier, Novelty | None] = WeakKeyDictionary()


def novelty_of(run: Run, model: Classifier) -> Novelty | None:
    """The novelty that cues go by, with ``cues.saliency novelty``.

    Parameters
    ----------
    run : Run
    model : Classifier
        In evaluation mode.

    Returns
    -------
    Novelty or None
        None where another saliency is set, where fewer than 4 training images have no label, and
        where the novelty does not tell the others from them.
    """
    if not run.by_novelty:
        return None
    if model not in _KNOWN:
        found = _found(run, model)
        _KNOWN[model] = found if found is not None and found.verdict.trusted else None
    return _KNOWN[model]


def novel_features(run: Run, model: Classifier, record: Record) -> Tensor:
    """Features (C, h, w) of an image in which the novelty looks for what is new."""
    image = to_tensor(read_image(record.image), run.config.data.size)
    return early_features(model.backbone, image[None].to(run.fabric.device))


def _found(run: Run, model: Classifier) -> Novelty | None:
    path = run.cues_folder / NOVELTY_FILE
    if path.is_file():
        return Novelty.load(path, torch.device(run.fabric.device))
    records = run.records("train")
    flawless = [record for record in records if not record.labels]
    flawed = [record for record in records if record.labels]
    if len(flawless) < FEWEST or not flawed:
        run.console.line(
            f"cues: {len(flawless)} training images without a class, the novelty takes {FEWEST} "
            "at least: cues go by the activation alone"
        )
        return None
    samples = [each[:: -(-len(each) // _SAMPLE)] for each in (flawless, flawed)]
    with run.console.bar("cues: novelty", sum(map(len, samples))) as advance:

        def features(sample: Sequence[Record]) -> Iterator[Tensor]:
            for record in sample:
                yield novel_features(run, model, record)
                advance(record.name)

        found = learn_novelty(*map(features, samples))
    told, quiet = found.verdict
    about = (
        f"cues: an image with a class is newer than one without in {100 * told:.0f} % of pairs, "
        f"{100 * quiet:.0f} % of its cells are not new"
    )
    how = "cues go by the novelty" if found.verdict.trusted else "cues go by the activation alone"
    run.console.line(f"{about}: {how}")
    if run.lock is not None:
        found.save(path)
    return found
