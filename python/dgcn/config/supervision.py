"""From activation maps to what the segmentation network is trained on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

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


Kind = Literal[
    "graph_cut", "graph_cut_script", "joint_cut", "most_probable", "region_growing", "static"
]

_CUT = (
    "k",
    "theta",
    "n_links",
    "sigma2",
    "seeds",
    "seed_weight",
    "belief",
    "spatial",
    "spatial_weight",
    "normalise",
)
READS: dict[Kind, tuple[str, ...]] = {
    "graph_cut": (*_CUT, "unary", "cut_background"),
    "graph_cut_script": _CUT,
    "joint_cut": _CUT,
    "most_probable": ("theta", "belief"),
    "region_growing": ("belief", "grow_foreground", "grow_background"),
    "static": (),
}
"""The options that each kind of supervision depends on."""

_TAKEN = ("classifier", "cues", "data")


@dataclass
class SupervisionConfig:
    """What the segmentation network is trained on, rebuilt at every step.

    Attributes
    ----------
    kind : {"graph_cut", "graph_cut_script", "joint_cut", "most_probable", ...}, default "graph_cut"
        "static": the cues as they are. "region_growing": DSRG's, the cues grown over connected
        positions of which the CRF is sure. "graph_cut": the paper's, one minimum cut per present
        class over the feature-space neighbour graph. "graph_cut_script": the same with a cut for
        the background too, as in the authors' script. "joint_cut": ours, all present classes and
        the background at once, by expansion moves. "most_probable": their control without a graph,
        the network's opinion above `theta`.
    name : str or None, default None
        Folder of the training in the run folder. None: the kind.
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
        "all": the network's softmax (region growing: the CRF's marginals) as it is. "present": over
        the classes that the image is labelled with, so that a confusion with any other class is no
        doubt.
    unary : {"network", "crf"}, default "network"
        Probabilities that "graph_cut" goes by: the network's, or the CRF's marginals.
    cut_background : bool, default False
        Whether "graph_cut" cuts for the background too.
    spatial : {0, 4, 8}, default 0
        Neighbours on the grid that the cuts link as well; 0: none, as in the paper.
    spatial_weight : float, default 1
        Factor on the capacities of the grid's links.
    normalise : {"none", "length", "channel"}, default "none"
        Features before distances are taken: as they are, divided by each position's length, or
        every channel brought to mean 0 and variance 1 over the image.
    grow_foreground : float, default 0.85
        Region growing accepts a foreground class where its marginal exceeds this.
    grow_background : float, default 0.99
        Region growing accepts the background where its marginal exceeds this.
    solver : {"auto", "bk", "ibfs", "push_relabel", "hpf"}, default "auto"
        Of the minimum cuts of "graph_cut" and "graph_cut_script"; all give the same cuts. On a GPU
        "push_relabel" cuts there, without waiting for it; the others cut on the host.
    """

    kind: Kind = "graph_cut"
    name: str | None = None
    k: int = 9
    theta: float = 0.7
    n_links: Literal["unit", "gaussian"] = "unit"
    sigma2: float | None = None
    seeds: Literal["soft", "hard"] = "soft"
    seed_weight: float = 10.0
    belief: Literal["all", "present"] = "all"
    unary: Literal["network", "crf"] = "network"
    cut_background: bool = False
    spatial: Literal[0, 4, 8] = 0
    spatial_weight: float = 1.0
    normalise: Literal["none", "length", "channel"] = "none"
    grow_foreground: float = 0.85
    grow_background: float = 0.99
    solver: Literal["auto", "bk", "ibfs", "push_relabel", "hpf"] = "auto"

    def check(self) -> None:
        """Raise `ValueError` for the first field out of range."""
        name = self.name
        legal = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]*", name or self.kind) is not None
        rule = f"None or of letters, digits and _ . + - and none of {', '.join(_TAKEN)}"
        require("supervision", self, "name", legal and name not in _TAKEN, rule)
        require("supervision", self, "k", self.k >= 1, ">= 1")
        require("supervision", self, "theta", 0 <= self.theta <= 1, "in [0, 1]")
        valid = self.sigma2 is None or 0 < self.sigma2 < float("inf")
        require("supervision", self, "sigma2", valid, "None or > 0 and finite")
        for field in ("seed_weight", "spatial_weight"):
            valid = 0 < getattr(self, field) < float("inf")
            require("supervision", self, field, valid, "> 0 and finite")
        for field in ("grow_foreground", "grow_background"):
            require("supervision", self, field, 0 <= getattr(self, field) <= 1, "in [0, 1]")

    @property
    def folder(self) -> str:
        """Name of the training's folder."""
        return self.name or self.kind

    def read(self) -> dict[str, Any]:
        """The options that the kind depends on."""
        return {name: getattr(self, name) for name in READS[self.kind]}
