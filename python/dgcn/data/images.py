"""Images on disk, and as arrays and tensors."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from dgcn.data.errors import DataError
from dgcn.data.wide import channels_of_tiff, refuse_odd, to_8_bits, wide_pixels

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "normalise",
    "read_image",
    "resize_image",
    "rgb_of",
    "to_tensor",
]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# What Pillow raises on a damaged or absurdly large file; parts of short ones may claim 4 GiB.
DECODE_ERRORS = (
    MemoryError,
    UnidentifiedImageError,
    Image.DecompressionBombError,
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    TypeError,
    RuntimeError,
    struct.error,
)


def refuse_bomb(opened: Image.Image) -> None:
    """Refuse what takes gigabytes to decode, before it is: a PNG of one colour has few bytes."""
    most, pixels = Image.MAX_IMAGE_PIXELS, opened.width * opened.height
    if most is not None and pixels > most:
        raise ValueError(
            f"{opened.width} x {opened.height} pixels, more than {most}; "
            "PIL.Image.MAX_IMAGE_PIXELS sets the limit"
        )


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read an image as RGB.

    The EXIF orientation is applied. Grey, bilevel, palette and CMYK images are converted to RGB;
    transparent pixels are laid over white, as an image viewer shows them. Of an animation the
    first frame is taken. 16 bits a channel are scaled by those that the file uses
    (`dgcn.data.wide.to_8_bits`).

    Parameters
    ----------
    path : path
        Any format that Pillow reads.

    Returns
    -------
    numpy.ndarray, shape (H, W, 3), uint8

    Raises
    ------
    FileNotFoundError
        No such file.
    DataError
        The file is no image or is damaged; it holds floating-point values, whose white nothing
        tells; it is a TIFF of several pages, or of channels that are no colours; it has more than
        ``PIL.Image.MAX_IMAGE_PIXELS`` pixels (89 million). The message names it.
    """
    path = existing_file(path, "image")
    try:
        with Image.open(path) as opened:
            refuse_bomb(opened)
            refuse_odd(opened)
            wide = wide_pixels(path, opened)
            return rgb_of(opened if wide is None else Image.fromarray(wide))
    except UnidentifiedImageError as error:
        odd = channels_of_tiff(path) if path.suffix.lower() in (".tif", ".tiff") else ""
        raise DataError(f"{path}: cannot be read as an image ({odd or error})") from error
    except DECODE_ERRORS as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"{path}: cannot be read as an image ({reason})") from error


def rgb_of(picture: Image.Image) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) of an image that Pillow has opened, as `read_image` gives them.

    Raises
    ------
    ValueError
        It holds floating-point values; or, while a file is decoded, one of Pillow's errors.
    """
    picture.load()
    # Pillow would write the EXIF data again, which fails where they are odd.
    picture.getexif()
    exif = picture.info.pop("exif", None)
    try:
        return np.array(_to_rgb(ImageOps.exif_transpose(picture)), dtype=np.uint8)
    finally:
        if exif is not None:
            picture.info["exif"] = exif


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Height and width of an image as it is stored, without decoding it.

    Raises
    ------
    FileNotFoundError
        No such file.
    DataError
        The file is no image or too large a one; the message names it.
    """
    path = existing_file(path, "image")
    try:
        with Image.open(path) as opened:
            refuse_bomb(opened)
            return opened.height, opened.width
    except DECODE_ERRORS as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"{path}: cannot be read as an image ({reason})") from error


def resize_image(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Warp an image to a square, bilinearly (smoothed where it shrinks).

    Parameters
    ----------
    image : numpy.ndarray, shape (H, W, 3), uint8
    size : int
        Side of the square in pixels, at least 1.

    Returns
    -------
    numpy.ndarray, shape (size, size, 3), uint8

    Raises
    ------
    TypeError
        ``image`` is not uint8.
    ValueError
        ``image`` is not (H, W, 3) or is empty, or ``size`` is below 1.
    """
    _require_rgb(image, "image")
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    picture = Image.fromarray(np.ascontiguousarray(image))
    return np.array(picture.resize((size, size), Image.Resampling.BILINEAR), dtype=np.uint8)


def normalise(rgb: NDArray[np.uint8]) -> torch.Tensor:
    """Scale to [0, 1] and standardise with ImageNet's mean and standard deviation.

    Parameters
    ----------
    rgb : numpy.ndarray, shape (H, W, 3), uint8

    Returns
    -------
    torch.Tensor, shape (3, H, W), float32

    Raises
    ------
    TypeError, ValueError
        ``rgb`` is not uint8 of shape (H, W, 3).
    """
    _require_rgb(rgb, "rgb")
    mean = np.asarray(IMAGENET_MEAN, dtype=np.float32)
    std = np.asarray(IMAGENET_STD, dtype=np.float32)
    standardised = (rgb.astype(np.float32) / np.float32(255) - mean) / std
    return torch.from_numpy(np.ascontiguousarray(standardised.transpose(2, 0, 1)))


def to_tensor(image: NDArray[np.uint8], size: int) -> torch.Tensor:
    """Network input: the image warped to a square and standardised.

    Parameters
    ----------
    image : numpy.ndarray, shape (H, W, 3), uint8
    size : int
        Side of the square in pixels.

    Returns
    -------
    torch.Tensor, shape (3, size, size), float32
        See `resize_image` and `normalise`, whose errors it raises.
    """
    return normalise(resize_image(image, size))


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode == "F":
        raise ValueError("it holds floating-point values: save it with 8 or 16 bits a channel")
    if picture.mode in {"I;16", "I;16B", "I;16L", "I;16N", "I"}:
        # Pillow's own conversion clips at 255.
        picture = Image.fromarray(to_8_bits(np.asarray(picture)))
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return picture.convert("RGB")


def existing_file(path: str | os.PathLike[str], what: str) -> Path:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{what} file not found: {path}")
    return path


def require_uint8(array: NDArray[np.uint8], name: str) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        kind = getattr(array, "dtype", type(array).__name__)
        raise TypeError(f"{name} must be a uint8 array, got {kind}")


def _require_rgb(array: NDArray[np.uint8], name: str) -> None:
    require_uint8(array, name)
    if array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise ValueError(f"{name} must have shape (H, W, 3) with H, W >= 1, got {array.shape}")
