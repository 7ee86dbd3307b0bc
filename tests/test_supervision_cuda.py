"""Graph-cut supervision on a GPU: as on the CPU, and without waiting for the device."""

from __future__ import annotations

import pytest
import torch

import graphcut_ext as gx
from dgcn.config import Config, SupervisionConfig
from dgcn.losses import floored_softmax
from dgcn.models import Segmenter, build_backbone
from dgcn.supervision import GraphCut
from dgcn.training.objective import CRFMarginals, SupervisedLosses
from dgcn.training.throughput import Stopwatch

pytestmark = pytest.mark.cuda


def step() -> tuple[torch.Tensor, ...]:
    """Probabilities, features, cues and labels of three images, multiples of powers of two.

    The classes stand side by side, and scores and features know it.
    """
    generator = torch.Generator().manual_seed(0)
    of_class = (torch.arange(11) * 5 // 11).expand(3, 1, 13, 11)
    scores = torch.randn(3, 5, 13, 11, generator=generator).scatter_(1, of_class, 4.0)
    features = torch.randint(-1, 2, (3, 16, 13, 11), generator=generator).float()
    features.scatter_add_(1, of_class, torch.full(of_class.shape, 8.0))
    some = torch.rand(3, 1, 13, 11, generator=generator) < 0.1
    present = torch.tensor([[1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [1, 1, 1, 1, 1]]).bool()
    cues = torch.zeros(scores.shape, dtype=torch.bool).scatter_(1, of_class, some)
    return scores.softmax(1), features, cues & present[:, :, None, None], present


@pytest.mark.parametrize("weights_are", ["unit", "gaussian"])
@pytest.mark.parametrize("cut_background", [False, True])
def test_labels_are_those_of_the_cpu_and_nothing_waits(
    weights_are: str, cut_background: bool
) -> None:
    supervision = GraphCut(
        k=5,
        theta=0.25,
        edge_weights=weights_are,  # type: ignore[arg-type]
        cue_capacity=3.3,
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
        GraphCut(k=3)(probabilities, features, cues, present)


def test_whole_step_waits_for_nothing_and_the_crf_is_that_of_the_caller() -> None:
    """Forward pass, supervision with the CRF on a stream beside it, losses, backward pass."""
    device = torch.device("cuda")
    generator = torch.Generator().manual_seed(1)
    rgb = torch.randint(0, 256, (3, 97, 81, 3), generator=generator, dtype=torch.uint8)
    _, _, cues, present = step()
    batch = {"image": rgb.permute(0, 3, 1, 2) / 255, "rgb": rgb, "cues": cues, "present": present}
    on_device = {name: tensor.to(device) for name, tensor in batch.items()}
    torch.manual_seed(0)
    model = Segmenter(build_backbone("small", None), 5, head="conv", dropout=0.0, dilation=1)
    model.to(device)
    options = SupervisionConfig().of(
        "graph_cut", solver="push_relabel", image_labels_only=True, theta=0.25
    )
    config, clock = Config(supervision=options), Stopwatch(device)

    with SupervisedLosses(config, (2, 3, 4), clock) as losses:

        def taken() -> dict[str, torch.Tensor]:
            clock.begin("network")
            found, _ = losses(model, on_device)
            torch.stack(list(found.values())).sum().backward()
            clock.begin("")
            return found

        taken()  # loads the kernels
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            found = taken()
        finally:
            torch.cuda.set_sync_debug_mode("default")
        probabilities = floored_softmax(model(on_device["image"]).logits)
        arguments = probabilities, on_device["rgb"], config.crf.on_grid()
        here, there = (
            CRFMarginals(*arguments)(),
            CRFMarginals(*arguments, background=losses.background)(),
        )
        assert torch.equal(here, there)
    assert all(torch.isfinite(loss) for loss in found.values())
    seconds = clock.take()
    assert set(seconds) == {"network", "supervision", "crf", "crf_work"}
    assert all(each > 0 for each in seconds.values())
