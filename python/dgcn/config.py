"""Every setting of a run, typed, documented and checked; `dgcn.options` reads and writes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dgcn.optimisation import ClassifyConfig, Optimisation, TrainConfig, require

if TYPE_CHECKING:
    from dgcn.crf import CRFParams

__all__ = [
    "SECTIONS",
    "CRFConfig",
    "ClassifyConfig",
    "Config",
    "DataConfig",
    "EvaluateConfig",
    "ModelConfig",
    "Optimisation",
    "RuntimeConfig",
    "SeedsConfig",
    "SupervisionConfig",
    "TrainConfig",
]


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


@dataclass
class ModelConfig:
    """The backbone, shared by the classifier and the segmentation network.

    Attributes
    ----------
    backbone : {"squeezenet", "small"}, default "squeezenet"
        "squeezenet": SqueezeNet 1.1, to be started from ImageNet weights. "small": a few 100k
        parameters with batch normalisation, trained from scratch.
    weights : Path or None, default None
        .safetensors or .pth file of backbone weights. None: random initialisation.
    dilation : int, default 12
        Dilation of the segmentation network's last convolution, in cells; 12 suits a grid of
        41 x 41, 6 one of 21 x 21.
    """

    backbone: Literal["squeezenet", "small"] = "squeezenet"
    weights: Path | None = None
    dilation: int = 12

    def check(self) -> None:
        """Raise `ValueError` or `FileNotFoundError` for the first unsuitable field."""
        require("model", self, "dilation", self.dilation >= 1, ">= 1")
        if self.weights is not None and not self.weights.is_file():
            raise FileNotFoundError(f"model.weights: no such file: {self.weights}")


@dataclass
class SeedsConfig:
    """Cues from class activation maps and saliency.

    Attributes
    ----------
    foreground : float, default 0.2
        A position is a cue of class c where its activation exceeds this fraction of the maximum.
    background : float, default 0.07
        A position is a cue of the background where its saliency, in [0, 1], is below this.
    background_fraction : float or None, default None
        Take this fraction of the positions, the least salient ones, as cues of the background
        instead.
    scales : tuple of float, default (1,)
        Factors on `data.size`; activation maps are averaged over them.
    flip : bool, default False
        Whether the mirrored image is averaged in as well.
    """

    foreground: float = 0.2
    background: float = 0.07
    background_fraction: float | None = None
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False

    def check(self) -> None:
        """Raise `ValueError` for the first field out of range."""
        require("seeds", self, "foreground", 0 <= self.foreground < 1, "in [0, 1)")
        require("seeds", self, "background", 0 <= self.background <= 1, "in [0, 1]")
        fraction = self.background_fraction
        valid = fraction is None or 0 < fraction <= 1
        require("seeds", self, "background_fraction", valid, "None or in (0, 1]")
        valid = len(self.scales) > 0 and all(0.1 <= scale <= 10 for scale in self.scales)
        require("seeds", self, "scales", valid, "one or more factors in [0.1, 10]")


@dataclass
class SupervisionConfig:
    """What the segmentation network is trained on, rebuilt at every step.

    Attributes
    ----------
    kind : {"graph_cut", "static"}, default "graph_cut"
        "static": the cues as they are. "graph_cut": one minimum cut per present class over the
        feature-space neighbour graph, started from the cues.
    k : int, default 9
        Neighbours of each position in feature space.
    theta : float, default 0.7
        The cut's label is accepted where the network's probability of the class exceeds this.
    n_links : {"unit", "gaussian"}, default "unit"
        Capacity of a link: 1, or exp(-d2 / (2 sigma2)) with d2 the squared feature distance.
    sigma2 : float or None, default None
        Variance of the Gaussian links, in squared feature units. None: the mean of d2 over the
        image's links.
    seeds : {"soft", "hard"}, default "soft"
        "soft": a cue's terminal capacity is `seed_weight`, its neighbours can outvote it. "hard":
        1 + the largest sum of links at a position, so that a cue is never cut.
    seed_weight : float, default 10
        Terminal capacity of a soft cue, in units of -log10 probability.
    belief : {"all", "present"}, default "all"
        "all": the network's softmax as it is. "present": over the classes that the image is
        labelled with, so that a confusion with any other class is no doubt.
    cut_background : bool, default False
        Whether a cut is made for the background too, as in the authors' script.
    """

    kind: Literal["graph_cut", "static"] = "graph_cut"
    k: int = 9
    theta: float = 0.7
    n_links: Literal["unit", "gaussian"] = "unit"
    sigma2: float | None = None
    seeds: Literal["soft", "hard"] = "soft"
    seed_weight: float = 10.0
    belief: Literal["all", "present"] = "all"
    cut_background: bool = False

    def check(self) -> None:
        """Raise `ValueError` for the first field out of range."""
        require("supervision", self, "k", self.k >= 1, ">= 1")
        require("supervision", self, "theta", 0 <= self.theta <= 1, "in [0, 1]")
        valid = self.sigma2 is None or 0 < self.sigma2 < float("inf")
        require("supervision", self, "sigma2", valid, "None or > 0 and finite")
        valid = 0 < self.seed_weight < float("inf")
        require("supervision", self, "seed_weight", valid, "> 0 and finite")


@dataclass
class CRFConfig:
    """The fully connected CRF (Krähenbühl and Koltun 2011), kernel widths at image resolution.

    Attributes
    ----------
    iterations : int, default 10
        Mean-field iterations.
    gaussian_xy : float, default 3
        Standard deviation of the smoothness kernel in pixels.
    gaussian_weight : float, default 3
        Weight of the smoothness kernel.
    bilateral_xy : float, default 80
        Standard deviation of the appearance kernel in pixels.
    bilateral_rgb : float, default 13
        Standard deviation of the appearance kernel in grey levels (0..255).
    bilateral_weight : float, default 10
        Weight of the appearance kernel.
    train_scale : float, default 12
        Both spatial widths are divided by this on the training grid.
    """

    iterations: int = 10
    gaussian_xy: float = 3.0
    gaussian_weight: float = 3.0
    bilateral_xy: float = 80.0
    bilateral_rgb: float = 13.0
    bilateral_weight: float = 10.0
    train_scale: float = 12.0

    def check(self) -> None:
        """Raise `ValueError` for the first field out of range."""
        require("crf", self, "iterations", self.iterations >= 1, ">= 1")
        for name in ("gaussian_xy", "bilateral_xy", "bilateral_rgb", "train_scale"):
            require("crf", self, name, 0 < getattr(self, name) < float("inf"), "> 0 and finite")
        for name in ("gaussian_weight", "bilateral_weight"):
            require("crf", self, name, 0 <= getattr(self, name) < float("inf"), ">= 0 and finite")

    def params(self) -> CRFParams:
        """The CRF at image size."""
        # Imported late, as torch is in `dgcn.options`: a mistyped option is answered at once.
        from dgcn.crf import CRFParams

        return CRFParams(
            iterations=self.iterations,
            gaussian_xy=self.gaussian_xy,
            gaussian_weight=self.gaussian_weight,
            bilateral_xy=self.bilateral_xy,
            bilateral_rgb=self.bilateral_rgb,
            bilateral_weight=self.bilateral_weight,
        )

    def training_params(self) -> CRFParams:
        """The CRF on the training grid."""
        return self.params().scaled(self.train_scale)


@dataclass
class EvaluateConfig:
    """Prediction and evaluation.

    Attributes
    ----------
    split : {"val", "train"}, default "val"
        Images to predict and to evaluate on.
    checkpoint : {"last", "best"}, default "last"
        "best": highest validation mIoU where it was measured, else lowest training loss.
    scales : tuple of float, default (0.75, 1, 1.25)
        Factors on `data.size`; logits of all scales are summed at image size.
    crf : bool, default True
        Whether the probabilities are refined by the CRF at image size.
    pictures : int, default 6
        Rows of the contact sheet; 0: no sheet.
    """

    split: Literal["val", "train"] = "val"
    checkpoint: Literal["last", "best"] = "last"
    scales: tuple[float, ...] = (0.75, 1.0, 1.25)
    crf: bool = True
    pictures: int = 6

    def check(self) -> None:
        """Raise `ValueError` for the first field out of range."""
        valid = len(self.scales) > 0 and all(0.1 <= scale <= 10 for scale in self.scales)
        require("evaluate", self, "scales", valid, "one or more factors in [0.1, 10]")
        require("evaluate", self, "pictures", self.pictures >= 0, ">= 0")


@dataclass
class RuntimeConfig:
    """Where and how the computation runs.

    Attributes
    ----------
    device : {"auto", "cpu", "cuda"}, default "auto"
        Accelerator; "auto" takes a GPU where there is one.
    devices : int, default 1
        Processes, each with a device of its own (data-parallel training).
    precision : {"32-true", "bf16-mixed", "16-mixed"}, default "32-true"
        Arithmetic of the networks; graph cuts, CRF and losses are always in 32 bit or more.
    seed : int, default 0
        Seed of every random draw.
    workers : int, default 0
        Processes that read images, per device; 0 reads in the training process.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = 1
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    seed: int = 0
    workers: int = 0

    def check(self) -> None:
        """Raise `ValueError` for the first field out of range."""
        require("runtime", self, "devices", self.devices >= 1, ">= 1")
        require("runtime", self, "seed", 0 <= self.seed < 2**32, "in [0, 2**32)")
        require("runtime", self, "workers", self.workers >= 0, ">= 0")


@dataclass
class Config:
    """All settings of a run; `check` has passed on construction.

    Raises
    ------
    ValueError
        A field is out of range; the message names it and its value.
    FileNotFoundError
        A folder or file that is to be read does not exist.
    """

    out: Path = Path("runs/dgcn")
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    classify: ClassifyConfig = field(default_factory=ClassifyConfig)
    seeds: SeedsConfig = field(default_factory=SeedsConfig)
    supervision: SupervisionConfig = field(default_factory=SupervisionConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    crf: CRFConfig = field(default_factory=CRFConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)

    def __post_init__(self) -> None:
        for name in SECTIONS:
            getattr(self, name).check()
        for section in ("classify", "train"):
            batch: int = getattr(self, section).batch_size
            if batch % self.runtime.devices:
                raise ValueError(
                    f"{section}.batch_size must be a multiple of runtime.devices "
                    f"({self.runtime.devices}), got {batch}"
                )


SECTIONS: dict[str, type] = {
    "data": DataConfig,
    "model": ModelConfig,
    "classify": ClassifyConfig,
    "seeds": SeedsConfig,
    "supervision": SupervisionConfig,
    "train": TrainConfig,
    "crf": CRFConfig,
    "evaluate": EvaluateConfig,
    "runtime": RuntimeConfig,
}
