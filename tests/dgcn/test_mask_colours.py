"""Masks that show classes by colours, and the lists that say which is which."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dgcn.data import VOID, DataError, FolderDataset
from dgcn.data.mask_colours import MaskColours, read_mask_colours

CAT, DOG, GREY = (200, 30, 40), (0, 128, 255), (128, 128, 128)
LISTS = {
    "class_dict.csv": "name,r,g,b\ncat,200,30,40\ntraffic light,0,128,255\nVoid,128,128,128\n",
    "label_colors.txt": "200 30 40\tcat\n0 128 255\ttraffic light\n128 128 128\tVoid\n",
    "labelmap.txt": (
        "# label:color_rgb:parts:actions\ncat:200,30,40::\ntraffic light:0,128,255::\n"
        "ignore:128,128,128::\n"
    ),
    "semicolons.csv": (
        "class;red;green;blue\ncat;200;30;40\ntraffic light;0;128;255\nvoid;128;128;128"
    ),
}


def listed(folder: Path, text: str, name: str = "mask_colours.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def saved(path: Path, rows: list[tuple[int, int, int]], size: int = 6) -> Path:
    """A picture of a row of pixels for each colour."""
    pixels = np.repeat(np.array(rows, np.uint8)[:, None], size, axis=1)
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("name", LISTS)
def test_lists_as_they_come(name: str, tmp_path: Path) -> None:
    colours = read_mask_colours(listed(tmp_path, LISTS[name], name))
    assert colours.classes == ("background", "cat", "traffic light")
    mask = saved(tmp_path / "mask.png", [DOG, CAT, (0, 0, 0), GREY])
    expected = np.repeat([[2], [1], [0], [VOID]], 6, axis=1)
    np.testing.assert_array_equal(colours.read(mask), expected)
    again = read_mask_colours(listed(tmp_path, colours.csv(), "again.csv"))
    assert (again.classes, again.ids) == (colours.classes, colours.ids)


@pytest.mark.parametrize("name", ["#a", "5", 'a "b"', "a:1,2,3:", "1,2,3,x", "a b", '"', "void 2"])
def test_lists_are_read_back_whatever_the_names(name: str, tmp_path: Path) -> None:
    colours = MaskColours(("background", name, "z"), {(1, 2, 3): 1, (4, 5, 6): 2}, tmp_path)
    again = read_mask_colours(listed(tmp_path, colours.csv()))
    assert again.classes == colours.classes
    assert again.ids == {**colours.ids, (0, 0, 0): 0}


def test_background_has_any_colour_and_a_class_several(tmp_path: Path) -> None:
    text = "cat,1,1,1\nbackground,0,0,90\ncat,2,2,2\ndog,0,0,0\n"
    colours = read_mask_colours(listed(tmp_path, text))
    assert colours.classes == ("background", "cat", "dog")
    rows = [(0, 0, 90), (2, 2, 2), (1, 1, 1), (0, 0, 0)]
    assert colours.read(saved(tmp_path / "m.png", rows))[:, 0].tolist() == [0, 1, 1, 2]


@given(st.data())
@settings(max_examples=30)
def test_reading_is_a_look_at_the_list(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("colours")
    colour = st.tuples(*[st.integers(0, 255)] * 3)
    known = data.draw(st.lists(colour, min_size=1, max_size=20, unique=True))
    text = "".join(f"class{k},{r},{g},{b}\n" for k, (r, g, b) in enumerate(known, start=1))
    colours = read_mask_colours(listed(folder, text))
    used = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=30))
    found = colours.read(saved(folder / "mask.png", used))
    assert found[:, 3].tolist() == [known.index(each) + 1 for each in used]


def test_indexed_masks_go_by_their_palette(tmp_path: Path) -> None:
    colours = read_mask_colours(listed(tmp_path, LISTS["class_dict.csv"]))
    indexed = Image.fromarray(np.array([[7, 9]], np.uint8)).convert("L")
    palette = np.zeros((256, 3), np.uint8)
    palette[7], palette[9] = CAT, DOG
    indexed.putpalette(palette.tobytes())
    indexed.save(tmp_path / "mask.png")
    assert colours.read(tmp_path / "mask.png").tolist() == [[1, 2]]


def test_a_colour_that_is_not_listed_is_named(tmp_path: Path) -> None:
    colours = read_mask_colours(listed(tmp_path, "cat,200,30,40\n"))
    mask = saved(tmp_path / "mask.png", [CAT, (200, 30, 41)])
    with pytest.raises(DataError, match=r"mask.png: colour \[200, 30, 41\] \(6 pixels"):
        colours.read(mask)
    clear = np.zeros((2, 2, 4), np.uint8)
    Image.fromarray(clear).save(tmp_path / "clear.png")
    with pytest.raises(DataError, match="without transparency"):
        colours.read(tmp_path / "clear.png")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat,1,2,3\ndog,1,2,3\n", r":2: colour \[1, 2, 3\] occurs twice"),
        ("cat,1,2,300\n", r":1: a colour has numbers 0..255, got 'cat,1,2,300'"),
        ("name,r,g,b\ncat,1,2\n", r":2: expected a class and three numbers"),
        ("=cat,1,2,3\n", r":1: a class name must not begin with ="),
        ("background,1,2,3\n", "names no foreground class"),
        ("", "names no foreground class"),
        ("".join(f"c{k},{k},0,1\n" for k in range(255)), "at most 254 classes"),
    ],
)
def test_lists_that_are_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read_mask_colours(listed(tmp_path, text))


def folder(root: Path) -> Path:
    (root / "images").mkdir()
    (root / "masks").mkdir()
    for name, rows in {"a": [CAT, DOG], "b": [GREY, (0, 0, 0)]}.items():
        saved(root / "images" / f"{name}.jpg", [(1, 2, 3), (4, 5, 6)])
        saved(root / "masks" / f"{name}.png", rows)
    listed(root, "cat,200,30,40\ndog,0,128,255\nvoid,128,128,128\n")
    (root / "labels.csv").write_text("image,labels\na,cat dog\nb,\n")
    return root


def test_data_set_of_coloured_masks(tmp_path: Path) -> None:
    root = folder(tmp_path)
    dataset = FolderDataset(root)
    assert dataset.classes == ("background", "cat", "dog")
    dataset.check(dataset.split("all"))
    truth = {record.name: record.truth()[:, 0].tolist() for record in dataset.split("all")}
    assert truth == {"a": [1, 2], "b": [VOID, 0]}
    (root / "classes.txt").write_text("background\ndog\nfox\ncat\n")
    other = {
        record.name: record.truth()[:, 0].tolist() for record in FolderDataset(root).split("all")
    }
    assert other["a"] == [3, 1]


def test_contradictions_are_refused(tmp_path: Path) -> None:
    root = folder(tmp_path)
    with pytest.raises(DataError, match="object_value does too"):
        FolderDataset(root, object_value=255)
    (root / "classes.txt").write_text("background\ndog\n")
    with pytest.raises(DataError, match=r"class 'cat' is not in classes.txt"):
        FolderDataset(root)
