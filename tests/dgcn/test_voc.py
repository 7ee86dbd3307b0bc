"""PASCAL VOC's layout: lists, labels from every source, the server's archive."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layouts import VOC_IDS, drawn, write_annotation, write_voc
from PIL import Image

from dgcn.data import (
    VOC_CLASSES,
    DataError,
    FolderDataset,
    VOCDataset,
    open_dataset,
    read_image,
    read_mask,
    write_mask,
    write_voc_archive,
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> FolderDataset:
    return drawn(tmp_path_factory.mktemp("source") / "set", 3, 2)


@pytest.fixture
def root(tmp_path: Path, source: FolderDataset) -> Path:
    write_voc(tmp_path / "VOC2012", source)
    return tmp_path / "VOC2012"


def test_classes_are_vocs_in_alphabetical_order() -> None:
    assert len(VOC_CLASSES) == 21
    assert list(VOC_CLASSES[1:]) == sorted(VOC_CLASSES[1:])
    assert (VOC_CLASSES[0], VOC_CLASSES[15]) == ("background", "person")


def test_splits_labels_and_masks(root: Path, source: FolderDataset) -> None:
    dataset = open_dataset(root, masks=root)
    assert isinstance(dataset, VOCDataset)
    assert dataset.classes == VOC_CLASSES
    for split in ("train", "val"):
        pairs = zip(dataset.split(split), source.split(split), strict=True)
        for record, original in pairs:
            assert record.labels == tuple(int(VOC_IDS[label]) for label in original.labels)
            assert original.mask is not None
            assert record.mask is not None
            assert np.array_equal(read_mask(record.mask), VOC_IDS[read_mask(original.mask)])
    assert len(dataset) == 5
    dataset.check(dataset.split("all"))


def test_the_folder_above_is_found(root: Path) -> None:
    assert open_dataset(root.parent, masks=root).root == root


def test_sbd_list_in_both_forms_and_its_masks(root: Path, tmp_path: Path) -> None:
    (root / "SegmentationClassAug").mkdir()
    old = root / "SegmentationClass" / "2007_000001.png"
    write_mask(root / "SegmentationClassAug" / "2007_000001.png", read_mask(old))
    write_mask(root / "SegmentationClassAug" / "2007_000000.png", read_mask(old))
    old.unlink()
    plain, pairs = tmp_path / "train_aug.txt", tmp_path / "pairs.txt"
    plain.write_text("2007_000001\n2007_000000\n")
    pairs.write_text(
        "/JPEGImages/2007_000001.jpg /SegmentationClassAug/2007_000001.png\n"
        "/JPEGImages/2007_000000.jpg /SegmentationClassAug/2007_000000.png\n"
    )
    for listing in (plain, pairs):
        records = VOCDataset(root, train_list=listing).split("train")
        assert [record.name for record in records] == ["2007_000001", "2007_000000"]
        folders = [record.mask.parent.name for record in records if record.mask]
        assert folders == ["SegmentationClassAug", "SegmentationClass"]


def save_labels(path: Path, content: Any) -> Path:
    # What numpy.save does with a dictionary.
    np.save(path, content, allow_pickle=True)
    return path


def one_hot(*labels: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    row = np.zeros(20, dtype=np.float32)
    row[[label - 1 for label in labels]] = 1
    return row


def test_labels_from_every_source_agree(root: Path, tmp_path: Path) -> None:
    wanted = {r.name: r.labels for r in VOCDataset(root).split("all")}
    rows = {name: one_hot(*labels) for name, labels in wanted.items()}
    by_name = save_labels(tmp_path / "names.npy", rows)
    numbers = {np.int32(name.replace("_", "")): row for name, row in rows.items()}
    by_number = save_labels(tmp_path / "numbers.npy", numbers)
    csv = tmp_path / "labels.csv"
    lines = [
        f"{name}.jpg,{' '.join(VOC_CLASSES[c] for c in labels)}" for name, labels in wanted.items()
    ]
    csv.write_text("image,labels\n" + "\n".join(lines) + "\n")
    sources: list[Any] = [by_name, by_number, csv, "masks"]
    for annotation in (root / "Annotations").iterdir():
        annotation.unlink()
    for labels in sources:
        found = VOCDataset(root, labels=labels).split("all")
        assert {record.name: record.labels for record in found} == wanted, labels


def test_void_and_background_are_no_labels(root: Path) -> None:
    mask = np.full((72, 72), 255, dtype=np.uint8)
    mask[:3] = [[0], [7], [2]]
    write_mask(root / "SegmentationClass" / "2007_000000.png", mask)
    assert VOCDataset(root, labels="masks").split("train")[0].labels == (2, 7)


class Payload:
    """Would run code if it were unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, ("open('owned', 'w')",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"2007_000000": Payload()}, "eval, which is not allowed"),
        ([1, 2], "instead of an object"),
        (np.array([7, None], dtype=object)[:1].reshape(()), "holds a int instead of a dict"),
        (np.zeros((2, 20)), "instead of an object"),
        ({"2007_000000": np.zeros(19)}, r"'2007_000000' must have shape \(20,\): \(19,\)"),
        ({"2007_000000": np.full(20, 0.5)}, "'2007_000000' are not all 0 or 1"),
        ({"2007_000000": [1, 0]}, r"must have shape \(20,\): list"),
        ({(1, 2): np.zeros(20)}, r"key \(1, 2\) is neither a name nor a number"),
        ({"2007_000001": np.zeros(20)}, "has no labels of image '2007_000000'"),
        ("text", "instead of an object"),
    ],
)
def test_bad_dictionaries_of_labels(
    root: Path, monkeypatch: pytest.MonkeyPatch, content: Any, message: str
) -> None:
    monkeypatch.chdir(root)
    path = save_labels(root / "labels.npy", content)
    with pytest.raises(DataError, match=f"labels.npy.*{message}"):
        VOCDataset(root, labels=path)
    assert not (root / "owned").exists()


def test_damaged_dictionaries_of_labels(root: Path) -> None:
    rows = {record.name: one_hot(*record.labels) for record in VOCDataset(root).split("all")}
    content = save_labels(root / "whole.npy", rows).read_bytes()
    for name, part in (("cut", content[:-40]), ("noise", bytes(range(200))), ("empty", b"")):
        (root / f"{name}.npy").write_bytes(part)
        with pytest.raises(DataError, match=rf"{name}\.npy cannot be read as labels"):
            VOCDataset(root, labels=root / f"{name}.npy")


def test_bad_annotations_are_named(root: Path) -> None:
    path = root / "Annotations" / "2007_000001.xml"
    write_annotation(path, ["dog", "unicorn"])
    with pytest.raises(DataError, match=r"2007_000001\.xml: unknown class 'unicorn'; known are ae"):
        VOCDataset(root)
    path.write_text("<annotation><object>")
    with pytest.raises(DataError, match=r"2007_000001\.xml: malformed XML"):
        VOCDataset(root)
    path.unlink()
    with pytest.raises(DataError, match=r"annotation not found: .*2007_000001\.xml"):
        VOCDataset(root)


def test_bad_lists_and_missing_parts_are_named(root: Path, tmp_path: Path) -> None:
    listing = tmp_path / "list.txt"
    for text, message in (
        ("2007_000000\n2012_999999\n", r"list\.txt:2: image not found: .*2012_999999\.jpg"),
        ("2007_000000\n2007_000000.jpg\n", r"list\.txt:2: '2007_000000' occurs twice"),
        ("2007_000003\n", "'2007_000003' is in both splits, train and val"),
    ):
        listing.write_text(text)
        with pytest.raises(DataError, match=message):
            VOCDataset(root, train_list=listing)
    with pytest.raises(FileNotFoundError, match=r"list of training images not found: .*none"):
        VOCDataset(root, train_list=tmp_path / "none")
    (root / "ImageSets" / "Segmentation" / "val.txt").unlink()
    assert VOCDataset(root).split("val") == []
    with pytest.raises(FileNotFoundError, match="JPEGImages"):
        VOCDataset(root / "Annotations")


def test_layouts_are_told_apart(root: Path, source: FolderDataset, tmp_path: Path) -> None:
    assert isinstance(open_dataset(source.root, masks=root), FolderDataset)
    with pytest.raises(DataError, match=r"no known layout\. Expected labels.csv"):
        open_dataset(root / "JPEGImages", masks=root)
    (root / "labels.csv").write_text("image,labels\n")
    with pytest.raises(DataError, match=r"has the parts of folder and voc: set data\.kind"):
        open_dataset(root, masks=root)
    assert isinstance(open_dataset(root, kind="voc", masks=root), VOCDataset)
    with pytest.raises(DataError, match="train_list is for the layouts of VOC and COCO"):
        open_dataset(source.root, train_list=root / "labels.csv", masks=root)
    with pytest.raises(FileNotFoundError, match="data set folder not found"):
        open_dataset(tmp_path / "none", masks=root)


def test_archive_for_the_evaluation_server(root: Path, tmp_path: Path) -> None:
    masks = root / "SegmentationClass"
    for name in ("a.tgz", "b.tar.gz"):
        assert write_voc_archive(tmp_path / "out" / name, masks.iterdir()) == 5
    assert (tmp_path / "out/a.tgz").read_bytes() == (tmp_path / "out/b.tar.gz").read_bytes()
    with tarfile.open(tmp_path / "out" / "a.tgz") as archive:
        archive.extractall(tmp_path / "x", filter="data")
    folder = tmp_path / "x" / "results" / "VOC2012" / "Segmentation" / "comp6_test_cls"
    assert len(list(folder.iterdir())) == 5
    for path in masks.iterdir():
        with Image.open(folder / path.name) as picture:
            assert picture.mode == "P"
            assert np.array_equal(np.asarray(picture), read_mask(path))


def test_archive_refuses_what_the_server_would(root: Path, tmp_path: Path) -> None:
    masks = root / "SegmentationClass"
    write_mask(masks / "2007_000002.png", np.full((72, 72), 21, dtype=np.uint8))
    with pytest.raises(DataError, match=r"2007_000002\.png: holds value 21, VOC's class ids are"):
        write_voc_archive(tmp_path / "a.tgz", masks.iterdir())
    with pytest.raises(ValueError, match=r"archive must end in \.tgz or \.tar\.gz, got 'a\.zip'"):
        write_voc_archive(tmp_path / "a.zip", masks.iterdir())
    with pytest.raises(DataError, match="masks: there is none to be packed"):
        write_voc_archive(tmp_path / "a.tgz", [])
    with pytest.raises(FileNotFoundError, match=r"mask file not found: .*b\.png"):
        write_voc_archive(tmp_path / "a.tgz", [masks / "b.png"])
    assert not list(tmp_path.glob("*a.*"))


def test_pictures_are_read(root: Path) -> None:
    assert read_image(VOCDataset(root).split("train")[0].image).shape == (72, 72, 3)
