"""`dgcn doctor`: what it finds, and that it finds nothing where nothing is."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import rich.console
import tifffile
from layouts import drawn, write_coco, write_voc
from numpy.typing import NDArray
from PIL import Image

import graphcut_ext as gx
from dgcn.cli import main
from dgcn.config import Config, DataConfig
from dgcn.data import Record, write_mask, write_synthetic
from dgcn.data.synthetic import draw_scene
from dgcn.doctor import Finding, kernels
from dgcn.doctor.dataset import check_dataset
from dgcn.doctor.duplicates import Fingerprint, fingerprint, near_duplicates
from dgcn.doctor.masks import check_masks, check_widths
from dgcn.training.console import Console


def test_finding_without_a_fix_is_refused() -> None:
    Finding("ok", "fine")
    with pytest.raises(ValueError, match="fix must say what to do about 'broken'"):
        Finding("error", "broken")


# Kernels


def test_kernels_pass_their_checks() -> None:
    found = list(kernels.check_kernels())
    assert [finding.level for finding in found] == ["ok"] * len(found)
    assert len(found) >= 6


def test_wrong_kernel_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks can fail: they are given kernels that are a little wrong, or raise."""
    right = gx.maxflow

    class Off:
        def __getattr__(self, name: str) -> object:
            return getattr(gx, name)

        def knn(self, x: object, k: int) -> object:
            found = gx.knn(x, k)  # type: ignore[arg-type]
            return found._replace(indices=found.indices.flip(-1))

        def maxflow(self, *args: object, **kwargs: object) -> object:
            if kwargs["solver"] == "bk":
                raise RuntimeError("illegal instruction")
            cut = right(*args, **kwargs)  # type: ignore[arg-type]
            return cut._replace(source_side=~cut.source_side)

    monkeypatch.setattr(kernels, "gx", Off())
    found = {finding.what: finding for finding in kernels.check_kernels()}
    assert found["dense CRF"].level == "ok"
    wrong = [what for what, finding in found.items() if finding.level == "error"]
    assert "neighbours on cpu against brute force: wrong result" in wrong
    assert "minimum cut by 'auto' against all labellings: wrong result" in wrong
    raised = "minimum cut by 'bk' against all labellings: RuntimeError: illegal instruction"
    assert raised in wrong
    assert all(found[what].fix for what in wrong)


# Near duplicates


def scene(index: int) -> NDArray[np.uint8]:
    return draw_scene(5, index, 120)[0]


def saved(path: Path, image: NDArray[np.uint8], **options: int) -> Fingerprint:
    Image.fromarray(image).save(path, **options)
    return fingerprint(path)


def test_versions_of_a_picture_are_near_and_other_pictures_are_not(tmp_path: Path) -> None:
    pictures = [saved(tmp_path / f"{index}.png", scene(index)) for index in range(12)]
    smaller = Image.fromarray(scene(3)).resize((70, 70))
    versions = [
        saved(tmp_path / "a.jpg", scene(0), quality=40),
        saved(tmp_path / "b.png", scene(1)[:, ::-1]),
        saved(tmp_path / "c.png", (scene(2) * 0.95).astype(np.uint8)),
        saved(tmp_path / "d.png", np.asarray(smaller)),
    ]
    assert near_duplicates(versions, pictures) == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert near_duplicates(pictures, []) == []


def test_plain_pictures_of_other_colours_are_not_near(tmp_path: Path) -> None:
    red, blue = np.zeros((2, 50, 50, 3), dtype=np.uint8)
    red[..., 0], blue[..., 2] = 200, 200
    prints = [saved(tmp_path / "r.png", red), saved(tmp_path / "b.png", blue)]
    assert near_duplicates(prints, prints) == [(0, 0), (1, 1)]


def test_pictures_of_16_bits_are_compared_by_what_they_show(tmp_path: Path) -> None:
    """All their values are above 255, where 8 bits end."""
    greys = [scene(index).mean(2).astype(np.uint16) * 64 + 300 for index in range(3)]
    prints = []
    for index, grey in enumerate(greys):
        tifffile.imwrite(tmp_path / f"{index}.tif", grey)
        prints.append(fingerprint(tmp_path / f"{index}.tif"))
    assert near_duplicates(prints, prints) == [(0, 0), (1, 1), (2, 2)]


# The data set


def findings(root: Path, saliency: Path | None = None) -> list[Finding]:
    config = Config(data=DataConfig(root=root, saliency=saliency))
    return list(check_dataset(config, root, Console(quiet=True)))


def said(found: list[Finding], level: str) -> str:
    return "\n".join(f"{each.what} -> {each.fix}" for each in found if each.level == level)


def test_sound_data_set_has_no_findings(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "set", images=60, val_images=20, size=64)
    found = findings(tmp_path / "set")
    assert said(found, "error") == said(found, "warning") == ""
    assert "all 80 images open" in said(found, "ok")
    assert "no validation image looks like a training image" in said(found, "ok")


@pytest.fixture
def sick(tmp_path: Path) -> Path:
    """A data set with a bit of everything wrong with it."""
    images = tmp_path / "images"
    images.mkdir()
    lines = ["image,labels"]
    for index in range(30):
        Image.fromarray(scene(index)).save(images / f"cat{index}.png")
        lines.append(f"cat{index}.png,cat")
    Image.fromarray(scene(30)).save(images / "dog0.png")
    Image.fromarray(scene(31)[:40, :40]).save(images / "tiny.png")
    Image.fromarray(np.tile(scene(32), (1, 4, 1))).save(images / "long.png")
    Image.fromarray(scene(7)).save(images / "copy.jpg", quality=70)
    Image.fromarray(scene(33)).save(images / "unlisted.png")
    (images / "broken.jpg").write_bytes(b"\xff\xd8 no image")
    lines += ["dog0.png,dog", "tiny.png,", "long.png,", "copy.jpg,cat", "broken.jpg,cat"]
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "classes.txt").write_text("background\ncat\ndog\nbird\n")
    (tmp_path / "val.txt").write_text("copy\n")
    (tmp_path / "masks").mkdir()
    write_mask(tmp_path / "masks" / "cat0.png", np.zeros((5, 5), dtype=np.uint8))
    return tmp_path


def test_every_ill_is_found_with_a_fix(sick: Path) -> None:
    found = findings(sick)
    errors, warnings = said(found, "error"), said(found, "warning")
    assert "broken.jpg: cannot be read as an image" in errors
    assert "cat0.png: the mask is 5 x 5 pixels" in errors
    assert "correct the mask, or take it away: masks are used for scores alone" in {
        finding.fix for finding in found
    }
    assert errors.count("\n") == 1
    for part in (
        "images not in labels.csv, which are not used (1): unlisted.png",
        "no training image is labelled bird",
        "fewer than 5 training images: dog",
        "31 training images of cat, 1 of dog",
        "no validation image of dog: their scores say nothing",
        "images below 64 pixels (1): tiny",
        "images more than 3 times as long as wide (1): long",
        "validation images that look like training images (1): copy and cat7",
    ):
        assert part in warnings
    assert warnings.count("\n") == 7
    assert "no masks: masks are predicted, not scored" in said(found, "ok")


@pytest.mark.parametrize(
    ("name", "text", "what", "fix"),
    [
        ("labels.csv", "image,labels\na.png,\n", "names no foreground class", "fill in the labels"),
        ("labels.csv", "image,labels\nx.png,cat\n", "labels.csv:2: image 'x.png'", "correct"),
        ("labels.csv", None, "list of labels not found", "dgcn init"),
        ("classes.txt", "background\ndog\n", "unknown label 'cat'", "add the class to classes.txt"),
    ],
)
def test_lists_that_cannot_be_used(
    tmp_path: Path, name: str, text: str | None, what: str, fix: str
) -> None:
    (tmp_path / "images").mkdir()
    Image.fromarray(scene(0)).save(tmp_path / "images" / "a.png")
    (tmp_path / "labels.csv").write_text("image,labels\na.png,cat\n")
    if text is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(text)
    (finding,) = findings(tmp_path)
    assert finding.level == "error"
    assert what in finding.what
    assert fix in finding.fix


def test_names_that_were_meant_otherwise(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    labels = ["person", "car"] * 6 + ["preson", "Person", "cat", "persons car"]
    lines = ["image,labels"]
    for index, label in enumerate(labels):
        Image.fromarray(scene(index)).save(tmp_path / "images" / f"{index}.png")
        lines.append(f"{index}.png,{label}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    write_mask(tmp_path / "masks" / "0.png", np.zeros(scene(0).shape[:2], dtype=np.uint8))
    (tmp_path / "masks" / "1.jpg").write_bytes(b"")
    (tmp_path / "masks" / "2_mask.png").write_bytes(b"")
    (tmp_path / "masks" / ".DS_Store").write_bytes(b"")
    warnings = said(findings(tmp_path), "warning")
    for pair in ("preson (1) and person (6)", "Person (1) and person (6)"):
        assert pair in warnings
    assert "persons (1) and person (6)" in warnings
    assert "cat (1) and" not in warnings
    assert "files in masks/ that are no image's mask (2): 1.jpg, 2_mask.png" in warnings


def test_one_class_and_no_split_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    lines = ["image,labels"]
    for index in range(6):
        Image.fromarray(scene(index)).save(tmp_path / "images" / f"{index}.png")
        lines.append(f"{index}.png,cat")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    warnings = said(findings(tmp_path), "warning")
    assert "every training image is labelled cat" in warnings
    assert "no validation images" in warnings
    assert warnings.count("\n") == 1


def test_voc_layout_is_checked_like_a_folder(tmp_path: Path) -> None:
    source = drawn(tmp_path / "source", 4, 2)
    ids = write_voc(tmp_path / "VOC2012", source)
    root = tmp_path / "VOC2012"
    found = findings(tmp_path)
    assert said(found, "error") == ""
    ok = said(found, "ok")
    assert "4 training and 2 validation images" in ok
    labels = [label for record in source.split("train") for label in record.labels]
    assert f"bird {labels.count(1)}," in ok
    assert "2 of 2 images to be scored have masks" in ok
    assert "all 6 images open" in ok
    warnings = said(found, "warning")
    assert "no training image is labelled aeroplane, bicycle, boat, bottle, bus and 10 more" in (
        warnings
    )
    assert "data.train_list" in warnings
    assert "classes.txt" not in warnings

    first, held_out = ids["train_00000"], ids["val_00000"]
    (root / "JPEGImages" / f"{first}.jpg").write_bytes(b"\xff\xd8 no image")
    write_mask(root / "SegmentationClass" / f"{held_out}.png", np.zeros((5, 5), dtype=np.uint8))
    errors = said(findings(tmp_path), "error")
    assert f"{first}.jpg: cannot be read as an image" in errors
    assert f"{held_out}.png: the mask is 5 x 5 pixels" in errors
    assert errors.count("out of the lists data.train_list and data.val_list") == 1
    (root / "Annotations" / f"{first}.xml").write_text("<annotation>")
    assert f"{first}.xml" in said(findings(tmp_path), "error")
    (root / "ImageSets" / "Segmentation" / "train.txt").unlink()
    (finding,) = findings(tmp_path)
    assert "list of training images not found" in finding.what
    assert finding.fix == "correct the line or the file that is named"


def test_coco_layout_is_checked_like_a_folder(tmp_path: Path) -> None:
    root, out = tmp_path / "coco", tmp_path / "out"
    write_coco(root, drawn(tmp_path / "source", 6, 2))

    def coco() -> list[Finding]:
        config = Config(out=out, data=DataConfig(root=root))
        return list(check_dataset(config, root, Console(quiet=True)))

    found = coco()
    assert said(found, "error") == ""
    assert "6 training and 2 validation images" in said(found, "ok")
    assert "all 8 images open" in said(found, "ok")
    assert len(list((out / "data" / "masks").glob("*.png"))) == 8
    picture = next((root / "train2014").iterdir())
    picture.write_bytes(picture.read_bytes()[:200])
    assert picture.name in said(coco(), "error")
    (root / "annotations" / "instances_val2014.json").unlink()
    assert "no validation images: the training images are predicted" in said(coco(), "warning")
    assert "in a file, and the file in data.val_list" in said(coco(), "warning")
    (root / "train2014").rename(root / "gone")
    (finding,) = coco()
    assert "folder of images" in finding.what
    assert "dgcn init" not in finding.fix


# The verb


def test_status_tells_errors_from_warnings(
    sick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor"]) == 0
    assert "0 errors, 0 warnings" in capsys.readouterr().out
    assert main(["doctor", "--data.root", str(sick)]) == 1
    printed = capsys.readouterr().out
    assert "2 errors, 9 warnings" in printed  # the ninth: no weights
    assert printed.count("fix: ") == 11
    assert "\x1b[" not in printed
    assert main(["doctor", "--data.root", str(tmp_path / "gone")]) == 1
    assert "data.root: no such folder" in capsys.readouterr().out
    assert main(["doctor", "--train.epochs", "0"]) == 1
    assert "train.epochs must be >= 1, got 0" in capsys.readouterr().out


def test_foreign_weights_are_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_synthetic(tmp_path / "set", images=60, val_images=20, size=64)
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"\0" * 64)
    options = ("--data.root", str(tmp_path / "set"), "--model.weights", str(weights))
    assert main(["doctor", *options]) == 1
    assert "w.safetensors" in capsys.readouterr().out


def test_colours_are_for_terminals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from dgcn.doctor import examination

    def shown(**options: bool) -> str:
        stream = io.StringIO()
        console = Console(rich_console=rich.console.Console(file=stream, **options))
        examination._show(Finding("error", "[red]x", "y"), console)
        return stream.getvalue()

    assert shown(force_terminal=True).count("\x1b[31m") == 1
    assert shown() == "  error   [red]x\n          fix: y\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in shown(force_terminal=True)


def test_masks_that_contradict_the_labels(tmp_path: Path) -> None:
    def record(name: str, labels: tuple[int, ...], values: list[list[int]]) -> Record:
        mask = tmp_path / f"{name}.png"
        write_mask(mask, np.array(values, dtype=np.uint8))
        return Record(name, tmp_path / f"{name}.jpg", labels, mask)

    sound = record("sound", (1,), [[0, 1], [1, 255]])
    bare = Record("bare", tmp_path / "bare.jpg", (1,), None)
    names = ("background", "cat", "dog")
    (finding,) = check_masks([sound, bare], names)
    assert finding == Finding("ok", "the classes of all 1 masks are those of the labels")
    assert list(check_masks([bare], names)) == []
    found = list(
        check_masks(
            [
                sound,
                record("extra", (1,), [[0, 1], [2, 2]]),
                record("missing", (1, 2), [[0, 0], [0, 1]]),
                record("void", (), [[255, 255], [255, 0]]),
            ],
            names,
        )
    )
    assert [each.level for each in found] == ["warning"] * 3
    assert "do not name (1): extra (dog)" in found[0].what
    assert "does not hold (1): missing (dog)" in found[1].what
    assert "mostly void, 255, which is not scored (1): void 75%" in found[2].what


@pytest.mark.parametrize(("width", "thin"), [(2, True), (6, True), (10, False)])
def test_objects_thinner_than_a_cell_are_warned_of(tmp_path: Path, width: int, thin: bool) -> None:
    mask = np.zeros((200, 160), dtype=np.uint8)
    mask[:, 70 : 70 + width] = 1
    mask[:5, :5] = 255
    write_mask(tmp_path / "a.png", mask)
    record = Record("a", tmp_path / "a.jpg", (1,), tmp_path / "a.png")
    bare = Record("b", tmp_path / "b.jpg", (1,), None)
    found = list(check_widths([record, bare], ("background", "crack"), 201))
    assert [each.level for each in found] == (["warning"] if thin else [])
    for each in found:
        said_width = float(each.what.rsplit(" ", 1)[1])
        assert said_width == pytest.approx(width * 201 / 200, rel=0.3)
        assert "--data.size 297" in each.fix
    assert list(check_widths([bare], ("background", "crack"), 201)) == []
