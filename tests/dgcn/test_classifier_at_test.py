"""The image classifier at test: what it multiplies, and where the pipeline takes it from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from dgcn.cli import main
from dgcn.data import read_image, read_mask, to_tensor
from dgcn.models import Classifier, Segmenter, SmallNet
from dgcn.models.inference import predict_image, with_image_scores
from dgcn.pipeline.portable import load_classifier_beside, load_portable


def test_classes_share_an_object_by_the_classifier() -> None:
    torch.manual_seed(0)
    model, classifier = (
        Segmenter(SmallNet(), 4, dilation=2).eval(),
        Classifier(SmallNet(), 3).eval(),
    )
    with torch.no_grad():
        classifier.head.bias.copy_(torch.tensor([2.0, -3.0, 0.5]))  # type: ignore[union-attr]
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    x = to_tensor(image, 81)[None]
    with torch.no_grad():
        logits = functional.interpolate(
            model(x).logits, (50, 70), mode="bilinear", align_corners=True
        )[0]
        seen = 1 / (1 + np.exp(-classifier(x)[0].numpy()))
    p = logits.softmax(0).numpy()
    shared = p[1:] * seen[:, None, None]
    p[1:] = shared / shared.sum(0) * (1 - p[0]) * (1 - np.prod(1 - seen))
    found = predict_image(model, image, 81, scales=(1.0,), classifier=classifier)
    np.testing.assert_array_equal(found, p.argmax(0))
    assert (found != predict_image(model, image, 81, scales=(1.0,))).any()


def test_without_any_class_all_is_background() -> None:
    shares = torch.tensor([0.1, 0.6, 0.3]).reshape(3, 1, 1).expand(3, 2, 2)
    none = with_image_scores(shares, torch.zeros(2))
    torch.testing.assert_close(none[0], torch.ones(2, 2))
    sure = with_image_scores(shares, torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(sure[:, 0, 0], torch.tensor([0.1, 0.9, 0.0]))
    # All that is left of the object goes to the class that is there, times its score.
    half = with_image_scores(shares, torch.tensor([0.0, 0.5]))
    torch.testing.assert_close(half[:, 0, 0], torch.tensor([0.1, 0.0, 0.45]) / 0.55)


def test_run_predicts_and_scores_with_its_classifier(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    folder = out / "graph_cut" / "predictions" / "val"
    before = {path.name: read_mask(path) for path in folder.glob("*.png")}
    assert main(["run", "--out", str(out), "--evaluate.classifier=true"]) == 0
    said = capsys.readouterr().out
    assert "prediction: made again, settings changed: evaluate.classifier: False -> True" in said
    scores = json.loads((out / "graph_cut" / "metrics.json").read_text())["val"]
    assert "classes by the image classifier" in scores["protocol"]
    path = out / "graph_cut" / "last.pt"
    model, classifier = load_portable(path).model, load_classifier_beside(path)
    different = 0
    for name, former in before.items():
        image = read_image(next((out / "data").glob(f"*/images/{name}")))
        expected = predict_image(model, image, 81, scales=(1.0,), classifier=classifier)
        np.testing.assert_array_equal(read_mask(folder / name), expected)
        different += int((expected != former).sum())
    assert different > 0

    image_path = next((out / "data").glob("*/images/val_*.png"))
    command = ["predict", "--checkpoint", str(path), "--images", str(image_path)]
    command += ["--evaluate.classifier=true", "--out", str(tmp_path / "found")]
    assert main(command) == 0
    found = read_mask(tmp_path / "found" / "masks" / image_path.name)
    np.testing.assert_array_equal(found, read_mask(folder / image_path.name))
    assert main(["report", str(out)]) == 0

    shutil.copy(path, tmp_path / "alone.pt")
    command[2] = str(tmp_path / "alone.pt")
    assert main(command) == 2
    assert "--evaluate.classifier false predicts without it" in capsys.readouterr().err
