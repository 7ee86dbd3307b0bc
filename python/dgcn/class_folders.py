"""The images of a folder: where they lie, and what their folders say is in them."""

from __future__ import annotations

import csv
import filecmp
import io
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dgcn.data.dataset import IMAGE_SUFFIXES, OTHER_SUFFIXES

_NOT_CLASSES = ("images", "masks", "runs")
_BACKGROUND = "background"


def sources(folder: Path) -> tuple[list[tuple[Path, str]], list[str]]:
    """Images with their label ("" where they have none), and remarks."""
    images = folder / "images"
    below = _class_folders(folder) or (_class_folders(images) if images.is_dir() else [])
    remarks = [*_unread([folder, images, *below])]
    found: list[tuple[Path, str]] = []
    for each in below:
        label = "_".join(each.name.split())
        if label != each.name:
            remarks.append(f"class {label!r}: a label has no spaces (folder {each.name!r})")
        label = "" if label.lower() == _BACKGROUND else label
        found += [(path, label) for path in _pictures(each)]
    flat = _pictures(images) if images.is_dir() else []
    beside = _pictures(folder)
    if not below:
        found = [(path, "") for path in flat or beside]
    names = {path.name for path, _ in found}
    files = {path.stat().st_ino for path, _ in found}  # one may have been linked by another name
    stray = [path for path in beside if path.name not in names and path.stat().st_ino not in files]
    if stray:
        where = "the class folders" if below else "images/"
        remarks.append(f"{len(stray)} images beside {where} are not used")
    return found, remarks


def _unread(folders: Sequence[Path]) -> Iterator[str]:
    """A remark on files that are images, and of a kind that is not read."""
    files = [path for folder in folders if folder.is_dir() for path in folder.iterdir()]
    found = Counter(path.suffix.lower() for path in files)
    kinds = sorted(set(found) & OTHER_SUFFIXES)
    if kinds:
        number = sum(found[kind] for kind in kinds)
        yield (
            f"{number} images are not used ({', '.join(kinds)}): "
            "save them as jpg, jpeg or png and begin again"
        )


def gather(
    folder: Path, sources: Sequence[tuple[Path, str]]
) -> tuple[dict[str, tuple[str, ...]], int]:
    """Labels by file name in ``images/``, where every image is afterwards; how many are new."""
    images = folder / "images"
    images.mkdir(exist_ok=True)
    stems = Counter(path.stem for path, _ in sources)
    placed: dict[str, Path] = {}
    labels: dict[str, list[str]] = {}
    new = 0
    for path, label in sources:
        name = path.name
        if name in placed and not filecmp.cmp(placed[name], path, shallow=False):
            name = f"{'_'.join(path.parent.name.split())}_{path.name}"
        elif stems[path.stem] > 1 and name not in placed and _stem_taken(placed, path.stem):
            name = f"{path.stem}_{path.suffix[1:].lower()}{path.suffix}"
        if name not in placed:
            placed[name] = path
            new += _link(path, images / name)
        row = labels.setdefault(name, [])
        if label and label not in row:
            row.append(label)
    return {name: tuple(sorted(row)) for name, row in sorted(labels.items())}, new


def _stem_taken(placed: Mapping[str, Path], stem: str) -> bool:
    return any(Path(name).stem == stem for name in placed)


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


def _class_folders(folder: Path) -> list[Path]:
    """Folders with images in them, those of a data set's own layout left out."""
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_dir()
        and not path.name.startswith(".")
        and path.name not in _NOT_CLASSES
        and _pictures(path)
    ]


def _pictures(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in IMAGE_SUFFIXES
        and path.is_file()
        and not path.name.startswith(".")
    ]


def csv_of(labels: Mapping[str, Sequence[str]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("image", "labels"))
    writer.writerows((name, " ".join(row)) for name, row in labels.items())
    return stream.getvalue()
