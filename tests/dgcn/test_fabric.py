"""Precision and random numbers of a training's steps."""

from __future__ import annotations

import itertools

import pytest
import torch

from dgcn.config import RuntimeConfig
from dgcn.models import EfficientNetLite0, SmallNet
from dgcn.training.fabric import make_fabric, precision_of, seed_step


@pytest.mark.parametrize(
    ("has", "cuda", "expected"),
    [
        ((), False, "32-true"),
        (("amx_tile",), False, "bf16-mixed"),
        (("avx512_bf16",), False, "bf16-mixed"),
        ((), True, "bf16-mixed"),
    ],
)
def test_precision_is_chosen_by_what_computes(
    monkeypatch: pytest.MonkeyPatch, has: tuple[str, ...], cuda: bool, expected: str
) -> None:
    for name in ("amx_tile", "avx512_bf16"):
        monkeypatch.setattr(torch.cpu, f"_is_{name}_supported", lambda name=name: name in has)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 0))
    assert precision_of(RuntimeConfig(precision="auto")) == expected
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    older = "32-true" if cuda else expected
    assert precision_of(RuntimeConfig(precision="auto")) == older
    assert precision_of(RuntimeConfig(precision="32-true")) == "32-true"
    # A processor gains nothing by it in depthwise convolutions.
    both = precision_of(RuntimeConfig(precision="auto"), [SmallNet, EfficientNetLite0])
    assert both == "32-true"
    assert precision_of(RuntimeConfig(precision="auto"), [SmallNet]) == older


def test_random_state_of_a_step_depends_on_seed_epoch_and_step_alone() -> None:
    fabric = make_fabric(RuntimeConfig(device="cpu"))

    def draw(seed: int, epoch: int, step: int) -> float:
        seed_step(fabric, seed, epoch, step)
        return float(torch.rand(()))

    assert draw(0, 1, 2) == draw(0, 1, 2)
    assert len({draw(*state) for state in itertools.product(range(3), repeat=3)}) == 27


def test_half_precision_is_refused_on_a_cpu() -> None:
    with pytest.raises(ValueError, match=r"runtime\.precision: '16-mixed' needs a CUDA device"):
        make_fabric(RuntimeConfig(device="cpu", precision="16-mixed"))
