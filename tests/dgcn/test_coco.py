"""COCO's layout, and masks from its polygons and run lengths."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from layouts import COCO_CATEGORIES, drawn, run_lengths, write_coco
from pycocotools import mask as coco
from skimage.draw import polygon2mask

from dgcn.data import COCODataset, DataError, FolderDataset, open_dataset, read_mask
from dgcn.data.coco_masks import class_mask, instance_mask


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> FolderDataset:
    return drawn(tmp_path_factory.mktemp("source") / "set", 3, 2)


@pytest.fixture
def root(tmp_path: Path, source: FolderDataset) -> Path:
    write_coco(tmp_path / "coco", source)
    return tmp_path / "coco"


def test_splits_labels_and_painted_masks(root: Path, source: FolderDataset, tmp_path: Path) -> None:
    dataset = open_dataset(root, masks=tmp_path / "masks")
    assert isinstance(dataset, COCODataset)
    names = ("background", "person", "car", "traffic_light", "bottle", "toothbrush")
    assert dataset.classes == names
    assert not (tmp_path / "masks").exists()
    dataset.check(dataset.split("all"))
    for split in ("train", "val"):
        for record, original in zip(dataset.split(split), source.split(split), strict=True):
            assert record.labels == original.labels
            assert record.name.startswith(f"COCO_{split}2014_0000")
            assert record.mask is not None
            assert original.mask is not None
            assert np.array_equal(read_mask(record.mask), read_mask(original.mask))


def test_sizes_that_are_not_the_images_are_refused_before_anything_is_painted(
    root: Path, tmp_path: Path
) -> None:
    file = root / "annotations" / "instances_val2014.json"
    content = json.loads(file.read_text())
    content["images"][0] |= {"height": 32_768, "width": 32_768}
    file.write_text(json.dumps(content))
    dataset = COCODataset(root, tmp_path / "masks")
    with pytest.raises(
        DataError, match=r"instances_val2014\.json: image \d+ has the size 32768 x 32768, .*has "
    ):
        dataset.check(dataset.split("val"))
    assert not list((tmp_path / "masks").iterdir())


def test_masks_are_painted_once(root: Path, tmp_path: Path) -> None:
    dataset = COCODataset(root, tmp_path / "masks")
    dataset.check(dataset.split("val"))
    painted = sorted(path.name for path in (tmp_path / "masks").iterdir())
    assert painted == [f"{record.name}.png" for record in dataset.split("val")]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "masks").iterdir()}
    dataset.check(dataset.split("all"))
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert len(list((tmp_path / "masks").iterdir())) == 5


def test_lists_and_label_files(root: Path, tmp_path: Path) -> None:
    listing = tmp_path / "list.txt"
    listing.write_text("COCO_train2014_000000000003.jpg\nCOCO_train2014_000000000001\n")
    chosen = COCODataset(root, tmp_path, train_list=listing).split("train")
    assert [record.name[-1] for record in chosen] == ["3", "1"]
    rows = {number: np.eye(5, dtype=np.int64)[number % 5] for number in range(1, 6)}
    np.save(tmp_path / "labels.npy", rows, allow_pickle=True)  # type: ignore[arg-type]
    records = COCODataset(root, tmp_path, labels=tmp_path / "labels.npy").split("all")
    assert [record.labels for record in records] == [(2,), (3,), (4,), (5,), (1,)]
    listing.write_text("COCO_val2014_000000000004\n")
    with pytest.raises(DataError, match=r"list\.txt:1: 'COCO_val2014_0+4' is not in .*train2014"):
        COCODataset(root, tmp_path, train_list=listing)
    with pytest.raises(DataError, match="labels 'masks' is for VOC"):
        open_dataset(root, labels="masks", masks=tmp_path)


def test_images_folder_between_and_no_validation(root: Path, tmp_path: Path) -> None:
    (root / "images").mkdir()
    (root / "train2014").rename(root / "images" / "train2014")
    (root / "annotations" / "instances_val2014.json").unlink()
    dataset = COCODataset(root, tmp_path)
    assert [len(dataset.split(name)) for name in ("train", "val")] == [3, 0]


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("categories"), "has no list 'categories'"),
        (lambda c: c["images"][1].pop("height"), r"images\[1\] has no valid 'height'"),
        (lambda c: c["annotations"].append([]), r"annotations\[\d+\] has no valid 'image_id'"),
        (
            lambda c: c["annotations"][0].update(category_id=2),
            "annotation 1. is of image 1 ",
        ),
        (lambda c: c["annotations"][0].update(image_id=99), "is of image 99"),
        (lambda c: c["images"].append(c["images"][0]), "two images have the same id or file name"),
        (lambda c: c["images"][0].update(file_name="x.jpg"), r"image not found: .*x\.jpg"),
        (lambda c: c["categories"].clear(), "0 categories, 1 to 254 are possible"),
    ],
)
def test_bad_annotations_are_named(root: Path, change: Change, message: str) -> None:
    path = root / "annotations" / "instances_train2014.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=f"instances_train2014.json: .*{message}"):
        COCODataset(root, root)


def test_other_errors_name_the_file(root: Path, tmp_path: Path) -> None:
    path = root / "annotations" / "instances_val2014.json"
    content = json.loads(path.read_text())
    content["categories"][0]["name"] = "ghost"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"instances_val2014\.json: its categories are not those"):
        COCODataset(root, tmp_path)
    path.write_text("{")
    with pytest.raises(DataError, match=r"instances_val2014\.json: malformed JSON"):
        COCODataset(root, tmp_path)
    path.unlink()
    path = root / "annotations" / "instances_train2014.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"] = [[1, 2, 3]]
    path.write_text(json.dumps(content))
    dataset = COCODataset(root, tmp_path / "masks")
    with pytest.raises(DataError, match=r"train2014\.json: image 1: a polygon must be a list of"):
        dataset.check(dataset.split("all"))
    with pytest.raises(FileNotFoundError, match=r"annotations not found: .*instances_train2014"):
        COCODataset(tmp_path, tmp_path)


@given(arrays(np.bool_, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_run_lengths_in_both_forms(mask: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
    """The reference library compresses, this one reads."""
    height, width = mask.shape
    compressed = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    text = {"size": [height, width], "counts": compressed["counts"].decode()}
    assert np.array_equal(instance_mask(text, height, width), mask)
    assert np.array_equal(instance_mask(run_lengths(mask), height, width), mask)


def test_rectangles_are_exact_and_unions_are_taken() -> None:
    corners = [[2, 1, 7, 1, 7, 5, 2, 5], [6.0, 4.0, 9.0, 4.0, 9.0, 8.0, 6.0, 8.0]]
    wanted = np.zeros((10, 12), dtype=bool)
    wanted[1:5, 2:7] = wanted[4:8, 6:9] = True
    assert np.array_equal(instance_mask(corners, 10, 12), wanted)


def test_polygons_equal_another_rasteriser_but_for_their_outline() -> None:
    rng = np.random.default_rng(0)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
    x = 40 + 30 * np.cos(angles) * rng.uniform(0.4, 1, 9)
    y = 30 + 25 * np.sin(angles) * rng.uniform(0.4, 1, 9)
    found = instance_mask([np.stack([x, y], 1).ravel().tolist()], 60, 80)
    wanted = polygon2mask((60, 80), np.stack([y, x], 1) - 0.5)
    # Every pixel that differs lies on the outline of the other's area.
    padded = np.pad(wanted, 1)
    near = [np.roll(padded, shift, (0, 1)) for shift in ((0, 1), (1, 0), (0, -1), (-1, 0))]
    outline = (np.any(near, 0) != np.all(near, 0))[1:-1, 1:-1]
    assert wanted.sum() > 400
    assert not ((found != wanted) & ~outline).any()


def test_smaller_instances_lie_in_front_and_crowds_behind() -> None:
    def box(x: int, y: int, w: int, h: int) -> list[list[int]]:
        return [[x, y, x + w, y, x + w, y + h, x, y + h]]

    crowd = np.zeros((8, 8), dtype=bool)
    crowd[0, 0] = crowd[7] = True
    instances = [
        {"category_id": 1, "segmentation": box(2, 2, 2, 2)},
        {"category_id": 3, "segmentation": box(0, 0, 6, 6)},
        {"category_id": 90, "segmentation": run_lengths(crowd), "iscrowd": 1},
        {"category_id": 90, "segmentation": []},
    ]
    wanted = np.zeros((8, 8), dtype=np.uint8)
    wanted[7] = 5
    wanted[:6, :6] = 2
    wanted[2:4, 2:4] = 1
    ids = {category: index for index, category in enumerate(COCO_CATEGORIES, start=1)}
    assert np.array_equal(class_mask(instances, ids, 8, 8), wanted)


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([[1, 2, 3, 4]], "at least 3 corners"),
        ([[1, 2, 3, 4, 5, 6, 7]], "at least 3 corners"),
        ([[1, 2, 3, 4, 5, float("nan")]], "coordinate nan is not near the image's 0..8"),
        ([[1, 2, 3, 4, 1e9, 6]], r"coordinate 1000000000\.0 is not near the image's 0\.\.9"),
        ([["1", 2, 3, 4, 5, 6]], "coordinate '1'"),
        ({"size": [8, 9]}, "neither a list of polygons nor run lengths"),
        (7, "neither a list of polygons nor run lengths"),
        ({"size": [9, 8], "counts": [72]}, r"run lengths of size \[9, 8\] in an image of \[8, 9\]"),
        ({"size": [8, 9], "counts": [71]}, "do not sum to 8 x 9 pixels"),
        ({"size": [8, 9], "counts": [80, -8]}, "do not sum to 8 x 9 pixels"),
        ({"size": [8, 9], "counts": [72.0]}, "do not sum to 8 x 9 pixels"),
        ({"size": [8, 9], "counts": "5z\x7f"}, "hold"),
        ({"size": [8, 9], "counts": "oooooooooooooooooo"}, "hold 'o' where none can be"),
        ({"size": [8, 9], "counts": "5o"}, "end in the middle of a number"),
    ],
)
def test_malformed_segmentations(segmentation: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        instance_mask(segmentation, 8, 9)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("traffic  light", r"category \d+ \('traffic  light'\) becomes the class 'traffic_light'"),
        ("background", "becomes the class 'background', and so does the background"),
        ("=1+1", "must not begin with =, which spreadsheets compute"),
    ],
)
def test_categories_that_become_one_class_are_refused(
    root: Path, tmp_path: Path, name: str, message: str
) -> None:
    for path in (root / "annotations").iterdir():
        content = json.loads(path.read_text())
        content["categories"].append({"id": 999, "name": name})
        path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=rf"instances_train2014\.json: .*{message}"):
        COCODataset(root, tmp_path / "masks")
