"""Open a data set of any layout."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from dgcn.data.coco import COCODataset, find_year
from dgcn.data.dataset import ImageDataset, existing_folder
from dgcn.data.errors import DataError
from dgcn.data.folder import FolderDataset
from dgcn.data.voc import VOCDataset, find_voc

__all__ = ["Layout", "detect_layout", "open_dataset"]

Layout = Literal["folder", "voc", "coco"]


def open_dataset(
    root: str | os.PathLike[str],
    *,
    kind: Literal["auto", "folder", "voc", "coco"] = "auto",
    train_list: str | os.PathLike[str] | None = None,
    val_list: str | os.PathLike[str] | None = None,
    labels: Literal["masks"] | Path | None = None,
    masks: str | os.PathLike[str],
    saliency: str | os.PathLike[str] | None = None,
    object_value: int = 0,
) -> ImageDataset:
    """Open a folder as what it is.

    Parameters
    ----------
    root : path
    kind : {"auto", "folder", "voc", "coco"}, default "auto"
        "auto": see `detect_layout`.
    train_list, val_list, labels
        As `VOCDataset` and `COCODataset`; a plain folder has its own.
    masks : path
        Folder that takes the masks of a COCO layout.
    saliency : path, optional
    object_value : int, default 0
        As `FolderDataset`, for a plain folder.

    Raises
    ------
    FileNotFoundError, DataError
        As the data set; or the layout is not recognised, or the options are not for it.
    """
    layout = detect_layout(Path(root)) if kind == "auto" else kind
    if object_value and layout != "folder":
        raise DataError(
            f"data.object_value is for plain folders: the masks of {root} hold class ids"
        )
    if layout == "voc":
        return VOCDataset(
            root, train_list=train_list, val_list=val_list, labels=labels, saliency=saliency
        )
    if layout == "coco":
        if labels == "masks":
            raise DataError(f"labels 'masks' is for VOC: the annotations of {root} hold the labels")
        return COCODataset(
            root,
            masks,
            train_list=train_list,
            val_list=val_list,
            labels=labels,
            saliency=saliency,
        )
    for name, value in (("train_list", train_list), ("val_list", val_list), ("labels", labels)):
        if value is not None:
            raise DataError(
                f"{name} is for the layouts of VOC and COCO; the plain folder {root} has "
                f"train.txt, val.txt and labels.csv"
            )
    return FolderDataset(root, saliency=saliency, object_value=object_value)


def detect_layout(root: Path) -> Layout:
    """The layout of a folder, by the parts that the others do not have.

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    DataError
        It has the parts of none, or of several.
    """
    existing_folder(root, "data set folder")
    coco = find_year(root) is not None
    marks: dict[Layout, bool] = {
        # COCO's images, too, may lie below images/.
        "folder": (root / "labels.csv").is_file() or ((root / "images").is_dir() and not coco),
        "voc": find_voc(root) is not None,
        "coco": coco,
    }
    found = [layout for layout, there in marks.items() if there]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(f"{root}: has the parts of {' and '.join(found)}: set data.kind")
    raise DataError(
        f"{root}: no known layout. Expected labels.csv and images/ (folder), JPEGImages/ (voc), or "
        f"annotations/instances_train2014.json (coco)"
    )
