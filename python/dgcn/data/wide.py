"""Images of more than 8 bits a channel, and TIFF files that are no single picture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, TiffImagePlugin

__all__ = ["channels_of_tiff", "refuse_odd", "to_8_bits", "wide_pixels"]

_DEPTHS = (8, 10, 12, 14, 16)
_PAGE, _SAMPLES, _PLANES, _BITS = 254, 277, 284, 258  # TIFF tags
_SEPARATE = 2
# How the low bytes of 16 bits are unpacked where the high ones are by the key: Pillow has no image
# of three 16-bit channels, it drops the low bytes.
_LOW_BYTES = {
    f"{mode};16{order}": f"{mode};16{low}"
    for mode in ("RGB", "RGBA")
    for order, low in (("L", "B"), ("B", "L"), ("N", "B" if sys.byteorder == "little" else "L"))
}


def to_8_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale whole numbers to 0..255 by the bits that they use.

    The brightest value decides: white is the largest number of 8, 10, 12, 14 or 16 bits, the
    fewest that hold it. So 12 bits in a 16-bit file, as cameras and microscopes write them, keep
    their brightness.

    Raises
    ------
    ValueError
        A value is negative or above 65535.
    """
    least, most = int(values.min(initial=0)), int(values.max(initial=0))
    if least < 0:
        raise ValueError(f"it holds negative values, down to {least}: save it with 0 as black")
    if most > 65535:
        raise ValueError(f"it holds values up to {most}: save it with 16 bits a channel or fewer")
    white = next(2**bits - 1 for bits in _DEPTHS if most < 2**bits)
    wide = values.astype(np.int64)
    scaled: NDArray[np.uint8] = ((wide * 255 + white // 2) // white).astype(np.uint8)
    return scaled


def wide_pixels(path: Path, picture: Image.Image) -> NDArray[np.uint8] | None:
    """Upright pixels (H, W, 3 or 4) of a file with several channels of 16 bits; None: other files.

    Colours are scaled together, the transparency by itself.

    Parameters
    ----------
    path : Path
    picture : PIL.Image.Image
        The same file, opened and not yet decoded.
    """
    raw = _raw_mode(picture)
    if raw == "LA;16B":  # the four bytes of a pixel, as they lie in the file
        pairs = _decoded(path, "RGBA").astype(np.uint16)
        values = (pairs[..., 0::2] << 8) | pairs[..., 1::2]
        values = values[..., [0, 0, 0, 1]]
    elif raw in _LOW_BYTES:
        high, low = (_decoded(path, each).astype(np.uint16) for each in (raw, _LOW_BYTES[raw]))
        values = (high << 8) | low
    else:
        return None
    parts = [to_8_bits(values[..., :3])]
    if values.shape[2] == 4:
        parts.append(to_8_bits(values[..., 3:]))
    return np.concatenate(parts, axis=2)


def refuse_odd(picture: Image.Image) -> None:
    """Raise `ValueError` for a TIFF of several pages, or of channels that are no colours."""
    if not isinstance(picture, TiffImagePlugin.TiffImageFile):
        return
    tags = picture.tag_v2
    samples, bits = int(tags.get(_SAMPLES, 1)), tags.get(_BITS, (8,))
    raw = _raw_mode(picture)
    if raw == "LX" or raw.startswith("RGBXX"):
        raise ValueError(_channels(samples))
    if samples > 1 and tags.get(_PLANES) == _SEPARATE and max(bits) > 8:
        raise ValueError("its 16-bit channels lie in separate planes: save it interleaved")
    pages = 1
    for index in range(1, picture.n_frames):
        picture.seek(index)
        pages += not picture.tag_v2.get(_PAGE, 0) & 1  # smaller versions of the page are none
    picture.seek(0)
    if pages > 1:
        raise ValueError(f"it has {pages} pages: save each that is meant as a file")


def channels_of_tiff(path: Path) -> str:
    """What is odd about the channels of a TIFF that Pillow does not read; "" if nothing known."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            samples = int(file.pages[0].aspage().samplesperpixel)
    except (OSError, ValueError, IndexError, KeyError, tifffile.TiffFileError):
        return ""
    return "" if samples == 1 else _channels(samples)


def _channels(samples: int) -> str:
    return f"it has {samples} channels: save three of them as RGB, or one as grey"


def _raw_mode(picture: Image.Image) -> str:
    if not getattr(picture, "tile", None):
        return ""
    arguments = picture.tile[0][3]  # type: ignore[attr-defined]
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _decoded(path: Path, raw: str) -> NDArray[np.uint8]:
    """The file's pixels, upright, unpacked in another way than it says."""
    with Image.open(path) as picture:
        picture.tile = [_unpacked(tile, raw) for tile in picture.tile]
        picture.load()
        picture.getexif()
        picture.info.pop("exif", None)
        return np.asarray(ImageOps.exif_transpose(picture))


def _unpacked(tile: Any, raw: str) -> Any:
    arguments = (raw, *tile[3][1:]) if isinstance(tile[3], tuple) else raw
    return tile._replace(args=arguments) if hasattr(tile, "_replace") else (*tile[:3], arguments)
