"""Files of COCO and Label Studio: shapes, names of pictures, faults, labels and cues."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from dgcn.annotations import read_coco, read_drawings, read_label_studio, written_by
from dgcn.cli import main
from dgcn.cues import load_cues
from dgcn.data import DataError, FolderDataset
from dgcn.starter import start

COCO: dict[str, Any] = {
    "images": [
        {"id": 7, "file_name": "deep/a.b.jpg", "height": 40, "width": 60},
        {"id": 8, "file_name": "c.png", "height": 2, "width": 3},
        {"id": 9, "file_name": "empty.png", "height": 2, "width": 3},
    ],
    "categories": [{"id": 3, "name": "traffic light"}, {"id": 1, "name": "cat"}],
    "annotations": [
        {"image_id": 7, "category_id": 3, "bbox": [10, 20, 5, 6.5], "segmentation": []},
        {"image_id": 7, "category_id": 1, "segmentation": [[0, 0, 4, 0, 4, 4], [8, 8, 9, 8, 9, 9]]},
        {"image_id": 7, "category_id": 1},
        {
            "image_id": 8,
            "category_id": 1,
            "segmentation": {"size": [2, 3], "counts": [1, 2, 3]},
            "iscrowd": 1,
        },
    ],
}


def task(name: str, *results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"data": {"text": "note", "image": name}, "annotations": [{"result": results}], **more}


def result(kind: str, label: str, **value: Any) -> dict[str, Any]:
    size = {"original_width": 60, "original_height": 40}
    return {"type": kind, "value": {kind: [label], **value}, **size}


def packed(values: np.ndarray) -> list[int]:
    """Label Studio's stream of bits, every run but the first one of values that differ."""
    bits = f"{values.size:032b}" + f"{7:05b}" + "".join(f"{n - 1:04b}" for n in (3, 4, 8, 16))
    lead = int(np.argmax(np.append(values, 255) != values[0]))
    bits += "1" + "11" + f"{lead - 1:016b}" + f"{values[0]:08b}"
    for begin in range(lead, values.size, 256):
        part = values[begin : begin + 256]
        bits += "0" + "10" + f"{part.size - 1:08b}" + "".join(f"{value:08b}" for value in part)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_coco_file_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "export.json", COCO)
    assert written_by(path) == "COCO"
    found = read_drawings(path)
    assert list(found) == ["a.b", "c", "empty"]
    assert found["a.b"].labels == ("cat", "traffic light")
    assert found["a.b"].size == (40, 60)
    box, first, second, bare = found["a.b"].shapes
    assert (box.kind, box.points) == ("box", ((10, 20), (15, 26.5)))
    assert (first.kind, first.points) == ("polygon", ((0, 0), (4, 0), (4, 4)))
    assert second.points == ((8, 8), (9, 8), (9, 9))
    assert bare.kind == "other"
    (mask,) = found["c"].shapes
    np.testing.assert_array_equal(mask.pixels, [[False, True, False], [True, False, False]])
    assert found["empty"].shapes == ()


@pytest.mark.parametrize(
    ("part", "entry", "message"),
    [
        ("categories", {"id": 4}, "a category has no id or no name"),
        (
            "images",
            {"id": 4, "file_name": "x.jpg", "height": float("inf"), "width": 3},
            "image 3 has no id, file_name, height or width",
        ),
        ("images", {"id": 4, "file_name": "x.jpg"}, "image 3 has no id, file_name, height or"),
        ("images", {**COCO["images"][1], "id": 4}, "two images have the name 'c' without"),
        ("annotations", {"image_id": 99, "category_id": 1}, "annotation 4: names no image or"),
        ("annotations", {"image_id": 7, "category_id": 99}, "annotation 4: names no image or no c"),
        (
            "annotations",
            {"image_id": 7, "category_id": 1, "bbox": [1, 2, 3]},
            r"annotation 4: expected at least 4 numbers in pairs, got \[1, 2, 3\]",
        ),
        (
            "annotations",
            {"image_id": 7, "category_id": 1, "segmentation": [[1, 2, 3, 4, 5, float("nan")]]},
            "annotation 4: has coordinates that are not finite",
        ),
        (
            "annotations",
            {
                "image_id": 7,
                "category_id": 1,
                "segmentation": {"size": [40, 60], "counts": [2400, 1]},
            },
            "annotation 4: run lengths do not sum to 40 x 60",
        ),
    ],
)
def test_faults_of_coco_files_are_named(
    part: str, entry: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "x.json", {**COCO, part: [*COCO[part], entry]})
    with pytest.raises(DataError, match=message):
        read_coco(path)


def test_masks_of_huge_pictures_are_refused_before_they_are_painted(tmp_path: Path) -> None:
    side = 1_000_000
    huge = {"id": 1, "file_name": "a.jpg", "height": side, "width": side}
    runs = {"size": [side, side], "counts": [0, side * side]}
    drawn = {"image_id": 1, "category_id": 1, "segmentation": runs}
    path = write(tmp_path / "x.json", {**COCO, "images": [huge], "annotations": [drawn]})
    with pytest.raises(DataError, match="annotation 0: run lengths of 1000000 x 1000000 pixels"):
        read_coco(path)


def test_label_studio_file_is_read(tmp_path: Path) -> None:
    brush = np.zeros((40, 60, 4), dtype=np.uint8)
    brush[10:14, 20:40] = (9, 8, 7, 255)
    content = [
        task(
            "/data/upload/1/0123abcd-a%20b.JPG",
            {"type": "choices", "value": {"choices": ["wet"]}},
            result("rectanglelabels", "cat", x=50, y=25, width=10, height=50, rotation=90),
            result("polygonlabels", "dog", points=[[0, 0], [50, 0], [50, 100]]),
            result("ellipselabels", "dog", x=50, y=50, radiusX=10, radiusY=5, rotation=0),
            result("keypointlabels", "cat", x=10, y=10, width=0.2),
            result("brushlabels", "road", rle=packed(brush.ravel()), format="rle"),
            result("videorectanglelabels", "bird"),
            {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"},
        ),
        task("/data/local-files/?d=shots/b.png"),
        task("s3://bucket/deep/0123abcd-c.webp", result("keypointlabels", "cat", x=1, y=1)),
        {"data": {"image": "left.jpg"}, "annotations": []},
        task("d.jpg") | {"annotations": [{"was_cancelled": True, "result": []}]},
    ]
    path = write(tmp_path / "export.json", content)
    assert written_by(path) == "Label Studio"
    found = read_drawings(path)
    assert list(found) == ["a b", "b", "0123abcd-c"]
    assert found["b"].labels == ()
    drawing = found["a b"]
    assert drawing.labels == ("bird", "cat", "dog", "road", "wet")
    assert drawing.tags == ("wet",)
    assert drawing.size == (40, 60)
    box, polygon, ellipse, point, mask, other = drawing.shapes
    # A rectangle of 6 x 20 pixels at (30, 10), turned clockwise about that corner.
    np.testing.assert_allclose(box.points, [(10, 10), (30, 16)], atol=1e-9)
    assert polygon.points == ((0, 0), (30, 0), (30, 40))
    corners = np.array(ellipse.points)
    np.testing.assert_allclose(corners.min(0), (24, 18), atol=1e-9)
    np.testing.assert_allclose(corners.max(0), (36, 22), atol=1e-9)
    assert (point.kind, point.points) == ("points", ((6, 4),))
    np.testing.assert_array_equal(mask.pixels, brush[..., 3] > 0)
    assert other.kind == "other"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            [{"image": "a.jpg", "annotation_id": 3, "choice": "cat"}],
            "task 0: has no annotations: export as 'JSON', not 'JSON-MIN'",
        ),
        ([task("a.txt")], "task 0: its data name no picture"),
        ([{"data": {"image": "a.jpg"}, "annotations": [3]}], "task 0: annotations must be a list"),
        (
            [task("a.jpg", result("keypointlabels", "c", x=1, y=1) | {"original_width": 1e999})],
            "task 0: result 0 cannot be read .OverflowError",
        ),
        ([task("x/a.jpg"), task("y/a.png")], "task 1: another picture has the name 'a' without"),
        ([task("a.jpg", result("keypointlabels", "c", x=1))], "task 0: result 0 cannot be read"),
        (
            [task("a.jpg", result("keypointlabels", "c", x=1, y=float("inf")))],
            "result 0 cannot be read .*not finite",
        ),
        (
            [task("a.jpg", result("polygonlabels", "c", points=[[1, 2], [3, 4]]))],
            "a polygon has only 2 points",
        ),
        (
            [task("a.jpg", result("brushlabels", "c", rle=[0, 0, 0, 1, 56]))],
            "the brush mask has 1 values, the picture 9600",
        ),
        (
            [task("a.jpg", result("brushlabels", "c", rle=packed(np.zeros(9600, np.uint8))[:8]))],
            "the brush mask ends too early",
        ),
    ],
)
def test_faults_of_label_studio_files_are_named(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read_label_studio(write(tmp_path / "x.json", content))


@pytest.mark.parametrize("content", ["[", "{}", "[]", "[1]", '{"images": 3}'])
def test_other_files_are_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    assert written_by(path) is None
    with pytest.raises(DataError, match="is no file of LabelMe, CVAT, COCO or Label Studio"):
        read_drawings(path)


@pytest.mark.parametrize("program", ["COCO", "Label Studio"])
def test_init_takes_labels_and_cues(
    program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for number in range(5):
        noise = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"p{number}.png")
    if program == "COCO":
        content: Any = {
            "images": [
                {"id": n, "file_name": f"p{n}.png", "height": 40, "width": 60} for n in range(4)
            ],
            "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
            "annotations": [
                {"image_id": n, "category_id": 1 + n % 2, "segmentation": [[9, 9, 40, 9, 40, 30]]}
                for n in range(3)
            ],
        }
    else:
        corners = [[15, 22.5], [200 / 3, 22.5], [200 / 3, 75]]
        content = [
            task(
                f"/data/upload/9/00000000-p{n}.png",
                *[result("polygonlabels", ("cat", "dog")[n % 2], points=corners)] * (n < 3),
            )
            for n in range(4)
        ]
    file = write(tmp_path / "made by people.json", content)
    assert main(["init", str(tmp_path), "--val", "0"]) == 0
    said = capsys.readouterr().out
    assert "labels of 4 pictures are those drawn on them (1 files)" in said
    assert "1 pictures without annotation are taken as background alone" in said
    dataset = FolderDataset(tmp_path)
    named = {r.name: [dataset.classes[label] for label in r.labels] for r in dataset.split("all")}
    assert named == {"p0": ["cat"], "p1": ["dog"], "p2": ["cat"], "p3": []}
    written = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert written["cues"]["drawn"] == str(file)
    options = ["--config", str(tmp_path / "config.yaml"), "--out", str(tmp_path / "run")]
    small = ["--data.size=41", "--model.backbone=small", "--classify.epochs=1"]
    assert main(["classify", *options, *small, "--runtime.device=cpu"]) == 0
    assert main(["cues", *options, *small, "--runtime.device=cpu"]) == 0
    assert "cues: drawn on 3 images" in capsys.readouterr().out
    _, cat, dog = load_cues(tmp_path / "run" / "cues" / "cues.npz")["p0"]
    assert cat.any()
    assert not dog.any()


def test_files_of_several_splits_lie_in_one_folder_of_drawings(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        shade = {"train": 50, "val": 200}[split]
        Image.new("RGB", (3, 2), (shade, 0, 0)).save(tmp_path / split / f"{split}1.png")
        entry = {"id": 1, "file_name": f"{split}1.png", "height": 2, "width": 3}
        drawn = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2]}
        content = {**COCO, "images": [entry], "annotations": [drawn]}
        write(tmp_path / split / "_annotations.coco.json", content)
    begun = start(tmp_path)
    assert begun.classes == ("cat",)
    written = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert written["cues"]["drawn"] == str(tmp_path)
    assert (tmp_path / "val.txt").read_text() == "val1\n"
