"""Masks of one value beside 0, as 255: found by `dgcn init`, read as the class of the image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dgcn.cli import main
from dgcn.data import VOID, DataError, FolderDataset, open_dataset

LABELS = {"a": "cat", "b": "dog", "c": "", "d": "cat"}


def folder(root: Path, masks: dict[str, list[int]], labels: dict[str, str] = LABELS) -> Path:
    """Images of 8 x 8 pixels; a mask has a band of rows for each value."""
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    rng = np.random.default_rng(0)
    rows = ["image,labels"]
    for name, row in labels.items():
        picture = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(picture).save(root / "images" / f"{name}.png")
        rows.append(f"{name}.png,{row}")
    for name, values in masks.items():
        mask = np.repeat(np.array(values, np.uint8), 64 // len(values)).reshape(8, 8)
        Image.fromarray(mask).save(root / "masks" / f"{name}.png")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    return root


def test_value_stands_for_the_class_of_the_image(tmp_path: Path) -> None:
    masks = {"a": [0, 255], "b": [255, 0], "c": [0, 255], "d": [0, 7, 128, 255]}
    dataset = FolderDataset(folder(tmp_path / "set", masks), object_value=255)
    found = {record.name: record.truth() for record in dataset.split("all")}
    half = np.repeat([0, 1], 32).reshape(8, 8)
    np.testing.assert_array_equal(found["a"], half)  # cat
    np.testing.assert_array_equal(found["b"], 2 * (1 - half))  # dog
    np.testing.assert_array_equal(found["c"], VOID * half)  # of no known class
    np.testing.assert_array_equal(found["d"], np.repeat([0, VOID, VOID, 1], 16).reshape(8, 8))
    assert all(mask.dtype == np.uint8 for mask in found.values())
    dataset.check(dataset.split("all"))


def test_one_class_needs_no_label(tmp_path: Path) -> None:
    root = folder(tmp_path / "set", {"a": [0, 90], "b": [90, 0]}, {"a": "crack", "b": ""})
    found = {r.name: r.truth() for r in FolderDataset(root, object_value=90).split("all")}
    np.testing.assert_array_equal(np.unique(found["b"]), [0, 1])
    ids = {r.name: r.truth() for r in FolderDataset(root).split("all")}
    np.testing.assert_array_equal(np.unique(ids["b"]), [0, 90])


def test_two_classes_in_an_image_are_refused(tmp_path: Path) -> None:
    root = folder(tmp_path / "set", {"a": [0, 255]}, {"a": "cat dog", "b": "dog"})
    with pytest.raises(DataError, match=r"data.object_value 255 .*: a has cat, dog"):
        FolderDataset(root, object_value=255)


def test_other_layouts_are_refused(tmp_path: Path) -> None:
    root = folder(tmp_path / "set", {})
    with pytest.raises(DataError, match=r"data.object_value is for plain folders"):
        open_dataset(root, kind="voc", masks=tmp_path, object_value=255)


@pytest.mark.parametrize(
    ("masks", "expected"),
    [
        ({"a": [0, 255], "b": [255, 0]}, 255),
        ({"a": [0, 3, 255, 255], "b": [0, 255]}, 255),  # a smoothed outline
        ({"a": [0, 128], "b": [128, 0]}, 128),
        ({"a": [0, 1], "b": [2, 0]}, 0),  # class ids
        ({"a": [0, 1, 255, 255], "b": [2, 0]}, 0),  # and void
        ({"a": [0, 1, 3, 3], "b": [2, 0]}, 0),  # and one that no class has
        ({"a": [255, 1, 255, 3], "b": [2, 255]}, 0),  # the same, most of it void
        ({"a": [0, 0], "c": [0, 0]}, 0),
        ({}, 0),
    ],
)
def test_init_finds_the_value(
    masks: dict[str, list[int]],
    expected: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = folder(tmp_path / "set", masks)
    assert main(["init", str(root)]) == 0
    said = capsys.readouterr().out
    assert f"  object_value: {expected} " in (root / "config.yaml").read_text()
    assert (f"(data.object_value {expected})" in said) == bool(expected)
    assert ("1 cat, 2 dog" in said) == (not expected)
    (root / "masks" / "a.png").write_bytes(b"damaged")
    assert main(["init", str(root), "--force"]) == 0


def test_init_leaves_masks_of_several_classes_alone(tmp_path: Path) -> None:
    root = folder(tmp_path / "set", {"a": [0, 255]}, {"a": "cat dog", "b": "dog"})
    assert main(["init", str(root)]) == 0
    assert "  object_value: 0 " in (root / "config.yaml").read_text()


def test_doctor_names_the_setting_until_it_is_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = folder(tmp_path / "set", {"a": [0, 255], "b": [255, 0]})
    options = ["doctor", "--data.root", str(root)]
    assert main(options) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "masks hold 0 and 255 only" in said
    assert "set data.object_value 255" in said
    main([*options, "--data.object_value", "255"])
    said = " ".join(capsys.readouterr().out.split())
    assert "the classes of all 2 masks are those of the labels" in said


def test_run_refuses_and_names_the_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = folder(tmp_path / "set", {"a": [0, 90], "b": [90, 0]})
    run = ["evaluate", "--data.root", str(root), "--out", str(tmp_path / "run")]
    assert main(run) == 2
    assert "if 90 is the object, set data.object_value 90" in capsys.readouterr().err
    assert main([*run, "--data.object_value", "256"]) == 2
    assert "object_value" in capsys.readouterr().err
    assert main([*run, "--data.object_value", "90"]) == 2
    assert "no predictions" in capsys.readouterr().err
    checked = json.loads((tmp_path / "run" / "data" / "checked.json").read_text())
    assert checked["object_value"] == 90
