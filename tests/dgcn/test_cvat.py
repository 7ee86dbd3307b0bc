"""CVAT's XML: what is written is the mask, and what CVAT writes is read."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.path import Path as Outline
from PIL import Image

from dgcn.annotations import Sheet, cvat, instances_of, read_cvat
from dgcn.cli import main
from dgcn.cues import drawn_cues
from dgcn.data import DataError, read_mask
from dgcn.data.synthetic import draw_scene

CLASSES = ("background", "cat", "traffic light, grün")
MASKS = arrays(
    np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 2)
)


def from_cvat(image: ElementTree.Element, classes: tuple[str, ...] = CLASSES) -> np.ndarray:
    """Pixels whose centres lie in a polygon, and those of masks, run by run."""
    height, width = int(image.attrib["height"]), int(image.attrib["width"])
    mask = np.zeros((height, width), dtype=np.uint8)
    rows, columns = np.indices(mask.shape)
    centres = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1)
    for element in image:
        value = element.attrib
        label = classes.index(value["label"])
        if element.tag == "polygon":
            corners = [tuple(map(float, point.split(","))) for point in value["points"].split(";")]
            mask[Outline([*corners, corners[0]]).contains_points(centres).reshape(mask.shape)] = (
                label
            )
            continue
        assert element.tag == "mask"
        flat: list[bool] = []
        for number, count in enumerate(value["rle"].split(", ")):
            flat += [number % 2 == 1] * int(count)
        top, left = int(value["top"]), int(value["left"])
        pixels = np.reshape(flat, (int(value["height"]), int(value["width"])))
        mask[top : top + pixels.shape[0], left : left + pixels.shape[1]][pixels] = label
    return mask


@given(MASKS)
@settings(deadline=None, max_examples=150)
def test_file_holds_exactly_the_mask_and_is_read_back(tmp_path_factory, mask) -> None:  # type: ignore[no-untyped-def]
    confidence = np.full(mask.shape, 0.75, dtype=np.float32)
    sheet = Sheet("deep/a b", Path("in/a b.jpg"), mask.shape, instances_of(mask, confidence))
    path = tmp_path_factory.getbasetemp() / "annotations.xml"
    path.write_text(cvat([sheet], CLASSES), encoding="utf-8")
    root = ElementTree.parse(path).getroot()
    (image,) = root.findall("image")
    assert image.attrib["name"] == "deep/a b.jpg"
    assert [each.text for each in root.findall("meta/task/labels/label/name")] == [*CLASSES[1:]]
    np.testing.assert_array_equal(from_cvat(image), mask)
    drawing = read_cvat(path)["a b"]
    assert drawing.size == mask.shape
    if drawing.shapes and mask.shape[0] == mask.shape[1]:
        picture = np.zeros((*mask.shape, 3), dtype=np.uint8)
        cues = drawn_cues(drawing, picture, CLASSES, len(mask), labels=(1, 2))
        np.testing.assert_array_equal(np.where(cues.any(0), cues.argmax(0), 0), mask)


def test_every_kind_of_shape_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(
        """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><job><id>1</id></job></meta>
<image id="0" name="x/a.b.jpg" subset="default" task_id="3" width="60" height="40">
  <tag label="wet" source="manual"/>
  <points label="cat" source="manual" occluded="0" points="1.50,2.25;3,4" z_order="0">
    <attribute name="age">3</attribute></points>
  <polyline label="cat" points="0,0;10,5"/>
  <box label="dog" xtl="10" ytl="20" xbr="30" ybr="30" rotation="90.00"/>
  <box label="dog" xtl="10.5" ytl="20" xbr="30" ybr="30"/>
  <ellipse label="cat" cx="20" cy="20" rx="10" ry="5" rotation="90"/>
  <polygon label="background" points="0,0;1,0;1,1"/>
  <mask label="cat" rle="1, 2, 3" left="7" top="8" width="3" height="2"/>
  <cuboid label="crate" xtl1="1"/>
  <skeleton label="person"><points label="nose" points="1,1"/></skeleton>
</image>
<image id="1" name="empty.png" width="6" height="4"></image>
</annotations>"""
    )
    found = read_cvat(path)
    assert list(found) == ["a.b", "empty"]
    assert found["empty"].labels == found["empty"].shapes == ()
    drawing = found["a.b"]
    assert drawing.labels == ("cat", "crate", "dog", "person", "wet")
    kinds = [shape.kind for shape in drawing.shapes]
    assert kinds == [
        *("points", "line", "box", "box", "polygon", "polygon", "mask", "other", "other")
    ]
    points, line, turned, box, ellipse, _, mask, *_ = drawing.shapes
    assert points.points == ((1.5, 2.25), (3, 4))
    assert line.points == ((0, 0), (10, 5))
    np.testing.assert_allclose(turned.points, [(15, 15), (25, 35)])
    assert box.points == ((10.5, 20), (30, 30))
    corners = np.array(ellipse.points)
    np.testing.assert_allclose(corners.min(0), (15, 10), atol=1e-9)
    np.testing.assert_allclose(corners.max(0), (25, 30), atol=1e-9)
    assert mask.points == ((7, 8),)
    np.testing.assert_array_equal(mask.pixels, [[0, 1, 1], [0, 0, 0]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<annotations>", "malformed XML"),
        ("<a/>", "begins with <a>"),
        ("<annotations><track/></annotations>", "format for videos: export as 'CVAT for images"),
        ("<annotations><image/></annotations>", "an image has no name"),
        ("<annotations><image name='a.jpg'/></annotations>", "'a.jpg': has no width and height"),
        ("IMAGE IMAGE", "another image has the same name"),
        ("<tag/>", "<tag> has no label"),
        ("<polygon label='c' points='1,2;3,4'/>", "<polygon> cannot be read .it has 2 points"),
        ("<points label='c' points='1,nan'/>", "points that are not finite"),
        ("<points label='c' points='1'/>", "<points> cannot be read"),
        ("<box label='c' xtl='1'/>", "<box> cannot be read .'ytl'"),
        (
            "<mask label='c' rle='1,9' left='0' top='0' width='3' height='3'/>",
            "run lengths do not fit",
        ),
        ("<mask label='c' rle='-1' left='0' top='0' width='3' height='3'/>", "run lengths do not"),
    ],
)
def test_damaged_files_are_named(content: str, message: str, tmp_path: Path) -> None:
    image = "<image name='a.jpg' width='9' height='9'>{}</image>"
    if content.startswith("IMAGE"):
        content = content.replace("IMAGE", image)
    elif not content.startswith(("<annotations", "<a/")):
        content = image.format(content)
    if not content.startswith(("<annotations", "<a/")):
        content = f"<annotations>{content}</annotations>"
    path = tmp_path / "a.xml"
    path.write_text(content)
    with pytest.raises(DataError, match=message) as error:
        read_cvat(path)
    assert str(path) in str(error.value)


def test_prediction_as_cvat_is_its_masks(tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name, index in (("in/a b.png", 3), ("in/deep/c.jpg", 5)):
        Image.fromarray(draw_scene(0, index, 90)[0]).save(tmp_path / name)
    command = ["predict", "--checkpoint", str(tiny_run), "--images", str(tmp_path / "in" / "**/*")]
    command += ["--out", str(tmp_path / "out"), "--overlays", "false", "--runtime.device=cpu"]
    assert main([*command, "--format", "png", "cvat"]) == 0
    root = ElementTree.parse(tmp_path / "out" / "annotations.xml").getroot()
    names = ("background", *(e.text or "" for e in root.findall("meta/task/labels/label/name")))
    assert len(names) == 6
    images = root.findall("image")
    assert [image.attrib["name"] for image in images] == ["a b.png", "deep/c.jpg"]
    for image, name in zip(images, ("a b", "deep/c"), strict=True):
        mask = read_mask(tmp_path / "out" / "masks" / f"{name}.png")
        np.testing.assert_array_equal(from_cvat(image, names), mask)
