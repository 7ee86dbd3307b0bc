"""Whether cues can be trained on: how much they cover, how right they are, what to turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dgcn.data.lists import quoted

__all__ = ["Remark", "coverage_of_cues", "judge_cues"]

_LITTLE = 0.01  # of the images of a class
_MUCH = 0.7
_WITHOUT = 0.1  # of the images of a class have no cue of it
_BACKGROUND = 0.05  # of all images
_NOISY = 0.4  # of the maximum, reached by certain background
_WRONG = 0.5  # precision of the cues of a class
_MISSED = 0.1  # recall of the cues of a class
_BACKGROUND_WRONG = 0.8
_LISTED = 5


class Remark(NamedTuple):
    """What is wrong with the cues, and what to do."""

    what: str
    """The fact, with its figure."""
    fix: str
    """The setting to turn, and which way."""


def coverage_of_cues(
    images: Iterable[tuple[NDArray[np.bool_], Sequence[int]]], classes: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """How much of the images the cues of every class cover.

    Parameters
    ----------
    images : iterable
        Cues (L, h, w) and foreground classes of every image.
    classes : sequence of str
        Names by class id, the background first.

    Returns
    -------
    dict
        By name: "images", those labelled with the class (all of them for the background);
        "covered", the mean share of their cells that are its cues; "without", the share of them
        that has no cue of it. The shares are None where there are no images.
    """
    count = np.zeros(len(classes), dtype=np.int64)
    covered, without = np.zeros(len(classes)), np.zeros(len(classes))
    for cues, labels in images:
        for index in (0, *labels):
            share = float(cues[index].mean())
            count[index] += 1
            covered[index] += share
            without[index] += share == 0
    return {
        name: {
            "images": int(number),
            "covered": float(covered[index] / number) if number else None,
            "without": float(without[index] / number) if number else None,
        }
        for index, (name, number) in enumerate(zip(classes, count.tolist(), strict=True))
    }


def judge_cues(
    coverage: Mapping[str, Mapping[str, Any]],
    foreground: Mapping[str, float],
    noise: Mapping[str, float | None],
    scores: Mapping[str, Any] | None,
    *,
    sparse: bool = False,
) -> list[Remark]:
    """What is wrong with the cues of a data set; nothing where the list is empty.

    Parameters
    ----------
    coverage : mapping
        From `coverage_of_cues`.
    foreground : mapping
        By class, the threshold that its cues are above; empty where cues come from elsewhere.
    noise : mapping
        By class, how high its maps are on certain background, where that is known.
    scores : mapping or None
        From `dgcn.metrics.score`, where there are masks.
    sparse : bool, default False
        Whether cues may cover little, as strokes do.
    """
    background, *objects = coverage
    seen = {name: coverage[name] for name in objects if coverage[name]["images"]}
    covered = {name: each["covered"] for name, each in seen.items()}
    remarks = []

    def add(found: Mapping[str, float], what: str, fix: str) -> None:
        """One remark about all classes found, `what` with their figures."""
        if found:
            remarks.append(Remark(f"{what}: {_figures(found)}", fix + _now(found, foreground)))

    noisy = {name: value for name in seen if (value := noise.get(name)) and value > _NOISY}
    add(
        noisy,
        "the activation of a class is nearly as high on certain background as on its objects "
        "(share of its maximum)",
        "add training images without the class, which its classifier has to learn from; "
        "or saliency maps of your own by data.saliency",
    )
    least = 0.0 if sparse else _LITTLE
    little = {name: share for name, share in covered.items() if share < least}
    add(little, "object cues cover too little of the images of their class", _lower(foreground))
    add(
        {name: each["without"] for name, each in seen.items() if each["without"] > _WITHOUT},
        "images of a class without a cue of it",
        _lower(foreground) + ", or raise classify.epochs",
    )
    much = {name: share for name, share in covered.items() if share > _MUCH}
    add(much, "object cues cover nearly all of the images of their class", _raise(foreground))
    share = coverage[background]["covered"]
    if share is not None and share < (_LITTLE if sparse else _BACKGROUND):
        add({background: share}, "background cues cover too little of the images", _MORE_BACKGROUND)
    if scores is None:
        return remarks
    found = scores["classes"]
    wrong = {name: p for name in seen if (p := found[name]["precision"]) is not None and p < _WRONG}
    add(wrong, "most object cues of a class are wrong (precision)", _raise(foreground))
    missed = {
        name: recall
        for name in seen
        if (recall := found[name]["recall"]) is not None
        and recall < _MISSED
        and name not in little
        and not sparse
    }
    add(missed, "object cues find little of a class (recall)", _lower(foreground))
    right = found[background]["precision"]
    if right is not None and right < _BACKGROUND_WRONG:
        add(
            {background: right},
            "background cues lie on objects (precision)",
            f"{_DRAW if sparse else ''}lower cues.background, or give saliency maps of your own by "
            f"data.saliency",
        )
    return remarks


_DRAW = "draw some background where none is drawn, or "
_MORE_BACKGROUND = "raise cues.background, or set cues.background_fraction"


def _lower(foreground: Mapping[str, float]) -> str:
    return "lower cues.foreground" if foreground else "give cues that cover more"


def _raise(foreground: Mapping[str, float]) -> str:
    return "raise cues.foreground" if foreground else "give cues that are surer"


def _now(found: Mapping[str, float], foreground: Mapping[str, float]) -> str:
    """The thresholds of the classes found, where these are told."""
    used = sorted({foreground[name] for name in found if name in foreground})
    if not used:
        return ""
    if len(used) == 1:
        return f" (cues.foreground is {used[0]:.2f} now)"
    return f" (cues.foreground is {used[0]:.2f} to {used[-1]:.2f} now)"


def _figures(found: Mapping[str, float]) -> str:
    """The classes with their figures, the first few, and how many more."""
    listed = [f"{quoted(name)} {100 * value:.1f} %" for name, value in found.items()]
    more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return ", ".join(listed[:_LISTED]) + more
