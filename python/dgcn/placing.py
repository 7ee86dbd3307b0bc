"""Pictures and masks of a survey, linked to where a data set has them."""

from __future__ import annotations

import filecmp
import itertools
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dgcn.class_folders import Source, Survey
from dgcn.data.errors import DataError
from dgcn.data.images import read_image
from dgcn.data.mask_colours import MASK_COLOURS, MaskColours
from dgcn.data.masks import VOID, is_black_and_white, read_mask, write_mask

__all__ = [
    "RARE",
    "Placed",
    "mask_in_any_file",
    "object_value_of",
    "place_images",
    "place_masks",
]

RARE = 20
"""Grey values along a smoothed outline are so many times rarer than the object's."""


@dataclass(frozen=True)
class Placed:
    """Pictures in ``images/``, by file name.

    Attributes
    ----------
    labels : dict
        Classes that their folders name.
    masks : dict
        Masks of those that have one outside ``masks/``.
    val : tuple of str
        Those that lie in a folder of validation (or test) images.
    linked : int
        How many were not there before.
    empty : tuple of str
        Those whose folder says that they show no object.
    """

    labels: dict[str, tuple[str, ...]]
    masks: dict[str, Path]
    val: tuple[str, ...]
    linked: int
    empty: tuple[str, ...] = ()


def place_images(found: Survey) -> Placed:
    """Link every picture of a survey into ``images/``; equal files of one name become one.

    Raises
    ------
    ValueError
        A file of that name is there and differs.
    """
    images = found.root / "images"
    targets = _targets(found.sources)
    made = {targets[source.path]: source.path for source in found.sources}
    fresh = [source for source in found.placed if not _is_link(source.path, made)]
    if fresh and any(source.place for source in found.sources):
        why = "pictures in images/ that lie in no class folder"
        found.aside[why] += [source.path for source in fresh]
    elif fresh:
        # The folder has its pictures in images/: others beside it are not meant.
        beside = {source.path for source in found.sources if source.path.parent == found.root}
        linked_before = {made[source.path.name] for source in found.placed if source not in fresh}
        if beside - linked_before:
            found.aside["pictures beside images/"] += sorted(beside - linked_before)
        others = [source for source in found.sources if source.path not in beside]
        found.sources = [*found.placed, *others]
        targets |= {source.path: source.path.name for source in found.placed}
    images.mkdir(exist_ok=True)
    labels: dict[str, set[str]] = {}
    masks: dict[str, Path] = {}
    val: set[str] = set()
    linked = 0
    for source in found.sources:
        name = targets[source.path]
        linked += _link(source.path, images / name)
        row = labels.setdefault(name, set())
        if source.label:
            row.add(source.label)
        if source.mask is not None:
            masks.setdefault(name, source.mask)
        if source.split in ("val", "test"):
            val.add(name)
    ordered = {name: tuple(sorted(row)) for name, row in sorted(labels.items())}
    empty = {targets[source.path] for source in found.sources if source.place and not source.label}
    sound = tuple(sorted(name for name in empty if not ordered[name]))
    return Placed(ordered, masks, tuple(sorted(val)), linked, sound)


def _is_link(path: Path, made: Mapping[str, Path]) -> bool:
    """Whether a picture in ``images/`` is a link or copy that was made of another before."""
    other = made.get(path.name)
    return other is not None and (other.samefile(path) or filecmp.cmp(path, other, shallow=False))


def _targets(sources: Sequence[Source]) -> dict[Path, str]:
    """File name in ``images/`` of every picture: names without their endings are unique."""
    taken: dict[str, Path] = {}  # by the name without its ending, as no two systems differ
    targets: dict[Path, str] = {}
    for source in sources:
        path = source.path
        for stem in _stems(source):
            other = taken.get(stem.lower())
            if other is None:
                taken[stem.lower()] = path
                targets[path] = stem + path.suffix
                break
            if other.suffix == path.suffix and filecmp.cmp(other, path, shallow=False):
                targets[path] = targets[other]  # the same picture in two class folders
                break
    return targets


def _stems(source: Source) -> Iterator[str]:
    """What a picture may be called: its name, or with its class, its ending, its folders."""
    stem, ending = source.path.stem, source.path.suffix[1:].lower()
    yield stem
    if source.place:
        yield f"{_safe(source.place[0])}_{stem}"
    yield f"{stem}_{ending}"
    whole = "_".join([*map(_safe, source.place), stem])
    yield whole
    for number in itertools.count(2):
        yield f"{whole}_{number}"


def _safe(name: str) -> str:
    return re.sub(r"[^\w.\-]+", "_", name)


def _link(source: Path, target: Path) -> int:
    """Make `target` the same file as `source`; 1 where it was not there, else 0."""
    if target.exists():
        if not filecmp.cmp(source, target, shallow=False):
            raise ValueError(f"{target} is there already and differs from {source}")
        return 0
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, target)
    return 1


def place_masks(
    found: Survey,
    placed: Placed,
    labels: Mapping[str, Sequence[str]],
    classes: Sequence[str],
) -> None:
    """Put the masks of a survey into ``masks/`` as class ids; what does not fit is left aside.

    A mask of one value besides 0, be it 1 or 255, shows the class of its image, where the image has
    one class alone. Where there are no labels yet, no mask is taken. Masks that are there are kept.

    Parameters
    ----------
    found : Survey
        Takes the remarks.
    placed : Placed
    labels : mapping from str to sequence of str
        Classes of every image.
    classes : sequence of str
        Foreground classes; the first has the id 1.
    """
    ids = {name: index for index, name in enumerate(classes, start=1)}
    folder = found.root / "masks"
    linked = written = 0
    if placed.masks and not classes:
        found.aside["masks (fill in the labels, then dgcn init --force)"] += placed.masks.values()
        return
    for name, path in sorted(placed.masks.items()):
        target = folder / f"{Path(name).stem}.png"
        if target.exists():
            continue
        try:
            mask = mask_in_any_file(path, found.colours)
        except DataError as error:
            found.aside[_reason(str(error), found.colours)].append(path)
            continue
        row = labels.get(name, ())
        meant = mask if found.colours else _meant(mask, [ids[label] for label in row])
        if isinstance(meant, str):
            found.aside[meant].append(path)
            continue
        folder.mkdir(exist_ok=True)
        if meant is mask and path.suffix.lower() == ".png":
            linked += _link(path, target)
        else:
            write_mask(target, meant)
            written += 1
    empty = _write_empty(found, placed, labels) if linked or written else 0
    if empty:
        found.remarks.append(
            f"{empty} masks of background alone written into {folder} for pictures without objects"
        )
    if linked:
        found.remarks.append(f"{linked} masks linked into {folder}")
    if written:
        found.remarks.append(
            f"{written} masks of one value written into {folder} with the id of their image's class"
        )


def _write_empty(found: Survey, placed: Placed, labels: Mapping[str, Sequence[str]]) -> int:
    """Write masks for pictures without objects: what is found there is wrong. Returns how many."""
    written = 0
    for name in placed.empty:
        target = found.root / "masks" / f"{Path(name).stem}.png"
        if name in placed.masks or target.exists() or labels.get(name):
            continue
        try:
            image = read_image(found.root / "images" / name)
        except DataError:
            continue  # the doctor names it
        write_mask(target, np.zeros(image.shape[:2], np.uint8))
        written += 1
    return written


def object_value_of(
    folder: Path, labels: Mapping[str, Sequence[str]], classes: Sequence[str]
) -> int:
    """The value of the object in masks that do not hold class ids; 0 where they hold them.

    Masks of one object are often 0 and 255, with grey values along a smoothed outline: the most
    frequent value that is not 0 is the object's then, unless ids are nearly as frequent: those are
    class ids, and void. Masks that cannot be read are passed over.

    Parameters
    ----------
    folder : Path
        Folder of PNG masks.
    labels : mapping from str to sequence of str
        Classes of every image; where one has several, masks must hold ids.
    classes : sequence of str
        Foreground classes; the first has the id 1.
    """
    if not folder.is_dir() or not classes or any(len(row) > 1 for row in labels.values()):
        return 0
    counts = np.zeros(256, np.int64)
    for path in sorted(folder.glob("*.png")):
        try:
            counts += np.bincount(read_mask(path).ravel(), minlength=256)
        except DataError:
            continue  # the doctor names it
    counts[0] = 0
    ids = counts[1 : len(classes) + 1]
    if not counts.any() or RARE * ids.sum() > counts.max():
        return 0  # class ids, known or not
    if ids.any() and ids.sum() + counts[VOID] == counts.sum():
        return 0
    return int(counts.argmax())


def mask_in_any_file(path: Path, colours: MaskColours | None = None) -> NDArray[np.uint8]:
    """A mask in any file: one that is no PNG must be black and white, but for JPEG's losses.

    Parameters
    ----------
    path : Path
    colours : MaskColours or None, default None
        What its colours mean; None: it holds numbers.

    Raises
    ------
    DataError
        It cannot be read as such a mask.
    """
    if colours is not None:
        return colours.read(path)
    if path.suffix.lower() == ".png":
        return read_mask(path)
    pixels = read_image(path)
    if not is_black_and_white(pixels):
        raise DataError(f"{path}: a mask must be a PNG file, or black and white")
    return VOID * (pixels[..., 1] >= 128).astype(np.uint8)


def _meant(mask: NDArray[np.uint8], labels: Sequence[int]) -> NDArray[np.uint8] | str:
    """The mask as class ids, or why it cannot be."""
    counts = np.bincount(mask.ravel(), minlength=256)
    objects = [int(value) for value in np.flatnonzero(counts[:VOID]) if value]
    if objects and set(objects) <= set(labels):
        return mask
    if not objects and not counts[VOID]:
        return mask
    if len(labels) == 1 and len(objects) < 2:
        shown = objects[0] if objects else VOID
        return np.where(mask == shown, np.uint8(labels[0]), mask)
    smoothed = counts[1:].argmax() + 1 == VOID
    if len(labels) == 1 and smoothed and RARE * counts[labels[0]] < counts[VOID]:
        outline = np.where(mask > 0, np.uint8(VOID), mask)
        return np.where(mask == VOID, np.uint8(labels[0]), outline)
    return (
        "masks whose values are not the ids of their image's classes (list these in classes.txt "
        "in the order of the values)"
    )


def _reason(message: str, colours: MaskColours | None) -> str:
    if "must be a PNG" in message:
        return "masks that are no png, and not black and white"
    if colours is not None and ": colour [" in message:
        return f"masks of colours that {colours.source.name} does not list"
    if "colours" in message:
        return f"coloured masks (say what colours mean in {MASK_COLOURS}: class,red,green,blue)"
    return "masks that cannot be read"
