"""What is trained on: images and their labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dgcn.config.checks import require


@dataclass
class DataConfig:
    """Images and their labels.

    Attributes
    ----------
    root : Path or None, default None
        Folder of the data set; for the layouts see docs/training.md. None: a synthetic set is
        written into the run folder and used.
    kind : {"auto", "folder", "voc", "coco"}, default "auto"
        Layout: images/ and labels.csv; PASCAL VOC 2012; COCO. "auto": by the parts that are there.
    train_list : Path or None, default None
        List of training images in VOC or COCO, e.g. SBD's train_aug.txt. None: the layout's own.
    val_list : Path or None, default None
        List of validation images in VOC or COCO. None: the layout's own.
    labels : {"masks"}, Path or None, default None
        Image-level labels of VOC or COCO: a .npy (cls_labels.npy) or .csv file; for VOC also
        "masks", the classes of the masks. None: XML annotations, instances.
    masks : Path or None, default None
        Folder that the masks of a COCO layout are painted into, once, to be shared by several runs.
        None: data/masks in the run folder.
    saliency : Path or None, default None
        Folder of saliency maps, one per image. None: geodesic distance to the image border.
    size : int, default 321
        Side in pixels to which images are warped; 8 n + 1, so that the grid has n + 1 cells a side.
    mirror : bool, default True
        Whether training images are mirrored left-right at random.
    synthetic_images : int, default 160
        Training images of the synthetic set.
    synthetic_val_images : int, default 40
        Validation images of the synthetic set.
    synthetic_size : int, default 161
        Side in pixels of a synthetic image.
    """

    root: Path | None = None
    kind: Literal["auto", "folder", "voc", "coco"] = "auto"
    train_list: Path | None = None
    val_list: Path | None = None
    labels: Literal["masks"] | Path | None = None
    masks: Path | None = None
    saliency: Path | None = None
    size: int = 321
    mirror: bool = True
    synthetic_images: int = 160
    synthetic_val_images: int = 40
    synthetic_size: int = 161

    def check(self) -> None:
        """Raise `ValueError` for the first field out of range, `FileNotFoundError` for a folder."""
        require("data", self, "size", self.size >= 41 and self.size % 8 == 1, "8 n + 1 and >= 41")
        for name in ("kind", "train_list", "val_list", "labels"):
            unset = getattr(self, name) in (None, "auto")
            require("data", self, name, unset or self.root is not None, "unset without data.root")
        for name, least in (("synthetic_images", 1), ("synthetic_val_images", 0)):
            require("data", self, name, getattr(self, name) >= least, f">= {least}")
        require("data", self, "synthetic_size", self.synthetic_size >= 32, ">= 32")
        for name in ("root", "saliency"):
            folder: Path | None = getattr(self, name)
            if folder is not None and not folder.is_dir():
                raise FileNotFoundError(f"data.{name}: no such folder: {folder}")
        for name in ("train_list", "val_list", "labels"):
            file = getattr(self, name)
            if isinstance(file, Path) and not file.is_file():
                raise FileNotFoundError(f"data.{name}: no such file: {file}")
