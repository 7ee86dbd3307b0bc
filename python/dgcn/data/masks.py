"""Label masks on disk, and at the cells of a grid."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dgcn.atomic import atomic_file
from dgcn.data.errors import DataError
from dgcn.data.images import DECODE_ERRORS, existing_file, refuse_bomb, require_uint8
from dgcn.data.palette import voc_palette

__all__ = [
    "VOID",
    "is_black_and_white",
    "mask_to_grid",
    "read_coloured_mask",
    "read_mask",
    "write_mask",
]

VOID = 255
"""Mask value of a pixel that has no label and takes no part in evaluation."""

# Pillow stretches 2- and 4-bit grey PNG to 0..255; this is the factor it multiplied by.
_GREY_STRETCH = {"L;2": 85, "L;4": 17}


def read_mask(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read a label mask: the stored numbers, whatever the palette.

    Parameters
    ----------
    path : path
        Indexed or grey PNG of 1 to 16 bits a pixel with values 0..255; or one of colours (RGB) that
        are all grey.

    Returns
    -------
    numpy.ndarray, shape (H, W), uint8
        Class ids; 255 is void.

    Raises
    ------
    FileNotFoundError
        No such file.
    DataError
        The file is damaged, not PNG, holds colours in place of class ids, or a value above
        255; the message names it.
    """
    path = existing_file(path, "mask")
    values, mode, raw_mode = _decoded_mask(path)
    if mode in {"RGB", "RGBA", "LA"} and _is_grey(values):
        values, mode, raw_mode = values[..., 0], "L", "L"
    if mode not in {"1", "L", "P", "I", "I;16"}:
        raise DataError(
            f"{path}: a mask must be an indexed or grey PNG that holds class ids, "
            f"this one holds {mode} colours"
        )
    if values.max(initial=0) > 255 or values.min(initial=0) < 0:
        worst = values[(values > 255) | (values < 0)][0]
        raise DataError(f"{path}: a mask holds values 0..255, found {worst}")
    stretch = np.uint8(_GREY_STRETCH.get(raw_mode, 1))
    return np.asarray(values.astype(np.uint8) // stretch)


def read_coloured_mask(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read the colours (H, W, 3) of a mask; those of an indexed one are in its palette.

    Raises
    ------
    FileNotFoundError
        No such file.
    DataError
        The file is damaged, not PNG, transparent or of more than 8 bits a channel; the message
        names it.
    """
    path = existing_file(path, "mask")
    values, mode, _ = _decoded_mask(path, colours=True)
    opaque = mode == "RGB" or (mode == "RGBA" and bool((values[..., 3] == 255).all()))
    if not opaque:
        raise DataError(f"{path}: a mask must show every class by one colour, without transparency")
    return values[..., :3].astype(np.uint8, copy=False)


def _decoded_mask(path: Path, *, colours: bool = False) -> tuple[NDArray[Any], str, str]:
    """Pixels of a PNG, Pillow's mode, and that of the file's bits."""
    try:
        with Image.open(path) as opened:
            kind, mode = opened.format, opened.mode
            raw_mode = str(opened.tile[0][3]) if opened.tile else mode
            refuse_bomb(opened)
            opened.load()
            if colours and mode in {"1", "L", "P"}:
                values, mode = np.asarray(opened.convert("RGB")), "RGB"
            else:
                values = np.asarray(opened)
    except DECODE_ERRORS as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"{path}: cannot be read as a mask ({reason})") from error
    if kind != "PNG":
        raise DataError(f"{path}: a mask must be a PNG file, this is {kind}")
    return values, mode, raw_mode


def is_black_and_white(pixels: NDArray[np.uint8]) -> bool:
    """Whether pixels (H, W, 2..4), as Pillow gives them, are a black and white mask.

    JPEG and smoothed outlines may take a twentieth of them further than 32 from black and white.
    """
    near = 32
    if not _is_grey(pixels, near):
        return False
    values = pixels[..., 0]
    return bool(np.mean((values <= near) | (values >= 255 - near)) >= 0.95)


def _is_grey(pixels: NDArray[np.uint8], within: int = 0) -> bool:
    """Whether pixels hold no colour, their channels being that near, and none is transparent."""
    opaque = pixels.shape[2] == 3 or bool((pixels[..., -1] == 255).all())
    colours = pixels[..., :3] if pixels.shape[2] > 2 else pixels[..., :1]
    return opaque and int(np.ptp(colours, axis=2).max(initial=0)) <= within


def write_mask(path: str | os.PathLike[str], mask: NDArray[np.uint8]) -> None:
    """Write a label mask as an indexed PNG in PASCAL VOC's colours.

    The file appears under its name only when complete; an older one is replaced.

    Parameters
    ----------
    path : path
        Ends in ``.png``.
    mask : numpy.ndarray, shape (H, W), uint8
        Class ids; 255 is void.

    Raises
    ------
    TypeError
        ``mask`` is not uint8.
    ValueError
        ``mask`` is not two-dimensional or is empty, or ``path`` does not end in ``.png``.
    """
    path = Path(path)
    require_uint8(mask, "mask")
    if mask.ndim != 2 or mask.size == 0:
        raise ValueError(f"mask must have shape (H, W) with H, W >= 1, got {mask.shape}")
    if path.suffix.lower() != ".png":
        raise ValueError(f"path must end in .png, got {path.name!r}")
    indexed = Image.fromarray(np.ascontiguousarray(mask)).convert("L")
    indexed.putpalette(voc_palette().tobytes())
    with atomic_file(path) as file:
        indexed.save(file, format="PNG", optimize=False)


def mask_to_grid(mask: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Sample a mask at the cells of a network's output grid.

    Cell ``i`` of ``h`` lies on pixel ``i (H - 1) / (h - 1)``, corners on corners; the nearest pixel
    is taken (the later one of two equally near), never a mixture. One cell alone lies on pixel 0.

    Parameters
    ----------
    mask : numpy.ndarray, shape (H, W), uint8
    height, width : int
        Shape of the grid, each at least 1.

    Returns
    -------
    numpy.ndarray, shape (height, width), uint8

    Raises
    ------
    TypeError
        ``mask`` is not uint8.
    ValueError
        ``mask`` is not two-dimensional or is empty, or ``height`` or ``width`` is below 1.
    """
    require_uint8(mask, "mask")
    if mask.ndim != 2 or mask.size == 0:
        raise ValueError(f"mask must have shape (H, W) with H, W >= 1, got {mask.shape}")
    rows = _grid_positions(mask.shape[0], height, "height")
    columns = _grid_positions(mask.shape[1], width, "width")
    return mask[rows[:, None], columns[None, :]]


def _grid_positions(length: int, cells: int, name: str) -> NDArray[np.int64]:
    if cells < 1:
        raise ValueError(f"{name} must be at least 1, got {cells}")
    if cells == 1:
        return np.zeros(1, dtype=np.int64)
    index = np.arange(cells, dtype=np.int64)
    return (2 * index * (length - 1) + (cells - 1)) // (2 * (cells - 1))
