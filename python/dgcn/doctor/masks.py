"""Masks against the images' labels and the grid: classes that only one has, void, thin objects."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from dgcn.data import Record
from dgcn.data.lists import quoted
from dgcn.data.masks import VOID
from dgcn.doctor.finding import Finding
from dgcn.doctor.names import some_of

_VOID = 0.5  # of a mask's pixels
_CELL = 8  # pixels of the warped image
_MEASURED = 200  # masks whose objects' widths are measured


class _Content(NamedTuple):
    record: Record
    classes: frozenset[int]
    void: float


def check_masks(records: Sequence[Record], classes: Sequence[str]) -> Iterator[Finding]:
    """What the scores would suffer from: masks that contradict the labels, or are mostly void.

    Parameters
    ----------
    records : sequence of Record
        Of images whose files can be read; those without a mask are left out.
    classes : sequence of str
        Names by class id.
    """
    masked = [record for record in records if record.mask is not None]
    if not masked:
        return
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        contents = list(pool.map(_content, masked))
    objects = any(each.classes - {0} for each in contents)
    if not objects and any(each.void and each.record.labels for each in contents):
        yield Finding(
            "error",
            f"masks hold 0 and {VOID} only, and {VOID} is void: no object would be scored",
            f"if {VOID} is the object, set data.object_value {VOID}",
        )
        return
    unnamed = {
        each.record.name: sorted(each.classes - {0, *each.record.labels}) for each in contents
    }
    absent = {each.record.name: sorted({*each.record.labels} - each.classes) for each in contents}
    for found, what, fix in (
        (
            unnamed,
            "masks hold classes that the image's labels do not name",
            "add the class to the image's labels: the classifier is taught that it is not there",
        ),
        (
            absent,
            "labels name classes that the image's mask does not hold",
            "take the class out of the image's labels, or draw it in the mask",
        ),
    ):
        listed = [
            f"{name} ({', '.join(quoted(classes[label]) for label in labels)})"
            for name, labels in found.items()
            if labels
        ]
        if listed:
            yield Finding("warning", f"{what} ({len(listed)}): {some_of(listed)}", fix)
    empty = [f"{each.record.name} {each.void:.0%}" for each in contents if each.void > _VOID]
    if empty:
        yield Finding(
            "warning",
            f"masks that are mostly void, 255, which is not scored ({len(empty)}): "
            f"{some_of(empty)}",
            "write 0 where there is no object: 255 is for pixels that nobody can tell",
        )
    if not any(unnamed.values()) and not any(absent.values()) and not empty:
        yield Finding("ok", f"the classes of all {len(masked)} masks are those of the labels")


def check_widths(
    records: Sequence[Record], classes: Sequence[str], size: int, contrast: bool = False
) -> Iterator[Finding]:
    """Classes whose objects are thinner than a cell of the grid, by at most 200 of the masks.

    Parameters
    ----------
    records : sequence of Record
        Of images whose files can be read.
    classes : sequence of str
        Names by class id.
    size : int
        Side that images are warped to.
    contrast : bool, default False
        Whether masks go by the contrast of each pixel, so that cells are no limit.
    """
    masked = [record for record in records if record.mask is not None]
    widths: dict[int, list[float]] = {}
    for record in masked[:: -(-len(masked) // _MEASURED) or 1]:
        mask = record.truth()
        for label in set(np.unique(mask).tolist()) - {0, VOID}:
            widths.setdefault(label, []).append(_width(mask == label) * size / max(mask.shape))
    middle = {label: float(np.median(each)) for label, each in sorted(widths.items())}
    thin = [
        f"{quoted(classes[label])} {width:.1f}" for label, width in middle.items() if width < _CELL
    ]
    if thin and not contrast:
        larger = (3 * size // 2) // _CELL * _CELL + 1
        yield Finding(
            "warning",
            f"objects thinner than a cell of the grid, {_CELL} pixels at data.size {size} (median "
            f"width in pixels): {some_of(thin)}",
            f"--data.size {larger} with model.dilation raised in proportion, or cut the images "
            f"into parts",
        )


def _width(shape: NDArray[np.bool_]) -> float:
    """Width of an object in pixels: exact for a long strip, whose pixels lie w / 4 from its edge.

    The distance to the nearest pixel outside is half a pixel more than that to the edge.
    """
    distance = distance_transform_edt(np.pad(shape, 1))
    return 4 * float(distance[1:-1, 1:-1][shape].mean() - 0.5)


def _content(record: Record) -> _Content:
    values, counts = np.unique(record.truth(), return_counts=True)
    void = counts[values == VOID].sum() / counts.sum()
    return _Content(record, frozenset(values[values != VOID].tolist()), float(void))
