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
from dgcn.config import Config, SupervisionConfig, TrainConfig
from dgcn.crf import CRF, dense_crf_batch, images_to_grid
from dgcn.losses import boundary_loss, floored_softmax, seeding_loss
from dgcn.models import Segmenter, SegmenterOutput, aggregate, build_backbone
from dgcn.supervision import GraphCut
from dgcn.training import objective
from dgcn.training.background import BackgroundThread
from dgcn.training.objective import CRFMarginals, SupervisedLosses
from dgcn.training.signals import noted_signals
from dgcn.training.throughput import Stopwatch

CPU = torch.device("cpu")
TAPS = (2, 3, 4)


@pytest.fixture
def background() -> Iterator[BackgroundThread]:
    with BackgroundThread(CPU) as made:
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
    grid = images_to_grid(images["rgb"], *probabilities.shape[2:])
    q = dense_crf_batch(probabilities.detach(), grid, config.crf.on_grid())
    supervised = config.supervision.method(
        output.logits.softmax(1),
        aggregate(output.features, TAPS),
        images["cues"],
        images["present"],
        lambda: q,
    )
    return supervised, seeding_loss(probabilities, supervised), boundary_loss(probabilities, q)


@pytest.mark.parametrize("kind", ["graph_cut", "region_growing", "joint_cut"])
def test_losses_and_gradients_are_those_of_one_after_the_other(
    kind: str,
) -> None:
    parameters = {
        "graph_cut": {"theta": 0.2, "cut_background": True},
        "joint_cut": {"theta": 0.2},
        "region_growing": {"foreground": 0.3, "background": 0.3},
    }[kind]
    options = SupervisionConfig().of(kind, image_labels_only=True, **parameters)
    config = Config(supervision=options)
    for seed in range(4):
        images = batch(seed)
        ours, theirs = network(), network()
        with SupervisedLosses(config, TAPS, Stopwatch(CPU)) as losses:
            found, labelled = losses(ours, images)
        supervised, seeding, boundary = one_after_the_other(config, theirs, images)
        assert (supervised != images["cues"]).any()
        assert int(labelled) == int(supervised.sum())
        assert torch.equal(found["seeding"], seeding)
        assert torch.equal(found["boundary"], boundary)
        torch.stack(list(found.values())).sum().backward()
        torch.stack([seeding, boundary]).sum().backward()
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert one.grad is not None
            assert other.grad is not None
            assert torch.equal(one.grad, other.grad)


def test_crf_and_supervision_are_under_way_at_the_same_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each waits in its midst for the other: one after the other would break the barrier."""
    meeting = threading.Barrier(2, timeout=30)

    def crf(*arguments: Tensor) -> Tensor:
        meeting.wait()
        marginals = dense_crf_batch(*arguments)
        meeting.wait()
        return marginals

    inner = GraphCut(theta=0.2)

    def supervision(*arguments: Tensor) -> Tensor:
        meeting.wait()
        supervised = inner(*arguments)
        meeting.wait()
        return supervised

    monkeypatch.setattr(objective, "dense_crf_batch", crf)
    clock = Stopwatch(CPU)
    with SupervisedLosses(Config(), TAPS, clock) as losses:
        losses.supervision = supervision  # type: ignore[assignment]
        found, _ = losses(network(), batch(0))
    assert set(found) == {"seeding", "boundary"}
    assert {"supervision", "crf", "crf_work"} <= set(clock.take())


@pytest.mark.parametrize("unary", ["network", "crf"])
def test_clean_pass_is_what_the_supervision_goes_by(unary: str) -> None:
    """The losses are still those of the training pass, the marginals those of each."""
    config = Config(train=TrainConfig(probabilities="clean_pass"))
    model = Segmenter(build_backbone("small"), 4, head="conv", dropout=0.5, dilation=1).train()
    seen: dict[str, Tensor] = {}

    def supervision(p: Tensor, features: Tensor, cues: Tensor, *rest: Tensor) -> Tensor:
        seen["p"] = p
        if unary == "crf":
            seen["q"] = rest[1]()  # type: ignore[operator]
        return cues

    images = batch(0)
    torch.manual_seed(1)
    with SupervisedLosses(config, TAPS, Stopwatch(CPU)) as losses:
        losses.supervision = supervision  # type: ignore[assignment]
        found, _ = losses(model, images)
    torch.manual_seed(1)
    output = model(images["image"])
    clean = model.clean_logits(output.features)
    torch.testing.assert_close(seen["p"], clean.softmax(1), atol=0.02, rtol=0)
    training = floored_softmax(output.logits)
    assert torch.equal(found["seeding"], seeding_loss(training, images["cues"]))
    if unary == "crf":
        grid = images_to_grid(images["rgb"], 6, 6)
        expected = dense_crf_batch(floored_softmax(clean), grid, config.crf.on_grid())
        torch.testing.assert_close(seen["q"], expected, atol=0.02, rtol=0)


def test_no_crf_where_nobody_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: Tensor) -> Tensor:
        raise AssertionError

    monkeypatch.setattr(objective, "dense_crf_batch", never)
    config = Config(train=TrainConfig(boundary_weight=0))
    with SupervisedLosses(config, TAPS, Stopwatch(CPU)) as losses:
        found, _ = losses(network(), batch(0))
    assert set(found) == {"seeding"}


def test_boundary_loss_is_multiplied_by_its_weight() -> None:
    config = Config(train=TrainConfig(boundary_weight=0.25))
    model, images = network(), batch(0)
    with SupervisedLosses(config, TAPS, Stopwatch(CPU)) as losses:
        found, _ = losses(model, images)
    p = floored_softmax(model(images["image"]).logits)
    refined = dense_crf_batch(p, images_to_grid(images["rgb"], 6, 6), config.crf.on_grid())
    torch.testing.assert_close(found["boundary"], 0.25 * boundary_loss(p, refined))


def test_errors_come_where_the_marginals_are_asked_for(background: BackgroundThread) -> None:
    images = batch(0)["rgb"]
    p = torch.full((3, 4, 6, 6), 0.25)
    bad = p.clone()
    bad[1, 2, 3, 4] = torch.nan
    marginals = CRFMarginals(bad, images, CRF(), background=background)
    with pytest.raises(ValueError, match=r"probabilities\[1, 2, 3, 4\] is nan"):
        marginals()
    expected = CRFMarginals(p, images, CRF())()
    assert torch.equal(CRFMarginals(p, images, CRF(), background=background)(), expected)


def test_work_is_done_in_the_callers_context_without_gradients(
    background: BackgroundThread,
) -> None:
    def seen(x: Tensor) -> Tensor:
        assert not (2 * x).requires_grad
        return torch.tensor([gx.values_are_checked(), torch.get_num_threads()])

    x = torch.zeros(1, requires_grad=True)
    threads = torch.get_num_threads()
    assert background.start(seen, x)().result.tolist() == [1, threads]
    with gx.no_value_checks():
        pending = background.start(seen, x)
    assert pending().result.tolist() == [0, threads]


def test_signals_reach_who_waits_for_the_result(background: BackgroundThread) -> None:
    """Ctrl-C ends the wait; SIGTERM is noted, and the result comes."""
    release = threading.Event()

    def wait_for(number: int) -> Tensor:
        def signalled(x: Tensor) -> Tensor:
            time.sleep(0.1)  # by now the main thread waits
            os.kill(os.getpid(), number)
            release.wait(30)
            return x + 1

        return background.start(signalled, torch.zeros(1))().result

    with noted_signals() as received:
        with pytest.raises(KeyboardInterrupt):
            wait_for(signal.SIGINT)
        assert received.interrupt
        release.set()
        assert wait_for(signal.SIGTERM).tolist() == [1]
        assert received.terminate
        received.terminate = False  # obeyed
