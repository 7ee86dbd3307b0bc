"""The CRF beside the supervision: at the same time, same bits, and signals are not lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping

import pytest
import torch
from torch import Tensor, nn

import graphcut_ext as gx
from dgcn.config import Config, SupervisionConfig
from dgcn.crf import CRFParams, dense_crf_batch, images_to_grid
from dgcn.engine import supervise
from dgcn.engine.beside import Beside
from dgcn.engine.segment import SupervisedLosses
from dgcn.engine.stopwatch import Stopwatch
from dgcn.engine.supervise import CRFMarginals, make_supervision
from dgcn.engine.termination import termination
from dgcn.losses import boundary_loss, floored_softmax, seeding_loss
from dgcn.models import Segmenter, SegmenterOutput, aggregate, build_backbone

CPU = torch.device("cpu")
TAPS = (2, 3, 4)


@pytest.fixture
def beside() -> Iterator[Beside]:
    with Beside(CPU) as made:
        yield made


def batch(seed: int) -> dict[str, Tensor]:
    """Three images of 41 x 41, 6 x 6 on the grid, of four classes."""
    generator = torch.Generator().manual_seed(seed)
    rgb = torch.randint(0, 256, (3, 41, 41, 3), generator=generator, dtype=torch.uint8)
    present = torch.tensor([[1, 1, 0, 1], [1, 0, 1, 0], [1, 1, 1, 1]]).bool()
    of_class = torch.randint(0, 4, (3, 1, 6, 6), generator=generator)
    some = torch.rand(3, 1, 6, 6, generator=generator) < 0.3
    cues = torch.zeros(3, 4, 6, 6, dtype=torch.bool).scatter_(1, of_class, some)
    image = rgb.permute(0, 3, 1, 2).float() / 255
    cues &= present[:, :, None, None]
    return {"image": image, "rgb": rgb, "present": present, "cues": cues}


def network() -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(build_backbone("small", None), 4, head="conv", dropout=0.0, dilation=1)


def one_after_the_other(
    config: Config, model: nn.Module, images: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Supervision and the two losses, written out."""
    output: SegmenterOutput = model(images["image"])
    probabilities = floored_softmax(output.logits)
    pictures = images_to_grid(images["rgb"], *probabilities.shape[2:])
    q = dense_crf_batch(probabilities.detach(), pictures, config.crf.training_params())
    supervised = make_supervision(config.supervision)(
        output.logits.softmax(1),
        aggregate(output.features, TAPS),
        images["cues"],
        images["present"],
        lambda: q,
    )
    return supervised, seeding_loss(probabilities, supervised), boundary_loss(probabilities, q)


@pytest.mark.parametrize("kind", ["graph_cut", "region_growing", "joint_cut"])
def test_losses_and_gradients_are_those_of_one_after_the_other(kind: str, beside: Beside) -> None:
    options = SupervisionConfig(
        kind=kind,  # type: ignore[arg-type]
        theta=0.2,
        belief="present",
        cut_background=kind == "graph_cut",
        grow_foreground=0.3,
        grow_background=0.3,
    )
    config = Config(supervision=options)
    losses = SupervisedLosses(config, make_supervision(options), TAPS, beside, Stopwatch(CPU))
    for seed in range(4):
        images = batch(seed)
        ours, theirs = network(), network()
        found = losses(ours, images)
        supervised, seeding, boundary = one_after_the_other(config, theirs, images)
        assert (supervised != images["cues"]).any()
        assert int(found.labelled) == int(supervised.sum())
        assert torch.equal(found.losses["seeding"], seeding)
        assert torch.equal(found.losses["boundary"], boundary)
        torch.stack(list(found.losses.values())).sum().backward()
        torch.stack([seeding, boundary]).sum().backward()
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert one.grad is not None
            assert other.grad is not None
            assert torch.equal(one.grad, other.grad)


def test_crf_and_supervision_are_under_way_at_the_same_time(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits in its midst for the other: one after the other would break the barrier."""
    meeting = threading.Barrier(2, timeout=30)

    def crf(*arguments: Tensor) -> Tensor:
        meeting.wait()
        marginals = dense_crf_batch(*arguments)
        meeting.wait()
        return marginals

    inner = make_supervision(SupervisionConfig(theta=0.2))

    def supervision(*arguments: Tensor) -> Tensor:
        meeting.wait()
        supervised = inner(*arguments)
        meeting.wait()
        return supervised

    monkeypatch.setattr(supervise, "dense_crf_batch", crf)
    clock = Stopwatch(CPU)
    losses = SupervisedLosses(Config(), supervision, TAPS, beside, clock)
    found = losses(network(), batch(0)).losses
    assert set(found) == {"seeding", "boundary"}
    assert {"supervision", "crf", "crf_work"} <= set(clock.take())


def test_no_crf_where_nobody_asks_for_it(beside: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: Tensor) -> Tensor:
        raise AssertionError

    monkeypatch.setattr(supervise, "dense_crf_batch", never)
    config = Config()
    config.train.boundary_weight = 0
    losses = SupervisedLosses(
        config, make_supervision(config.supervision), TAPS, beside, Stopwatch(CPU)
    )
    assert set(losses(network(), batch(0)).losses) == {"seeding"}


def test_errors_come_where_the_marginals_are_asked_for(beside: Beside) -> None:
    images = batch(0)["rgb"]
    p = torch.full((3, 4, 6, 6), 0.25)
    bad = p.clone()
    bad[1, 2, 3, 4] = torch.nan
    marginals = CRFMarginals(bad, images, CRFParams(), beside=beside)
    with pytest.raises(ValueError, match=r"probabilities\[1, 2, 3, 4\] is nan"):
        marginals()
    expected = CRFMarginals(p, images, CRFParams())()
    assert torch.equal(CRFMarginals(p, images, CRFParams(), beside=beside)(), expected)


def test_work_is_done_in_the_callers_context_without_gradients(beside: Beside) -> None:
    def seen(x: Tensor) -> Tensor:
        assert not (2 * x).requires_grad
        return torch.tensor([gx.values_are_checked(), torch.get_num_threads()])

    x = torch.zeros(1, requires_grad=True)
    threads = torch.get_num_threads()
    assert beside.start(seen, x)().result.tolist() == [1, threads]
    with gx.no_value_checks():
        pending = beside.start(seen, x)
    assert pending().result.tolist() == [0, threads]


def test_signals_reach_who_waits_for_the_result(beside: Beside) -> None:
    """Ctrl-C ends the wait; SIGTERM is noted, and the result comes."""
    release = threading.Event()

    def wait_for(number: int) -> Tensor:
        def signalled(x: Tensor) -> Tensor:
            time.sleep(0.1)  # by now the main thread waits
            os.kill(os.getpid(), number)
            release.wait(30)
            return x + 1

        return beside.start(signalled, torch.zeros(1))().result

    with termination() as request:
        with pytest.raises(KeyboardInterrupt):
            wait_for(signal.SIGINT)
        assert request.interrupted
        release.set()
        assert wait_for(signal.SIGTERM).tolist() == [1]
        assert request.made
        request.made = False  # obeyed
