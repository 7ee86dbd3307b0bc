"""Masks as annotations: read back, they are the masks."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.path import Path as Outline
from PIL import Image, ImageDraw
from pycocotools.coco import COCO
from scipy import ndimage

from dgcn.annotations import Sheet, coco, geojson, instances_of, labelme, polygons_of
from dgcn.cli import main
from dgcn.data import read_mask
from dgcn.data.synthetic import draw_scene

CLASSES = ("background", "cat", "traffic light")
MASKS = arrays(
    np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 2)
)


def sheet_of(mask: np.ndarray) -> Sheet:
    confidence = np.full(mask.shape, 0.75, dtype=np.float32)
    return Sheet("a", Path("in/a.jpg"), mask.shape, instances_of(mask, confidence))


def from_coco(content: dict[str, Any], path: Path) -> np.ndarray:
    """As pycocotools reads it."""
    path.write_text(json.dumps(content))
    read = COCO(str(path))
    image = read.loadImgs(1)[0]
    mask = np.zeros((image["height"], image["width"]), dtype=np.uint8)
    for entry in read.loadAnns(read.getAnnIds(imgIds=1)):
        pixels = read.annToMask(entry) == 1
        assert pixels.sum() == entry["area"]
        assert not mask[pixels].any()  # instances do not overlap
        mask[pixels] = entry["category_id"]
        rows, columns = np.nonzero(pixels)
        left, top, width, height = entry["bbox"]
        assert (left, top) == (columns.min(), rows.min())
        assert (width, height) == (np.ptp(columns) + 1, np.ptp(rows) + 1)
    return mask


def from_labelme(content: dict[str, Any]) -> np.ndarray:
    """As `labelme.utils.shapes_to_label` fills shapes: outline and inside, by Pillow."""
    mask = np.zeros((content["imageHeight"], content["imageWidth"]), dtype=np.uint8)
    for shape in content["shapes"]:
        label = CLASSES.index(shape["label"])
        if shape["shape_type"] == "mask":
            (x1, y1), (x2, y2) = np.asarray(shape["points"], dtype=int)
            pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(shape["mask"])))) > 0
            mask[y1 : y2 + 1, x1 : x2 + 1][pixels] = label
            continue
        canvas = Image.new("1", mask.shape[::-1])
        points = [tuple(point) for point in shape["points"]]
        ImageDraw.Draw(canvas).polygon(xy=points, outline=1, fill=1)
        mask[np.asarray(canvas)] = label
    return mask


def from_geojson(content: dict[str, Any], shape: tuple[int, int]) -> np.ndarray:
    """Centres of pixels that lie within the outline and in no hole."""
    mask = np.zeros(shape, dtype=np.uint8)
    rows, columns = np.indices(shape)
    centres = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1)
    for feature in content["features"]:
        rings = feature["geometry"]["coordinates"]
        assert all(ring[0] == ring[-1] for ring in rings)
        outline, *holes = (Outline(ring).contains_points(centres).reshape(shape) for ring in rings)
        for hole in holes:
            outline &= ~hole
        mask[outline] = feature["properties"]["class_id"]
    return mask


@given(MASKS)
@settings(deadline=None, max_examples=150)
def test_annotations_hold_exactly_the_mask(tmp_path_factory: Any, mask: np.ndarray) -> None:
    sheet = sheet_of(mask)
    path = tmp_path_factory.getbasetemp() / "coco.json"
    np.testing.assert_array_equal(from_coco(coco([sheet], CLASSES), path), mask)
    np.testing.assert_array_equal(from_labelme(labelme(sheet, CLASSES, Path("out"))), mask)
    np.testing.assert_array_equal(from_geojson(geojson(sheet, CLASSES), mask.shape), mask)


@given(arrays(np.bool_, st.tuples(st.integers(1, 8), st.integers(1, 8))))
def test_outlines_turn_at_every_corner_and_enclose_the_pixels(pixels: np.ndarray) -> None:
    polygons = polygons_of(pixels, top=3, left=5)
    _, parts = ndimage.label(pixels)
    assert len(polygons) == parts
    area = 0
    for polygon in polygons:
        for ring in (polygon.outline, *polygon.holes):
            points = np.array([*ring, ring[0]])
            steps = np.diff(points, axis=0)
            assert ((steps != 0).sum(1) == 1).all()  # along rows and columns
            assert ((steps[1:] != 0) ^ (steps[:-1] != 0)).all()  # and by turns
            x, y = points.T
            signed = int((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())
            assert (signed > 0) == (ring is polygon.outline)
            area += signed
            assert (points.min(0) >= (5, 3)).all()
    assert area == 2 * pixels.sum()


def test_instances_are_connected_parts_with_their_probability() -> None:
    mask = np.array([[1, 1, 0, 2], [0, 0, 1, 2], [255, 0, 1, 0]], dtype=np.uint8)
    confidence = np.linspace(0.1, 1, 12, dtype=np.float32).reshape(3, 4)
    found = instances_of(mask, confidence)
    assert [(each.label, each.top, each.left, each.area) for each in found] == [
        (1, 0, 0, 2),
        (1, 1, 2, 2),
        (2, 0, 3, 2),
    ]
    assert found[0].score == pytest.approx(float(confidence[0, :2].mean()))


def test_every_format_of_one_prediction_is_the_same_mask(tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name, index in (("in/a b.png", 3), ("in/deep/c.jpg", 5)):
        Image.fromarray(draw_scene(0, index, 90)[0]).save(tmp_path / name)
    command = ["predict", "--checkpoint", str(tiny_run), "--images", str(tmp_path / "in" / "**/*")]
    command += ["--out", str(tmp_path / "out"), "--overlays", "false", "--runtime.device=cpu"]
    assert main([*command, "--format", "png", "coco", "labelme", "geojson"]) == 0
    content = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["a b.png", "deep/c.jpg"]
    names = {entry["id"]: entry["name"] for entry in content["categories"]}
    read = COCO(str(tmp_path / "out" / "annotations.json"))
    for number, name in ((1, "a b"), (2, "deep/c")):
        mask = read_mask(tmp_path / "out" / "masks" / f"{name}.png")
        found = np.zeros_like(mask)
        for entry in read.loadAnns(read.getAnnIds(imgIds=number)):
            found[read.annToMask(entry) == 1] = entry["category_id"]
            assert 1 / len(names) / 2 < entry["score"] <= 1
        np.testing.assert_array_equal(found, mask)
        page = json.loads((tmp_path / "out" / "labelme" / f"{name}.json").read_text())
        image = (tmp_path / "out" / "labelme" / f"{name}.json").parent / page["imagePath"]
        assert image.resolve().is_file()
        assert {shape["label"] for shape in page["shapes"]} <= set(names.values())
        page = json.loads((tmp_path / "out" / "geojson" / f"{name}.geojson").read_text())
        np.testing.assert_array_equal(from_geojson(page, mask.shape), mask)
    out = tmp_path / "coco"
    command[command.index("--out") + 1] = str(out)
    assert main([*command, "--format", "coco", "--tile", "64"]) == 0
    assert [path.name for path in out.iterdir()] == ["annotations.json"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--format", "svg"), "'labelme', 'cvat', 'geojson', got svg"),
        (("--format", "coco", "--archive", "a.tgz"), "--archive packs masks: --format png"),
        (("--tile", "10"), "tile must be at least 64 pixels, got 10"),
    ],
)
def test_wrong_options_are_one_line(
    options: tuple[str, ...], message: str, tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["predict", "--checkpoint", str(tiny_run), "--images", "x.png", *options]
    assert main(command) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
