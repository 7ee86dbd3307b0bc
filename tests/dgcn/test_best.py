"""Which epoch's network is the best."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from layouts import drawn

from dgcn.config import ClassifyConfig, RuntimeConfig
from dgcn.data.batches import TrainingSet
from dgcn.models import Classifier, build_backbone
from dgcn.training.checkpoint import load_checkpoint
from dgcn.training.console import Console
from dgcn.training.fabric import make_fabric
from dgcn.training.loop import Training, fit
from dgcn.training.objective import classification_losses
from dgcn.training.throughput import Stopwatch


@pytest.mark.parametrize(
    ("scores", "best"), [((0.5, 0.5, 0.25), 2), ((0.1, 0.3, 0.3), 3), ((0.4, 0.1, 0.2), 1)]
)
def test_last_of_equal_best_scores_is_taken(
    tmp_path: Path, scores: tuple[float, ...], best: int
) -> None:
    dataset = drawn(tmp_path / "set", 2, 1)
    torch.manual_seed(0)
    runtime = RuntimeConfig(device="cpu")
    training = Training(
        title="test",
        model=Classifier(build_backbone("small", None), len(dataset.classes) - 1),
        samples=TrainingSet(dataset.split("train"), len(dataset.classes), 33),
        options=ClassifyConfig(epochs=len(scores), batch_size=2),
        losses=classification_losses,
        after_epoch=lambda epoch: {"score": scores[epoch - 1]},
        folder=tmp_path / "out",
        fingerprint={},
        network={},
        clock=Stopwatch(torch.device("cpu")),
    )
    fit(make_fabric(runtime), training, runtime, Console(quiet=True))
    assert load_checkpoint(tmp_path / "out" / "best.pt").epoch == best
    assert load_checkpoint(tmp_path / "out" / "last.pt").epoch == len(scores)
