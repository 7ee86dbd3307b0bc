"""Saliency from the border of the image, or from a folder of maps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from skimage.color import rgb2lab
from skimage.segmentation import slic

from dgcn.contrast import local_contrast
from dgcn.cues.saliency_network import SUFFIX, network_saliency, require_network_file
from dgcn.data.errors import DataError
from dgcn.registry import find

__all__ = [
    "ACTIVATION",
    "NOVELTY",
    "SALIENCY",
    "border_geodesic",
    "check_saliency",
    "find_saliency",
    "read_saliency",
    "saliency_to_grid",
]

Prior = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From an image (H, W, 3) to its saliency (H, W) in [0, 1]."""

SUFFIXES = (".png", ".jpg", ".jpeg")

# scipy's graphs drop edges of length 0: the border joins at this length, in Lab units.
_TOUCH = 1e-6


def border_geodesic(
    image: NDArray[np.uint8], *, segments: int = 200, tolerance: float = 1.0
) -> NDArray[np.float32]:
    """How far, in colour, each pixel is from the border of the picture.

    Shortest path from the border over neighbouring superpixels; a step costs the distance of their
    mean colours in CIE Lab, less `tolerance`. Wei et al., "Geodesic saliency using background
    priors", ECCV 2012, on SLIC superpixels: what can be reached from the border without crossing a
    contrast is background.

    Parameters
    ----------
    image : numpy.ndarray, shape (H, W, 3), uint8
        RGB.
    segments : int, default 200
        Approximate number of superpixels; small images get fewer, at least 16 pixels each.
    tolerance : float, default 1
        Contrast in Lab units that costs nothing, so that gradual shading does not add up.

    Returns
    -------
    numpy.ndarray, shape (H, W), float32
        In [0, 1], scaled to the image's largest distance; 0 everywhere in an image without
        contrast, and in one whose superpixels all touch the border.

    Raises
    ------
    TypeError
        `image` is not uint8.
    ValueError
        `image` is not (H, W, 3) or is empty, or an argument is out of range.
    """
    if image.dtype != np.uint8:
        raise TypeError(f"image must be uint8, got {image.dtype}")
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"image must have shape (H, W, 3), got {image.shape}")
    if segments < 1:
        raise ValueError(f"segments must be at least 1, got {segments}")
    if not 0 <= tolerance < np.inf:
        raise ValueError(f"tolerance must not be negative, got {tolerance}")
    lab = np.asarray(rgb2lab(image), dtype=np.float64)
    labels = _superpixels(lab, segments)
    colours = _mean_colours(lab, labels)
    first, second = _neighbours(labels)
    contrast = np.linalg.norm(colours[first] - colours[second], axis=1)
    steps = np.maximum(contrast - tolerance, 0) + _TOUCH
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    distance = _from_border(len(colours), first, second, steps, border)
    farthest = distance.max()
    # Touching steps alone are no contrast.
    if farthest < 2 * _TOUCH * len(colours):
        return np.zeros(image.shape[:2], dtype=np.float32)
    saliency: NDArray[np.float32] = (distance / farthest)[labels].astype(np.float32)
    return saliency


SALIENCY: dict[str, Prior] = {
    "border_geodesic": border_geodesic,
    "local_contrast": local_contrast,
}
"""The registry: a function here is a value of ``cues.saliency``."""

ACTIVATION = "activation"
"""Another value: what stands out is where the classifier is active (`dgcn.cues.active_cells`)."""

NOVELTY = "novelty"
"""Another value: what stands out is what no flawless picture has (`dgcn.cues.Novelty`)."""


def find_saliency(name: str) -> Prior:
    """A saliency prior by name, by the file of a network, or a function of the user's own.

    Parameters
    ----------
    name : str
        A key of `SALIENCY`, a path that ends in ``.onnx``, or ``package.module:function``.

    Raises
    ------
    FileNotFoundError, ValueError
        As `dgcn.cues.saliency_network.network_saliency` and `dgcn.registry.find`.
    """
    if name.lower().endswith(SUFFIX):
        return network_saliency(Path(name))
    prior: Prior = find(SALIENCY, name, "saliency")
    return prior


def check_saliency(name: str) -> Path | None:
    """Look whether there is such a prior, without loading a network; its file, where it is one.

    Raises
    ------
    FileNotFoundError, ValueError
        As `find_saliency`, but for what is wrong inside the file of a network.
    """
    if name.lower().endswith(SUFFIX):
        require_network_file(Path(name))
        return Path(name)
    find({**SALIENCY, ACTIVATION: None, NOVELTY: None}, name, "saliency")
    return None


def saliency_to_grid(
    saliency: NDArray[np.floating[Any]], height: int, width: int
) -> NDArray[np.float32]:
    """Sample a saliency map at the cells of a grid, after averaging over about half a cell.

    Cell i of h lies on pixel i (H - 1) / (h - 1), corners on corners; one cell alone lies in the
    middle. A Gaussian of half a cell's deviation goes before, so that a cell speaks for its
    surroundings; a map that already has the grid's shape is returned as it is.

    Parameters
    ----------
    saliency : numpy.ndarray, shape (H, W)
    height, width : int
        Shape of the grid, each at least 1.

    Returns
    -------
    numpy.ndarray, shape (height, width), float32

    Raises
    ------
    ValueError
        `saliency` is not (H, W), is empty or not finite, or the grid is empty.
    """
    if saliency.ndim != 2 or saliency.size == 0:
        raise ValueError(f"saliency must have shape (H, W), got {saliency.shape}")
    if not np.isfinite(saliency).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(saliency))[0])
        raise ValueError(f"saliency must be finite, got {saliency[first]} at {first}")
    for name, cells in (("height", height), ("width", width)):
        if cells < 1:
            raise ValueError(f"{name} must be at least 1, got {cells}")
    if saliency.shape == (height, width):
        return saliency.astype(np.float32)
    rows, row_step = _positions(saliency.shape[0], height)
    columns, column_step = _positions(saliency.shape[1], width)
    # Where the grid is finer than the map there is nothing to average.
    sigma = [0.5 * step if step > 1 else 0.0 for step in (row_step, column_step)]
    smooth = gaussian_filter(saliency.astype(np.float64), sigma, mode="nearest")
    points = np.meshgrid(rows, columns, indexing="ij")
    sampled = map_coordinates(smooth, points, order=1, mode="nearest")
    return np.asarray(sampled, dtype=np.float32)


def read_saliency(folder: Path, name: str) -> NDArray[np.float32]:
    """Read the saliency map of an image: the grey image of the same name.

    Parameters
    ----------
    folder : Path
        With ``<name>.png``, ``.jpg`` or ``.jpeg``, suffixes in any case.
    name : str
        The image's name without suffix.

    Returns
    -------
    numpy.ndarray, shape (H, W), float32
        Grey value over the largest of the file's type (255 or 65535): 1 is salient.

    Raises
    ------
    FileNotFoundError
        There is no such map.
    DataError
        Two files have that name; or the file is damaged, or coloured. The message names it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no such saliency folder: {folder}")
    # Listed only if the common name is not there: a folder may hold thousands.
    found = [path for suffix in SUFFIXES if (path := folder / f"{name}{suffix}").is_file()]
    if not found:
        found = [p for p in folder.iterdir() if p.stem == name and p.suffix.lower() in SUFFIXES]
    if not found:
        raise FileNotFoundError(f"no saliency map for {name!r} in {folder}")
    if len(found) > 1:
        raise DataError(f"{found[0]} and {found[1]} are both saliency maps of {name!r}")
    return _read_grey(found[0])


def _read_grey(path: Path) -> NDArray[np.float32]:
    try:
        with Image.open(path) as opened:
            opened.load()
            picture = opened
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be read as an image ({error})") from error
    if picture.mode.startswith("I"):
        return _fraction(np.asarray(picture), 65535)
    if picture.mode not in ("1", "L"):
        channels = np.asarray(picture.convert("RGB")).astype(np.int16)
        # JPEG stores grey images in colour with an error of a level or two.
        if np.ptp(channels, axis=2).max() > 4:
            raise DataError(f"{path}: a saliency map must be grey, this one is coloured")
    return _fraction(np.asarray(picture.convert("L")), 255)


def _fraction(grey: NDArray[Any], white: int) -> NDArray[np.float32]:
    values: NDArray[np.float32] = grey.astype(np.float32) / np.float32(white)
    return values


def _superpixels(lab: NDArray[np.float64], segments: int) -> NDArray[np.int64]:
    """Superpixel of every pixel, numbered from 0 without gaps."""
    height, width = lab.shape[:2]
    wanted = min(segments, max(1, height * width // 16))
    if wanted == 1:
        return np.zeros((height, width), dtype=np.int64)
    # slic scales the image to [0, 1], where this compactness makes cells nearly a lattice: cells
    # that follow thin structures carry the border's colour into objects.
    found = slic(
        lab, n_segments=wanted, compactness=10, convert2lab=False, start_label=0, channel_axis=2
    )
    _, labels = np.unique(found, return_inverse=True)
    return np.asarray(labels, dtype=np.int64).reshape(height, width)


def _mean_colours(lab: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    flat = labels.ravel()
    sums = [np.bincount(flat, lab[..., channel].ravel()) for channel in range(3)]
    return np.stack(sums, axis=1) / np.bincount(flat)[:, None]


def _neighbours(labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of superpixels that share an edge of pixels, each pair once, first below second."""
    across = np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()], axis=1)
    down = np.stack([labels[:-1].ravel(), labels[1:].ravel()], axis=1)
    pairs = np.concatenate([across, down])
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _from_border(
    count: int,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    steps: NDArray[np.float64],
    border: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Length of the shortest path from the border to each superpixel."""
    outside = np.full(len(border), count)
    graph = coo_matrix(
        (
            np.concatenate([steps, np.full(len(border), _TOUCH)]),
            (np.concatenate([first, border]), np.concatenate([second, outside])),
        ),
        shape=(count + 1, count + 1),
    ).tocsr()
    lengths = dijkstra(graph, directed=False, indices=count)
    return np.asarray(lengths[:count], dtype=np.float64)


def _positions(length: int, cells: int) -> tuple[NDArray[np.float64], float]:
    """Pixel of every cell, and the pixels from one cell to the next."""
    if cells == 1:
        return np.array([(length - 1) / 2]), float(length)
    return np.linspace(0, length - 1, cells), (length - 1) / (cells - 1)
