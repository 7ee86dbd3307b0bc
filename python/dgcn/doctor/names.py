"""Names that a person has written and probably meant otherwise: of classes, and of masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path

from dgcn.data import FolderDataset
from dgcn.data.lists import quoted
from dgcn.doctor.finding import Finding

LISTED = 5  # names in one message
_ALIKE = 0.8  # of difflib: one letter of five is another, or two have changed places
_RARE = 5  # images of a class


def check_names(dataset: FolderDataset) -> Iterator[Finding]:
    """Classes that look like misspellings of others, and masks that belong to no image."""
    records = dataset.split("all")
    counts = Counter(dataset.classes[label] for record in records for label in record.labels)
    pairs = [
        f"{quoted(rare)} ({counts[rare]}) and {quoted(name)} ({counts[name]})"
        for rare in sorted(counts)
        for name in sorted(counts)
        if (counts[rare], rare) < (counts[name], name) and _misspelt(rare, name, counts[rare])
    ]
    if pairs:
        yield Finding(
            "warning",
            f"classes whose names are nearly the same (images): {some_of(pairs)}",
            "write them alike in labels.csv if one is meant",
        )
    used = {record.mask.name for record in records if record.mask is not None}
    folder = dataset.root / "masks"
    masks = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    made = {Path(name).stem for name in used}  # of masks in other formats, by dgcn init
    unused = [n for n in masks if n not in used and Path(n).stem not in made and n[0] != "."]
    if unused:
        yield Finding(
            "warning",
            f"files in masks/ that are no image's mask ({len(unused)}): {some_of(unused)}",
            "name a mask as its image, and make it a png: masks/cow1.png of images/cow1.jpg",
        )


def some_of(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _misspelt(rare: str, name: str, images: int) -> bool:
    first, second = rare.casefold(), name.casefold()
    return first == second or (
        images < _RARE and SequenceMatcher(None, first, second).ratio() >= _ALIKE
    )
