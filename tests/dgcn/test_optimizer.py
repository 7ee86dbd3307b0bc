"""Learning rates over the steps, and of the layers."""

from __future__ import annotations

import pytest
import torch

from dgcn.config import Optimisation
from dgcn.models import Classifier, SmallNet
from dgcn.training.optimizer import make_optimizer, rate_factor


def test_rate_of_the_step_schedule() -> None:
    options = Optimisation(epochs=7, gamma=0.3, step_size=3, warmup_steps=4)
    factors = [rate_factor(options, step, 10) for step in (0, 1, 3, 4, 29, 30, 59, 60, 69)]
    assert factors == pytest.approx([0.25, 0.5, 1, 1, 1, 0.3, 0.3, 0.09, 0.09])
    constant = Optimisation(step_size=0)
    assert {rate_factor(constant, step, 10) for step in range(80)} == {1.0}


def test_rate_of_the_poly_schedule() -> None:
    options = Optimisation(epochs=2, schedule="poly")
    factors = [rate_factor(options, step, 10) for step in (0, 10, 19)]
    assert factors == pytest.approx([1, 0.5**0.9, 0.05**0.9])


def test_layers_outside_the_backbone_learn_faster() -> None:
    model = Classifier(SmallNet(), 3)
    options = Optimisation(lr=0.01, head_lr_factor=10, momentum=0.8, weight_decay=1e-3)
    optimizer = make_optimizer(model, options)
    rates = {id(p): group["base_lr"] for group in optimizer.param_groups for p in group["params"]}
    assert len(rates) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        expected = 0.1 if name.startswith("head.") else 0.01
        assert rates[id(parameter)] == pytest.approx(expected)
    assert {group["momentum"] for group in optimizer.param_groups} == {0.8}
    assert {group["weight_decay"] for group in optimizer.param_groups} == {1e-3}


def test_adamw_takes_the_same_groups() -> None:
    """One step from zero moments: a share of the weight, and a step of lr against the gradient."""
    torch.manual_seed(0)
    model = Classifier(SmallNet(), 2)
    options = Optimisation(
        optimizer="adamw", lr=0.01, head_lr_factor=10, momentum=0.8, weight_decay=0.1
    )
    optimizer = make_optimizer(model, options)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.where(torch.rand_like(parameter) > 0.5, 1.0, -2.0)
    optimizer.step()
    assert {group["betas"] for group in optimizer.param_groups} == {(0.8, 0.999)}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        rate = 0.1 if name.startswith("head.") else 0.01
        wanted = before[name] * (1 - rate * 0.1) - rate * parameter.grad.sign()
        torch.testing.assert_close(parameter.detach(), wanted, atol=1e-6, rtol=1e-5)
