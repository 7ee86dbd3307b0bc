"""The supervision without a graph, against a position-by-position reading of its rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dgcn.supervision import MostProbable


def by_hand(
    p: NDArray[np.float32],
    cues: NDArray[np.bool_],
    present: NDArray[np.bool_],
    theta: float,
    image_labels_only: bool,
) -> NDArray[np.bool_]:
    """Classes of one image, one position after the other; arrays as `MostProbable`'s."""
    found = np.zeros_like(cues)
    possible = [c for c in range(len(p)) if present[c]]
    for row in range(p.shape[1]):
        for column in range(p.shape[2]):
            here = (slice(None), row, column)
            if cues[here].any():
                found[here] = cues[here]
                continue
            whole = 1.0
            if image_labels_only:  # where all of them are improbable none is likely
                whole = max(sum(float(p[c, row, column]) for c in possible), 1e-7)
            scores = {c: float(p[c, row, column]) / whole for c in possible}
            best = max(possible, key=lambda c: scores[c])
            found[best, row, column] = scores[best] > theta
    return found


@given(
    seed=st.integers(0, 2**32 - 1),
    classes=st.integers(1, 5),
    theta=st.sampled_from([0.0, 0.2, 0.34, 0.52, 0.7, 0.97]),
    image_labels_only=st.booleans(),
    sharpness=st.sampled_from([0.3, 1.0, 4.0]),
)
def test_equals_the_rule_read_position_by_position(
    seed: int, classes: int, theta: float, image_labels_only: bool, sharpness: float
) -> None:
    rng = np.random.default_rng(seed)
    images, h, w = rng.integers(1, 4), *rng.integers(1, 7, 2)
    scores = np.exp(sharpness * rng.standard_normal((images, classes, h, w)))
    p = (scores / scores.sum(1, keepdims=True)).astype(np.float32)
    present = rng.random((images, classes)) < 0.5
    present[:, 0] = True
    label = rng.integers(0, classes, (images, 1, h, w))
    cues = (np.arange(classes)[:, None, None] == label) & (rng.random((images, 1, h, w)) < 0.3)
    cues &= present[:, :, None, None]
    arguments = [torch.from_numpy(each) for each in (p, np.zeros((images, 2, h, w)), cues, present)]
    found = MostProbable(theta, image_labels_only)(*arguments)
    expected = [
        by_hand(*image, theta, image_labels_only) for image in zip(p, cues, present, strict=True)
    ]
    np.testing.assert_array_equal(found.numpy(), np.stack(expected))


def test_a_label_rules_out_what_the_network_prefers() -> None:
    """The network says sheep, 0.6; the image is labelled cow, 0.3, and background, 0.1."""
    p = torch.tensor([0.1, 0.3, 0.6]).view(1, 3, 1, 1).expand(1, 3, 1, 2).clone()
    cues = torch.zeros(1, 3, 1, 2, dtype=torch.bool)
    cues[0, 0, 0, 1] = True
    present = torch.tensor([[True, True, False]])
    features = torch.zeros(1, 1, 1, 2)

    def cow(theta: float, image_labels_only: bool) -> bool:
        found = MostProbable(theta, image_labels_only)(p, features, cues, present)
        assert found[0, :, 0, 1].tolist() == [True, False, False]  # the cue stays
        assert not found[0, 2].any()
        return bool(found[0, 1, 0, 0])

    assert cow(0.7, True)  # 0.3 / 0.4
    assert not cow(0.76, True)
    assert cow(0.29, False)
    assert not cow(0.31, False)


def test_two_cues_at_one_position_are_refused() -> None:
    cues = torch.zeros(2, 3, 4, 5, dtype=torch.bool)
    cues[1, 1:, 2, 3] = True
    p = torch.full((2, 3, 4, 5), 1 / 3)
    with pytest.raises(ValueError, match="image 1 has two classes at row 2, column 3"):
        MostProbable()(p, torch.zeros(2, 1, 4, 5), cues, torch.ones(2, 3).bool())
