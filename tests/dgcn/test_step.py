"""One optimisation step: in parts, without supervision, and with losses that are not finite."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dgcn.models import SegmenterOutput
from dgcn.training.loop import Losses, Outcome, take_step
from dgcn.training.objective import balanced_losses, cross_entropy_losses


def mean_square(model: nn.Module, batch: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
    error = model(batch["x"]).squeeze(1) - batch["y"]
    return {"square": error.square().mean()}, batch["labels"].sum()


def stepped(
    parts: int, labels: int = 1, target: float = 1.0, losses: Losses = mean_square
) -> tuple[Tensor, Outcome]:
    """Weights after one step on seven rows, and its outcome."""
    fabric = Fabric(accelerator="cpu", devices=1)
    torch.manual_seed(0)
    raw = nn.Linear(3, 1)
    model, optimizer = fabric.setup(raw, torch.optim.SGD(raw.parameters(), lr=0.1))
    batch = {
        "x": torch.randn(7, 3),
        "y": torch.full((7,), target),
        "labels": torch.full((7,), labels),
        "index": torch.arange(7),
    }
    outcome = take_step(fabric, model, optimizer, losses, batch, parts=parts)
    assert all(parameter.grad is None for parameter in raw.parameters())
    return raw.weight.detach().clone(), outcome


@pytest.mark.parametrize("parts", [2, 3, 7, 20])
def test_parts_of_unequal_size_add_up_to_the_whole(parts: int) -> None:
    whole, expected = stepped(1)
    found, outcome = stepped(parts)
    torch.testing.assert_close(found, whole)
    assert outcome.losses == pytest.approx(expected.losses)
    assert (outcome.labelled, outcome.finite, outcome.terminate) == (True, True, False)


def test_every_image_is_in_one_part() -> None:
    seen: list[Tensor] = []

    def looked_at(
        model: nn.Module, batch: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], Tensor]:
        seen.append(batch["index"])
        return mean_square(model, batch)

    stepped(3, losses=looked_at)
    assert sorted(map(len, seen)) == [2, 2, 3]
    assert torch.cat(seen).tolist() == list(range(7))


def test_no_step_is_taken_without_supervision_or_on_a_loss_that_is_not_finite() -> None:
    torch.manual_seed(0)
    untouched = nn.Linear(3, 1).weight.detach()
    weight, outcome = stepped(2, labels=0)
    assert torch.equal(weight, untouched)
    assert (outcome.labelled, outcome.finite) == (False, True)
    for target in (float("nan"), float("inf")):
        weight, outcome = stepped(2, target=target)
        assert torch.equal(weight, untouched)
        assert not outcome.finite


class Fixed(nn.Module):
    """Gives the logits it was made with."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, image: Tensor) -> SegmenterOutput:
        return SegmenterOutput(self.logits, [])


def test_cross_entropy_is_the_mean_over_labelled_cells() -> None:
    torch.manual_seed(1)
    logits = torch.randn(2, 3, 4, 4)
    labels = torch.zeros(2, 3, 4, 4, dtype=torch.bool)
    chosen = {(0, 1, 2, 3), (0, 0, 0, 0), (1, 2, 1, 1)}
    for at in chosen:
        labels[at] = True
    log_p = logits.log_softmax(1)
    expected = -sum(float(log_p[at]) for at in chosen) / 3
    losses, labelled = cross_entropy_losses(
        Fixed(logits), {"image": torch.zeros(2, 3, 25, 25), "cues": labels}
    )
    assert float(losses["cross_entropy"]) == pytest.approx(expected)
    assert int(labelled) == 3
    empty = {"image": torch.zeros(2, 3, 25, 25), "cues": torch.zeros_like(labels)}
    losses, labelled = cross_entropy_losses(Fixed(logits), empty)
    assert (float(losses["cross_entropy"]), int(labelled)) == (0.0, 0)


def test_balanced_loss_weighs_objects_and_background_alike() -> None:
    torch.manual_seed(1)
    logits = torch.randn(2, 3, 2, 2)
    ids = torch.tensor([[[0, 0], [0, 2]], [[1, 1], [2, 1]]])
    labels = nn.functional.one_hot(ids, 3).movedim(3, 1).bool()
    p = (logits.softmax(1) + 1e-4) / (1 + 3e-4)
    each = -p.gather(1, ids[:, None])[:, 0].log()
    first = (each[0, 0, 0] + each[0, 0, 1] + each[0, 1, 0]) / 3 + each[0, 1, 1]
    second = each[1].mean()  # no background
    losses, labelled = balanced_losses(
        Fixed(logits), {"image": torch.zeros(2, 3, 9, 9), "cues": labels}
    )
    assert float(losses["balanced"]) == pytest.approx(float(first + second) / 2, rel=1e-5)
    assert int(labelled) == 8
