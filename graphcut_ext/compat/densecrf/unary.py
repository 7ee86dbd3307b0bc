"""Unary energies as objects, for ``setUnary``."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcut_ext.compat.densecrf.arrays import floats


class Unary:
    """Energies (labels, points) of every label at every point."""

    energy: NDArray[np.float32]


class ConstUnary(Unary):
    """Energies as they are given."""

    def __init__(self, u: ArrayLike) -> None:
        self.energy = floats("u", u, (None, None))


class LogisticUnary(Unary):
    """Energies ``L @ f`` of weights L (labels, features) and features f (features, points)."""

    def __init__(self, L: ArrayLike, f: ArrayLike) -> None:
        weights = floats("L", L, (None, None))
        self.energy = weights @ floats("f", f, (weights.shape[1], None))
