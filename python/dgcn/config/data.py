"""What is trained on: images and their labels."""

from __future__ import annotations

import math
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
    object_value: int = 0
    """Value of the object in masks of a plain folder where no mask has two classes, such as 255: it
    stands for the one class of its image, and other values than 0 are void. 0: masks hold class
    ids, and 255 is void."""
    saliency: Path | None = None
    """Folder of saliency maps, one per image. None: they are computed, see cues.saliency."""
    size: int = 321
    """Side in pixels to which images are warped; 8 n + 1, so that the grid has n + 1 cells a side.
    """
    mirror: bool = True
    """Whether training images are mirrored left-right at random."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Range of random factors on the sides of training images, e.g. [0.75, 1.5]. An enlarged image
    is cut at a random place; around a smaller one is nothing, and no cue."""
    colour: float = 0.0
    """Brightness, contrast and saturation of training images are multiplied by random factors from
    1 - colour to 1 + colour, e.g. 0.3; the CRF sees the true colours."""
    synthetic_images: int = 160
    """Training images of the synthetic set."""
    synthetic_val_images: int = 40
    """Validation images of the synthetic set."""
    synthetic_size: int = 161
    """Side in pixels of a synthetic image."""

    def __post_init__(self) -> None:
        require(self, "size", self.size >= 41 and self.size % 8 == 1, "8 n + 1 and >= 41")
        require(self, "object_value", 0 <= self.object_value <= 255, "in 0..255")
        low, high = self.scale
        require(self, "scale", 0 < low <= high < math.inf, "two ascending positive factors")
        require(self, "colour", 0 <= self.colour <= 1, "in [0, 1]")
        for name in ("kind", "train_list", "val_list", "labels"):
            unset = getattr(self, name) in (None, "auto")
            require(self, name, unset or self.root is not None, "unset without data.root")
        require_at_least(self, 1, "synthetic_images")
        require_at_least(self, 0, "synthetic_val_images")
        require_at_least(self, 32, "synthetic_size")
        require_folder(self, "root", "saliency")
        require_file(self, "train_list", "val_list", "labels")

    @property
    def repeats(self) -> bool:
        """Whether a training image looks the same in every epoch, but for being mirrored."""
        return tuple(self.scale) == (1.0, 1.0) and self.colour == 0
