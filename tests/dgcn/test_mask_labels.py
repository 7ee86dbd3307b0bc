"""`dgcn init` where masks alone say what pictures show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dgcn.cli import main
from dgcn.data import FolderDataset
from dgcn.options import load_config
from dgcn.pipeline.run import dataset_of
from dgcn.starter import start

COLOURS = {"sky": (128, 128, 128), "road": (128, 64, 128), "car": (64, 0, 128)}


def picture(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, *path.stem.encode()])
    Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(path)


def mask(path: Path, values: list[int]) -> None:
    """A band of rows for each value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = np.repeat(np.array(values, np.uint8), 144 // len(values)).reshape(12, 12)
    Image.fromarray(bands).save(path)


def coloured(path: Path, names: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = np.array([COLOURS[name] for name in names], np.uint8)
    pixels = np.repeat(bands, 12 // len(names), axis=0)[:, None].repeat(12, axis=1)
    Image.fromarray(pixels).save(path)


def labels_of(root: Path) -> dict[str, set[str]]:
    dataset = dataset_of(load_config(root / "config.yaml"), root)
    dataset.check(dataset.split("all"))
    return {r.name: {dataset.classes[k] for k in r.labels} for r in dataset.split("all")}


def test_one_value_is_an_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, values in {"a": [0, 255], "b": [0, 0], "c": [255, 255]}.items():
        picture(tmp_path / "images" / f"{name}.jpg")
        mask(tmp_path / "masks" / f"{name}.png", values)
    picture(tmp_path / "images" / "d.jpg")
    assert main(["init", str(tmp_path), "--val", "0"]) == 0
    said = capsys.readouterr().out
    assert "labels of 3 pictures are the classes of their masks" in said
    assert "1 pictures without a readable mask are not in labels.csv and not used" in said
    assert labels_of(tmp_path) == {"a": {"object"}, "b": set(), "c": {"object"}}
    dataset = dataset_of(load_config(tmp_path / "config.yaml"), tmp_path)
    assert np.unique(dataset.split("all")[0].truth()).tolist() == [0, 1]


def test_smoothed_outlines_are_no_classes(tmp_path: Path) -> None:
    values = [0] * 24 + [*range(16, 240, 14)] + [255] * 104
    picture(tmp_path / "images" / "a.jpg")
    picture(tmp_path / "images" / "b.jpg")
    mask(tmp_path / "masks" / "a.png", values)
    mask(tmp_path / "masks" / "b.png", [0])
    start(tmp_path, val=0)
    assert labels_of(tmp_path) == {"a": {"object"}, "b": set()}


@pytest.mark.parametrize("place", ["masks", "labels"])
def test_class_ids_have_numbers_for_names(place: str, tmp_path: Path) -> None:
    contents = {"a": [0, 1], "b": [11, 255], "c": [0, 2, 3, 5, 6, 7, 8, 9, 10, 0, 0, 0]}
    for name, values in contents.items():
        picture(tmp_path / "images" / f"{name}.jpg")
        mask(tmp_path / place / f"{name}.png", values)
    begun = start(tmp_path, val=0)
    assert tmp_path / "classes.txt" in begun.written  # 4 occurs nowhere
    found = labels_of(tmp_path)
    assert (found["a"], found["b"]) == ({"class01"}, {"class11"})
    assert found["c"] == {f"class{k:02}" for k in (2, 3, 5, 6, 7, 8, 9, 10)}
    (tmp_path / "classes.txt").write_text("background\n" + "".join(f"n{k}\n" for k in range(1, 12)))
    start(tmp_path, val=0, force=True)
    assert labels_of(tmp_path)["b"] == {"n11"}


def test_names_come_from_classes_txt(tmp_path: Path) -> None:
    for name, values in {"a": [0, 2], "b": [1, 255]}.items():
        picture(tmp_path / "images" / f"{name}.jpg")
        mask(tmp_path / "masks" / f"{name}.png", values)
    (tmp_path / "classes.txt").write_text("background\nzebra\nant\n")
    start(tmp_path, val=0)
    assert labels_of(tmp_path) == {"a": {"ant"}, "b": {"zebra"}}


def test_numbers_with_gaps_are_no_class_ids(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    mask(tmp_path / "masks" / "a.png", [0, 50, 100, 150])
    begun = start(tmp_path)
    assert begun.classes == ()
    assert any(remark.startswith("masks hold 50, 100, 150") for remark in begun.remarks)


def test_filled_in_labels_stand(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    picture(tmp_path / "images" / "b.jpg")
    mask(tmp_path / "masks" / "a.png", [0, 1])
    (tmp_path / "labels.csv").write_text("image,labels\na.jpg,crack\nb.jpg,\n")
    start(tmp_path, val=0)
    assert labels_of(tmp_path) == {"a": {"crack"}, "b": set()}


@pytest.mark.parametrize(
    ("pictures", "masks"),
    [
        ("{split}/{name}.jpg", "{split}_labels/{name}_L.png"),  # CamVid
        ("{split}/{name}.png", "{split}annot/{name}.png"),  # SegNet's
        ("images/{split}/{name}.jpg", "masks/{split}/{name}.png"),
        ("{split}_images/{name}.jpg", "{split}_masks/{name}.png"),
        ("{split}/{name}.jpg", "{split}/{name}_mask.png"),  # beside the picture
    ],
)
def test_colours_in_folders_as_they_come(pictures: str, masks: str, tmp_path: Path) -> None:
    contents = {"a": ["sky", "car"], "b": ["sky", "road"], "c": ["road", "car"], "d": ["car"]}
    for name, names in contents.items():
        split = "val" if name == "d" else "train"
        picture(tmp_path / pictures.format(split=split, name=name))
        coloured(tmp_path / masks.format(split=split, name=name), names)
    rows = [f"{name},{r},{g},{b}\n" for name, (r, g, b) in COLOURS.items()]
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\n" + "".join(rows))
    begun = start(tmp_path)
    assert "class_dict.csv says what the colours of masks mean" in " ".join(begun.remarks)
    assert not any("left aside" in remark for remark in begun.remarks), begun.remarks
    assert labels_of(tmp_path) == {name: set(names) for name, names in contents.items()}
    dataset = FolderDataset(tmp_path)
    assert [record.name for record in dataset.split("val")] == ["d"]
    assert dataset.classes == ("background", "sky", "road", "car")
    again = start(tmp_path, force=True)
    assert again.classes == begun.classes
    assert labels_of(tmp_path)["a"] == {"sky", "car"}


@pytest.mark.parametrize("place", ["masks", "labels"])
def test_class_ids_stay_ids_beside_a_list_of_colours(place: str, tmp_path: Path) -> None:
    for name, values in {"a": [0, 1], "b": [2, 255]}.items():
        picture(tmp_path / "images" / f"{name}.jpg")
        mask(tmp_path / place / f"{name}.png", values)
    (tmp_path / "classes.txt").write_text("background\nzebra\nant\n")
    (tmp_path / "colors.txt").write_text("0 0 0 background\n200 0 0 zebra\n0 200 0 ant\n")
    said = " ".join(start(tmp_path, val=0).remarks)
    assert "left aside, files that are no pictures (.txt): 1, e.g. colors.txt" in said
    assert not (tmp_path / "mask_colours.csv").exists()
    assert labels_of(tmp_path) == {"a": {"zebra"}, "b": {"ant"}}


def test_colours_without_a_list_are_left_aside(tmp_path: Path) -> None:
    picture(tmp_path / "cow" / "a.jpg")
    coloured(tmp_path / "masks" / "cow" / "a.png", ["sky", "car"])
    said = " ".join(start(tmp_path).remarks)
    assert (
        "coloured masks (say what colours mean in mask_colours.csv: class,red,green,blue)" in said
    )


def test_lists_of_values_as_roboflow_writes_them(tmp_path: Path) -> None:
    contents = {"train/a": [0, 2], "train/b": [1, 0], "valid/c": [2, 2]}
    for name, values in contents.items():
        picture(tmp_path / f"{name}.jpg")
        mask(tmp_path / f"{name}_mask.png", values)
        listing = (tmp_path / name).with_name("_classes.csv")
        listing.write_text("Pixel Value, Class\n0, background\n1, wheel\n2, bolt\n")
    begun = start(tmp_path)
    assert not any("left aside" in remark for remark in begun.remarks), begun.remarks
    assert labels_of(tmp_path) == {"a": {"bolt"}, "b": {"wheel"}, "c": {"bolt"}}
    assert FolderDataset(tmp_path).classes == ("background", "wheel", "bolt")


def test_a_run_and_the_doctor_take_coloured_masks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, names in {"a": ["sky", "car"], "b": ["road"], "c": ["sky"], "d": ["road"]}.items():
        picture(tmp_path / "images" / f"{name}.jpg")
        coloured(tmp_path / "masks" / f"{name}.png", names)
    rows = [f"{name},{r},{g},{b}\n" for name, (r, g, b) in COLOURS.items()]
    (tmp_path / "mask_colours.csv").write_text("class,red,green,blue\n" + "".join(rows))
    assert main(["init", str(tmp_path), "--val", "0"]) == 0
    assert "left aside" not in capsys.readouterr().out
    main(["doctor", "--config", str(tmp_path / "config.yaml")])
    said = capsys.readouterr().out
    assert "the classes of all 4 masks are those of the labels" in said
    coloured(tmp_path / "masks" / "a.png", ["sky"])
    Image.new("RGB", (12, 12), (9, 9, 9)).save(tmp_path / "masks" / "b.png")
    assert main(["doctor", "--config", str(tmp_path / "config.yaml")]) == 1
    assert "colour [9, 9, 9]" in capsys.readouterr().out
