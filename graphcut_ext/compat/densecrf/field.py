"""Fully connected CRFs by pydensecrf's names.

Methods and arguments are named as there. They take arrays of any real dtype and layout.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcut_ext import _core
from graphcut_ext._crf.points import MAX_DIMENSIONS, MAX_SPREAD, PointKernel, core_field
from graphcut_ext._maxflow.cut import thread_count
from graphcut_ext.compat.densecrf.arrays import count_of, floats, real_array, widths
from graphcut_ext.compat.densecrf.constants import (
    DIAG_KERNEL,
    NORMALIZE_SYMMETRIC,
    KernelType,
    NormalizationType,
)
from graphcut_ext.compat.densecrf.unary import Unary
from graphcut_ext.compat.densecrf.utils import create_pairwise_bilateral, create_pairwise_gaussian

NAMES = {
    NormalizationType.NO_NORMALIZATION: "none",
    NormalizationType.NORMALIZE_BEFORE: "before",
    NormalizationType.NORMALIZE_AFTER: "after",
    NormalizationType.NORMALIZE_SYMMETRIC: "symmetric",
}
Matrix = NDArray[np.float32]


class DenseCRF:
    """A fully connected CRF over ``nvar`` points with ``nlabels`` labels.

    Lattices are built at the first inference after a change. Without unary energies all labels are
    alike likely. An object is for one thread at a time; its inference uses as many as torch.
    """

    def __init__(self, nvar: int, nlabels: int) -> None:
        self._points = count_of("nvar", nvar)
        self._labels = count_of("nlabels", nlabels)
        self._energy = np.zeros((self._labels, self._points), np.float32)
        self._kernels: list[PointKernel] = []
        self._built: _core.FeatureField | None = None

    def setUnaryEnergy(self, u: ArrayLike) -> None:
        """Take energies (nlabels, nvar), that is, -log of the probabilities."""
        self._energy = floats("u", u, (self._labels, self._points)).copy()

    def setUnary(self, u: Unary) -> None:
        """Take the energies of a ``ConstUnary`` or ``LogisticUnary``."""
        if not isinstance(u, Unary):
            raise TypeError(f"u must be a Unary, not {type(u).__name__}")
        self.setUnaryEnergy(u.energy)

    def addPairwiseEnergy(
        self,
        features: ArrayLike,
        compat: float | ArrayLike,
        kernel: KernelType = DIAG_KERNEL,
        normalization: NormalizationType = NORMALIZE_SYMMETRIC,
    ) -> None:
        """Add a Gaussian kernel of features (D, nvar), D from 1 to 16, in standard deviations.

        ``compat`` is Potts's weight; or a vector (nlabels,), the diagonal of the cost matrix, which
        rewards by negative numbers; or a matrix (nlabels, nlabels) of costs, of which the
        symmetric part counts.
        """
        array = floats("features", features, (None, self._points))
        dimensions = array.shape[0]
        if not 1 <= dimensions <= MAX_DIMENSIONS:
            raise ValueError(
                f"features must have 1 to {MAX_DIMENSIONS} rows, not {dimensions}; for more, see "
                "graphcut_ext.dense_crf_features(method='exact')"
            )
        spread = float(np.ptp(array.astype(np.float64), axis=1).max())
        if spread > MAX_SPREAD:
            raise ValueError(
                f"features must lie within {MAX_SPREAD:g} standard deviations, not {spread:g}"
            )
        KernelType(kernel)  # the kinds differ in what could be learnt alone
        name = NAMES[NormalizationType(normalization)]
        weight, matrix = _costs(compat, self._labels)
        self._kernels.append(PointKernel(array.T, weight, matrix, name))
        self._built = None

    def inference(self, niter: int) -> Matrix:
        """Marginals (nlabels, nvar) after so many steps of mean field."""
        return self._infer(None, _steps(niter))

    def startInference(self) -> tuple[Matrix, Matrix, Matrix]:
        """Marginals (nlabels, nvar) before the first step, and two arrays that are not used."""
        return self._infer(None, 0), np.empty((0, 0), np.float32), np.empty((0, 0), np.float32)

    def stepInference(self, Q: Matrix, tmp1: Any = None, tmp2: Any = None) -> None:
        """Replace the marginals ``Q`` by those after one more step."""
        _writable(Q)
        Q[...] = self._infer(self._marginals(Q), 1)

    def klDivergence(self, Q: ArrayLike) -> float:
        """Divergence of ``Q`` from the CRF, up to its constant, as pydensecrf defines it.

        The sum of Q log Q + Q u + Q (costs K Q) over points and labels; every pair counts twice.
        """
        q = self._marginals(Q)
        message = np.zeros_like(q)
        if self._kernels:
            self._field().message(q, False, message)
        with np.errstate(divide="ignore", invalid="ignore"):
            entropy = np.where(q > 0, q * np.log(q), 0)
        terms = entropy.astype(np.float64) + q * (self._energy + message)
        return float(terms.sum())

    def _field(self) -> _core.FeatureField:
        if self._built is None:
            self._built = core_field(self._labels, self._points, self._kernels, thread_count(0))
        return self._built

    def _infer(self, start: Matrix | None, steps: int) -> Matrix:
        marginals = np.empty_like(self._energy)
        self._field().infer(self._energy, 0.0, start, steps, marginals)
        return marginals

    def _marginals(self, Q: ArrayLike) -> Matrix:
        return floats("Q", Q, (self._labels, self._points))


class DenseCRF2D(DenseCRF):
    """A fully connected CRF over the pixels of an image of ``w`` columns and ``h`` rows."""

    def __init__(self, w: int, h: int, nlabels: int) -> None:
        self._width, self._height = count_of("w", w), count_of("h", h)
        super().__init__(self._width * self._height, nlabels)

    def addPairwiseGaussian(
        self,
        sxy: float | ArrayLike,
        compat: float | ArrayLike,
        kernel: KernelType = DIAG_KERNEL,
        normalization: NormalizationType = NORMALIZE_SYMMETRIC,
    ) -> None:
        """Add a kernel of positions, ``sxy`` pixels wide: a number, or one for x and one for y."""
        sx, sy = widths("sxy", sxy, 2)
        features = create_pairwise_gaussian((sy, sx), (self._height, self._width))
        self.addPairwiseEnergy(features[::-1], compat, kernel, normalization)

    def addPairwiseBilateral(
        self,
        sxy: float | ArrayLike,
        srgb: float | ArrayLike,
        rgbim: ArrayLike,
        compat: float | ArrayLike,
        kernel: KernelType = DIAG_KERNEL,
        normalization: NormalizationType = NORMALIZE_SYMMETRIC,
    ) -> None:
        """Add a kernel of positions and of colours ``rgbim`` (h, w, 3), ``srgb`` wide."""
        sx, sy = widths("sxy", sxy, 2)
        image = floats("rgbim", rgbim, (self._height, self._width, 3))
        features = create_pairwise_bilateral((sy, sx), widths("srgb", srgb, 3), image, chdim=2)
        self.addPairwiseEnergy(features[[1, 0, 2, 3, 4]], compat, kernel, normalization)


def _costs(compat: float | ArrayLike, labels: int) -> tuple[float, Matrix | None]:
    """The weight of Potts; or 1 and the matrix of costs."""
    if isinstance(compat, Real):
        weight = float(compat)
        if not abs(weight) <= 1e30:
            raise ValueError(f"compat must be finite, at most 1e30, not {weight}")
        return weight, None
    given = real_array("compat", compat)
    if given.ndim == 1:
        return 1.0, np.diag(floats("compat", given, (labels,)))
    if given.ndim != 2:
        raise ValueError(f"compat must be a number, a vector or a matrix, not of {given.ndim} axes")
    matrix = floats("compat", given, (labels, labels))
    return 1.0, (matrix + matrix.T) / 2


def _steps(niter: int) -> int:
    return 0 if isinstance(niter, int | np.integer) and niter == 0 else count_of("niter", niter)


def _writable(Q: Any) -> None:
    if not isinstance(Q, np.ndarray) or not Q.flags.writeable or Q.dtype.kind != "f":
        raise TypeError("Q must be a writable array of floats, as startInference() gives it")
