"""Which images come when, in an epoch of one or several processes."""

from __future__ import annotations

import itertools

import pytest

from dgcn.data.epoch_batches import EpochBatches


def test_every_image_comes_once_an_epoch_and_the_last_batch_is_filled() -> None:
    batches = EpochBatches(10, 4, seed=3)
    batches.set_epoch(1)
    drawn = list(batches)
    assert [len(batch) for batch in drawn] == [4, 4, 4]
    flat = list(itertools.chain(*drawn))
    assert sorted(flat[:10]) == list(range(10))
    assert flat[10:] == flat[:2]
    assert list(batches) == drawn
    batches.set_epoch(2)
    assert list(batches) != drawn


def test_processes_share_every_batch() -> None:
    whole = list(EpochBatches(10, 6, seed=0))
    parts = [list(EpochBatches(10, 6, seed=0, rank=r, processes=3)) for r in range(3)]
    assert [list(itertools.chain(*step)) for step in zip(*parts, strict=True)] == whole


def test_few_images_make_one_batch() -> None:
    assert [sorted(batch) for batch in EpochBatches(3, 16, seed=0)] == [[0, 1, 2]]
    shares = [next(iter(EpochBatches(3, 16, seed=0, rank=r, processes=2))) for r in range(2)]
    assert [len(share) for share in shares] == [2, 2]
    assert {0, 1, 2} == set(itertools.chain(*shares))
    with pytest.raises(ValueError, match="images must be at least 1, got 0"):
        EpochBatches(0, 4, seed=0)
    with pytest.raises(ValueError, match="batch_size must be a positive multiple of 3, got 4"):
        EpochBatches(9, 4, seed=0, processes=3)
