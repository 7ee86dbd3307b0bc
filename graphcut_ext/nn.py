"""Operators as modules, to be put into networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from graphcut_ext._arguments import check_integer
from graphcut_ext._crf.arguments import Method
from graphcut_ext._crf.dense_crf import dense_crf
from graphcut_ext._knn import knn as _knn

__all__ = ["KNN", "DenseCRF"]


class KNN(torch.nn.Module):
    """K nearest neighbours, as a module: :func:`graphcut_ext.knn` with kept settings.

    Parameters
    ----------
    k, squared, precision
        As in :func:`graphcut_ext.knn`.

    Examples
    --------
    >>> KNN(2)(torch.tensor([[0.0], [1.0], [3.0]])).indices.tolist()
    [[1, 2], [0, 2], [1, 0]]
    """

    def __init__(
        self, k: int, *, squared: bool = True, precision: _knn.Precision = "exact"
    ) -> None:
        super().__init__()
        self.k = check_integer("k", k, 1)
        self.squared = squared
        self.precision = precision

    def forward(
        self, x: Tensor, query: Tensor | None = None, lengths: Tensor | None = None
    ) -> _knn.KNN:
        """Return distances and indices of the neighbours, as :func:`graphcut_ext.knn`."""
        return _knn.knn(
            x,
            self.k,
            query=query,
            lengths=lengths,
            squared=self.squared,
            precision=self.precision,
        )

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"k={self.k}, squared={self.squared}, precision={self.precision!r}"


class DenseCRF(torch.nn.Module):
    """A fully connected CRF, as a module: :func:`graphcut_ext.dense_crf` with kept settings.

    Parameters
    ----------
    iterations, gaussian, bilateral, method, floor
        As in :func:`graphcut_ext.dense_crf`.
    compatibility : "potts" or Tensor, shape (L, L), default "potts"
        As there; a tensor is kept as a buffer, moves with the module and is saved with it.

    Notes
    -----
    The marginals carry no gradient: the module is for inference, behind a network.

    Examples
    --------
    >>> image = torch.tensor([[[0.0, 0.0, 255.0]]]).expand(3, 1, 3)
    >>> p = torch.tensor([[[0.9, 0.4, 0.1]], [[0.1, 0.6, 0.9]]])
    >>> DenseCRF(iterations=5)(p, image).argmax(0)
    tensor([[0, 0, 1]])
    """

    compatibility: Tensor | None

    def __init__(
        self,
        *,
        iterations: int = 10,
        gaussian: Sequence[float] | None = (3.0, 3.0),
        bilateral: Sequence[float] | None = (80.0, 13.0, 10.0),
        compatibility: Literal["potts"] | Tensor = "potts",
        method: Method = "auto",
        floor: float = 1e-8,
    ) -> None:
        super().__init__()
        self.iterations = check_integer("iterations", iterations, 0)
        self.gaussian = None if gaussian is None else tuple(gaussian)
        self.bilateral = None if bilateral is None else tuple(bilateral)
        if not isinstance(compatibility, Tensor) and compatibility != "potts":
            raise ValueError(f"compatibility must be 'potts' or a tensor, not {compatibility!r}")
        kept = compatibility if isinstance(compatibility, Tensor) else None
        self.register_buffer("compatibility", kept)
        self.method = method
        self.floor = floor

    def forward(self, probabilities: Tensor, image: Tensor) -> Tensor:
        """Return the marginals, as :func:`graphcut_ext.dense_crf`."""
        settings: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("iterations", "gaussian", "bilateral", "method", "floor")
        }
        settings["compatibility"] = "potts" if self.compatibility is None else self.compatibility
        return dense_crf(probabilities, image, **settings)

    def extra_repr(self) -> str:
        """Return the settings."""
        return (
            f"iterations={self.iterations}, gaussian={self.gaussian}, bilateral={self.bilateral}, "
            f"method={self.method!r}"
        )
