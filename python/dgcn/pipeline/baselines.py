"""Trivial baselines: what masks that no network has made would score."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgcn.atomic import write_text
from dgcn.cues import external_cues
from dgcn.data.dataset import Record
from dgcn.data.errors import DataError
from dgcn.metrics import Confusion, plain_score
from dgcn.pipeline.cues import CUES, cues_by_hand, image_cues
from dgcn.pipeline.networks import load_classifier
from dgcn.pipeline.run import Run
from dgcn.pipeline.stage import differences, split_fingerprint

__all__ = [
    "BASELINES",
    "baseline_table",
    "baselines",
    "enlarged",
    "plain_baselines",
    "verdict",
]

BASELINES = {
    "all_background": "all background",
    "image_labels": "the image's label everywhere",
    "cues_alone": "the cues alone",
}
"""Every baseline, as metrics.json names it and as people read it."""


def baselines(run: Run, split: str) -> dict[str, Confusion]:
    """Counts of the trivial baselines on the masked images of a split.

    Parameters
    ----------
    run : Run
    split : str

    Returns
    -------
    dict
        "all_background". "image_labels": every pixel has the image's label, see
        `Run.commonest_label`. "cues_alone": the cues, made from the classifier and the image's true
        labels as for training, background where there is none. It is left out where the cues come
        from elsewhere and are not given for all of these images, or where their settings have
        changed since: the log says which.
    """
    found = {name: Confusion(run.classes) for name in ("all_background", "image_labels")}
    label = run.commonest_label()
    for record in run.masked(split):
        truth = record.truth()
        found["all_background"].add(truth, np.zeros_like(truth))
        found["image_labels"].add(truth, np.full_like(truth, label(record)))
    try:
        return {**found, "cues_alone": _cues_alone(run, split)}
    except _NotScored as why:
        run.console.line(f"the cues alone are not scored: {why}")
        return found


class _NotScored(Exception):
    """Why the cues of a split cannot be scored."""


def enlarged(cues: NDArray[np.bool_], height: int, width: int) -> NDArray[np.uint8]:
    """Mask (height, width) of cues (L, h, w): each pixel has its nearest cell's class, or 0.

    Cells lie as in `dgcn.data.masks.mask_to_grid`, corners on corners.
    """
    labels = cues.argmax(0).astype(np.uint8)  # 0 where no class is set
    rows, columns = (
        np.rint(np.linspace(0, cells - 1, length)).astype(np.int64)
        for cells, length in zip(labels.shape, (height, width), strict=True)
    )
    enlarged_labels: NDArray[np.uint8] = labels[np.ix_(rows, columns)]
    return enlarged_labels


def plain_baselines(found: Mapping[str, Confusion]) -> dict[str, dict[str, float | None]]:
    """Mean IoU and pixel accuracy of baselines in plain types."""
    return {
        name: {
            "miou": plain_score(each.miou()),
            "pixel_accuracy": plain_score(each.pixel_accuracy()),
        }
        for name, each in found.items()
    }


def baseline_table(found: Mapping[str, Mapping[str, float | None]]) -> str:
    """The scores of `plain_baselines`, a line each."""
    width = max(map(len, BASELINES.values()))
    rows = [f"{'trivial baseline':<{width}}  mIoU  pixel accuracy"]
    rows += [
        f"{BASELINES[name]:<{width}}  {_percent(each['miou']):>4}  "
        f"{_percent(each['pixel_accuracy']):>14}"
        for name, each in found.items()
    ]
    return "\n".join(rows)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def verdict(miou: float | None, found: Mapping[str, Mapping[str, float | None]], what: str) -> str:
    """One sentence: below which baselines a score is, or that it is above all of them.

    Parameters
    ----------
    miou : float or None
        The score, in [0, 1].
    found : mapping
        From `plain_baselines`.
    what : str
        Subject of the sentence in the plural, such as "the network's masks".

    Returns
    -------
    str
        Empty where nothing can be compared.
    """
    known = {
        name: value
        for name, each in found.items()
        if (value := each["miou"]) is not None and miou is not None
    }
    if miou is None or not known:
        return ""
    better = [name for name, value in known.items() if value >= miou]
    if not better:
        return f"{what} (mIoU {100 * miou:.1f} %) are above every trivial baseline"
    listed = ", ".join(f"{BASELINES[name]} ({100 * known[name]:.1f} %)" for name in better)
    return f"{what} (mIoU {100 * miou:.1f} %) are NOT ABOVE {listed}"


def _cues_alone(run: Run, split: str) -> Confusion:
    """Counted once: the counts are kept in the folder of the cues."""
    finished, made = CUES.record(run)
    changed = list(dict.fromkeys(differences(made, CUES.fingerprint(run)))) if finished else []
    run.fabric.barrier()
    if not finished:
        raise _NotScored("this run has no finished cues")
    if changed:
        listed = "; ".join(changed[:3])
        raise _NotScored(
            f"{run.cues_folder} was made with other settings ({listed}); 'dgcn cues --overwrite' "
            f"makes them again"
        )
    records = run.masked(split)
    now: dict[str, Any] = {
        "cues": made,
        "split": split_fingerprint(run, split),
        "masks": [[str(record.mask), *(record.shown or ())] for record in records],
        "colours": next((record.colours.csv() for record in records if record.colours), None),
    }
    path = run.cues_folder / f"alone_{split}.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    run.fabric.barrier()
    total = Confusion(run.classes)
    if known.get("of") == now:
        total.add_counts(np.array(known["counts"], dtype=np.int64))
        return total
    try:
        cues_of = _cues_of(run, records)
    except DataError as error:
        raise _NotScored(str(error)) from None
    shard = run.local_shard(records)
    with run.console.bar("cues of the scored images", len(shard), brief=True) as advance:
        for record in shard:
            truth = record.truth()
            total.add(truth, enlarged(cues_of(record), *truth.shape))
            advance(record.name)
    total = run.total(total)
    if run.is_rank_zero:
        write_text(path, json.dumps({"of": now, "counts": total.counts.tolist()}) + "\n")
    run.fabric.barrier()
    return total


def _cues_of(run: Run, records: list[Record]) -> Callable[[Record], NDArray[np.bool_]]:
    given = run.config.cues.path
    if given is not None:
        cues = external_cues(given, records, run.classes, run.grid)
        return lambda record: cues[record.name]
    by_hand = cues_by_hand(run, records)
    if len(by_hand) == len(records):
        return lambda record: by_hand[record.name]
    if not run.makes_cues:
        raise DataError(
            f"{len(records) - len(by_hand)} of the {len(records)} scored images have no drawing"
        )
    model = load_classifier(run)

    def cues_of(record: Record) -> NDArray[np.bool_]:
        drawn = by_hand.get(record.name)
        return image_cues(run, model, record) if drawn is None else drawn

    return cues_of
