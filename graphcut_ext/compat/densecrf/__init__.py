"""pydensecrf's classes and names, over :func:`graphcut_ext.dense_crf_features`'s lattice.

``import graphcut_ext.compat.densecrf as dcrf`` takes the place of
``import pydensecrf.densecrf as dcrf``. Results are NumPy arrays.
"""

from graphcut_ext.compat.densecrf.constants import (
    CONST_KERNEL,
    DIAG_KERNEL,
    FULL_KERNEL,
    NO_NORMALIZATION,
    NORMALIZE_AFTER,
    NORMALIZE_BEFORE,
    NORMALIZE_SYMMETRIC,
    KernelType,
    NormalizationType,
)
from graphcut_ext.compat.densecrf.field import DenseCRF, DenseCRF2D
from graphcut_ext.compat.densecrf.unary import ConstUnary, LogisticUnary, Unary

__all__ = [
    "CONST_KERNEL",
    "DIAG_KERNEL",
    "FULL_KERNEL",
    "NORMALIZE_AFTER",
    "NORMALIZE_BEFORE",
    "NORMALIZE_SYMMETRIC",
    "NO_NORMALIZATION",
    "ConstUnary",
    "DenseCRF",
    "DenseCRF2D",
    "KernelType",
    "LogisticUnary",
    "NormalizationType",
    "Unary",
]
