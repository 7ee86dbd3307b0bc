"""Settings of the supervision that depend on the epoch, and the scale of its edges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgcn.cli import main
from dgcn.config import RetrainConfig
from dgcn.supervision import GraphCut, JointCut, MostProbable, RegionGrowing, Static, Supervision

TINY = (
    "--data.size=81",
    "--data.synthetic_images=4",
    "--data.synthetic_val_images=0",
    "--data.synthetic_size=72",
    "--model.backbone=small",
    "--classify.epochs=1",
    "--classify.batch_size=4",
    "--cues.saliency_weight=0",
    "--cues.foreground=0.2",
    "--train.batch_size=2",
    "--train.epochs=2",
    "--evaluate.pictures=0",
    "--runtime.device=cpu",
    "--supervision.graph_cut.theta=0.2",
)


def features(seed: int, side: int = 5) -> torch.Tensor:
    return torch.randn(2, 4, side, side, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None, max_examples=30)
@given(k=st.integers(1, 20), total=st.floats(0.1, 50), seed=st.integers(0, 99))
def test_unit_weights_of_a_cell_add_up_to_edge_sum_for_every_k(
    k: int, total: float, seed: int
) -> None:
    _, weights = GraphCut(k=k, edge_sum=total).edges(features(seed))
    torch.testing.assert_close(weights.sum(2), torch.full((2, 25), total), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("weighting", ["unit", "gaussian"])
def test_edge_sum_scales_feature_space_alone(weighting: Any) -> None:
    plain = GraphCut(k=4, edge_weights=weighting, spatial=8)
    indices, weights = plain.edges(features(1))
    scaled = GraphCut(k=4, edge_weights=weighting, spatial=8, edge_sum=10.0)
    same, heavier = scaled.edges(features(1))
    assert torch.equal(indices, same)
    torch.testing.assert_close(heavier[..., :4], 2.5 * weights[..., :4])
    assert torch.equal(heavier[..., 4:], weights[..., 4:])
    # As many as the edges: the paper's own weights.
    assert torch.equal(GraphCut(k=4, edge_sum=4.0).edges(features(1))[1], torch.ones(2, 25, 4))


def test_heavier_edges_outvote_a_terminal() -> None:
    """One cell believes otherwise than its two neighbours: the edges decide above log10(9)."""
    p = torch.tensor([0.9, 0.9, 0.1])
    probabilities = torch.stack([1 - p, p]).view(1, 2, 1, 3)
    near = torch.zeros(1, 1, 1, 3)
    cues = torch.zeros(1, 2, 1, 3, dtype=torch.bool)
    present = torch.ones(1, 2, dtype=torch.bool)
    found = []
    # Each of the three lists both others: a pair's edges have 2 * edge_sum / 2 together.
    for total in (0.4, 0.6):
        cut = GraphCut(k=2, edge_sum=total, theta=0.0)
        found.append(cut(probabilities, near, cues, present)[0, 1, 0].tolist())
    assert found == [[True, True, False], [True, True, True]]


@pytest.mark.parametrize("kind", [GraphCut, JointCut, MostProbable])
def test_an_epoch_has_its_own_values(kind: type[Any]) -> None:
    plan = kind(theta=0.3, theta_schedule=(0.9, 0.8, 0.6), cues_only_epochs=1)
    assert plan.at(1) == Static()
    assert [plan.at(epoch).theta for epoch in (2, 3, 4, 99)] == [0.8, 0.6, 0.3, 0.3]
    assert kind().at(1) == kind()


def test_seeds_are_held_as_the_epoch_says() -> None:
    plan = GraphCut(cue_capacity="hard", cue_capacity_schedule=(10.0, 5.0), theta_schedule=(0.9,))
    assert [plan.at(epoch).cue_capacity for epoch in (1, 2, 3)] == [10.0, 5.0, "hard"]  # type: ignore[attr-defined]
    assert [plan.at(epoch).theta for epoch in (1, 2)] == [0.9, 0.7]  # type: ignore[attr-defined]


def test_kinds_without_a_schedule_stay_as_they_are() -> None:
    kinds: tuple[Supervision, ...] = (Static(), RegionGrowing())
    for kind in kinds:
        assert kind.at(1) is kind


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"edge_sum": 0.0}, "edge_sum must be None or > 0 and finite, got 0.0"),
        ({"edge_sum": float("inf")}, "edge_sum must be"),
        ({"theta_schedule": (0.5, 1.5)}, r"theta_schedule must be in \[0, 1\], got \(0.5, 1.5\)"),
        ({"cue_capacity_schedule": (0.0,)}, "cue_capacity_schedule must be > 0 and finite"),
        ({"cues_only_epochs": -1}, "cues_only_epochs must be >= 0, got -1"),
        ({"k": 0}, "k must be >= 1"),
        ({"theta": 2.0}, "theta must be in"),
    ],
)
def test_what_is_out_of_range_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GraphCut(**options)


def test_the_cut_of_the_masks_has_no_schedule() -> None:
    with pytest.raises(ValueError, match="cut must be without schedules"):
        RetrainConfig(cut=GraphCut(theta_schedule=(0.5,)))


def weights_of(out: Path, *options: str) -> dict[str, torch.Tensor]:
    """The network that ``dgcn train`` leaves, on the classifier and cues of the folder."""
    assert main(["train", *TINY, *options, "--out", str(out)]) == 0
    name = next(each.partition("=")[2] for each in options if "supervision.name" in each)
    content = torch.load(out / name / "last.pt", weights_only=True)
    model: dict[str, torch.Tensor] = content["model"]
    return model


def test_epochs_on_the_cues_alone_are_those_of_static_supervision(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert main(["classify", *TINY, "--out", str(out)]) == 0
    assert main(["cues", *TINY, "--out", str(out)]) == 0
    cut = "--supervision.kind=graph_cut"
    static = weights_of(out, "--supervision.kind=static", "--supervision.name=a")
    for name, epochs, same in (("b", 2, True), ("c", 1, False), ("d", 0, False)):
        only = f"--supervision.graph_cut.cues_only_epochs={epochs}"
        found = weights_of(out, cut, only, f"--supervision.name={name}")
        equal = all(torch.equal(found[key], static[key]) for key in static)
        assert equal == same, name
    # A training that goes on takes the supervision of the epoch that it goes on with.
    only = "--supervision.graph_cut.cues_only_epochs=1"
    first = weights_of(out, cut, only, "--supervision.name=e", "--train.epochs=1")
    resumed = weights_of(out, cut, only, "--supervision.name=e")
    whole = torch.load(out / "c" / "last.pt", weights_only=True)["model"]
    assert all(torch.equal(resumed[key], whole[key]) for key in whole)
    assert not all(torch.equal(first[key], whole[key]) for key in whole)
