"""Cues of flaws: the background is where the classifier is not active."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dgcn.cli import main
from dgcn.cues import active_cells, load_cues
from dgcn.data import read_image
from dgcn.options import load_config
from dgcn.pipeline.networks import activation, load_classifier
from dgcn.pipeline.run import Run, open_run

SIDE = 97


def test_active_cells_by_hand() -> None:
    cam = np.array([[[4.0, 1.0]], [[0.0, 0.5]], [[9.0, 9.0]]])
    both, first, none = (np.array(rest) for rest in ([1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]))
    np.testing.assert_array_equal(active_cells(cam, both == 1), [[1.0, 1.0]])
    np.testing.assert_array_equal(active_cells(cam, first == 1), [[1.0, 0.25]])
    nothing = active_cells(cam, none == 1)
    np.testing.assert_array_equal(nothing, [[0.0, 0.0]])
    assert nothing.dtype == np.float32
    assert active_cells(np.empty((0, 1, 2)), np.array([True])).shape == (1, 2)


@pytest.fixture(scope="module")
def flaws(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a blue disc on white, good or with a red spot, and a run with its classifier."""
    root = tmp_path_factory.mktemp("flaws")
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for index in range(6):
        image = np.full((SIDE, SIDE, 3), 240, dtype=np.uint8)
        image[(rows - 48) ** 2 + (columns - 48) ** 2 < 40**2] = (40, 60, 160)
        name = "good" if index % 2 else "spot"
        if name == "spot":
            image[40 + index : 56 + index, 30:46] = (200, 30, 30)
        (root / "wares" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / "wares" / name / f"{index}.png")
    assert main(["init", str(root / "wares"), "--val", "0"]) == 0
    assert main(["classify", *options(root)]) == 0
    return root


def options(root: Path) -> list[str]:
    small = ["--model.backbone=small", f"--data.size={SIDE}", "--classify.epochs=12"]
    small += ["--cues.saliency=activation"]
    config = str(root / "wares" / "config.yaml")
    return ["--config", config, *small, "--classify.lr=1e-2", "--out", str(root / "run")]


def active(run: Run, stem: str) -> np.ndarray:
    """What the saliency of a picture has to be."""
    (record,) = [each for each in run.records("train") if each.name == stem]
    maps = activation(run, load_classifier(run), read_image(record.image))
    return active_cells(maps, np.array([True, bool(record.labels)]))


def test_what_is_not_active_is_background(flaws: Path) -> None:
    assert main(["cues", *options(flaws)]) == 0
    run = open_run(load_config(flaws / "run" / "config.yaml"), reads_only=True)
    for name, cues in load_cues(flaws / "run" / "cues" / "cues.npz").items():
        saliency = active(run, name)
        np.testing.assert_array_equal(cues[1], saliency > 0.3)
        np.testing.assert_array_equal(cues[0], saliency < 0.07)
        assert cues[0].all() == (int(name) % 2 == 1)


def test_drawings_without_background_take_it_from_the_activation(flaws: Path) -> None:
    drawn = flaws / "drawn"
    drawn.mkdir()
    stroke = np.full((SIDE, SIDE), 255, dtype=np.uint8)
    stroke[44:52, 36:40] = 1
    Image.fromarray(stroke).save(drawn / "0.png")
    assert main(["cues", *options(flaws), "--overwrite", f"--cues.drawn={drawn}"]) == 0
    run = open_run(load_config(flaws / "run" / "config.yaml"), reads_only=True)
    cues = load_cues(flaws / "run" / "cues" / "cues.npz")["0"]
    assert cues[1].any()
    np.testing.assert_array_equal(cues[0], (active(run, "0") < 0.07) & ~cues[1])


def test_drawings_of_all_pictures_still_need_the_classifier(flaws: Path, tmp_path: Path) -> None:
    (tmp_path / "drawn").mkdir()
    shutil.copytree(flaws / "wares" / "spot", tmp_path / "wares" / "spot")
    stroke = np.full((SIDE, SIDE), 255, dtype=np.uint8)
    stroke[48:54, 36:40] = 1
    for picture in (tmp_path / "wares" / "spot").iterdir():
        Image.fromarray(stroke).save(tmp_path / "drawn" / picture.name)
    assert main(["init", str(tmp_path / "wares"), "--val", "0"]) == 0
    given = ["--config", str(tmp_path / "wares" / "config.yaml"), f"--out={tmp_path / 'run'}"]
    given += ["--model.backbone=small", f"--data.size={SIDE}", "--train.init=weights"]
    given += ["--classify.epochs=1", "--train.epochs=1", "--evaluate.classifier=false"]
    given += [f"--cues.drawn={tmp_path / 'drawn'}", "--cues.refine=none"]
    classifier = tmp_path / "run" / "classifier" / "last.pt"
    assert main(["run", *given, "--cues.saliency=border_geodesic"]) == 0
    assert not classifier.exists()
    assert main(["run", *given, "--cues.saliency=activation", "--overwrite"]) == 0
    assert classifier.exists()
