"""Folders of textures with objects on them: what `init` sets, `doctor` says, and a whole run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from even_network import Even
from layouts import draw
from PIL import Image

from dgcn.cli import main
from dgcn.config import Config, CuesConfig, DataConfig
from dgcn.contrast import local_contrast
from dgcn.cues import load_cues, make_cues, saliency_to_grid
from dgcn.data import FolderDataset, read_image, write_synthetic
from dgcn.doctor.masks import check_widths
from dgcn.doctor.textures import check_textures
from dgcn.models.inference import contrast_odds, image_probabilities
from dgcn.options import load_config
from dgcn.textures import TEXTURE_SPREAD, spread_of

SIDE = 96


def write_scratches(root: Path, images: int, *, free: int = 0) -> None:
    """Grey grain with a dark scratch of three pixels, which reaches the border; and its masks."""
    (root / "masks").mkdir(parents=True)
    for index in range(images + free):
        rng = np.random.default_rng(index)
        values = 130 + rng.normal(0, 5, (SIDE, SIDE)) + np.linspace(-15, 15, SIDE)
        mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
        if index < images:
            place = int(rng.integers(12, SIDE - 12))
            lines = (slice(None), slice(place, place + 3))
            mask[lines if index % 2 else lines[::-1]] = 1
        values[mask == 1] -= 45
        image = np.repeat(np.clip(values, 0, 255)[..., None], 3, axis=2).astype(np.uint8)
        folder = root / ("scratch" if index < images else "background")
        folder.mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / f"{index:02}.png")
        Image.fromarray(mask).save(root / "masks" / f"{index:02}.png")


def test_init_sets_local_contrast_for_textures_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scratches(tmp_path / "steel", 5)
    assert main(["init", str(tmp_path / "steel")]) == 0
    printed = capsys.readouterr().out
    assert "the pictures look like textures with objects on them" in printed
    assert 'cues.saliency "local_contrast", cues.saliency_weight 3, evaluate.contrast' in printed
    config = load_config(tmp_path / "steel" / "config.yaml")
    assert (config.cues.saliency, config.cues.saliency_weight) == ("local_contrast", 3)
    assert config.classify.epochs == 2  # nothing to learn
    assert (config.evaluate.contrast, config.evaluate.scales) == (True, (1.0,))

    assert main(["init", str(tmp_path / "steel"), "--force", "--paper"]) == 0
    assert load_config(tmp_path / "steel" / "config.yaml").cues == CuesConfig()

    write_synthetic(tmp_path / "scenes", images=6, val_images=2, size=72)
    capsys.readouterr()
    assert main(["init", str(tmp_path / "scenes"), "--force"]) == 0
    assert "textures" not in capsys.readouterr().out
    scenes = load_config(tmp_path / "scenes" / "config.yaml")
    assert scenes.cues == CuesConfig()
    assert (scenes.evaluate.contrast, scenes.evaluate.scales) == (False, (0.75, 1.0, 1.25))


def test_init_goes_by_novelty_where_pictures_show_the_thing_without_flaws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def saliency(*folders: str, paper: bool = False) -> str:
        root = tmp_path / "-".join(folders)
        for number, name in enumerate(folders):
            (root / name).mkdir(parents=True, exist_ok=True)
            draw(root / name / f"{number}.png", 50 + number)
        assert main(["init", str(root), "--force", *(["--paper"] if paper else [])]) == 0
        cues = load_config(root / "config.yaml").cues
        assert cues.weight == (3 if cues.saliency == "novelty" else 1)
        return cues.saliency

    for folders in (("dent", "good"), ("leaf_ok", "rust"), ("rust", "Healthy")):
        assert saliency(*folders) == "novelty"
    assert "good: the thing itself stands out in every picture" in capsys.readouterr().out
    for folders in (("background", "cow"), ("none", "cow"), ("cow", "goods"), ("good",)):
        assert saliency(*folders) == "border_geodesic"
    assert saliency("dent", "good", paper=True) == "border_geodesic"

    write_scratches(tmp_path / "steel", 3, free=2)
    (tmp_path / "steel" / "background").rename(tmp_path / "steel" / "good")
    assert main(["init", str(tmp_path / "steel")]) == 0
    assert load_config(tmp_path / "steel" / "config.yaml").cues.saliency == "local_contrast"


def test_spread_of_nothing_is_unknown(tmp_path: Path) -> None:
    draw(tmp_path / "grey.png", 50)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    assert spread_of([]) is None
    assert spread_of([tmp_path / "grey.png", tmp_path / "broken.jpg"]) is None
    write_scratches(tmp_path / "steel", 3)
    paths = sorted((tmp_path / "steel" / "scratch").iterdir())
    spread = spread_of([tmp_path / "broken.jpg", *paths])
    assert spread is not None
    assert 0 < spread < TEXTURE_SPREAD / 2


def test_doctor_names_the_settings_in_both_directions(tmp_path: Path) -> None:
    write_scratches(tmp_path / "steel", 3)
    texture = sorted((tmp_path / "steel" / "scratch").iterdir())
    scenes = [each.image for each in write_synthetic(tmp_path / "s", images=4).split("train")]
    contrast = Config(cues=CuesConfig(saliency="local_contrast"))

    def level_and_fix(pictures: list[Path], config: Config) -> tuple[str, str]:
        (found,) = check_textures(pictures, config)
        return found.level, found.fix

    assert level_and_fix(texture, contrast) == level_and_fix(scenes, Config()) == ("ok", "")
    level, fix = level_and_fix(texture, Config())
    assert level == "warning"
    assert '--cues.saliency "local_contrast" --cues.saliency_weight 3' in fix
    level, fix = level_and_fix(scenes, contrast)
    assert level == "warning"
    assert "--cues.saliency border_geodesic" in fix
    maps = Config(data=DataConfig(root=tmp_path, saliency=tmp_path))
    assert list(check_textures(texture, maps)) == []


def test_cells_are_no_limit_where_masks_go_by_contrast(tmp_path: Path) -> None:
    write_scratches(tmp_path, 4)
    assert main(["init", str(tmp_path), "--val", "0"]) == 0
    records = FolderDataset(tmp_path).split("train")
    assert len(list(check_widths(records, ("background", "scratch"), 97))) == 1
    assert list(check_widths(records, ("background", "scratch"), 97, contrast=True)) == []


def test_odds_of_objects_go_with_the_contrast_of_each_pixel(tmp_path: Path) -> None:
    np.testing.assert_allclose(
        contrast_odds(np.array([0.0, 0.2, 0.4])), np.exp([-2.0, 0.0, 2.0]), rtol=1e-6
    )
    write_scratches(tmp_path, 1)
    image = read_image(tmp_path / "scratch" / "00.png")
    model = Even(1.0, 0.0, -1.0)
    plain = image_probabilities(model, image, 97, scales=(1,))  # type: ignore[arg-type]
    found = image_probabilities(model, image, 97, scales=(1,), contrast=True)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.sum(0), 1, rtol=1e-5)
    factor = np.exp(10 * (local_contrast(image) - 0.2))
    for label in (1, 2):
        odds = found[label] / found[0] / (plain[label] / plain[0])
        np.testing.assert_allclose(odds, factor, rtol=1e-3)


def test_class_of_every_picture_has_its_cues_from_the_saliency_alone(tmp_path: Path) -> None:
    write_scratches(tmp_path / "steel", 5)
    config = str(tmp_path / "steel" / "config.yaml")
    assert main(["init", str(tmp_path / "steel"), "--val", "0"]) == 0
    small = ["--model.backbone=small", "--data.size=97", "--classify.epochs=1"]
    options = ["--config", config, *small, "--out", str(tmp_path / "run")]
    assert main(["classify", *options]) == 0
    assert main(["cues", *options]) == 0
    cues = load_cues(tmp_path / "run" / "cues" / "cues.npz")
    limit = json.loads((tmp_path / "run" / "cues" / "thresholds.json").read_text())
    for record in FolderDataset(tmp_path / "steel").split("train"):
        saliency = saliency_to_grid(local_contrast(read_image(record.image)), 13, 13)
        silent, present = np.zeros((1, 13, 13)), np.ones(2, dtype=bool)
        threshold = limit["scratch"]["threshold"]
        wanted = make_cues(silent, saliency, present, foreground=threshold, saliency_weight=3)
        np.testing.assert_array_equal(cues[record.name], wanted)


def test_run_without_options_is_above_every_trivial_baseline(tmp_path: Path) -> None:
    """The settings of `init` but for a small network, on objects of a third of a cell."""
    write_scratches(tmp_path / "steel", 15)
    config = str(tmp_path / "steel" / "config.yaml")
    assert main(["init", str(tmp_path / "steel")]) == 0
    small = ["--model.backbone=small", "--data.size=97", "--model.dilation=2"]
    brief = ["--classify.epochs=1", "--train.epochs=10", "--train.batch_size=4"]
    brief += ["--train.lr=1e-3", "--train.validate_every=0", "--evaluate.pictures=0"]
    out = tmp_path / "run"
    assert main(["run", "--config", config, *small, *brief, "--out", str(out)]) == 0
    scores = json.loads((out / "graph_cut" / "metrics.json").read_text())["val"]
    assert "are above every trivial baseline" in scores["verdict"]
    assert scores["miou"] > scores["baselines"]["all_background"]["miou"] + 0.1
    assert "local contrast's odds" in scores["protocol"]
