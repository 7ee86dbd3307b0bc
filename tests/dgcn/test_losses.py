"""The losses against loops over single positions, and their gradients against differences."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from dgcn.losses import boundary_loss, floored_softmax, seeding_loss


def batch(seed: int, shape: tuple[int, int, int, int] = (3, 4, 5, 6)) -> tuple[Tensor, Tensor]:
    """Logits, and supervision of at most one class at two thirds of the positions."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(shape, generator=generator, dtype=torch.float64)
    label = torch.randint(-2, shape[1], (shape[0], *shape[2:]), generator=generator)
    return logits, torch.stack([label == c for c in range(shape[1])], 1)


def seeding_by_loops(p: Tensor, supervision: Tensor) -> float:
    n, classes, h, w = p.shape
    total = 0.0
    for i in range(n):
        terms = {"bg": [0.0, 0], "fg": [0.0, 0]}
        for c in range(classes):
            for y in range(h):
                for x in range(w):
                    if supervision[i, c, y, x]:
                        term = terms["bg" if c == 0 else "fg"]
                        term[0] += math.log(p[i, c, y, x])
                        term[1] += 1
        total -= sum(s / count for s, count in terms.values() if count)
    return total / n


def boundary_by_loops(p: Tensor, q: Tensor) -> float:
    n, classes, h, w = p.shape
    total = 0.0
    for i in range(n):
        for y in range(h):
            for x in range(w):
                for c in range(classes):
                    ratio = float(q[i, c, y, x]) / float(p[i, c, y, x])
                    total += float(q[i, c, y, x]) * math.log(min(max(ratio, 0.05), 20.0))
    return total / (n * h * w)


@pytest.mark.parametrize("seed", range(4))
def test_seeding_loss_equals_loops(seed: int) -> None:
    logits, supervision = batch(seed)
    p = floored_softmax(logits)
    assert seeding_loss(p, supervision).item() == pytest.approx(seeding_by_loops(p, supervision))


def test_seeding_loss_by_hand() -> None:
    p = torch.tensor([[[[0.5, 0.25, 0.8]], [[0.3, 0.5, 0.1]], [[0.2, 0.25, 0.1]]]])
    supervision = torch.zeros(1, 3, 1, 3, dtype=torch.bool)
    supervision[0, 0, 0, 2] = supervision[0, 1, 0, 0] = supervision[0, 2, 0, 1] = True
    wanted = -(math.log(0.3) + math.log(0.25)) / 2 - math.log(0.8)
    assert seeding_loss(p, supervision).item() == pytest.approx(wanted)


@pytest.mark.parametrize("kept", [slice(0, 1), slice(1, None), slice(0, 0)])
def test_seeding_loss_of_missing_parts_is_zero(kept: slice) -> None:
    logits, supervision = batch(7)
    only = torch.zeros_like(supervision)
    only[1:] = supervision[1:]
    only[0, kept] = supervision[0, kept]
    p = floored_softmax(logits).requires_grad_()
    loss = seeding_loss(p, only)
    assert loss.item() == pytest.approx(seeding_by_loops(p.detach(), only))
    loss.backward()
    assert p.grad is not None
    assert torch.isfinite(p.grad).all()
    assert (p.grad[~only] == 0).all()


def test_no_seed_at_all_is_zero_with_zero_gradient() -> None:
    logits, supervision = batch(8)
    logits.requires_grad_()
    loss = seeding_loss(floored_softmax(logits), torch.zeros_like(supervision))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def test_seeding_gradient_is_finite_where_an_unsupervised_probability_is_zero() -> None:
    p = torch.tensor([[[[0.0, 1.0]], [[1.0, 0.0]]]], requires_grad=True)
    seeding_loss(p, torch.tensor([[[[False, True]], [[True, False]]]])).backward()
    assert p.grad is not None
    torch.testing.assert_close(p.grad, torch.tensor([[[[0.0, -1.0]], [[-1.0, 0.0]]]]))


@pytest.mark.parametrize("seed", range(4))
def test_boundary_loss_equals_loops_with_both_clips_in_use(seed: int) -> None:
    p = floored_softmax(batch(seed)[0])
    q = (2 * batch(seed + 100)[0]).softmax(1)
    ratio = q / p
    assert (ratio < 0.05).any()
    assert (ratio > 20).any()
    assert boundary_loss(p, q).item() == pytest.approx(boundary_by_loops(p, q))


def test_boundary_loss_of_equal_distributions_is_zero() -> None:
    p = floored_softmax(batch(1)[0])
    assert boundary_loss(p, p).item() == pytest.approx(0, abs=1e-12)


def test_boundary_gradient_flows_only_inside_the_clip_and_never_into_q() -> None:
    p = torch.tensor([[[[0.5]], [[0.01]], [[0.49]]]], requires_grad=True)
    q = torch.tensor([[[[0.6]], [[0.39]], [[0.01]]]], requires_grad=True)
    boundary_loss(p, q).backward()  # ratios 1.2, 39, 0.0204
    assert q.grad is None
    assert p.grad is not None
    torch.testing.assert_close(p.grad.flatten(), torch.tensor([-0.6 / 0.5, 0.0, 0.0]))


def test_boundary_loss_survives_zeros() -> None:
    p = torch.tensor([[[[0.0]], [[1.0]]]], requires_grad=True)
    q = torch.tensor([[[[1.0]], [[0.0]]]])
    loss = boundary_loss(p, q)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(20))
    assert p.grad is not None
    assert (p.grad == 0).all()


def test_gradients_equal_differences() -> None:
    logits, supervision = batch(3, (2, 3, 2, 3))
    logits.requires_grad_()
    q = batch(4, (2, 3, 2, 3))[0].softmax(1)
    assert gradcheck(lambda z: seeding_loss(floored_softmax(z), supervision), (logits,))
    assert gradcheck(lambda z: boundary_loss(floored_softmax(z), q), (logits,))


def test_floored_softmax_by_hand() -> None:
    p = floored_softmax(torch.tensor([[0.0, math.log(3.0)]], dtype=torch.float64), floor=0.1)
    torch.testing.assert_close(p, torch.tensor([[0.35 / 1.2, 0.85 / 1.2]], dtype=torch.float64))


def test_floor_keeps_every_class_alive_with_a_gradient() -> None:
    logits = torch.tensor([[30.0, 0.0, -30.0]], requires_grad=True)
    p = floored_softmax(logits)
    assert p.min().item() == pytest.approx(1e-4 / (1 + 3e-4), rel=1e-3)
    assert p.sum().item() == pytest.approx(1)
    contradicted = torch.tensor([[12.0, 0.0]], dtype=torch.float64, requires_grad=True)
    floored_softmax(contradicted)[0, 1].log().backward()
    # softmax_1 = s: d/dz log(s + floor) = s (1 - s) / (s + floor).
    s = 1 / (1 + math.exp(12))
    assert contradicted.grad is not None
    assert contradicted.grad[0, 1].item() == pytest.approx(s * (1 - s) / (s + 1e-4))


def test_errors_name_the_argument() -> None:
    logits, supervision = batch(0)
    with pytest.raises(TypeError, match=r"supervision must be bool, got torch\.float64"):
        seeding_loss(logits, supervision.double())
    with pytest.raises(ValueError, match="supervision must have the shape of probabilities"):
        seeding_loss(logits, supervision[:1])
    with pytest.raises(ValueError, match="crf_marginals must have the shape"):
        boundary_loss(logits, logits[..., :1])
    with pytest.raises(ValueError, match="probabilities must have shape"):
        seeding_loss(logits[:0], supervision[:0])
    with pytest.raises(ValueError, match="floor must not be negative, got -1"):
        floored_softmax(logits, -1)
    with pytest.raises(ValueError, match="logits must have shape"):
        floored_softmax(logits[0, 0, 0])
