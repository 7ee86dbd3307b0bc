"""What is trained on: images and their labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dgcn.checks import require, require_at_least, require_file, require_folder


@dataclass(frozen=True)
class DataConfig:
    """Images and their labels."""

    root: Path | None = None
    """Folder of the data set; for the layouts see docs/training.md. None: a synthetic set is
    written into the run folder and used."""
    kind: Literal["auto", "folder", "voc", "coco"] = "auto"
    """Layout: images/ and labels.csv; PASCAL VOC 2012; COCO. "auto": by the parts that are there.
    """
    train_list: Path | None = None
    """List of training images in VOC or COCO, e.g. SBD's train_aug.txt. None: the layout's own."""
    val_list: Path | None = None
    """List of validation images in VOC or COCO. None: the layout's own."""
    labels: Literal["masks"] | Path | None = None
    """Image-level labels of VOC or COCO: a .npy (cls_labels.npy) or .csv file; for VOC also
    "masks", the classes of the masks. None: XML annotations, instances."""
    masks: Path | None = None
    """Folder that the masks of a COCO layout are painted into, once, to be shared by several runs.
    None: data/masks in the run folder."""
    saliency: Path | None = None
    """Folder of saliency maps, one per image. None: they are computed, see cues.saliency."""
    size: int = 321
    """Side in pixels to which images are warped; 8 n + 1, so that the grid has n + 1 cells a side.
    """
    mirror: bool = True
    """Whether training images are mirrored left-right at random."""
    synthetic_images: int = 160
    """Training images of the synthetic set."""
    synthetic_val_images: int = 40
    """Validation images of the synthetic set."""
    synthetic_size: int = 161
    """Side in pixels of a synthetic image."""

    def __post_init__(self) -> None:
        require(self, "size", self.size >= 41 and self.size % 8 == 1, "8 n + 1 and >= 41")
        for name in ("kind", "train_list", "val_list", "labels"):
            unset = getattr(self, name) in (None, "auto")
            require(self, name, unset or self.root is not None, "unset without data.root")
        require_at_least(self, 1, "synthetic_images")
        require_at_least(self, 0, "synthetic_val_images")
        require_at_least(self, 32, "synthetic_size")
        require_folder(self, "root", "saliency")
        require_file(self, "train_list", "val_list", "labels")
