"""From activation maps to what the segmentation network is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dgcn.config.checks import require


@dataclass
class SeedsConfig:
    """Cues from class activation maps and saliency, or from elsewhere.

    Attributes
    ----------
    cues : Path or None, default None
        Cues to be used instead: a pickle of SEC or DSRG with input_list.txt beside it, an .npz file
        of another run, or a folder of PNG files (class ids on the grid, 255 where there is no cue).
        None: they are made, as the other fields say.
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

    cues: Path | None = None
    foreground: float = 0.2
    background: float = 0.07
    background_fraction: float | None = None
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False

    def check(self) -> None:
        """Raise `ValueError` for the first field out of range."""
        if self.cues is not None and not self.cues.exists():
            raise FileNotFoundError(f"seeds.cues: no such file or folder: {self.cues}")
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
