"""Interactive segmentation of an image or a volume, by one minimum cut."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from graphcut_ext._arguments import check_integer
from graphcut_ext._graph.grid import grid
from graphcut_ext._segment.contrast import edge_weights
from graphcut_ext._segment.image import (
    ChannelAxis,
    Floats,
    as_array,
    channels_last,
    refuse_first,
    standardised,
)
from graphcut_ext._segment.kept_cut import KeptCut
from graphcut_ext._segment.problem import Problem, check_shape
from graphcut_ext._segment.seeds import outside_box, read_box, read_seeds
from graphcut_ext._segment.segmentation import ArrayT, Segmentation

MAX_SMOOTHNESS = 1e6
MAX_RATIO = 1e6  # of spacings
GRABCUT_ITERATIONS = 5
CONNECTIVITY = {2: 8, 3: 26}
SMOOTHNESS = {2: 50.0, 3: 5.0}


def segment(
    image: ArrayT,
    seeds: Any = None,
    *,
    box: ArrayLike | None = None,
    probabilities: ArrayLike | Tensor | None = None,
    channel_axis: ChannelAxis = "auto",
    connectivity: int | None = None,
    smoothness: float | None = None,
    sigma: float | None = None,
    spacing: ArrayLike | None = None,
    components: int = 5,
    iterations: int | None = None,
    num_threads: int | None = None,
) -> Segmentation[ArrayT]:
    """Object and background of an image or a volume, from a few marks, by one minimum cut.

    With x[i] = 1 where pixel i belongs to the object, the energy ::

        sum_i  -log p[i] x[i] - log(1 - p[i]) (1 - x[i])
      + smoothness * sum_(i, j)  c exp(-|I[i] - I[j]|^2 / (2 sigma^2)) / d[i, j] * |x[i] - x[j]|

    is minimal over all x that keep to the seeds, the second sum being over neighbours at the
    distance d. The probabilities p of the object are learnt from the colours of the seeds, by
    Gaussian mixtures, or given.

    Parameters
    ----------
    image : array or Tensor, any real dtype
        Pixels (H, W) or voxels (D, H, W), finite, with or without an axis of channels. Grey values
        or colours in any units: only ``sigma`` depends on them.
    seeds : integer array or Tensor of the pixels' shape, or a pair of bool masks, optional
        0 unknown, 1 object, 2 background; or ``(object, background)``.
    box : sequence of 4 or 6 ints, optional
        The object lies inside: the first row and column, then those after the last, as
        scikit-image's ``bbox``; for volumes three and three. What lies outside is background, but
        where seeds say otherwise.
    probabilities : array or Tensor of the pixels' shape, optional
        Of the object, from 0 to 1; those of a network, say. Default: learnt.
    channel_axis : int, None or "auto", default "auto"
        Axis of the channels; None: there is none. ``"auto"`` takes the one, first or last, that the
        shape of ``seeds`` or ``probabilities`` leaves over. Where both fit, and with a box alone,
        it is the last of arrays and the first of tensors.
    connectivity : {4, 8} in 2-D, {6, 18, 26} in 3-D, optional
        Neighbours of a pixel. Default: 8 or 26.
    smoothness : float, optional
        Weight of the boundary, from 0 to 10^6; GrabCut's gamma. Default: 50 for images, as there, 5
        for volumes, whose boundaries are larger for what they enclose. The factor c is 1 for 8
        neighbours. For others it makes the sum of c / d over the neighbours the same, so that the
        setting keeps its meaning.
    sigma : float, optional
        Contrast that a boundary prefers, in units of the image. Default: the root of the mean of
        |I[i] - I[j]|^2 over all neighbours, as GrabCut's beta.
    spacing : sequence of 2 or 3 floats, optional
        Distances of neighbours along the axes, in any unit: only their ratios count. Default: 1.
    components : int, default 5
        Normal densities of a mixture at most; there are fewer where seeds are few.
    iterations : int, optional
        Rounds of learning and cutting, GrabCut's: all but the first learn from the cut before. They
        end where the cut stays the same. Default: 1, with a box 5.
    num_threads : int, optional
        CPU threads at most. Default: those of torch. The result does not depend on it.

    Returns
    -------
    Segmentation
        ``mask``, ``value`` and ``probabilities``, of the type and on the device of ``image``; its
        ``update(seeds)`` goes on from the cut.

    Raises
    ------
    TypeError
        An argument is of the wrong type or dtype.
    ValueError
        Shapes do not fit, a value is out of range (the message names the first position), or there
        are no seeds to learn the colours of a side from.

    Notes
    -----
    Everything is computed on the CPU. Costs are rounded to 2^-20, so that a cut is exact to the
    bit: it is the same after any history of updates, and the object is the smallest one where
    several cuts are equally good. Probabilities count as at least 10^-4 and at most 1 - 10^-4.

    Of the background's colours, one half is those of its seeds and one half those of pixels without
    a mark. Either side has 5 % of its colours spread evenly over the range of all: a colour that
    neither side shows is as likely of the one as of the other.

    At its peak the memory is about 320 bytes a pixel (RGB, 8 neighbours), or 820 a voxel (grey, 26
    neighbours; fewer take less).

    References
    ----------
    Y. Boykov and M.-P. Jolly, "Interactive graph cuts for optimal boundary and region segmentation
    of objects in N-D images", ICCV 2001. C. Rother, V. Kolmogorov and A. Blake, "GrabCut:
    interactive foreground extraction using iterated graph cuts", SIGGRAPH 2004.

    Examples
    --------
    >>> image = np.array([[10, 12, 11, 80, 82], [9, 11, 12, 79, 81]])
    >>> seeds = np.array([[2, 0, 0, 0, 1], [0, 0, 0, 0, 0]])
    >>> segment(image, seeds).mask.astype(int)
    array([[0, 0, 0, 1, 1],
           [0, 0, 0, 1, 1]])
    """
    marks = None if seeds is None else read_seeds(seeds)
    corners = None if box is None else read_box(box)
    known = None if probabilities is None else _read_probabilities(probabilities)
    if marks is None and corners is None and known is None:
        raise ValueError("seeds, box or probabilities must be given")
    shape = next((given.shape for given in (marks, known) if given is not None), None)
    dimensions = None if corners is None else len(corners) // 2
    array = channels_last(image, channel_axis, shape, dimensions)
    shape = array.shape[:-1]
    for name, given in (("seeds", marks), ("probabilities", known)):
        if given is not None:
            check_shape(name, given, shape)
    if connectivity is None:
        connectivity = CONNECTIVITY[len(shape)]
    layout = grid(shape, connectivity, False)
    if smoothness is None:
        smoothness = SMOOTHNESS[len(shape)]
    if iterations is None:
        iterations = 1 if corners is None else GRABCUT_ITERATIONS
    colours, deviation = standardised(array)
    weights = edge_weights(colours, layout, _spacing(spacing, len(shape)), _sigma(sigma, deviation))
    problem = Problem(
        colours,
        KeptCut(layout, weights, _smoothness(smoothness), num_threads),
        None if corners is None else outside_box(corners, shape),
        check_integer("components", components, 1),
        check_integer("iterations", iterations, 1),
        known is None,
        image.device if isinstance(image, Tensor) else None,
    )
    return problem.solved(known, np.zeros(shape, dtype=np.int8) if marks is None else marks)


def _read_probabilities(probabilities: Any) -> Floats:
    array = as_array("probabilities", probabilities)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"probabilities must hold numbers, not {array.dtype}")
    refuse_first("probabilities", array, ~((array >= 0) & (array <= 1)), "not within 0 to 1")
    return array.astype(np.float32)


def _smoothness(value: float) -> float:
    return _number("smoothness", value, 0, MAX_SMOOTHNESS)


def _sigma(value: float | None, deviation: float) -> float | None:
    """Return sigma in units of the standardised colours."""
    if value is None:
        return None
    sigma = _number("sigma", value, 0, math.inf)
    if sigma == 0:
        raise ValueError("sigma must be positive, not 0")
    return sigma / deviation if deviation else sigma


def _number(name: str, value: object, least: float, most: float) -> float:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    number = float(value)
    if not least <= number <= most:
        raise ValueError(f"{name} must be within {least:g} to {most:g}, not {value}")
    return number


def _spacing(spacing: ArrayLike | None, axes: int) -> NDArray[np.float64]:
    """Return distances of neighbours along the axes, the smallest being 1."""
    if spacing is None:
        return np.ones(axes)
    array = as_array("spacing", spacing)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"spacing must hold numbers, not {array.dtype}")
    if array.shape != (axes,):
        raise ValueError(f"spacing must have one number for each of {axes} axes, not {array.shape}")
    sizes = array.astype(np.float64)
    refuse_first("spacing", sizes, ~((sizes > 0) & np.isfinite(sizes)), "not positive and finite")
    sizes /= sizes.min()
    refuse_first("spacing", sizes, sizes > MAX_RATIO, "times the smallest, which is too much")
    return sizes
