"""Order of the training images, and loaders that keep to it on any number of processes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler


class EpochBatches(Sampler[list[int]]):
    """One process's share of the batches of an epoch.

    The order is a function of (seed, epoch). The last batch is filled up from the epoch's first
    images, so that every step has as many images; fewer images than `batch_size` make one batch.

    Parameters
    ----------
    images : int
        Number of images, at least 1.
    batch_size : int
        Images per step over all processes; a multiple of `processes`.
    seed : int
    rank, processes : int
        This process and their number; each takes a contiguous part of every batch.
    """

    def __init__(
        self, images: int, batch_size: int, *, seed: int, rank: int = 0, processes: int = 1
    ) -> None:
        if images < 1:
            raise ValueError(f"images must be at least 1, got {images}")
        if batch_size < 1 or batch_size % processes:
            raise ValueError(
                f"batch_size must be a positive multiple of {processes}, got {batch_size}"
            )
        self.images = images
        self.batch = min(batch_size, -(-images // processes) * processes)
        self.seed, self.rank, self.processes = seed, rank, processes
        self.epoch = self.first = 0

    def set_epoch(self, epoch: int, first: int = 0) -> None:
        """Choose the epoch, counted from 0, whose order the next iteration has, and its first step.

        Parameters
        ----------
        epoch : int
        first : int, default 0
            Steps of the epoch that are left out because they have been taken before.
        """
        self.epoch, self.first = epoch, first

    def __len__(self) -> int:
        """Steps of a whole epoch."""
        return -(-self.images // self.batch)

    def __iter__(self) -> Iterator[list[int]]:
        generator = np.random.default_rng((self.seed, self.epoch))
        order = np.resize(generator.permutation(self.images), len(self) * self.batch)
        share = self.batch // self.processes
        for step in range(self.first, len(self)):
            first = step * self.batch + self.rank * share
            yield order[first : first + share].tolist()
