"""What is done once when a run's folder is opened: a lock, a look at every image, a remark."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from lightning_fabric import Fabric

from dgcn.atomic import write_text
from dgcn.data.dataset import Record
from dgcn.data.folder import FolderDataset
from dgcn.new_pictures import new_pictures

if TYPE_CHECKING:
    from dgcn.pipeline.run import Run

__all__ = ["check_once", "digest", "locked", "mention_new"]


def locked(folder: Path, fabric: Fabric) -> FileLock | None:
    """The lock of a folder, on the first process; every process fails where it is held."""
    lock, free = None, True
    if fabric.is_global_zero:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            free = False
    if not fabric.broadcast(free):
        raise ValueError(
            f"{folder}: another dgcn process works in this folder: wait for it, or name another "
            f"folder by --out"
        )
    return lock


def digest(records: Sequence[Record]) -> str:
    """Short hash of the names and labels of some images."""
    lines = [f"{record.name} {' '.join(map(str, record.labels))}" for record in records]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def mention_new(run: Run) -> None:
    """Say which pictures lie in the folder and are not used."""
    dataset = run.dataset
    if not isinstance(dataset, FolderDataset):
        return
    if dataset.unlabelled:
        run.console.line(
            f"data: {len(dataset.unlabelled)} images in images/ are not in labels.csv, and not "
            f"used, e.g. {dataset.unlabelled[0].name}"
        )
    found = new_pictures(dataset)
    if found:
        example = found[0].relative_to(dataset.root)
        run.console.line(
            f"data: {len(found)} pictures are new since 'dgcn init', and not used, e.g. {example}; "
            f"'dgcn init {dataset.root} --force' takes them"
        )


def check_once(run: Run) -> None:
    """Read every image and mask, unless the same ones have been read before."""
    path = run.config.out / "data" / "checked.json"
    records = run.dataset.split("all")
    checked = {
        "root": str(run.dataset.root.resolve()),
        "images": digest(records),
        "masks": str(run.config.data.masks),
        "object_value": run.config.data.object_value,
        "colours": next((record.colours.csv() for record in records if record.colours), None),
    }
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) == checked:
        run.dataset.prepare(records)  # what was prepared may be gone
        return
    with run.console.bar("data: reading every image", len(records)) as advance:
        run.dataset.check(records, progress=lambda done, total: advance(""))
    write_text(path, json.dumps(checked, indent=2) + "\n")
