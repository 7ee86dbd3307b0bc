"""Stage 2: cues of every training image from activation maps and saliency."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgcn.atomic import write_text
from dgcn.cues import (
    ClassThreshold,
    check_saliency,
    drawn_cues,
    external_cues,
    make_cues,
    save_cues,
    thresholds,
)
from dgcn.cues.external import LISTING
from dgcn.cues.judge import Remark, coverage_of_cues, judge_cues
from dgcn.cues.refine import OF_DRAWINGS, REFINERS, refine_cues, spread_drawn_cues
from dgcn.data.dataset import Record
from dgcn.data.images import read_image
from dgcn.metrics import plain_score
from dgcn.models import Classifier
from dgcn.options import as_plain
from dgcn.pipeline.evidence import (
    Evidence,
    evidence_of,
    present_classes,
    quiet_cells,
)
from dgcn.pipeline.networks import load_classifier, stage_features
from dgcn.pipeline.novelty import NOVELTY_FILE
from dgcn.pipeline.run import Run
from dgcn.pipeline.stage import Stage, dataset_fingerprint, file_fingerprint

THRESHOLDS = "thresholds.json"
"""In the folder of the cues: by class, the automatic threshold and the level of the background."""

VERDICT = "verdict.json"
"""In the folder of the cues: what they cover, and what is wrong with them."""

_SAMPLE = 1000  # images that automatic thresholds go by, at most; their maps are kept meanwhile


def _options(run: Run) -> dict[str, Any]:
    given = run.config.cues.path
    if given is not None:
        return {"data": dataset_fingerprint(run), "cues": given_fingerprint(given)}
    data = {"saliency": as_plain(run.config.data.saliency)}
    own = as_plain(run.config.cues)
    if run.config.cues.refine != "none":
        own["crf"] = as_plain(run.config.crf)
    network = check_saliency(run.config.cues.saliency)
    if network is not None:
        own["saliency"] = file_fingerprint(network)
    drawn = run.drawings
    if drawn is None:
        for name in ("drawn", "not_drawn"):
            del own[name]
        return {"data": data, "cues": own}
    own["drawn"] = drawn.digest
    return {"data": {**dataset_fingerprint(run), **data}, "cues": own}


def given_fingerprint(path: Path) -> dict[str, Any]:
    """Digests of cues from elsewhere, and of the list of images that goes with a pickle."""
    digests = {"path": file_fingerprint(path)}
    listing = path.with_name(LISTING)
    if path.is_file() and path.suffix.lower() != ".npz" and listing.is_file():
        digests["listing"] = file_fingerprint(listing)
    return digests


def _make(run: Run, fingerprint: dict[str, Any]) -> None:
    """Make the cues, or read them; judge them, by masks too where training images have some.

    The masks have no part in the cues.
    """
    if not run.is_rank_zero:
        return
    records = run.records("train")
    given = run.config.cues.path
    chosen: list[ClassThreshold] = []
    for former in (THRESHOLDS, NOVELTY_FILE):
        (run.cues_folder / former).unlink(missing_ok=True)
    if given is not None:
        cues = external_cues(given, records, run.classes, run.grid)
        run.console.line(f"cues: {len(cues)} images, from {given}")
    else:
        cues = cues_by_hand(run, records)
        rest = [record for record in records if record.name not in cues]
        made, chosen = _made(run, rest) if rest else ({}, [])
        cues = {record.name: {**cues, **made}[record.name] for record in records}
    save_cues(run.cues_folder / "cues.npz", cues)
    _judge(run, cues, chosen)


def cues_by_hand(run: Run, records: Sequence[Record]) -> dict[str, NDArray[np.bool_]]:
    """Cues of those images that people have drawn on, by name.

    Where most drawings have background, or leave some outside of boxes, those without any have
    none. Else it is added by the saliency. Cues are spread where ``cues.refine`` asks for it.
    """
    drawings = run.drawings
    if drawings is None:
        return {}
    options, names = run.config.cues, run.dataset.classes
    drawn = [record for record in records if record.name in drawings.found]
    found = {}
    with run.console.bar("cues: drawings", len(drawn)) as advance:
        for record in drawn:
            found[record.name] = drawn_cues(
                drawings.found[record.name],
                read_image(record.image),
                names,
                run.grid,
                not_drawn=options.not_drawn,
                labels=record.labels,
            )
            advance(record.name)
    without = [name for name, cues in found.items() if not cues[0].any()]
    if 2 * len(without) > len(found):
        _add_background(run, drawn, found)
    elif without:
        run.console.line(
            f"cues: drawings without background: {len(without)}, e.g. {without[0]}; they are taken "
            "to show none, as most others have some"
        )
    if options.refine != "none" and drawn:
        model = load_classifier(run)
        with run.console.bar("cues: drawings spread", len(drawn)) as advance:
            for record in drawn:
                found[record.name] = _spread(run, model, record, found[record.name])
                advance(record.name)
    rest = len(records) - len(drawn)
    others = f", made for the {rest} others" if rest else ""
    run.console.line(f"cues: drawn on {len(drawn)} images ({drawings.path}){others}")
    if drawings.strangers:
        run.console.line(
            f"cues: {len(drawings.strangers)} drawings belong to no image, e.g. "
            f"{drawings.strangers[0]}"
        )
    return found


def _add_background(
    run: Run, records: Sequence[Record], cues: dict[str, NDArray[np.bool_]]
) -> None:
    """Take the background from the saliency where there is none among the cues."""
    model = load_classifier(run) if run.saliency_by_classifier else None
    for record in records:
        own = cues[record.name]
        if own[0].any():
            continue
        own[0] = quiet_cells(run, model, record, own.shape[1:]) & ~own.any(0)


def _spread(
    run: Run, model: Classifier, record: Record, cues: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Drawn cues spread over the image; by the maps, too, where a network's saliency is in them."""
    options, image = run.config.cues, read_image(record.image)
    maps = None
    if run.dataset.saliency is not None or check_saliency(options.saliency) is not None:
        maps = evidence_of(run, model, record).maps
    return spread_drawn_cues(
        cues,
        maps,
        stage_features(run, model, image),
        image,
        present_classes(run, record),
        OF_DRAWINGS[options.refine],
        run.config.crf.on_grid(),
    )


def _made(
    run: Run, records: Sequence[Record]
) -> tuple[dict[str, NDArray[np.bool_]], list[ClassThreshold]]:
    """Cues of every image, and the thresholds where they are chosen automatically."""
    options, model = run.config.cues, load_classifier(run)
    kept: dict[str, Evidence] = {}
    chosen: list[ClassThreshold] = []
    if options.foreground == "auto":
        step = -(-len(records) // _SAMPLE)
        sample = records[::step]
        with run.console.bar("cues: thresholds", len(sample)) as advance:
            for record in sample:
                kept[record.name] = evidence_of(run, model, record)
                advance(record.name)

        def looked_at() -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_], Sequence[int]]]:
            for record in sample:
                found = kept[record.name]
                yield found.maps, found.certain, record.labels

        floor = max(evidence.floor for evidence in kept.values())
        chosen = thresholds(looked_at(), run.classes, floor)
        found = {
            name: {"threshold": each.value, "noise": plain_score(each.noise)}
            for name, each in zip(run.dataset.classes[1:], chosen, strict=True)
        }
        write_text(run.cues_folder / THRESHOLDS, json.dumps(found, indent=2) + "\n")
    limits = _limits(run, chosen)
    cues = {}
    with run.console.bar("cues", len(records)) as advance:
        for record in records:
            known = kept.pop(record.name, None)
            evidence = evidence_of(run, model, record) if known is None else known
            cues[record.name] = _cues(run, model, record, evidence, limits)
            advance(record.name)
    return cues, chosen


def _limits(run: Run, chosen: Sequence[ClassThreshold]) -> list[float]:
    """The threshold of every class, chosen or given."""
    fixed = run.config.cues.foreground
    if fixed == "auto":
        return [each.value for each in chosen]
    return [float(fixed)] * (run.classes - 1)


def _cues(
    run: Run, model: Classifier, record: Record, evidence: Evidence, limits: Sequence[float]
) -> NDArray[np.bool_]:
    options = run.config.cues
    cues = make_cues(
        evidence.activation,
        evidence.saliency,
        evidence.present,
        foreground=limits,
        saliency_weight=evidence.weight,
        background=options.background,
        background_fraction=options.background_fraction,
        background_activation=options.background_activation,
    )
    if options.refine == "none":
        return cues
    image = read_image(record.image)
    return refine_cues(
        cues,
        evidence.maps,
        stage_features(run, model, image),
        image,
        evidence.present,
        REFINERS[options.refine],
        run.config.crf.on_grid(),
    )


def image_cues(run: Run, model: Classifier, record: Record) -> NDArray[np.bool_]:
    """Cues (L, h, w) of one image, by the thresholds of the training images.

    Parameters
    ----------
    run : Run
        Its cues are made.
    model : Classifier
        In evaluation mode.
    record : Record
        Its labels decide which classes can have cues; its mask is not read.
    """
    chosen: list[ClassThreshold] = []
    if run.config.cues.foreground == "auto":
        known = json.loads((run.cues_folder / THRESHOLDS).read_text(encoding="utf-8"))
        values = (known[name]["threshold"] for name in run.dataset.classes[1:])
        chosen = [ClassThreshold(value, float("nan")) for value in values]
    return _cues(run, model, record, evidence_of(run, model, record), _limits(run, chosen))


def _judge(run: Run, cues: dict[str, NDArray[np.bool_]], chosen: Sequence[ClassThreshold]) -> None:
    """Write quality.json, where there are masks, and verdict.json; say both."""
    names, records = run.dataset.classes, run.records("train")
    scores = run.score_grid(cues)
    if scores is not None:
        write_text(run.cues_folder / "quality.json", json.dumps(scores, indent=2) + "\n")
    coverage = coverage_of_cues(((cues[each.name], each.labels) for each in records), names)
    made = run.makes_cues
    foreground = dict(zip(names[1:], _limits(run, chosen), strict=True)) if made else {}
    noise = {name: plain_score(each.noise) for name, each in zip(names[1:], chosen, strict=False)}
    sparse = run.drawings is not None
    remarks = judge_cues(coverage, foreground, noise, scores, sparse=sparse)
    classes = {
        name: {**each, "threshold": foreground.get(name), "noise": noise.get(name)}
        for name, each in coverage.items()
    }
    content = {"classes": classes, "remarks": [each._asdict() for each in remarks]}
    write_text(run.cues_folder / VERDICT, json.dumps(content, indent=2) + "\n")
    run.console.line(_table(classes, scores))
    if scores is not None:
        found = scores["foreground"]
        run.console.line(
            f"cues: mIoU {_percent(scores['miou'])}, coverage {_percent(scores['coverage'])}, "
            f"foreground precision {_percent(found['precision'])}, "
            f"recall {_percent(found['recall'])} "
            f"[train, {len(run.masked('train'))} images with masks, {run.grid} x {run.grid} grid]"
        )
        floors = scores["baselines"]
        run.console.line(
            f"cues with background elsewhere: mIoU {_percent(scores['filled_miou'])}; all "
            f"background {_percent(floors['all_background']['miou'])}; the image's label "
            f"everywhere {_percent(floors['image_labels']['miou'])}"
        )
    for each in remarks:
        run.console.line(f"cues: {each.what}; {each.fix}")
    if not remarks:
        run.console.line("cues: nothing wrong with what they cover")


def read_remarks(folder: Path) -> list[Remark]:
    """What is wrong with the cues in a folder; empty where there is no verdict on them."""
    path = folder / VERDICT
    if not path.is_file():
        return []
    content = json.loads(path.read_text(encoding="utf-8"))
    return [Remark(**each) for each in content["remarks"]]


def _table(classes: dict[str, dict[str, Any]], scores: dict[str, Any] | None) -> str:
    """Threshold, coverage and, with masks, precision and recall of every class."""
    heads = ("threshold", "covered", "without", *(("precision", "recall") if scores else ()))
    width = max(len("cues of"), *map(len, classes))
    lines = [f"{'cues of':<{width}}  images  " + "  ".join(heads)]
    for name, each in classes.items():
        values = {**each, **(scores["classes"][name] if scores else {})}
        limit = "-" if each["threshold"] is None else f"{each['threshold']:.2f}"
        cells = [limit, *(_percent(values[head]) for head in heads[1:])]
        shown = "  ".join(f"{cell:>{len(head)}}" for cell, head in zip(cells, heads, strict=True))
        lines.append(f"{name:<{width}}  {each['images']:>6}  {shown}")
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


CUES = Stage(
    name="cues",
    verb="cues",
    folder=lambda run: run.cues_folder,
    options=_options,
    needs=lambda run: ("classifier",) if run.cues_need_classifier else (),
    make=_make,
)
