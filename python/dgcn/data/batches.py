"""Training samples: image, labels and cues of one image, changed at random together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from dgcn.data.augment import Window, cut_cues, cut_image, draw_window, recolour
from dgcn.data.folder import Record
from dgcn.data.images import normalise, read_image, resize_image

__all__ = ["Sample", "TrainingSet"]


class _Always(TypedDict):
    image: torch.Tensor
    rgb: torch.Tensor
    present: torch.Tensor
    index: int
    mirrored: bool


class Sample(_Always, total=False):
    """One training sample; torch's default collation stacks it into a batch.

    ========  ==============  =======  =============================================
    key       shape           dtype    meaning
    ========  ==============  =======  =============================================
    image     (3, S, S)       float32  network input, standardised as for ImageNet
    rgb       (S, S, 3)       uint8    the same image in its own colours, for the CRF
    present   (L,)            bool     classes in the image, the background always
    cues      (L, h, w)       bool     cues on the grid; absent without cues
    index     int             int      position of the record
    mirrored  bool            bool     whether left and right are exchanged
    ========  ==============  =======  =============================================
    """

    cues: torch.Tensor


class TrainingSet(Dataset[Sample]):
    """Records as samples of one size, mirrored, cut out and recoloured at random.

    An image is warped to a square with Pillow's bilinear filter. What is drawn at random depends on
    ``(seed, epoch, index)`` and nothing else: not on the order of access, nor on the number of
    worker processes. Image and cues are changed alike. Mirrored, a grid whose corners lie on the
    image's corners maps onto itself.

    Parameters
    ----------
    records : sequence of Record
        For instance ``dataset.split("train")``. Masks are never read.
    classes : int
        Number of classes L with the background, at least 2.
    size : int
        Side S of the square in pixels.
    cues : mapping from name to numpy.ndarray, shape (L, h, w), bool, optional
        Cues of every record, all on one grid.
    mirror : bool, default True
        Mirror half of the samples left to right.
    scale : (float, float), default (1, 1)
        Least and largest factor on the image's sides, positive. An enlarged image is cut at a
        random place, around a smaller one is ImageNet's mean colour, without cues.
    colour : float, default 0
        Brightness, contrast and saturation of the network's input are changed by factors from
        1 - colour to 1 + colour, in [0, 1].
    seed : int, default 0
        Not negative.
    cache_bytes : int, default 0
        Keep at most this many bytes of warped images (``3 S S`` each) in memory, so that they are
        decoded once; with a random scale none is kept. The limit holds for each worker process; a
        worker's images survive an epoch only with ``persistent_workers=True``.

    Raises
    ------
    ValueError
        No record, an argument out of range, a label that is not in ``1..classes - 1``, a record
        without cues, cues of another shape or of two classes at one cell.
    TypeError
        Cues that are not bool.
    """

    def __init__(
        self,
        records: Sequence[Record],
        classes: int,
        size: int,
        *,
        cues: Mapping[str, NDArray[np.bool_]] | None = None,
        mirror: bool = True,
        scale: tuple[float, float] = (1.0, 1.0),
        colour: float = 0.0,
        seed: int = 0,
        cache_bytes: int = 0,
    ) -> None:
        _require_at_least(classes, 2, "classes")
        _require_at_least(size, 1, "size")
        _require_at_least(seed, 0, "seed")
        _require_at_least(cache_bytes, 0, "cache_bytes")
        if not 0 < scale[0] <= scale[1] < np.inf:
            raise ValueError(f"scale must be two ascending positive factors, got {scale}")
        if not 0 <= colour <= 1:
            raise ValueError(f"colour must be in [0, 1], got {colour}")
        if not records:
            raise ValueError("records must hold at least one record")
        for record in records:
            for label in record.labels:
                if not 1 <= label < classes:
                    raise ValueError(
                        f"records: label {label} of {record.name!r} is not in 1..{classes - 1}"
                    )
        if cues is not None:
            _check_cues(records, classes, cues)
        self.records = tuple(records)
        self.classes = classes
        self.size = size
        self.mirror = mirror
        self.scale = scale
        self.colour = colour
        self.seed = seed
        self._cues = cues
        # Shared memory: workers that outlive an epoch see the epoch that the parent has set.
        self._epoch = torch.zeros((), dtype=torch.int64)
        self._epoch.share_memory_()
        self._capacity = cache_bytes // (3 * size * size)
        self._cache: dict[int, NDArray[np.uint8]] = {}

    @property
    def epoch(self) -> int:
        """The epoch whose changes are drawn."""
        return int(self._epoch.item())

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; call before the epoch's loop over the loader begins.

        Parameters
        ----------
        epoch : int
            Not negative.

        Raises
        ------
        ValueError
            ``epoch`` is negative.
        """
        _require_at_least(epoch, 0, "epoch")
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self.records):
            raise IndexError(f"index must be in 0..{len(self.records) - 1}, got {index}")
        record = self.records[index]
        # Another stream than the one that says whether it is mirrored.
        generator = np.random.default_rng([self.seed, self.epoch, index, 1])
        window = None
        if self.scale != (1.0, 1.0):
            window = draw_window(generator, self.scale, self.size)
        rgb = self._picture(index, window)
        flipped = self._is_mirrored(index)
        # A copy: the cached image must not be reachable through the sample.
        rgb = rgb[:, ::-1].copy() if flipped else rgb.copy()
        shown = recolour(rgb, generator, self.colour) if self.colour else rgb
        present = torch.zeros(self.classes, dtype=torch.bool)
        present[[0, *record.labels]] = True
        sample = Sample(
            image=normalise(shown),
            rgb=torch.from_numpy(rgb),
            present=present,
            index=index,
            mirrored=flipped,
        )
        if self._cues is not None:
            grid = self._cues[record.name]
            if window is not None:
                grid = cut_cues(grid, window, self.size)
            sample["cues"] = torch.from_numpy((grid[..., ::-1] if flipped else grid).copy())
        return sample

    def _picture(self, index: int, window: Window | None) -> NDArray[np.uint8]:
        if window is not None:
            return cut_image(read_image(self.records[index].image), window, self.size)
        kept = self._cache.get(index)
        if kept is not None:
            return kept
        rgb = resize_image(read_image(self.records[index].image), self.size)
        if len(self._cache) < self._capacity:
            self._cache[index] = rgb
        return rgb

    def _is_mirrored(self, index: int) -> bool:
        if not self.mirror:
            return False
        state = np.random.SeedSequence([self.seed, self.epoch, index]).generate_state(1)
        return bool(state[0] & 1)


def _check_cues(
    records: Sequence[Record], classes: int, cues: Mapping[str, NDArray[np.bool_]]
) -> None:
    expected: tuple[int, ...] | None = None
    for record in records:
        if record.name not in cues:
            raise ValueError(f"cues: none for image {record.name!r}")
        grid = cues[record.name]
        if grid.dtype != np.bool_:
            raise TypeError(f"cues: those of {record.name!r} must be bool, got {grid.dtype}")
        if grid.ndim != 3 or grid.shape[0] != classes:
            raise ValueError(
                f"cues: those of {record.name!r} must have shape ({classes}, h, w), "
                f"got {grid.shape}"
            )
        if expected is not None and grid.shape != expected:
            raise ValueError(
                f"cues: those of {record.name!r} have shape {grid.shape}, others {expected}"
            )
        expected = grid.shape
        double = np.argwhere(grid.sum(0) > 1)
        if len(double):
            row, column = double[0]
            raise ValueError(
                f"cues: those of {record.name!r} have two classes at row {row}, column {column}"
            )


def _require_at_least(value: int, least: int, name: str) -> None:
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
