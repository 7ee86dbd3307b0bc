"""Which classes of each image are looked at, padded to one number for the batch."""

from __future__ import annotations

import torch
from torch import Tensor


def classes_to_cut(present: Tensor, solver: str, *, background: bool) -> tuple[Tensor, Tensor]:
    """Ids of the classes to cut for in each image, padded to one number for the batch.

    That is the largest number of an image; where asking for it would wait for a device that makes
    the cuts itself, that of all classes: cuts without terminals end at once.

    Parameters
    ----------
    present : Tensor of bool, shape (B, L)
    solver : str
    background : bool
        Whether class 0 is among them.

    Returns
    -------
    chosen : Tensor of int64, shape (B, M)
        Ascending class ids; padding has an arbitrary id.
    real : Tensor of bool, shape (B, M)
        False at the padding.
    """
    wanted = present.bool().clone()
    if not background:
        wanted[:, 0] = False
    most = _largest_count(wanted, solver)
    order = torch.argsort(wanted.int(), dim=1, descending=True, stable=True)[:, :most]
    return order, wanted.gather(1, order)


def _largest_count(wanted: Tensor, solver: str) -> int:
    """Largest number of true entries in a row (B, L), or a bound of it that needs no waiting."""
    stays = wanted.is_cuda and (
        solver == "push_relabel" or torch.cuda.is_current_stream_capturing()
    )
    if stays or len(wanted) == 0:
        return wanted.shape[1]
    return int(wanted.sum(1).amax())
