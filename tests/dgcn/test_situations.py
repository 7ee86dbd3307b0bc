"""Folders as people have them: what `dgcn init` makes of each, and what it says it leaves aside."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dgcn.cli import main
from dgcn.data import DataError, FolderDataset, read_mask
from dgcn.data.lists import labels_csv, read_labels
from dgcn.starter import start

SIDE = (8, 9)


def write(path: Path, kind: str, number: int) -> None:
    """A file: a picture, unless `kind` says what it is; "mask 0 3 255": grey, of these values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "picture":
        pixels = np.full((*SIDE, 3), 10 * number % 256, dtype=np.uint8)
        pixels[0, 0] = number
        Image.fromarray(pixels).save(path)
    elif kind.startswith("mask"):
        values = [int(value) for value in kind.split()[1:]]
        Image.fromarray(np.resize(np.array(values, np.uint8), SIDE)).save(path)
    elif kind.startswith("RGB mask"):
        values = np.resize(np.array(kind.split()[2:], int), SIDE).astype(np.uint8)
        Image.fromarray(np.stack([values] * 3, axis=-1)).save(path, quality=95)
    elif kind == "colours":
        Image.fromarray(np.full((*SIDE, 3), (200, 0, 0), np.uint8)).save(path)
    else:
        path.write_text(kind)


@dataclass(frozen=True)
class Case:
    """Files of a folder, and what becomes of them.

    `labels`: classes by the name of the image; `val`: images held out, where folders say so;
    `masks`: values of each mask; `said`: patterns of remarks, one each.
    """

    files: dict[str, str]
    labels: dict[str, set[str]]
    val: set[str] | None = None
    masks: dict[str, set[int]] = field(default_factory=dict)
    said: tuple[str, ...] = ()


def pictures(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "picture")


CASES = {
    "splits": Case(
        pictures("train/cat/1.jpg", "train/dog/2.jpg", "val/cat/3.jpg", "val/dog/4.jpg"),
        {"1": {"cat"}, "2": {"dog"}, "3": {"cat"}, "4": {"dog"}},
        val={"3", "4"},
    ),
    "test is left aside where val is": Case(
        pictures("Train/cat/1.jpg", "Valid/cat/2.jpg", "test/cat/3.jpg", "Train/dog/5.jpg"),
        {"1": {"cat"}, "2": {"cat"}, "5": {"dog"}},
        val={"2"},
        said=("left aside, pictures of the split test .*: 1, e.g. test/cat/3.jpg",),
    ),
    "test is held out where val is not": Case(
        pictures("train/cat/1.jpg", "train/dog/2.jpg", "test/dog/3.jpg"),
        {"1": {"cat"}, "2": {"dog"}, "3": {"dog"}},
        val={"3"},
    ),
    "train is a class beside bus": Case(
        pictures("train/1.jpg", "bus/2.jpg"), {"1": {"train"}, "2": {"bus"}}
    ),
    "class and Imgs": Case(
        pictures("Capsule/Imgs/1.png", "Tile/Imgs/2.png"), {"1": {"Capsule"}, "2": {"Tile"}}
    ),
    "wrapped twice": Case(
        pictures("set_v2/data/cat/1.jpg", "set_v2/data/dog/2.jpg"), {"1": {"cat"}, "2": {"dog"}}
    ),
    "deeper than their class": Case(
        pictures("cat/may/1.jpg", "cat/june/1.jpg", "dog/may/3.jpg"),
        {"1": {"cat"}, "cat_1": {"cat"}, "3": {"dog"}},
        said=("3 pictures lie deeper than their class, e.g. in cat/june: taken as 'cat'",),
    ),
    "masks beside pictures": Case(
        pictures("cat/1.jpg", "dog/2.jpg", "dog/2.png", "dog/3.jpg")
        | {"cat/1.png": "mask 0 255", "dog/3_mask.png": "mask 0 7 255"},
        # A colour PNG is a picture, whatever its name.
        {"1": {"cat"}, "2": {"dog"}, "dog_2": {"dog"}, "3": {"dog"}},
        masks={"1": {0, 1}, "3": {0, 2, 255}},
        said=("2 masks of one value written into .*masks with the id of their image's class",),
    ),
    "masks of three channels": Case(
        pictures("cat/1.jpg", "cat/2.jpg", "dog/3.jpg")
        | {"cat/1.png": "RGB mask 0 255", "GT/2.png": "RGB mask 0 0", "GT/3.png": "RGB mask 0 2"},
        {"1": {"cat"}, "2": {"cat"}, "3": {"dog"}},
        masks={"1": {0, 1}, "2": {0}, "3": {0, 2}},
        said=(
            "2 masks of one value written into .*masks with the id of their image's class",
            "1 masks linked into",
        ),
    ),
    "masks with a smoothed outline": Case(
        pictures("cat/1.jpg", "dog/2.jpg")
        | {"GT/1.png": "mask 0 40 190 255 255", "GT/2.png": "mask 0 40 40 190 255"},
        {"1": {"cat"}, "2": {"dog"}},
        masks={"1": {0, 1, 255}},
        said=(
            "1 masks of one value written into .*masks with the id of their image's class",
            "left aside, masks whose values are not the ids .*: 1, e.g. GT/2.png",
        ),
    ),
    "ids of no class, and much void": Case(
        pictures("cat/1.jpg", "dog/2.jpg") | {"GT/1.png": "mask 0 1 9 255 255 255"},
        {"1": {"cat"}, "2": {"dog"}},
        said=("left aside, masks whose values are not the ids .*: 1, e.g. GT/1.png",),
    ),
    "masks as JPEG": Case(
        pictures("cat/1.jpg", "images/2.jpg")
        | {"GT/1.jpg": "RGB mask 0 0 0 0 0 0 0 0 0 255 255 255 255 255 255 255 255 255"},
        {"1": {"cat"}},
        masks={"1": {0, 1}},
        said=(
            "1 masks of one value written into .*masks with the id of their image's class",
            "left aside, .*: 1, e.g. images/2.jpg",
        ),
    ),
    "split for anomalies": Case(
        pictures("train/good/1.jpg", "test/good/2.jpg")
        | pictures(*(f"test/broken/{number}.jpg" for number in range(3, 9)))
        | {"ground_truth/broken/3_mask.png": "mask 0 255"},
        {"1": set(), "2": set(), **{str(number): {"broken"} for number in range(3, 9)}},
        masks={"1": {0}, "2": {0}, "3": {0, 1}},
        said=(
            "the folders' split is not kept: its training pictures show no object",
            "good: taken as pictures without objects",
            'good: the thing itself stands out .*: cues.saliency "novelty", evaluate.logit_adj',
            "1 masks of one value written",
        ),
    ),
    "folders without objects": Case(
        pictures("scratch/1.jpg", "good/2.jpg", "MT_Free/3.jpg", "no defect/4.jpg", "goods/5.jpg")
        | pictures("no entry/6.jpg", "notumor/7.jpg", "Without_Cracks/8.jpg"),
        {"1": {"scratch"}, "5": {"goods"}, "6": {"no entry"}}
        | {number: set() for number in ("2", "3", "4", "7", "8")},
        said=(
            "MT_Free, Without_Cracks, good, no defect, notumor: taken as pictures without objects",
            "MT_Free, Without_Cracks, good, no defect, notumor: the thing itself stands out ",
        ),
    ),
    "masks in sibling folders": Case(
        pictures("cat/Imgs/1.jpg", "dog/Imgs/1.jpg")
        | {"cat/GT/1.png": "mask 0 1", "dog/GT/1.png": "mask 0 1", "dog/GT/9.png": "mask 0"},
        {"1": {"cat"}, "dog_1": {"dog"}},
        masks={"1": {0, 1}, "dog_1": {0, 2}},
        said=("left aside, masks that belong to no picture: 1, e.g. dog/GT/9.png",),
    ),
    "masks in a folder of their own": Case(
        pictures("images/train/cat/1.jpg", "images/val/dog/2.jpg")
        | {"ground truth/train/cat/1.png": "mask 0 1", "ground truth/val/dog/2.png": "mask 0 2"},
        {"1": {"cat"}, "2": {"dog"}},
        val={"2"},
        masks={"1": {0, 1}, "2": {0, 2}},
        said=("2 masks linked into",),
    ),
    "masks that are none": Case(
        pictures("cat/1.jpg", "dog/2.jpg", "dog/3.jpg")
        | {"labels/1.png": "colours", "labels/3.jpg": "RGB mask 0 120"}
        | {"labels/2.png": "mask 0 1 2", "labels/2.txt": "0 0.5"},
        {"1": {"cat"}, "2": {"dog"}, "3": {"dog"}},
        said=(
            r"left aside, files that are no pictures \(\.txt\): 1, e.g. labels/2.txt",
            "left aside, coloured masks .*: 1, e.g. labels/1.png",
            "left aside, masks whose values are not the ids .*: 1, e.g. labels/2.png",
            "left aside, masks that are no png, and not black and white: 1, e.g. labels/3.jpg",
        ),
    ),
    "names with spaces and commas": Case(
        pictures("traffic light, grün/a b.jpg", 'wall 5" high/2.jpg', "cat; dog/3.jpg"),
        {"a b": {"traffic light, grün"}, "2": {'wall 5" high'}, "3": {"cat; dog"}},
    ),
    "names that spreadsheets compute": Case(
        pictures("cat/=1+1.jpg", "cat/-2.jpg", "dog/@3.jpg"),
        {"=1+1": {"cat"}, "-2": {"cat"}, "@3": {"dog"}},
    ),
    "names with control characters": Case(
        pictures("cat/1.jpg", "dog/2.jpg", "dog/\x1b[31m.jpg", "dog/a\nb.jpg"),
        {"1": {"cat"}, "2": {"dog"}},
        said=(r"left aside, pictures with control .*: 2, e.g. dog/\\x1b\[31m.jpg",),
    ),
    "every format": Case(
        pictures("cat/1.tif", "cat/2.webp", "cat/3.bmp", "dog/4.TIFF", "dog/5.jfif")
        | {"dog/6.heic": "", "dog/7.gif": ""},
        {"1": {"cat"}, "2": {"cat"}, "3": {"cat"}, "4": {"dog"}, "5": {"dog"}},
        said=(
            r"left aside, pictures of a kind .*\(\.heic; .*: 1, e.g. dog/6.heic",
            r"left aside, pictures of a kind .*\(\.gif; .*: 1, e.g. dog/7.gif",
        ),
    ),
    "pictures in no class folder": Case(
        pictures("cat/1.jpg", "dog/2.jpg", "overview.jpg", ".hidden.jpg") | {"notes.md": "x"},
        {"1": {"cat"}, "2": {"dog"}},
        said=(
            r"left aside, files that are no pictures \(\.md\): 1, e.g. notes.md",
            "left aside, pictures that lie in no class folder: 1, e.g. overview.jpg",
        ),
    ),
    "one name, three pictures": Case(
        pictures("cat/1.jpg", "cat/1.png", "dog/1.jpg", "dog/1.bmp"),
        {"1": {"cat"}, "cat_1": {"cat"}, "dog_1": {"dog"}, "1_jpg": {"dog"}},
    ),
    "a class on every image": Case(
        pictures("cat/1.jpg", "cat/2.jpg"),
        {"1": {"cat"}, "2": {"cat"}},
        said=("every image is labelled 'cat': nothing tells it from the background",),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_folder_becomes_a_data_set(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "set"
    for number, (name, kind) in enumerate(case.files.items(), start=1):
        write(root / name, kind, number)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    for again in (False, True):  # the second time with its own links and lists in the folder
        begun = start(root, force=again)
        dataset = FolderDataset(root)
        dataset.check(dataset.split("all"))
        names = {r.name: {dataset.classes[i] for i in r.labels} for r in dataset.split("all")}
        assert names == case.labels
        if case.val is not None:
            assert {record.name for record in dataset.split("val")} == case.val
        masks = {r.name: set(np.unique(read_mask(r.mask))) for r in dataset.split("all") if r.mask}
        assert masks == case.masks
        kept = ("linked into", "masks/: their", "masks of", "is kept as")
        remarks = [each for each in begun.remarks if not any(part in each for part in kept)]
        said = [each for each in case.said if "masks of one" not in each and "linked" not in each]
        assert len(remarks) == len(said), remarks
        for pattern in said:
            assert any(re.search(pattern, each) for each in remarks), (pattern, remarks)
    assert {path: path.read_bytes() for path in before} == before
    assert main(["init", str(root)]) == 0
    assert "\x1b" not in capsys.readouterr().out
    for row in (root / "labels.csv").read_text(encoding="utf-8").splitlines():
        assert row[0] not in "=+-@\t"


def test_two_classes_that_are_always_together(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write(tmp_path / "cat" / f"{number}.jpg", "picture", number)
        write(tmp_path / "sofa" / f"{number}.jpg", "picture", number)
    write(tmp_path / "dog" / "9.jpg", "picture", 9)
    begun = start(tmp_path)
    assert "the classes 'cat' and 'sofa' are always together (3 images)" in begun.remarks[0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("=1+1", "begin with =, which spreadsheets compute: '=1+1': rename the folder"),
        ("a\x07b", r"must not hold control characters: 'a\\x07b'"),
        ("cat ", "begin or end with a space"),
    ],
)
def test_folder_that_names_no_class_is_refused(
    name: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / name / "1.jpg", "picture", 1)
    write(tmp_path / "dog" / "2.jpg", "picture", 2)
    assert main(["init", str(tmp_path)]) == 2
    printed = capsys.readouterr().err
    assert re.search(message, printed) or message in printed
    assert printed.isascii()
    assert "\x07" not in printed


NAMES = st.text("ab,;\"'=+-@ü#", min_size=1, max_size=5).filter(lambda name: name[0] not in "=+-@")
SPACED = st.lists(NAMES, min_size=1, max_size=3).map(" ".join)
FILES = st.text("ab,;\"'=+-@ü#", min_size=1, max_size=5).map(lambda name: f"{name}.jpg")


@given(st.dictionaries(FILES, st.lists(SPACED, unique=True), min_size=1, max_size=4))
@settings(deadline=None)
def test_labels_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, labels: dict[str, list[str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "labels.csv"
    path.write_text(labels_csv(labels), encoding="utf-8")
    assert {row.image: list(row.labels) for row in read_labels(path)} == labels


CSVS = {
    "image,cat,dog\na,1,0\nb.jpg,1,1\nc,0,\n": {"a": {"cat"}, "b": {"cat", "dog"}, "c": set()},
    'image,"traffic light, grün"\na,x\nb,\nc,TRUE\n': {
        "a": {"traffic light, grün"},
        "b": set(),
        "c": {"traffic light, grün"},
    },
    "image;cat;dog\na;1;0\nb;0;1.0\n": {"a": {"cat"}, "b": {"dog"}},
    "image,background,cat\na,1,0\nb,1,1\n": {"a": set(), "b": {"cat"}},
    'image,labels\na,"cat, ""big dog"""\nb,"""big dog"""\n': {
        "a": {"cat", "big dog"},
        "b": {"big dog"},
    },
    "Image,Label\na,cat\nb,dog\n": {"a": {"cat"}, "b": {"dog"}},
}
FAULTY = {
    "image,labels\na,cat,\nz,dog\n,x\na.png,cat\n": (
        r"labels\.csv: 4 faults: line 2: expected 2 fields.*; line 3: image 'z' is not in images/; "
        r"line 4: the image name is empty; line 5: image 'a\.png' is not there"
    ),
    "image,labels\n" + "".join(f"z{i},cat\n" for i in range(14)): (
        r"14 faults: line 2: image 'z0'.*line 11: image 'z9' is not in images/; and 4 more$"
    ),
    'image,labels\na,"cat ""dog"\nb,=1+1\n': (
        r"2 faults: line 2: a double quote is open.*; line 3: a class name must not begin with ="
    ),
    "image,cat,dog\na,1\nb,2,0\n": (
        r"2 faults: line 2: expected 3 fields.* got 2.*; line 3: column 'cat' must hold 0 or 1, "
        r"got '2'"
    ),
    "image,cat,cat\na,1,0\n": r":1: class 'cat' has two columns",
    "image,=cat\na,1\n": r":1: a class name must not begin with =",
}


@pytest.fixture
def three(tmp_path: Path) -> Path:
    for number, name in enumerate("abc", start=1):
        write(tmp_path / "images" / f"{name}.jpg", "picture", number)
    return tmp_path


@pytest.mark.parametrize("text", CSVS)
def test_lists_of_labels(three: Path, text: str) -> None:
    (three / "labels.csv").write_text(text, encoding="utf-8")
    dataset = FolderDataset(three)
    found = {r.name: {dataset.classes[i] for i in r.labels} for r in dataset.split("all")}
    assert found == CSVS[text]


@pytest.mark.parametrize("text", FAULTY)
def test_all_faults_of_a_list_are_said(three: Path, text: str) -> None:
    (three / "labels.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=FAULTY[text]):
        FolderDataset(three)
