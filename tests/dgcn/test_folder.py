from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dgcn.data import DataError, FolderDataset, read_mask, write_mask, write_synthetic

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for name in ("a.png", "b.PNG", "c.v2.jpg", "d.JPEG"):
        Image.fromarray(PIXELS).save(tmp_path / "images" / name)
    (tmp_path / "labels.csv").write_text(
        "image,labels\na.png,dog cat\nb,\nc.v2.jpg,cat\nd.JPEG,dog cat dog background\n"
    )
    return tmp_path


def add_mask(root, stem, mask):
    write_mask(root / "masks" / f"{stem}.png", np.asarray(mask, dtype=np.uint8))


def check_all(dataset):
    dataset.check(dataset.split("all"))


def test_records_without_class_list_and_splits(root):
    add_mask(root, "a", np.zeros((6, 9)))
    (root / "images" / ".hidden.png").write_bytes(b"")
    (root / "images" / "notes.txt").write_text("")
    (root / "images" / "extra.png").write_bytes(b"")
    dataset = FolderDataset(root)
    assert dataset.classes == ("background", "cat", "dog")
    records = dataset.split("train")
    assert [record.name for record in records] == ["a", "b", "c.v2", "d"]
    assert [record.labels for record in records] == [(1, 2), (), (1,), (1, 2)]
    assert [record.image.name for record in records] == ["a.png", "b.PNG", "c.v2.jpg", "d.JPEG"]
    assert records[0].mask == root / "masks" / "a.png"
    assert records[1].mask is None
    assert dataset.split("val") == []
    assert dataset.split("all") == records
    assert [path.name for path in dataset.unlabelled] == ["extra.png"]
    assert len(dataset) == 4
    check_all(dataset)


def test_class_list_gives_the_order(root):
    (root / "classes.txt").write_text("background\n\ndog\nbird\ncat\n")
    dataset = FolderDataset(root)
    assert dataset.classes == ("background", "dog", "bird", "cat")
    assert dataset.split("all")[0].labels == (1, 3)


def test_splits_keep_the_order_of_their_file(root):
    (root / "train.txt").write_text("d\n\na.png\n")
    dataset = FolderDataset(root)
    assert [record.name for record in dataset.split("train")] == ["d", "a"]
    assert dataset.split("val") == []
    (root / "val.txt").write_text("c.v2\n")
    assert [record.name for record in FolderDataset(root).split("val")] == ["c.v2"]
    (root / "train.txt").unlink()
    left = FolderDataset(root).split("train")
    assert [record.name for record in left] == ["a", "b", "d"]
    with pytest.raises(ValueError, match="name must be 'train', 'val' or 'all', got 'test'"):
        dataset.split("test")


def test_byte_order_mark_windows_lines_and_quotes(root):
    (root / "labels.csv").write_bytes(b'\xef\xbb\xbfimage,labels\r\n"a.png","dog  cat"\r\n')
    assert FolderDataset(root).split("train")[0].labels == (1, 2)


def test_construction_opens_no_picture(root):
    for path in (root / "images").iterdir():
        path.write_bytes(b"damaged")
    dataset = FolderDataset(root)
    with pytest.raises(DataError, match=r"a\.png: cannot be read as an image"):
        check_all(dataset)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label;image\n", r"labels\.csv:1: the first line must be 'image,labels'"),
        ("image,labels\nmasks/a.png,dog\n", r"labels\.csv:2: image 'masks/a\.png' is not"),
        ("image,labels\n", r"labels\.csv: lists no image"),
        ("", r"labels\.csv: lists no image"),
        ("image,labels\na.png\n", r"labels\.csv:2: expected 2 fields"),
        ("image,labels\n\na.png,dog,cat\n", r"labels\.csv:3: expected 2 fields.* got 3"),
        ("image,labels\n,dog\n", r"labels\.csv:2: the image name is empty"),
        ('image,labels\na.png,"dog\n', r"labels\.csv:2: malformed CSV"),
        ("image,labels\na.png,dog\na,dog\n", r"labels\.csv:3: image 'a' is listed twice"),
        ("image,labels\nz.png,dog\n", r"labels\.csv:2: image 'z\.png' is not in .*images"),
        ("image,labels\na.jpg,dog\n", r"labels\.csv:2: image 'a\.jpg' .* but 'a\.png' is"),
        ("image,labels\na.png,\n", r"labels\.csv: names no foreground class"),
    ],
)
def test_malformed_label_list(root, text, message):
    (root / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        FolderDataset(root)


@pytest.mark.parametrize("first", ["Filename", "file_name", "image path", "IMG", "name"])
@pytest.mark.parametrize("second", ["tags", "Class", "categories"])
@pytest.mark.parametrize("image", ["a.png", "images/a.png", "./images\\a.png"])
def test_other_names_of_the_columns_and_paths(root, first, second, image):
    (root / "labels.csv").write_text(f"{first},{second}\n{image},cat dog\n")
    assert FolderDataset(root).split("train")[0].labels == (1, 2)
    (root / "labels.csv").write_text(f"{first},dog,cat\n{image},0,1\n")
    assert [record.labels for record in FolderDataset(root).split("train")] == [(1,)]


@pytest.mark.parametrize(
    "text", ["image;labels\na.png;dog cat\n", "image\tlabels\na.png\tdog cat\n"]
)
def test_separators_of_spreadsheets(root, text):
    (root / "labels.csv").write_text(text)
    assert FolderDataset(root).classes == ("background", "cat", "dog")


@pytest.mark.parametrize("labels", ["cat, dog", "cat;dog", " dog ,cat "])
def test_labels_in_quotes(root, labels):
    (root / "labels.csv").write_text(f'image,labels\na.png,"{labels}"\n')
    assert FolderDataset(root).split("train")[0].labels == (1, 2)


def test_label_list_in_another_encoding(root):
    (root / "labels.csv").write_bytes(b"image,labels\na.png,\xe9l\xe9phant\n")
    with pytest.raises(DataError, match=r"labels\.csv: not UTF-8 text"):
        FolderDataset(root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dog\ncat\n", r"classes\.txt:1: the first class must be 'background', got 'dog'"),
        ("background\ncat\n\ncat\n", r"classes\.txt:4: class 'cat' occurs twice"),
        ("background\n=1+1\n", r"classes\.txt:2: a class name must not begin with =, which spread"),
        ("dog\ncat\ncat\n", r"classes\.txt: 2 faults: line 1: the first .*; line 3: .*twice"),
        ("background\n", r"classes\.txt: names no foreground class"),
        (
            "background\ncat\n",
            r"labels\.csv: 2 faults: line 2: unknown label 'dog'; line 5.*; known are cat \(",
        ),
        ("background\n" + "\n".join(f"c{i}" for i in range(255)), "at most 255 classes .* got 256"),
    ],
)
def test_malformed_class_list(root, text, message):
    (root / "classes.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        FolderDataset(root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\nnone\n", r"train\.txt:2: 'none' is not in labels\.csv"),
        ("a\n\na\n", r"train\.txt:3: 'a' occurs twice, first in line 1"),
        ("a\na.png\n", r"train\.txt:2: 'a\.png' occurs twice"),
        ("\n", r"train\.txt: lists no image"),
    ],
)
def test_malformed_split(root, text, message):
    (root / "train.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        FolderDataset(root)


def test_an_image_in_both_splits(root):
    (root / "train.txt").write_text("a\nb\n")
    (root / "val.txt").write_text("b\n")
    with pytest.raises(DataError, match=r"'b' is in both splits, train and val \(1 are\)"):
        FolderDataset(root)


def test_missing_parts_are_named(root, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"data set folder not found: .*none"):
        FolderDataset(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"saliency folder not found: .*none"):
        FolderDataset(root, saliency=tmp_path / "none")
    (root / "labels.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"list of labels not found: .*labels\.csv"):
        FolderDataset(root)
    (root / "bare").mkdir()
    with pytest.raises(FileNotFoundError, match=r"folder of images not found: .*images"):
        FolderDataset(root / "bare")
    (root / "bare" / "images").mkdir()
    (root / "bare" / "labels.csv").write_text("image,labels\n")
    with pytest.raises(DataError, match="images: holds no jpg, png, webp, bmp or tif image"):
        FolderDataset(root / "bare")


def test_two_images_with_one_stem(root):
    Image.fromarray(PIXELS).save(root / "images" / "a.jpg")
    with pytest.raises(DataError, match=r"a\.png: has the same stem as a\.jpg"):
        FolderDataset(root)


def test_check_names_bad_masks(root):
    add_mask(root, "d", [[0] * 9] * 5 + [[1, 2, 255] * 3])
    check_all(FolderDataset(root))
    add_mask(root, "d", [[0] * 9] * 5 + [[1, 7, 255] * 3])
    with pytest.raises(DataError, match=r"d\.png: holds value 7, but class ids are 0\.\.2"):
        check_all(FolderDataset(root))
    add_mask(root, "c.v2", np.zeros((9, 6)))
    with pytest.raises(DataError, match=r"c\.v2\.png: the mask is 6 x 9 .* 9 x 6"):
        check_all(FolderDataset(root))
    Image.fromarray(PIXELS).save(root / "masks" / "a.png")
    with pytest.raises(DataError, match=r"a\.png: .* holds RGB colours"):
        check_all(FolderDataset(root))


def test_mask_must_fit_the_upright_image(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS).save(root / "images" / "a.png", exif=exif)
    add_mask(root, "a", np.zeros((9, 6)))
    check_all(FolderDataset(root))


def test_check_names_an_image_that_has_gone(root):
    dataset = FolderDataset(root)
    (root / "images" / "b.PNG").unlink()
    with pytest.raises(DataError, match=r"image file not found: .*b\.PNG"):
        check_all(dataset)


def test_check_of_an_empty_split(root):
    dataset = FolderDataset(root)
    with pytest.raises(DataError, match="the split holds no image"):
        dataset.check(dataset.split("val"))


def test_check_reports_progress(root):
    dataset = FolderDataset(root)
    seen = []
    dataset.check(dataset.split("all"), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_check_wants_every_saliency_map(root):
    maps = root / "saliency"
    maps.mkdir()
    for stem in ("a", "b", "d"):
        Image.fromarray(PIXELS[..., 0]).save(maps / f"{stem}.png")
    dataset = FolderDataset(root, saliency=maps)
    with pytest.raises(DataError, match=r"saliency: no saliency map for image 'c\.v2'"):
        check_all(dataset)
    dataset.check(dataset.split("all")[:2])


def test_masks_of_0_and_255_alone_are_refused(tmp_path: Path) -> None:
    """Every object would be void, and a network that sees none would score 100 %."""
    root = tmp_path / "set"
    write_synthetic(root, images=3, val_images=0, size=48)
    for path in (root / "masks").glob("*.png"):
        mask = read_mask(path)
        write_mask(path, np.where(mask > 0, 255, 0).astype(np.uint8))
    dataset = FolderDataset(root)
    with pytest.raises(DataError, match=r"hold 0 and 255 only, and 255 is void.*\(1 disc\)"):
        dataset.check(dataset.split("all"))
    write_mask(path, np.minimum(read_mask(path), 1))  # one with an object is enough
    dataset.check(dataset.split("all"))
