"""`dgcn init` in folders that follow a layout of VOC or COCO."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from layouts import draw, drawn, write_coco, write_voc
from PIL import Image

from dgcn.cli import main
from dgcn.options import load_config
from dgcn.pipeline.run import dataset_of
from dgcn.starter import start
from dgcn.supervision import GraphCut


def files_below(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if path.is_file()}


def only_changed(path: Path, before: set[Path], root: Path) -> bool:
    return files_below(root) - before == {path} and before <= files_below(root)


def test_voc_layout_gets_a_configuration_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = drawn(tmp_path / "source", 4, 2)
    devkit = tmp_path / "VOCdevkit"
    ids = write_voc(devkit / "VOC2012", source)
    before = files_below(devkit)
    assert main(["init", str(devkit)]) == 0
    printed = capsys.readouterr().out
    assert "6 images, 2 of them held out, 20 classes: aeroplane, bicycle" in printed
    assert "labels.csv" not in printed
    assert only_changed(devkit / "config.yaml", before, devkit)
    text = (devkit / "config.yaml").read_text()
    assert "# PASCAL VOC 2012: JPEGImages" in text
    config = load_config(devkit / "config.yaml")
    assert (config.data.kind, config.data.train_list) == ("voc", None)
    assert config.supervision.method == GraphCut(
        image_labels_only=True, unary="crf", cut_background=True
    )
    assert (config.retrain.init, config.retrain.loss) == ("classifier", "balanced")
    assert config.evaluate.classifier
    dataset = dataset_of(config, devkit)
    assert [r.name for r in dataset.split("train")] == [ids[r.name] for r in source.split("train")]

    listing = devkit / "VOC2012" / "ImageSets" / "Segmentation" / "train_aug.txt"
    listing.write_text("".join(f"{name}\n" for name in list(ids.values())[:3]))
    (devkit / "config.yaml").write_text("mine")
    assert main(["init", str(devkit)]) == 0
    assert (devkit / "config.yaml").read_text() == "mine"
    assert main(["init", str(devkit), "--force"]) == 0
    assert f"training images are those of {listing}" in capsys.readouterr().out
    config = load_config(devkit / "config.yaml")
    assert config.data.train_list == listing.resolve()
    assert len(dataset_of(config, devkit).split("train")) == 3
    (devkit / "VOC2012" / "ImageSets" / "Segmentation" / "val.txt").unlink()
    assert "set data.val_list" in start(devkit).remarks[-1]


@pytest.mark.parametrize("layout", ["folder", "voc"])
def test_paper_keeps_to_the_paper(layout: str, tmp_path: Path) -> None:
    source = drawn(tmp_path / "source", 4, 2)
    folder = tmp_path / "set"
    if layout == "voc":
        write_voc(folder, source)
    else:
        draw(folder / "cat" / "a.png", 1)
    assert main(["init", str(folder), "--paper"]) == 0
    config = load_config(folder / "config.yaml")
    assert config.supervision.method == GraphCut()
    assert (config.retrain.init, config.retrain.loss) == ("weights", "cross_entropy")
    assert not config.evaluate.classifier


def test_voc_without_annotations_has_the_labels_of_its_masks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = drawn(tmp_path / "source", 4, 2)
    ids = write_voc(tmp_path / "VOC2012", source)
    shutil.rmtree(tmp_path / "VOC2012" / "Annotations")
    assert main(["init", str(tmp_path)]) == 0
    assert "the image-level labels are the classes of the masks" in capsys.readouterr().out
    config = load_config(tmp_path / "config.yaml")
    assert config.data.labels == "masks"
    found = dataset_of(config, tmp_path)
    assert len(found.split("all")) == len(ids) == 6
    for record in found.split("all"):
        mask = np.asarray(Image.open(tmp_path / f"VOC2012/SegmentationClass/{record.name}.png"))
        assert record.labels == tuple(sorted(set(mask.ravel().tolist()) - {0, 255}))

    shutil.rmtree(tmp_path / "VOC2012" / "SegmentationClass")
    assert main(["init", str(tmp_path), "--force"]) == 2
    assert "no mask to take the labels of image" in capsys.readouterr().err


def test_coco_layout_gets_a_configuration_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "coco"
    write_coco(root, drawn(tmp_path / "source", 4, 2))
    before = files_below(root)
    assert main(["init", str(root)]) == 0
    assert "5 classes: person, car, traffic_light" in capsys.readouterr().out
    assert only_changed(root / "config.yaml", before, root)
    assert "# folder to paint masks into" in (root / "config.yaml").read_text()
    config = load_config(root / "config.yaml")
    assert (config.data.kind, config.data.masks) == ("coco", None)
    assert len(dataset_of(config, root).split("train")) == 4


def test_half_a_layout_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw(tmp_path / "JPEGImages" / "a.png", 1)
    assert main(["init", str(tmp_path)]) == 2
    assert "list of training images not found" in capsys.readouterr().err
    draw(tmp_path / "images" / "a.png", 1)
    assert main(["init", str(tmp_path)]) == 2
    assert "has the parts of folder and voc" in capsys.readouterr().err
    assert not (tmp_path / "config.yaml").exists()
