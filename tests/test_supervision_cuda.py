"""Graph-cut supervision on a GPU: as on the CPU, and without waiting for the device."""

from __future__ import annotations

import pytest
import torch

import graphcut_ext as gx
from dgcn.supervision import GraphCutSupervision

pytestmark = pytest.mark.cuda


def step() -> tuple[torch.Tensor, ...]:
    """Probabilities, features, cues and labels of three images, multiples of powers of two."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(3, 5, 13, 11, generator=generator)
    features = torch.randint(-8, 9, (3, 16, 13, 11), generator=generator).float()
    of_class = torch.randint(0, 5, (3, 1, 13, 11), generator=generator)
    some = torch.rand(3, 1, 13, 11, generator=generator) < 0.1
    present = torch.tensor([[1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [1, 1, 1, 1, 1]]).bool()
    cues = torch.zeros(scores.shape, dtype=torch.bool).scatter_(1, of_class, some)
    return scores.softmax(1), features, cues & present[:, :, None, None], present


@pytest.mark.parametrize("n_links", ["unit", "gaussian"])
@pytest.mark.parametrize("cut_background", [False, True])
def test_labels_are_those_of_the_cpu_and_nothing_waits(n_links: str, cut_background: bool) -> None:
    supervision = GraphCutSupervision(
        k=5,
        theta=0.25,
        n_links=n_links,  # type: ignore[arg-type]
        seed_weight=3.3,
        cut_background=cut_background,
        solver="push_relabel",
    )
    batch = step()
    expected = supervision(*batch)
    assert (expected != batch[2]).any()
    on_device = [tensor.cuda() for tensor in batch]
    supervision(*on_device)  # loads the kernels
    torch.cuda.set_sync_debug_mode("error")
    try:
        with gx.no_value_checks():
            found = supervision(*on_device)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    # Capacities that are rounded may decide a tie otherwise.
    assert (found.cpu() == expected).float().mean() > 0.999


def test_double_cues_are_named_unless_values_are_not_checked() -> None:
    probabilities, features, cues, present = (tensor.cuda() for tensor in step())
    cues[1, :2, 3, 4] = True
    with pytest.raises(ValueError, match="image 1 has two classes at row 3, column 4"):
        GraphCutSupervision(k=3)(probabilities, features, cues, present)
