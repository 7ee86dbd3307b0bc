"""A step's supervision and losses on CUDA read nothing from the device, and give the CPU's labels.

Tensors of the CPU say here that they are CUDA's, so that the trainer's own code goes the way that
it goes on a GPU; within the operators of `graphcut_ext` they are the CPU's again. For the operators
on a device, and for copies to it and from it, see tests/test_supervision_cuda.py.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import graphcut_ext as gx
from dgcn.crf import CRF, dense_crf_batch, images_to_grid
from dgcn.losses import boundary_loss, floored_softmax, seeding_loss
from dgcn.models import aggregate
from dgcn.supervision import (
    GraphCut,
    JointCut,
    MostProbable,
    Static,
    Supervision,
)

# What the host takes from values: numbers, and shapes.
WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "_unique", "unique", "equal")


class Waited(Exception):
    """An operator that waits for the device."""


class AsOnCuda(TorchDispatchMode):
    """Lets tensors say that they are CUDA's, and refuses operators that wait."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.outside = True
        patch.setattr(torch.Tensor, "is_cuda", property(lambda tensor: self.outside))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func.overloadpacket.__name__.startswith(WAITS):
            raise Waited(str(func))
        self.outside = func.namespace != "graphcut_ext"
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self.outside = True


def step(supervision: Supervision) -> tuple[Tensor, Tensor]:
    """Supervision and loss of three images of five classes on a grid of 6 x 7."""
    generator = torch.Generator().manual_seed(3)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    logits, stages = 2 * drawn(3, 5, 6, 7), [drawn(3, 8, 12, 14), drawn(3, 4, 6, 7)]
    rgb = (40 * drawn(3, 41, 49, 3) + 128).clamp(0, 255).byte()
    present = torch.arange(5) % torch.arange(1, 4)[:, None] == 0
    cues = (drawn(3, 5, 6, 7) > 1) & present[:, :, None, None]
    cues &= cues.cumsum(1) == 1
    probabilities = floored_softmax(logits)
    with gx.no_value_checks():
        marginals = dense_crf_batch(probabilities, images_to_grid(rgb, 6, 7), CRF().on_grid())
        features = aggregate(stages, (0, 1))
        supervised = supervision(logits.softmax(1), features, cues, present, lambda: marginals)
    loss = seeding_loss(probabilities, supervised) + boundary_loss(probabilities, marginals)
    return supervised, loss


def step_as_on_cuda(supervision: Supervision, patch: pytest.MonkeyPatch) -> tuple[Tensor, Tensor]:
    with AsOnCuda(patch):
        return step(supervision)


@pytest.mark.parametrize(
    "supervision",
    [
        Static(),
        MostProbable(),
        GraphCut(k=4, theta=0.2, solver="push_relabel"),
        GraphCut(
            k=4,
            theta=0.2,
            edge_weights="gaussian",
            cue_capacity="hard",
            cut_background=True,
            solver="push_relabel",
        ),
        GraphCut(
            k=4,
            theta=0.2,
            image_labels_only=True,
            spatial=8,
            normalise="channel",
            solver="push_relabel",
        ),
    ],
    ids=["static", "most probable", "cut", "cut of all", "cut of the present"],
)
def test_nothing_waits_and_labels_are_those_of_the_cpu(
    supervision: Supervision, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels, loss = step(supervision)
    with monkeypatch.context() as patch:
        found, its_loss = step_as_on_cuda(supervision, patch)
    assert torch.equal(found, labels)
    torch.testing.assert_close(its_loss, loss, rtol=1e-3, atol=0)


def test_what_waits_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def reads(*arguments: Any) -> Tensor:
        cues: Tensor = arguments[2]
        return cues if bool(cues.any()) else ~cues

    for supervision, operator in (
        (JointCut(k=4), "nonzero"),
        (reads, "_local_scalar_dense"),
    ):
        with monkeypatch.context() as patch, pytest.raises(Waited, match=operator):
            step_as_on_cuda(supervision, patch)
