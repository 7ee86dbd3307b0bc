"""`dgcn init` on folders whose labels are drawn: LabelMe's files and CVAT's."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from safetensors.torch import save_file

from dgcn.cli import main
from dgcn.cues import load_cues
from dgcn.data import DataError, FolderDataset
from dgcn.doctor.dataset import check_dataset
from dgcn.models import SqueezeNet
from dgcn.new_pictures import new_pictures
from dgcn.options import config_with, load_config
from dgcn.pipeline.run import open_run
from dgcn.starter import start
from dgcn.training.console import Console


def picture(path: Path, number: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(number)
    Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(path)


def labelme(path: Path, *labels: str, flags: tuple[str, ...] = (), kind: str = "rectangle") -> None:
    shapes: list[dict[str, Any]] = [
        {"label": label, "points": [[5, 5], [30, 20]], "shape_type": kind} for label in labels
    ]
    content = {"shapes": shapes, "flags": dict.fromkeys(flags, True) | {"unset": False}}
    path.write_text(json.dumps(content))


def labels_of(root: Path) -> dict[str, set[str]]:
    dataset = FolderDataset(root)
    return {
        record.name: {dataset.classes[label] for label in record.labels}
        for record in dataset.split("all")
    }


def drawn_of(root: Path) -> str | None:
    content = yaml.safe_load((root / "config.yaml").read_text())
    drawn: str | None = content["cues"]["drawn"]
    return drawn


def test_labelme_files_beside_pictures_are_labels_and_cues(tmp_path: Path) -> None:
    for number in range(8):
        picture(tmp_path / "photos" / f"p{number}.jpg", number)
    labelme(tmp_path / "photos" / "p0.json", "cat", "traffic light")
    labelme(tmp_path / "photos" / "p1.json", "cat", flags=("wet",))
    labelme(tmp_path / "photos" / "p2.json")  # looked at, nothing in it
    labelme(tmp_path / "photos" / "p3.json", "dog", "_background_")
    labelme(tmp_path / "photos" / "other.json", "dog")
    (tmp_path / "photos" / "package.json").write_text("{}")
    begun = start(tmp_path, val=0)
    assert labels_of(tmp_path) == {
        "p0": {"cat", "traffic light"},
        "p1": {"cat", "wet"},
        "p2": set(),
        "p3": {"dog"},
    }
    assert drawn_of(tmp_path) == str(tmp_path / "photos")
    said = "\n".join(begun.remarks)
    assert "labels of 4 pictures are those drawn on them (4 files)" in said
    assert "4 pictures without a drawing are not in labels.csv" in said
    assert "left aside, drawings that belong to no picture: 1, e.g. photos/other.json" in said
    assert "left aside, files that are no pictures (.json): 1, e.g. photos/package.json" in said


def test_labels_of_folders_and_drawings_are_joined(tmp_path: Path) -> None:
    picture(tmp_path / "cat" / "1.jpg")
    picture(tmp_path / "dog" / "2.jpg", 1)
    labelme(tmp_path / "cat" / "1.json", "dog", kind="cuboid")
    begun = start(tmp_path, val=0)
    assert labels_of(tmp_path) == {"1": {"cat", "dog"}, "2": {"dog"}}
    assert drawn_of(tmp_path) is None  # it says what, not where
    assert begun.classes == ("cat", "dog")


def test_cvat_file_gives_labels_and_cues(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = []
    for number in range(6):
        picture(tmp_path / f"p{number}.jpg", number)
        shape = '<box label="cat" xtl="8" ytl="8" xbr="40" ybr="40"/>' if number < 3 else ""
        tag = '<tag label="big dog"/>' if number in (2, 3) else ""
        entries.append(f'<image name="p{number}.jpg" width="64" height="48">{shape}{tag}</image>')
    file = tmp_path / "annotations.xml"
    file.write_text(f"<annotations>{''.join(entries)}</annotations>")
    assert main(["init", str(tmp_path), "--val", "0"]) == 0
    said = capsys.readouterr().out
    assert "annotations.xml: 2 pictures without annotation are taken as background alone" in said
    assert f"cues.drawn is {file}" in said
    config = load_config(tmp_path / "config.yaml")
    half = math.ceil(config.train.epochs / 2)
    assert config.supervision.graph_cut.cues_only_epochs == half > 0  # type: ignore[attr-defined]
    assert config.cues.refine == "none"
    save_file(SqueezeNet().state_dict(), tmp_path / "weights.safetensors")
    known = ["--weights", str(tmp_path / "weights.safetensors"), "--val", "0", "--force"]
    assert main(["init", str(tmp_path), *known]) == 0
    config = load_config(tmp_path / "config.yaml")
    assert config.cues.refine == "random_walker"
    assert config.supervision.graph_cut.cues_only_epochs == 0  # type: ignore[attr-defined]
    assert main(["init", str(tmp_path), "--val", "0", "--force"]) == 0
    capsys.readouterr()
    cat, dog = {"cat"}, {"big dog"}
    assert labels_of(tmp_path) == dict(
        zip((f"p{n}" for n in range(6)), (cat, cat, cat | dog, dog, set(), set()), strict=True)
    )
    given = ["--config", str(tmp_path / "config.yaml"), "--out", str(tmp_path / "run")]
    small = ["--data.size=41", "--model.backbone=small", "--classify.epochs=1"]
    assert main(["classify", *given, *small, "--runtime.device=cpu"]) == 0
    assert main(["cues", *given, *small, "--runtime.device=cpu"]) == 0
    assert "cues: drawn on 3 images" in capsys.readouterr().out
    cues = load_cues(tmp_path / "run" / "cues" / "cues.npz")
    background, big_dog, a_cat = cues["p0"]
    assert (background[0].all(), background[-1].all()) == (True, True)  # outside of the box
    assert a_cat.any()
    assert not big_dog.any()


def test_faults_are_named(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    labelme(tmp_path / "a.json", "=cat")
    with pytest.raises(DataError, match=r"a\.json: a class name must not begin with ="):
        start(tmp_path)
    labelme(tmp_path / "a.json", "cat")
    image = '<image name="a.jpg" width="64" height="48"><tag label="cat"/></image>'
    (tmp_path / "b.xml").write_text(f"<annotations>{image}</annotations>")
    with pytest.raises(DataError, match=r"image 'a\.jpg': a\.jpg has another drawing, .*a\.json"):
        start(tmp_path)


def test_pictures_added_since_init_are_mentioned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(6):
        picture(tmp_path / ("traffic light, green", "cat")[number % 2] / f"{number}.jpg", number)
    start(tmp_path, val=0)
    dataset = FolderDataset(tmp_path)
    assert new_pictures(dataset) == []
    copied = tmp_path / "images" / "0.jpg"
    content = copied.read_bytes()
    copied.unlink()
    copied.write_bytes(content)  # where links cannot be made, there are copies
    assert new_pictures(dataset) == []
    picture(tmp_path / "cat" / "new.jpg", 9)
    picture(tmp_path / "dog" / "2.jpg", 10)  # another picture of a name that is there
    picture(tmp_path / "images" / "loose.jpg", 11)
    added = [tmp_path / "cat" / "new.jpg", tmp_path / "dog" / "2.jpg"]
    dataset = FolderDataset(tmp_path)
    assert new_pictures(dataset) == added
    with open_run(config_with({"data": {"root": tmp_path}, "out": tmp_path / "run"})):
        said = capsys.readouterr().out
    assert "data: 1 images in images/ are not in labels.csv, and not used, e.g. loose.jpg" in said
    assert "data: 2 pictures are new since 'dgcn init', and not used, e.g. cat/new.jpg" in said
    config = config_with({"data": {"root": tmp_path}})
    console = Console(quiet=True)
    found = {each.what: each.fix for each in check_dataset(config, tmp_path, console)}
    assert found["pictures that are new since 'dgcn init', and not used (2): "
                 "cat/new.jpg, dog/2.jpg"] == f"dgcn init {tmp_path} --force"  # fmt: skip
    assert 'training images of each class: cat 3, "traffic light, green" 3' in found
