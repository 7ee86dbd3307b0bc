"""Masks against the images' labels: classes that only one of them has, and void."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from dgcn.data import Record, read_mask
from dgcn.data.images import VOID
from dgcn.doctor.finding import Finding
from dgcn.doctor.names import some_of

_VOID = 0.5  # of a mask's pixels


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
            f"{name} ({', '.join(classes[label] for label in labels)})"
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


def _content(record: Record) -> _Content:
    assert record.mask is not None
    values, counts = np.unique(read_mask(record.mask), return_counts=True)
    void = counts[values == VOID].sum() / counts.sum()
    return _Content(record, frozenset(values[values != VOID].tolist()), float(void))
