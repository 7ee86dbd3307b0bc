"""Prediction of any images by a checkpoint alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dgcn.cli import main
from dgcn.data import read_image, read_mask
from dgcn.pipeline.portable import find_checkpoint, load_classifier_beside, load_portable
from dgcn.pipeline.prediction import find_images
from dgcn.report import class_colours, drawn_over, overlay


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_files_folders_and_globs_name_pictures(tmp_path: Path) -> None:
    a, b, deep = (
        tmp_path / "in" / "a.jpg",
        tmp_path / "in" / "b.PNG",
        tmp_path / "in" / "x" / "a.jpeg",
    )
    touch(a, b, deep, tmp_path / "in" / "notes.txt")
    folder = str(tmp_path / "in")
    assert find_images([folder]) == {"a": a, "b": b}
    assert find_images([str(a)]) == {"a": a}
    assert find_images([f"{folder}/*.jpg"]) == {"a": a}
    assert find_images([f"{folder}/**/a.*"]) == {"a": a, "x/a": deep}
    assert find_images([folder, str(a), f"{folder}/x"]) == {"a": a, "b": b, "x/a": deep}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("{}/none.jpg", "images: no such file or folder: .*none.jpg"),
        ("{}/*.txt", r"images: no image matches '.*\*\.txt'"),
        ("{}/empty", "images: no image in .*empty"),
    ],
)
def test_what_names_no_picture_is_said(tmp_path: Path, pattern: str, expected: str) -> None:
    touch(tmp_path / "a.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=expected):
        find_images([pattern.format(tmp_path)])


def test_pictures_that_would_share_a_mask_are_refused(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"several files in .* are named 'a': a\.jpg, a\.png"):
        find_images([str(tmp_path)])
    with pytest.raises(ValueError, match="name at least one file"):
        find_images([])


def test_checkpoint_alone_predicts_as_its_run_did(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Classes, size, scales and CRF come from the file: the masks are those of `dgcn run`."""
    shutil.copy(tiny_run / "graph_cut" / "last.pt", tmp_path / "net.pt")
    images = next((tiny_run / "data").glob("shapes-*")) / "images"
    shutil.copytree(images, tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    assert main(["predict", "--checkpoint", "net.pt", "--images", "photos/val_*.png"]) == 0
    masks = tmp_path / "predictions" / "masks"
    assert sorted(path.stem for path in masks.iterdir()) == [f"val_0000{i}" for i in range(3)]
    for path in masks.iterdir():
        expected = read_mask(tiny_run / "graph_cut" / "predictions" / "val" / path.name)
        np.testing.assert_array_equal(read_mask(path), expected)
        shown = read_image(tmp_path / "predictions" / "overlays" / f"{path.stem}.jpg")
        assert shown.shape[0] > expected.shape[0] + 20  # the legend
    arguments = ["predict", "--checkpoint", "net.pt", "--images", "photos/val_00000.png"]
    assert (
        main([*arguments, "--out", "other", "--overlays", "false", "--evaluate.crf", "true"]) == 0
    )
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["masks"]


def test_checkpoint_does_not_decide_what_is_imported(tiny_run: Path, tmp_path: Path) -> None:
    content = torch.load(tiny_run / "graph_cut" / "last.pt", weights_only=True)
    own = "dgcn.models.small:SmallNet"  # as a class of the user's own is named
    content["network"]["settings"]["model"]["backbone"] = own
    torch.save(content, tmp_path / "own.pt")
    with pytest.raises(ValueError, match=f"--model.backbone {own} allows it to be imported"):
        load_portable(tmp_path / "own.pt")
    x = torch.randn(1, 3, 81, 81)
    ours, plain = (
        load_portable(tmp_path / "own.pt", backbone=own),
        load_portable(tiny_run / "graph_cut" / "last.pt"),
    )
    with torch.no_grad():
        assert torch.equal(ours.model(x).logits, plain.model(x).logits)


def test_checkpoint_is_read_once(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    real = torch.load

    def counted(*arguments: object, **options: object) -> object:
        reads.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr(torch, "load", counted)
    image = next((tiny_run / "data").glob("*/images/val_*.png"))
    path = tiny_run / "graph_cut" / "last.pt"
    command = ["predict", "--checkpoint", str(path), "--images", str(image)]
    assert main([*command, "--out", str(tmp_path / "found")]) == 0
    assert len(reads) == 1
    assert (tmp_path / "found" / "masks" / f"{image.stem}.png").is_file()


def test_overlay_has_a_legend_of_what_is_in_it() -> None:
    classes = ("background", "cat", "dog")
    image = np.full((50, 300, 3), 90, dtype=np.uint8)
    mask = np.zeros((50, 300), dtype=np.uint8)
    mask[:, 100:] = 2
    drawn = drawn_over(image, mask, classes)
    np.testing.assert_array_equal(drawn[:50], overlay(image, mask, classes))
    below = {tuple(pixel) for pixel in drawn[56:].reshape(-1, 3).tolist()}
    red, blue = (tuple(colour) for colour in class_colours(3)[1:].tolist())
    assert blue in below
    assert red not in below
    large = drawn_over(
        np.zeros((1000, 3200, 3), np.uint8), np.zeros((1000, 3200), np.uint8), classes
    )
    assert large.shape[1] == 1600


def test_damaged_picture_is_named_and_the_others_are_done(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    touch(tmp_path / "in" / "a.heic")
    for name in ("b.jpg", "c.webp", "d.bmp"):
        Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "in" / name)
    network = str(tiny_run / "graph_cut" / "last.pt")
    arguments = ["predict", "--checkpoint", network, "--images", str(tmp_path / "in")]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "1 of 4 images could not be read, the others are done: " in said
    assert "a.heic: cannot be read as an image" in said
    for name in ("b", "c", "d"):
        assert read_mask(tmp_path / "out" / "masks" / f"{name}.png").shape == (20, 30)


@pytest.mark.parametrize("devices", [1, 2])
def test_missing_picture_does_not_stop_the_others(
    tiny_run: Path, tmp_path: Path, devices: int
) -> None:
    """Nor does a folder that is named like an image; every process says what any has missed."""
    folder = tmp_path / "in"
    (folder / "album.jpg").mkdir(parents=True)
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(folder / "a.png")
    (folder / "b.jpg").symlink_to(tmp_path / "nowhere.jpg")
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(folder / "c.png")
    command = [sys.executable, "-m", "dgcn", "predict", "--images", str(folder)]
    command += ["--checkpoint", str(tiny_run / "graph_cut" / "last.pt")]
    command += ["--out", str(tmp_path / "out"), f"--runtime.devices={devices}"]
    command += ["--runtime.device=cpu"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "1 of 3 images could not be read, the others are done: " in done.stderr
    assert sorted(path.name for path in (tmp_path / "out" / "masks").iterdir()) == [
        "a.png",
        "c.png",
    ]


def test_network_is_found_in_folders(tiny_run: Path, tmp_path: Path) -> None:
    last = tiny_run / "graph_cut" / "last.pt"
    assert find_checkpoint(tiny_run) == find_checkpoint(tiny_run / "graph_cut") == last
    with pytest.raises(FileNotFoundError, match="no trained segmentation network in"):
        find_checkpoint(tmp_path)
    for kind in ("graph_cut", "static"):
        (tmp_path / kind).mkdir()
        shutil.copy(last, tmp_path / kind)
    with pytest.raises(ValueError, match=r"several trained networks, name one .*static.last\.pt"):
        find_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--checkpoint", "/none.pt", "--images", "x"), "no such checkpoint: /none.pt"),
        (("--checkpoint", "{run}"), "--checkpoint needs --images"),
        (
            ("--checkpoint", "{run}/classifier/last.pt", "--images", "x"),
            "is the checkpoint of a classifier; masks come from the segmentation network",
        ),
        (("--checkpoint", "{run}", "--images", "/no/where"), "no such file or folder: /no/where"),
    ],
)
def test_wrong_prediction_is_one_line(
    arguments: tuple[str, ...], expected: str, tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", *(part.format(run=tiny_run) for part in arguments)]) == 2
    printed = capsys.readouterr().err
    assert expected in printed
    assert printed.count("\n") == 1


def test_checkpoint_of_a_newer_program_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    content = torch.load(tiny_run / "graph_cut" / "last.pt", weights_only=True)
    content["network"]["settings"]["model"]["wings"] = 2
    torch.save(content, tmp_path / "new.pt")
    with pytest.raises(ValueError, match=r"written by another dgcn: unknown model\.wings"):
        load_portable(tmp_path / "new.pt")


def test_checkpoint_sets_nothing_but_what_describes_its_network(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = torch.load(tiny_run / "graph_cut" / "last.pt", weights_only=True)
    content["network"]["settings"] |= {"out": str(tmp_path / "elsewhere"), "train": {"epochs": 0}}
    content["network"]["settings"]["model"]["weights"] = "/etc/passwd"
    torch.save(content, tmp_path / "net.pt")
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    assert main(["predict", "--checkpoint", "net.pt", "--images", "a.png"]) == 0
    assert not (tmp_path / "elsewhere").exists()
    assert (tmp_path / "predictions" / "masks" / "a.png").is_file()


@pytest.mark.parametrize(
    "change",
    [
        {"classes": ["background"]},
        {"classes": 3},
        {"settings": {}},
        {"settings": {"data": {"size": torch.zeros(2)}, "model": {}}},
        {"settings": {"data": {"size": 81}, "model": {}}},
        {"settings": {"data": {"size": 81}, "model": {"backbone": 3}}},
        {"settings": {"data": {"size": 81}, "model": {"backbone": "small", 5: 1}}},
    ],
)
def test_checkpoint_that_describes_itself_wrongly_is_refused(
    tiny_run: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    content = torch.load(tiny_run / "graph_cut" / "last.pt", weights_only=True)
    content["network"] |= change
    torch.save(content, tmp_path / "net.pt")
    with pytest.raises(ValueError, match=r"net\.pt does not describe its network rightly"):
        load_portable(tmp_path / "net.pt")


def test_a_classifier_that_describes_itself_wrongly_is_refused(
    tiny_run: Path, tmp_path: Path
) -> None:
    (tmp_path / "classifier").mkdir()
    content = torch.load(tiny_run / "classifier" / "last.pt", weights_only=True)
    broken = tmp_path / "classifier" / "last.pt"
    beside = tmp_path / "graph_cut" / "last.pt"
    torch.save({**content, "model": {**content["model"], "head.weight": 3}}, broken)
    with pytest.raises(ValueError, match=r"last\.pt does not fit the network it describes"):
        load_classifier_beside(beside)
    content["network"]["settings"]["model"]["backbone"] = None
    torch.save(content, broken)
    with pytest.raises(ValueError, match=r"last\.pt does not describe its network rightly"):
        load_classifier_beside(beside)
