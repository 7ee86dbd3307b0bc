"""Images that users give, as one float array with the channels last."""

from __future__ import annotations

import operator
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphcut_ext._graph.arrays import read_array

Floats = NDArray[np.float32]
ChannelAxis = int | None | Literal["auto"]
MAX_CHANNELS = 256


def as_array(name: str, value: Any) -> NDArray[Any]:
    """Return a tensor or an array-like as an array on the host."""
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        if value.dtype == torch.bfloat16:  # NumPy has none
            value = value.float()
        value = value.resolve_conj().resolve_neg().numpy()
    return read_array(name, value)


def refuse_first(name: str, array: NDArray[Any], bad: NDArray[np.bool_], why: str) -> None:
    """Raise a ``ValueError`` that names the first entry where ``bad`` is True, if there is one."""
    if bad.any():
        position = tuple(map(int, np.argwhere(bad)[0]))
        where = ", ".join(map(str, position))
        raise ValueError(f"{name}[{where}] is {array[position]}, {why}")


def channels_last(
    image: Any, channel_axis: ChannelAxis, shape: tuple[int, ...] | None, dimensions: int | None
) -> NDArray[Any]:
    """Return the image with its channels last, one of them if it is grey.

    Parameters
    ----------
    image
        Tensor or array-like.
    channel_axis
        As in :func:`graphcut_ext.segment`.
    shape
        That of the pixels, where seeds or probabilities tell it.
    dimensions
        Number of axes of the pixels, where a box tells it.
    """
    array = as_array("image", image)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"image must hold real numbers, not {array.dtype}")
    if isinstance(channel_axis, str):
        if channel_axis != "auto":
            raise ValueError(f"channel_axis must be 'auto', None or an int, not {channel_axis!r}")
        axis = _found_axis(array.shape, isinstance(image, Tensor), shape, dimensions)
    else:
        axis = _checked_axis(array.ndim, channel_axis)
    array = array[..., None] if axis is None else np.moveaxis(array, axis, -1)
    pixels = array.shape[:-1]
    if len(pixels) not in (2, 3):
        raise ValueError(
            "image must have 2 or 3 axes besides that of the channels, not shape "
            f"{array.shape if axis is not None else pixels}"
        )
    if 0 in pixels or not 1 <= array.shape[-1] <= MAX_CHANNELS:
        raise ValueError(
            f"image must have pixels and 1 to {MAX_CHANNELS} channels, not {pixels} pixels and "
            f"{array.shape[-1]} channels"
        )
    return array


def _checked_axis(axes: int, channel_axis: Any) -> int | None:
    if channel_axis is None:
        return None
    if isinstance(channel_axis, (bool, np.bool_)):
        raise TypeError("channel_axis must be 'auto', None or an int, not bool")
    try:
        axis = operator.index(channel_axis)
    except TypeError:
        found = type(channel_axis).__name__
        raise TypeError(f"channel_axis must be 'auto', None or an int, not {found}") from None
    if not -axes <= axis < axes:
        raise ValueError(f"channel_axis is {axis}, but image has {axes} axes")
    return axis


def _found_axis(
    sizes: tuple[int, ...], tensor: bool, shape: tuple[int, ...] | None, dimensions: int | None
) -> int | None:
    """Return the axis of the channels that goes with the pixels' shape."""
    usual = 0 if tensor else -1
    if shape is None:
        return usual if dimensions is not None and len(sizes) == dimensions + 1 else None
    if sizes == shape:
        return None
    fitting = [axis for axis in (0, -1) if sizes and _without(sizes, axis) == shape]
    if not fitting:
        raise ValueError(
            f"image has shape {sizes}, which does not fit pixels of shape {shape}: it must have "
            "that shape, or one more axis, first or last, for the channels"
        )
    return usual if usual in fitting else fitting[0]


def _without(sizes: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return sizes[1:] if axis == 0 else sizes[:-1]


def standardised(image: NDArray[Any]) -> tuple[Floats, float]:
    """Return colours of mean 0 and variance 1 over all channels together, and their deviation.

    What follows then does not depend on the units of the image. One factor serves all channels, so
    that distances between colours keep their proportions.
    """
    if image.dtype.kind == "f":
        refuse_first("image", image, ~np.isfinite(image), "which is not finite")
    colours = image.astype(np.float64)
    peak = float(max(colours.max(), -colours.min())) or 1.0
    colours /= peak
    colours -= colours.mean(axis=tuple(range(image.ndim - 1)))
    deviation = float(np.sqrt(np.square(colours).mean()))
    # What is left of a constant image is rounding.
    deviation = deviation if deviation > 1e-12 else 0.0
    colours *= 1 / deviation if deviation else 0.0
    return colours.astype(np.float32), deviation * peak
