"""From activation maps to cues."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dgcn.checks import require, require_at_least, require_scales
from dgcn.cues.refine import Refiner
from dgcn.cues.saliency import ACTIVATION, NOVELTY, check_saliency

_WEIGHTS = {ACTIVATION: 0.0, NOVELTY: 3.0}  # the activation beside the novelty only names flaws


@dataclass(frozen=True)
class CuesConfig:
    """Localisation cues from class activation maps and saliency, or from elsewhere."""

    path: Path | None = None
    """Cues to be used instead: a pickle of SEC or DSRG with input_list.txt beside it, an .npz file
    of another run, or a folder of PNG files (class ids on the grid, 255 where there is no cue).
    None: they are made, as the other fields say."""
    drawn: Path | None = None
    """What people have drawn, as cues: a folder of label images NAME.png and LabelMe's NAME.json
    (points, lines, boxes, polygons), or a file of CVAT, COCO or Label Studio. Images without a
    drawing get cues that are made. Where most drawings have background, those without any show
    none; else theirs is taken from the saliency."""
    not_drawn: int = 255
    """Value of label images in that folder where nothing is drawn; 255 never is."""
    foreground: Literal["auto"] | float = "auto"
    """A cell is a cue of class c where its map exceeds this fraction of the map's maximum. "auto":
    a threshold for each class, above what certain background reaches, from 0.3 to 0.8; by novelty
    from 0.5."""
    saliency_weight: Literal["auto"] | float = "auto"
    """Weight of the saliency beside the class activation in that map; 0: the activation alone.
    "auto": 2 for the saliency of a network, which is more often right, 3 for the novelty, 0 where
    the saliency is the activation, 1 for any other. In images of several classes it counts for a
    class as far as the class's peak is salient. Where the image's one class is on every training
    image, its activation means nothing, and the saliency counts alone."""
    background: float = 0.07
    """A cell is a cue of the background where its saliency, in [0, 1], is below this."""
    background_fraction: float | None = None
    """Take this fraction of the cells, the least salient ones, as cues of the background instead.
    """
    background_activation: float = 1.0
    """No cell is a cue of the background where the activation of a class of the image exceeds this
    fraction of its maximum, however low its saliency; 1: saliency alone decides."""
    saliency: str = "border_geodesic"
    """Saliency prior where data.saliency names no maps: border_geodesic, for scenes;
    local_contrast, for small or thin objects on a texture, such as defects; novelty, the distance
    to the nearest cell of images without a class, for flaws of a thing that stands out in every
    image; activation, the highest class activation at a cell, which takes the place of the novelty
    where that does not tell images without a class; the file of a network, FILE.onnx, of U2-Net's
    interface; or a function of your own as package.module:function, from an image (H, W, 3) of
    uint8 to saliency (H, W) in [0, 1]."""
    refine: Refiner = "none"
    """What spreads the cues over the image before the training, by the classifier's features and
    the maps: one minimum cut a class ("min_cut"), "random_walker", "label_propagation", or the CRF
    on the maps ("crf"). Drawn cues are spread alike, by the maps only where the saliency is a
    network's, and stay themselves. Those of cues.path stay as they are."""
    scales: tuple[float, ...] = (1.0,)
    """Factors on data.size; activation maps are averaged over them."""
    flip: bool = False
    """Whether the mirrored image is averaged in as well."""

    def __post_init__(self) -> None:
        for name in ("path", "drawn"):
            given = getattr(self, name)
            if given is not None and not given.exists():
                raise FileNotFoundError(f"{name}: no such file or folder: {given}")
        require(self, "drawn", self.drawn is None or self.path is None, "unset beside cues.path")
        require(self, "not_drawn", 0 <= self.not_drawn <= 255, "in 0..255")
        fixed = self.foreground
        require(self, "foreground", fixed == "auto" or 0 <= fixed < 1, "'auto' or in [0, 1)")
        if self.saliency_weight != "auto":
            require_at_least(self, 0, "saliency_weight")
        require(self, "background", 0 <= self.background <= 1, "in [0, 1]")
        fraction = self.background_fraction
        valid = fraction is None or 0 < fraction <= 1
        require(self, "background_fraction", valid, "None or in (0, 1]")
        active = self.background_activation
        require(self, "background_activation", 0 <= active <= 1, "in [0, 1]")
        check_saliency(self.saliency)
        require_scales(self, "scales")

    @property
    def weight(self) -> float:
        """The weight of the saliency: the one given, or the one that suits it."""
        if self.saliency_weight != "auto":
            return self.saliency_weight
        if self.saliency in _WEIGHTS:
            return _WEIGHTS[self.saliency]
        return 1.0 if check_saliency(self.saliency) is None else 2.0
