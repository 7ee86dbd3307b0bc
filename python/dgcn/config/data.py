"""What is trained on: images and their labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dgcn.config.checks import require


@dataclass
class DataConfig:
    """Images and their labels.

    Attributes
    ----------
    root : Path or None, default None
        Folder with images/ and labels.csv (and masks/ for evaluation). None: a synthetic set is
        written into the run folder and used.
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
    saliency: Path | None = None
    size: int = 321
    mirror: bool = True
    synthetic_images: int = 160
    synthetic_val_images: int = 40
    synthetic_size: int = 161

    def check(self) -> None:
        """Raise `ValueError` for the first field out of range, `FileNotFoundError` for a folder."""
        require("data", self, "size", self.size >= 41 and self.size % 8 == 1, "8 n + 1 and >= 41")
        for name, least in (("synthetic_images", 1), ("synthetic_val_images", 0)):
            require("data", self, name, getattr(self, name) >= least, f">= {least}")
        require("data", self, "synthetic_size", self.synthetic_size >= 32, ">= 32")
        for name in ("root", "saliency"):
            folder: Path | None = getattr(self, name)
            if folder is not None and not folder.is_dir():
                raise FileNotFoundError(f"data.{name}: no such folder: {folder}")
