"""Saliency of an image by a network in an ONNX file, as U2-Net and its kin are handed round."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from dgcn.data.images import IMAGENET_MEAN, IMAGENET_STD

__all__ = ["SUFFIX", "network_saliency", "require_network_file"]

SUFFIX = ".onnx"
"""A name of a saliency prior that ends so is a file."""

_SIDE = 320  # of the input where the file leaves it open: the one U2-Net was trained at


def require_network_file(path: Path) -> None:
    """Say what is missing for a network of saliency, before anything runs.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        onnxruntime is not installed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"saliency: no such file: {path}")
    _onnxruntime(path)


@lru_cache(maxsize=1)
def network_saliency(path: Path) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """The saliency prior in an ONNX file of U2-Net's interface.

    The network takes (1, 3, S, S): the image warped to S x S, divided by its maximum, standardised
    with ImageNet's mean and deviation. Its first output, (1, 1, s, s) or (1, s, s), is scaled to
    [0, 1] by its minimum and maximum and brought to the image's size bilinearly. Qin et al.,
    "U2-Net: going deeper with nested U-structure for salient object detection", Pattern
    Recognition 2020. It runs on the CPU, on as many threads as torch.

    Such networks are trained with masks of objects, of other images and without classes.

    Parameters
    ----------
    path : Path
        The last one is kept in memory.

    Returns
    -------
    callable
        From an image (H, W, 3) of uint8 to its saliency (H, W), float32, in [0, 1]; 0 everywhere
        where the output is constant.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        onnxruntime is not installed, the file is no ONNX network, or its input or first output has
        another shape.
    """
    require_network_file(path)
    runtime = _onnxruntime(path)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # warnings are about the file's making, not its result
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes, which derive from nothing narrower
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"saliency: {path} cannot be read as an ONNX network: {reason}") from error
    name, side = _input(session.get_inputs(), path)

    def prior(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        output = session.run(None, {name: _warped(image, side)})[0]
        return _scaled(np.asarray(output), image.shape[:2], path)

    return prior


def _onnxruntime(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ValueError(
            f"saliency: {path} needs onnxruntime: pip install 'graphcut-ext[saliency]'"
        ) from error
    return onnxruntime


def _input(inputs: Any, path: Path) -> tuple[str, int]:
    """Name and side of the one input."""
    wanted = "one float32 input of shape (1, 3, S, S)"
    if len(inputs) != 1:
        raise ValueError(f"saliency: {path} must have {wanted}, it has {len(inputs)} inputs")
    # Sides that the file leaves open are names or None.
    shape = [size if isinstance(size, int) else None for size in inputs[0].shape]
    fits = len(shape) == 4 and shape[0] in (1, None) and shape[1] in (3, None)
    if not fits or shape[2] != shape[3] or inputs[0].type != "tensor(float)":
        found = f"{inputs[0].name}: {inputs[0].type} of shape {inputs[0].shape}"
        raise ValueError(f"saliency: {path} must have {wanted}, got {found}")
    return inputs[0].name, shape[2] or _SIDE


def _warped(image: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """The network's input, (1, 3, side, side)."""
    small = Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR)
    values = np.asarray(small, dtype=np.float32)
    values = values / max(values.max(), np.float32(1))  # of a black image nothing is divided
    values = (values - np.asarray(IMAGENET_MEAN, np.float32)) / np.asarray(IMAGENET_STD, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1))[None]


def _scaled(output: NDArray[Any], size: tuple[int, ...], path: Path) -> NDArray[np.float32]:
    """The first output, from its own range to [0, 1] and to the image's size."""
    if output.ndim == 4 and output.shape[1] == 1:
        output = output[:, 0]
    if output.ndim != 3 or output.shape[0] != 1 or output.size == 0:
        raise ValueError(
            f"saliency: the first output of {path} must have shape (1, 1, s, s) or (1, s, s), got "
            f"{output.shape}"
        )
    values = output[0].astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError(f"saliency: the first output of {path} is not finite")
    low, high = float(values.min()), float(values.max())
    if high == low:
        return np.zeros(size, dtype=np.float32)
    picture = Image.fromarray((values - low) / (high - low))
    resized = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.clip(np.asarray(resized, dtype=np.float32), 0, 1)
