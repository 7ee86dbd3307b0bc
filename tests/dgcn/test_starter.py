"""`dgcn init`: configuration and labels of a folder that has neither."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from layouts import draw
from PIL import Image
from safetensors.torch import save_file

from dgcn.cli import main
from dgcn.config import ClassifyConfig
from dgcn.data import FolderDataset
from dgcn.models import EfficientNetLite0, SmallNet, WeightsError
from dgcn.options import load_config
from dgcn.starter import hold_out, start
from dgcn.starter_config import TEMPLATE, configuration, filled
from dgcn.supervision import GraphCut


def labels_of(root: Path) -> dict[str, set[str]]:
    dataset = FolderDataset(root)
    return {r.name: {dataset.classes[i] for i in r.labels} for r in dataset.split("all")}


def test_folder_a_class_gives_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for index in range(6):
        draw(tmp_path / "cat" / f"c{index}.png", index)
        draw(tmp_path / "polar bear" / f"b{index}.png", 50 + index)
    draw(tmp_path / "Background" / "sky.png", 200)
    draw(tmp_path / "cat" / "both.png", 100)
    draw(tmp_path / "polar bear" / "both.png", 100)  # the same image: both labels
    draw(tmp_path / "cat" / "1.png", 120)
    draw(tmp_path / "polar bear" / "1.png", 121)  # another image of that name
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.png")}
    assert main(["init", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "16 images" in printed
    assert '2 classes: cat, "polar bear"' in printed
    assert f"next: dgcn doctor --config {tmp_path / 'config.yaml'}" in printed
    expected = {
        **{f"c{i}": {"cat"} for i in range(6)},
        **{f"b{i}": {"polar bear"} for i in range(6)},
        "sky": set(),
        "both": {"cat", "polar bear"},
        "1": {"cat"},
        "polar_bear_1": {"polar bear"},
    }
    assert labels_of(tmp_path) == expected
    assert {path: path.read_bytes() for path in before} == before
    dataset = FolderDataset(tmp_path)
    held_out = {record.name for record in dataset.split("val")}
    assert len(held_out) == 3
    assert len(dataset.split("train")) == 13
    config = load_config(tmp_path / "config.yaml")
    assert config.data.root == tmp_path.resolve()
    cut = config.supervision.method
    assert cut == GraphCut(image_labels_only=True, unary="crf", cut_background=True)
    assert config.retrain.loss == "balanced"
    assert config.retrain.init == "classifier"
    assert (config.classify.epochs, config.train.epochs) == (30, 30)  # one step an epoch
    assert config.out == Path("runs") / tmp_path.name


def test_flat_folder_gives_a_list_to_fill_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw(tmp_path / "a.png", 1)
    draw(tmp_path / "b.jpg", 2)
    draw(tmp_path / "b.png", 3)
    assert main(["init", str(tmp_path), "--val", "0"]) == 0
    assert "no labels yet" in capsys.readouterr().out
    labels = tmp_path / "labels.csv"
    assert labels.read_text() == "image,labels\na.png,\nb.jpg,\nb_png.png,\n"
    assert not (tmp_path / "val.txt").exists()
    labels.write_text("image,labels\na.png,cat\nb.jpg,dog\nb_png.png,\n")
    assert labels_of(tmp_path) == {"a": {"cat"}, "b": {"dog"}, "b_png": set()}


def test_labels_that_were_filled_in_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(10):
        draw(tmp_path / f"{index}.png", index)
    draw(tmp_path / "0.jpg", 50)  # becomes images/0_png.png and 0.jpg
    weights = tmp_path / "w.pth"
    torch.save(SmallNet().state_dict(), weights)
    assert main(["init", str(tmp_path), "--weights", str(weights)]) == 0
    labels = tmp_path / "labels.csv"
    rows = [f"{index},dog cat" if index < 5 else f"{index}.png,dog" for index in range(1, 10)]
    labels.write_text("image,labels\n" + "\n".join(rows) + "\n")
    given = {str(i): {"dog", "cat"} if i < 5 else {"dog"} for i in range(1, 10)}
    capsys.readouterr()
    assert main(["init", str(tmp_path)]) == 0
    assert "Without ImageNet weights" not in capsys.readouterr().out  # the settings name them
    for _ in range(2):
        assert main(["init", str(tmp_path), "--force"]) == 0
        assert labels_of(tmp_path) == {**given, "0": set(), "0_png": set()}
    held_out = (tmp_path / "val.txt").read_text().split()
    assert any("cat" in given.get(name, ()) for name in held_out)  # as the labels now say
    assert (tmp_path / "labels.csv.bak").read_text().count("dog") == 9
    assert not (tmp_path / "labels.csv.bak2").exists()
    labels.write_text("image,labels\n1,cat\n")
    assert main(["init", str(tmp_path), "--force"]) == 0
    assert "labels.csv is kept as labels.csv.bak2" in capsys.readouterr().out
    assert (tmp_path / "labels.csv.bak2").read_text() == "image,labels\n1,cat\n"


def test_pictures_that_are_not_used_are_counted(tmp_path: Path) -> None:
    (tmp_path / "phone.HEIC").write_bytes(b"")
    remark = (
        "left aside, pictures of a kind that is not read (.heic; save them as jpg or png): 1, "
        "e.g. phone.HEIC"
    )
    with pytest.raises(ValueError, match=re.escape(remark)):
        start(tmp_path)
    draw(tmp_path / "a.jpg", 1)
    draw(tmp_path / "a.png", 2)  # becomes images/a_png.png
    assert start(tmp_path, val=0).remarks[0] == remark
    assert start(tmp_path, val=0).remarks == (remark,)
    draw(tmp_path / "images" / "mine.jpg", 3)
    draw(tmp_path / "new.jpg", 4)
    begun = start(tmp_path, val=0)
    assert begun.remarks[1] == "left aside, pictures beside images/: 1, e.g. new.jpg"
    assert begun.images == 3


def test_commands_are_as_a_shell_needs_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my photos"
    draw(folder / "cat" / "a.png", 1)
    assert main(["init", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert f"doctor --config '{folder}/config.yaml'\n" in printed
    assert f"run --config '{folder}/config.yaml'\n" in printed
    comments = (folder / "config.yaml").read_text()
    assert f"run --config '{folder}/config.yaml' " in comments
    assert "dgcn report 'runs/my photos'\n" in comments


def test_images_folder_is_used_where_it_is(tmp_path: Path) -> None:
    draw(tmp_path / "images" / "a.png", 1)
    assert start(tmp_path, val=0).images == 1
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["a.png"]
    other = tmp_path / "other"
    draw(other / "images" / "cat" / "a.png", 1)
    draw(other / "images" / "ant" / "b.png", 2)
    (other / "masks").mkdir()
    begun = start(other, val=0)
    assert begun.classes == ("ant", "cat")
    assert "masks/: their values are taken as 0 background, 1 ant, 2 cat (or classes.txt)" in (
        begun.remarks
    )
    assert labels_of(other) == {"a": {"cat"}, "b": {"ant"}}


def test_nothing_is_overwritten_without_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(5):
        draw(tmp_path / "cat" / f"{index}.png", index)
    assert main(["init", str(tmp_path)]) == 0
    names = ("config.yaml", "labels.csv", "val.txt")
    for name in names:
        (tmp_path / name).write_text("mine\n")
    capsys.readouterr()
    assert main(["init", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("which was there already") == 3
    assert {(tmp_path / name).read_text() for name in names} == {"mine\n"}
    assert main(["init", str(tmp_path), "--force"]) == 0
    assert (tmp_path / "labels.csv.bak").read_text() == "mine\n"
    assert len(labels_of(tmp_path)) == 5
    assert load_config(tmp_path / "config.yaml").data.root == tmp_path.resolve()


def test_weights_are_named_in_the_configuration(tmp_path: Path) -> None:
    draw(tmp_path / "set" / "cat" / "a.png", 1)
    weights = tmp_path / "w # 1.pth"
    torch.save(SmallNet().state_dict(), weights)
    start(tmp_path / "set", weights=weights)
    config = load_config(tmp_path / "set" / "config.yaml")
    assert config.model.weights == weights.resolve()
    assert config.model.backbone == "small"
    defaults = ClassifyConfig()
    assert (config.classify.lr, config.classify.head_lr_factor) == (
        defaults.lr,
        defaults.head_lr_factor,
    )


def test_the_backbone_and_its_rates_follow_from_the_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw(tmp_path / "cat" / "a.png", 1)
    draw(tmp_path / "dog" / "b.png", 2)
    weights = tmp_path / "published.safetensors"
    published = {**EfficientNetLite0().state_dict(), "_fc.weight": torch.zeros(1000, 1280)}
    save_file(published, weights)
    assert main(["init", str(tmp_path), "--weights", str(weights)]) == 0
    config = load_config(tmp_path / "config.yaml")
    assert config.model.backbone == "efficientnet_lite0"
    assert (config.classify.lr, config.classify.head_lr_factor) == (3e-3, 30)
    said = "has the weights of efficientnet_lite0: model.backbone is set to it with classify.lr"
    assert said in capsys.readouterr().out
    chain = config.classify.frozen, config.train.init, config.model.output_stride
    assert chain == (True, "classifier_and_head", 16)
    assert config.classify.epochs >= 20
    assert config.cues.scales == (1.0, 1.5)
    # The paper's chain trains its classifier as a whole.
    assert main(["init", str(tmp_path), "--weights", str(weights), "--paper", "--force"]) == 0
    config = load_config(tmp_path / "config.yaml")
    assert (config.classify.frozen, config.train.init) == (False, "weights")
    assert (config.model.output_stride, config.classify.lr) == (8, 3e-3)


def test_weights_of_no_backbone_are_said_to_be(tmp_path: Path) -> None:
    draw(tmp_path / "cat" / "a.png", 1)
    weights = tmp_path / "own.safetensors"
    save_file({"mine.weight": torch.zeros(2)}, weights)
    begun = start(tmp_path, weights=weights)
    assert any("own.safetensors fits none of the backbones small" in line for line in begun.remarks)
    assert load_config(tmp_path / "config.yaml").model.backbone == "squeezenet"
    weights.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=r"own\.safetensors cannot be read as weights"):
        start(tmp_path, weights=weights)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("/no/where",), "no such folder: /no/where"),
        (("{}",), "no jpg, png, webp, bmp or tif picture in"),
        (("{}", "--val", "1"), "val must be in [0, 1), got 1.0"),
        (("{}", "--weights", "/w.pth"), "weights: no such file: /w.pth"),
    ],
)
def test_wrong_init_is_one_line(
    arguments: tuple[str, ...],
    expected: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["init", *(part.format(tmp_path) for part in arguments)]) == 2
    printed = capsys.readouterr().err
    assert expected in printed
    assert printed.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@given(
    st.dictionaries(
        st.text("abcdef", min_size=1), st.sampled_from([(), ("x",), ("x", "y"), ("z",)])
    ),
    st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9]),
)
def test_every_class_keeps_most_of_its_pictures(
    labels: dict[str, tuple[str, ...]], share: float
) -> None:
    held_out = hold_out(labels, share)
    assert len(set(held_out)) == len(held_out)
    for first in {row[:1] for row in labels.values()}:
        own = [name for name, row in labels.items() if row[:1] == first]
        taken = len(set(own) & set(held_out))
        assert taken == min(round(share * len(own)), len(own) - 1)


def test_filled_configuration_changes_the_named_fields_alone() -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    changed = filled(text, {"data.root": "/a b#c", "train.epochs": 3, "out": "x"})
    before, after = yaml.safe_load(text), yaml.safe_load(changed)
    before["data"]["root"], before["train"]["epochs"], before["out"] = "/a b#c", 3, "x"
    assert after == before
    assert changed.count("#") == text.count("#") + 1
    with pytest.raises(KeyError, match=r"data\.wings"):
        filled(text, {"data.wings": 2})


def test_epochs_suit_the_number_of_images(tmp_path: Path) -> None:
    """As many steps of 16 images as 309 photographs get (8 and 6 epochs of 20), within bounds."""
    for images, epochs in ((5, (30, 30)), (96, (27, 20)), (309, (8, 7)), (5000, (8, 7))):
        settings = yaml.safe_load(configuration(tmp_path, images, None))
        assert (settings["classify"]["epochs"], settings["train"]["epochs"]) == epochs
        assert settings["train"]["step_size"] == max(3, -(-epochs[1] // 2))


def test_former_split_does_not_outlive_a_start_without_one(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for index in range(5):
            Image.new("RGB", (8, 8), (index, 0, 0)).save(tmp_path / name / f"{name}{index}.png")
    assert start(tmp_path).held_out == 2
    former = (tmp_path / "val.txt").read_text()
    begun = start(tmp_path, val=0)
    assert tmp_path / "val.txt" in begun.kept
    begun = start(tmp_path, val=0, force=True)
    assert not (tmp_path / "val.txt").exists()
    assert (tmp_path / "val.txt.bak").read_text() == former
    assert "the former val.txt is kept as val.txt.bak" in begun.remarks
