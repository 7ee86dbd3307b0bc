"""What pictures of flawless things do not have: the distance to the nearest cell of theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu
from torch import Tensor
from torch.nn import functional

import graphcut_ext as gx
from dgcn.atomic import atomic_file
from dgcn.models.backbone import Backbone

__all__ = ["FEWEST", "Novelty", "Verdict", "early_features", "learn_novelty"]

FEWEST = 4
"""Flawless pictures that it takes at least."""

_CELLS = 10_000  # of flawless pictures, kept: a query of 1,681 cells takes a tenth of a second
_DIMENSIONS = 128
_LEVEL = 0.98  # share of the cells of flawless pictures that are not new
_TOP = 8  # the newest cells say how new a picture is
_TOLD = 0.75  # least chance that a flawed picture is newer than a flawless one
_QUIET = 0.5  # least share of a flawed picture's cells that are not new


class Verdict(NamedTuple):
    """Whether the novelty tells flawed pictures from flawless ones."""

    told: float
    """The chance that a flawed picture is newer than a flawless one (area under the ROC curve)."""
    quiet: float
    """Share of the cells that are not new, in the median of the flawed pictures."""

    @property
    def trusted(self) -> bool:
        """Whether cues can go by it: pictures are told apart, and only a part of each is new."""
        return self.told >= _TOLD and self.quiet >= _QUIET


@dataclass(frozen=True)
class Novelty:
    """Cells of flawless pictures, and how far a cell is from the nearest of them.

    Roth et al., "Towards total recall in industrial anomaly detection" (CVPR 2022), find flaws so.
    Here random projections keep the distances of the features, up to a few percent.

    Attributes
    ----------
    cells : Tensor, shape (N, D), float32
        Projected features of cells of flawless pictures.
    owners : Tensor, shape (N,), int64
        The picture that a cell is of.
    projection : Tensor, shape (C, D), float32
    level : float
        98 % of the cells of a flawless picture are less far from all other flawless pictures.
    verdict : Verdict
    """

    cells: Tensor
    owners: Tensor
    projection: Tensor
    level: float
    verdict: Verdict

    def distances(self, features: Tensor) -> NDArray[np.float32]:
        """How far each cell is from the nearest cell of the flawless pictures.

        Parameters
        ----------
        features : Tensor, shape (C, h, w)
            As `early_features` makes them.

        Returns
        -------
        numpy.ndarray, shape (h, w), float32
        """
        cells = features.flatten(1).T @ self.projection
        return self.of_projected(cells).reshape(features.shape[1:])

    def of_projected(self, cells: Tensor, owner: int | None = None) -> NDArray[np.float32]:
        """Distances (N,) of projected cells (N, D).

        Where they are those of flawless picture `owner`, its own cells do not count.
        """
        known = self.cells if owner is None else self.cells[self.owners != owner]
        found = gx.knn(known, 1, query=cells.contiguous(), squared=False)
        return np.asarray(found.distances[:, 0].cpu().numpy(), dtype=np.float32)

    def saliency(self, features: Tensor) -> NDArray[np.float32]:
        """The distance above `level`, in parts of its maximum in the picture.

        Parameters
        ----------
        features : Tensor, shape (C, h, w)

        Returns
        -------
        numpy.ndarray, shape (h, w), float32
            In [0, 1]; 0 everywhere where no cell is new.
        """
        above = np.maximum(self.distances(features) - np.float32(self.level), 0)
        peak = above.max()
        return np.asarray(above / peak if peak > 0 else above, dtype=np.float32)

    def save(self, path: Path) -> None:
        """Write it to an .npz file."""
        with atomic_file(path) as file:
            np.savez(
                file,
                cells=self.cells.cpu().numpy(),
                owners=self.owners.cpu().numpy(),
                projection=self.projection.cpu().numpy(),
                numbers=np.array([self.level, *self.verdict]),
            )

    @classmethod
    def load(cls, path: Path, device: torch.device) -> Novelty:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as known:
            level, told, quiet = known["numbers"].tolist()
            cells, owners, projection = (
                torch.from_numpy(known[name]).to(device)
                for name in ("cells", "owners", "projection")
            )
        return cls(cells, owners, projection, level, Verdict(told, quiet))


@torch.no_grad()
def early_features(backbone: Backbone, image: Tensor) -> Tensor:
    """Features of the stages of a backbone up to its first of stride 8, on the grid of that one.

    Each is averaged over 3 x 3 of its own cells, and divided by its mean length over the picture.
    Early stages see a flaw where it is; late ones see it from afar.

    Parameters
    ----------
    backbone : Backbone
        In evaluation mode.
    image : Tensor, shape (1, 3, H, W)

    Returns
    -------
    Tensor, shape (C, h, w), float32
        h = ceil(H / 8), w = ceil(W / 8); C is the sum of the stages' channels.
    """
    last = next((i for i, s in enumerate(backbone.strides) if s >= 8), len(backbone.strides) - 1)
    stages: list[Tensor] = backbone(image)[: last + 1]
    grid, found = stages[-1].shape[2:], []
    for stage in stages:
        smooth = functional.avg_pool2d(stage.float(), 3, stride=1, padding=1)
        sized = functional.interpolate(smooth, grid, mode="bilinear", align_corners=True)[0]
        found.append(sized / sized.norm(dim=0).mean().clamp_min(1e-12))
    return torch.cat(found)


def learn_novelty(flawless: Iterable[Tensor], flawed: Iterable[Tensor]) -> Novelty:
    """Keep cells of flawless pictures, and find out how far theirs are from one another.

    Parameters
    ----------
    flawless, flawed : iterable of Tensor, shape (C, h, w) each
        Features of the pictures, as `early_features` makes them. Their projections are kept
        meanwhile: 0.9 MB a picture of 41 x 41 cells.

    Raises
    ------
    ValueError
        There are fewer than `FEWEST` flawless pictures, or no flawed one.
    """
    projection = torch.empty(0)
    pictures: list[Tensor] = []
    for features in flawless:
        projection = projection if pictures else _projection(features)
        pictures.append(features.flatten(1).T @ projection)
    if len(pictures) < FEWEST:
        raise ValueError(f"flawless must hold at least {FEWEST} pictures, got {len(pictures)}")
    every = torch.cat(pictures)
    owners = torch.arange(len(pictures), device=every.device).repeat_interleave(len(pictures[0]))
    step = -(-len(every) // _CELLS)
    known = Novelty(every[::step], owners[::step], projection, 0.0, Verdict(0.0, 0.0))
    own = [known.of_projected(cells, owner) for owner, cells in enumerate(pictures)]
    known = replace(known, level=float(np.quantile(np.concatenate(own), _LEVEL)))
    new = [known.distances(features).ravel() for features in flawed]
    if not new:
        raise ValueError("flawed must hold at least one picture")
    return replace(known, verdict=_verdict(own, new, known.level))


def _projection(features: Tensor) -> Tensor:
    """Random directions, by which distances stay what they are in the mean."""
    channels = len(features)
    if channels <= _DIMENSIONS:
        return torch.eye(channels, device=features.device)
    generator = torch.Generator().manual_seed(0)
    drawn: Tensor = torch.randn(channels, _DIMENSIONS, generator=generator) / _DIMENSIONS**0.5
    return drawn.to(features.device)


def _verdict(
    flawless: Sequence[NDArray[np.float32]], flawed: Sequence[NDArray[np.float32]], level: float
) -> Verdict:
    first, second = ([_newest(cells) for cells in each] for each in (flawed, flawless))
    told = mannwhitneyu(first, second).statistic / (len(first) * len(second))
    return Verdict(float(told), float(np.median([(cells <= level).mean() for cells in flawed])))


def _newest(cells: NDArray[np.float32]) -> float:
    return float(np.sort(cells)[-_TOP:].mean())
