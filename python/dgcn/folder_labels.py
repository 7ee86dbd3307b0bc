"""Labels of the pictures of a folder, from its folders, from drawings, or filled in by a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dgcn.annotated import read_annotated
from dgcn.class_folders import Survey
from dgcn.data.lists import BACKGROUND, read_labels
from dgcn.placing import Placed

__all__ = ["FolderLabels", "class_warnings", "folder_labels"]


@dataclass(frozen=True)
class FolderLabels:
    """What is known of the pictures of a folder.

    Attributes
    ----------
    labels : mapping from str to sequence of str
        Classes of every picture that is to be used, by its file name in ``images/``.
    drawn : Path or None
        For ``cues.drawn``.
    remarks : tuple of str
    """

    labels: Mapping[str, Sequence[str]]
    drawn: Path | None
    remarks: tuple[str, ...]


def folder_labels(listed: Path, found: Survey, placed: Placed) -> FolderLabels:
    """Labels that folders name and those that are drawn; without folders also those filled in.

    Parameters
    ----------
    listed : Path
        A labels.csv that a person may have filled in.
    found : Survey
    placed : Placed

    Raises
    ------
    DataError
        A drawing or the labels.csv of a flat folder is malformed.
    """
    annotated = read_annotated(found, placed.labels)
    drawn, remarks = annotated.labels, list(annotated.remarks)
    labels: Mapping[str, Sequence[str]]
    if any(placed.labels.values()):
        labels = {
            name: tuple(sorted({*row, *drawn.get(name, ())})) for name, row in placed.labels.items()
        }
    else:
        labels = _given(listed, placed.labels)
        if drawn:
            known = {**{name: row for name, row in labels.items() if row}, **drawn}
            bare = len(labels) - len(known)
            if bare:
                remarks.append(
                    f"{bare} pictures without a drawing are not in {listed.name} and not used: add "
                    f"a line for each, with its labels, or with none where it shows only background"
                )
            labels = {name: known[name] for name in labels if name in known}
    return FolderLabels(labels, annotated.drawn, tuple(remarks))


def class_warnings(labels: Mapping[str, Sequence[str]]) -> list[str]:
    """Classes that nothing tells from the background, or from one another."""
    where: dict[str, set[str]] = {}
    for image, row in labels.items():
        for label in row:
            where.setdefault(label, set()).add(image)
    warnings = [
        f"every image is labelled {name!r}: nothing tells it from the background; add images "
        f"without it (a folder background/)"
        for name, images in sorted(where.items())
        if len(images) == len(labels) > 1
    ]
    alike: dict[frozenset[str], list[str]] = {}
    for name, images in sorted(where.items()):
        alike.setdefault(frozenset(images), []).append(name)
    for together, names in alike.items():
        if len(names) > 1 and len(together) > 1:
            warnings.append(
                f"the classes {' and '.join(map(repr, names))} are always together "
                f"({len(together)} images): nothing tells them apart; add images of one alone"
            )
    return warnings


def _given(path: Path, labels: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Labels that a person has written for images that no folder says anything of."""
    rows = read_labels(path) if path.is_file() else []
    given = {row.image: tuple(sorted(set(row.labels) - {BACKGROUND})) for row in rows}
    return {name: given.get(name, given.get(Path(name).stem, ())) for name in labels}
