"""dgcn from Python: load once and predict many, train, open a run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_run import OPTIONS

import dgcn
import graphcut_ext as gx
from dgcn.cli import main
from dgcn.data import DataError, read_image, read_mask
from dgcn.data.synthetic import draw_scene
from dgcn.models.tiles import tiled
from dgcn.options import OptionError
from dgcn.report import drawn_over, overlay


@pytest.fixture(scope="module")
def model(tiny_run: Path) -> dgcn.Model:
    return dgcn.load(tiny_run / "graph_cut" / "last.pt", device="cpu")


def scene(index: int = 7, side: int = 90) -> np.ndarray:
    return np.ascontiguousarray(draw_scene(0, index, side)[0][:, : side - 20])


def test_names_are_there_and_torch_is_not_read_before_it_is_needed() -> None:
    code = (
        "import sys, dgcn; assert 'torch' not in sys.modules; "
        "assert {'load', 'train', 'Run', 'Model'} <= set(dir(dgcn)); "
        "assert not hasattr(dgcn, 'lode'); assert 'torch' not in sys.modules; "
        "dgcn.load; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert all(getattr(dgcn, name).__doc__ for name in dgcn.__all__)


@pytest.mark.parametrize(
    "options", [{}, {"evaluate.crf": True, "evaluate.scales": [0.75, 1.0], "crf.iterations": 2}]
)
def test_masks_are_those_of_the_command(
    tiny_run: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    image = tmp_path / "a b.png"
    Image.fromarray(scene()).save(image)
    checkpoint = tiny_run / "graph_cut" / "last.pt"
    arguments = [f"--{key}={json.dumps(value)}" for key, value in options.items()]
    command = ["predict", "--checkpoint", str(checkpoint), "--images", str(image), *arguments]
    assert main([*command, "--out", str(tmp_path / "out"), "--runtime.device=cpu"]) == 0
    model = dgcn.load(checkpoint, device="cpu", **options)
    found = model.predict(image)
    expected = read_mask(tmp_path / "out" / "masks" / "a b.png")
    np.testing.assert_array_equal(found.mask, expected)
    assert found.mask.dtype == np.uint8
    assert found.classes == model.classes
    assert found.probabilities.shape == (len(model.classes), 90, 70)
    np.testing.assert_allclose(found.probabilities.sum(0), 1, atol=1e-5)
    np.testing.assert_array_equal(found.probabilities.argmax(0), found.mask)
    np.testing.assert_array_equal(
        np.asarray(found.overlay()), drawn_over(scene(), expected, model.classes)
    )
    np.testing.assert_array_equal(
        np.asarray(found.overlay(legend=False)), overlay(scene(), expected, model.classes)
    )
    found.save(tmp_path / "mine.png")
    saved = (tmp_path / "mine.png").read_bytes()
    assert saved == (tmp_path / "out" / "masks" / "a b.png").read_bytes()
    assert set(found.labels) == {model.classes[i] for i in np.unique(expected) if i}


def test_probabilities_are_refined_by_the_crf_of_the_settings(tiny_run: Path) -> None:
    checkpoint, size = tiny_run / "graph_cut" / "last.pt", {"evaluate.scales": [1.0]}
    plain = dgcn.load(checkpoint, device="cpu", **{"evaluate.crf": False}, **size)
    refined = dgcn.load(checkpoint, device="cpu", **{"evaluate.crf": True}, **size)
    before, crf = plain.predict(scene()).probabilities, refined.settings.crf
    expected = gx.dense_crf(
        torch.from_numpy(before)[None],
        torch.from_numpy(scene()).permute(2, 0, 1)[None],
        iterations=crf.iterations,
        gaussian=(crf.gaussian_xy, crf.gaussian_weight),
        bilateral=(crf.bilateral_xy, crf.bilateral_rgb, crf.bilateral_weight),
        floor=crf.floor,
    )[0].numpy()
    assert np.abs(expected - before).max() > 0.01
    np.testing.assert_allclose(refined.predict(scene()).probabilities, expected, atol=1e-6)


def test_every_kind_of_image_gives_the_same(model: dgcn.Model, tmp_path: Path) -> None:
    pixels = scene()
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    expected = model.predict(path)
    kinds: list[Any] = [str(path), Image.open(path), pixels, pixels.copy(order="F")]
    for each in [*map(model.predict, kinds), *model.predict(kinds), *model.predict(tuple(kinds))]:
        np.testing.assert_array_equal(each.probabilities, expected.probabilities)
    two = model.predict(np.stack([pixels, 255 - pixels]))
    assert isinstance(two, list)
    np.testing.assert_array_equal(two[0].mask, expected.mask)
    np.testing.assert_array_equal(two[1].image, 255 - pixels)
    assert model.predict([]) == []
    shown = {name: float((expected.mask == i).mean()) for i, name in enumerate(expected.classes)}
    areas = ", ".join(f"{name} {share:.1%}" for name, share in shown.items() if share)
    height, width = expected.mask.shape
    assert repr(expected) == f"dgcn.Prediction({width} x {height} pixels: {areas})"


def test_pil_images_are_read_as_files_are(model: dgcn.Model, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(scene()).save(tmp_path / "a.png", exif=exif)
    Image.fromarray(scene()[..., 0]).save(tmp_path / "b.png")
    for name in ("a.png", "b.png"):
        opened = Image.open(tmp_path / name)
        for _ in range(2):  # the image is left as it was
            np.testing.assert_array_equal(model.predict(opened).image, read_image(tmp_path / name))


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (3, TypeError, r"image must be a path, a PIL image or .* got builtins\.int"),
        (None, TypeError, r"got builtins\.NoneType"),
        (torch.zeros(4, 4, 3), TypeError, r"got torch\.Tensor"),
        (np.zeros((4, 4, 3)), TypeError, "image must be of dtype uint8 .* got float64"),
        (np.zeros((4, 4), np.uint8), ValueError, r"must have shape \(H, W, 3\).* got \(4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, r"got \(0, 4, 3\)"),
        ([np.zeros((4, 4, 3), np.uint8), 5], TypeError, r"image\[1\] must be a path"),
        (np.zeros((2, 4, 4, 1), np.uint8), ValueError, r"image\[0\] must have shape"),
        ("/no/where.png", FileNotFoundError, "image file not found: /no/where.png"),
        (__file__, DataError, "cannot be read as an image"),
    ],
)
def test_what_is_no_image_is_named(
    model: dgcn.Model, image: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        model.predict(image)


def test_tiles_are_predicted_as_images_and_blended(model: dgcn.Model) -> None:
    image = np.concatenate([scene(1, 150), scene(2, 150)], axis=1)
    small = model.predict(image, tile=4096)
    np.testing.assert_array_equal(small.probabilities, model.predict(image).probabilities)
    found = model.predict(image, tile=80)
    assert found.mask.shape == image.shape[:2]
    np.testing.assert_allclose(found.probabilities.sum(0), 1, atol=1e-4)
    corner = model.predict(np.ascontiguousarray(image[:80, :80]))  # a pixel of one tile alone
    np.testing.assert_allclose(
        found.probabilities[:, 0, 0], corner.probabilities[:, 0, 0], atol=1e-6
    )
    with pytest.raises(ValueError, match="tile must be at least 64 pixels, got 63"):
        model.predict(image, tile=63)


@pytest.mark.parametrize(
    "shape", [(64, 64), (65, 200), (200, 65), (64, 130), (300, 257), (10, 500)]
)
def test_tiles_give_back_what_does_not_depend_on_them(shape: tuple[int, int]) -> None:
    """A function of the pixel alone: blending must change nothing, every row must come once."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    sizes = set()

    def of(part: np.ndarray) -> np.ndarray:
        sizes.add(max(part.shape[:2]))
        return part.transpose(2, 0, 1).astype(np.float32) / 255

    bands = list(tiled(of, image, 64))
    assert [band.rows.start for band in bands[1:]] == [band.rows.stop for band in bands[:-1]]
    assert (bands[0].rows.start, bands[-1].rows.stop) == (0, shape[0])
    whole = np.concatenate([band.probabilities for band in bands], axis=1)
    np.testing.assert_allclose(whole, of(image), atol=1e-6)
    assert max(sizes - {max(shape)}, default=64) <= 64


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"evaluate": {"scalez": [1]}}, "no setting evaluate.scalez.*did you mean evaluate.scales"),
        ({"evaluation.crf": False}, "no setting evaluation: the sections are .*mean evaluate"),
        ({"evaluate.crf": "perhaps"}, "evaluate.crf: expected true or false, got perhaps"),
        ({"evaluate.scales": [0]}, r"evaluate.scales must be one or more factors"),
        ({"device": "tpu7"}, "device must be 'auto', 'cpu' or 'cuda', got 'tpu7'"),
    ],
)
def test_wrong_settings_are_named(tiny_run: Path, settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dgcn.load(tiny_run, **settings)


def test_training_from_python_is_the_command(tiny_run: Path, tmp_path: Path) -> None:
    """Equal settings, equal scores; the run that comes back is the run that is opened."""
    flat = dict(option[2:].split("=") for option in OPTIONS)
    values = {key: json.loads(v) if v[0] in "[0123456789tf" else v for key, v in flat.items()}
    nested = {"train": {"epochs": values.pop("train.epochs"), "batch_size": 4}}
    values.pop("train.batch_size")
    run = dgcn.train(out=tmp_path / "run", quiet=True, **nested, **values)
    assert run.settings.train.epochs == 2
    again = dgcn.Run.open(tmp_path / "run" / "graph_cut")
    assert again.folder.resolve() == (tmp_path / "run").resolve()
    scores = json.loads((tiny_run / "graph_cut" / "metrics.json").read_text())
    assert run.scores == {"graph_cut": scores} == again.scores
    assert run.trainings == ("graph_cut",)

    pictures = run.pictures()
    assert [each.name for each in pictures] == [f"val_0000{i}" for i in range(3)]
    for each in pictures:
        np.testing.assert_array_equal(
            each.mask,
            read_mask(tiny_run / "graph_cut" / "predictions" / "val" / f"{each.name}.png"),
        )
        assert each.truth is not None
        assert set(each.labels) == {
            run.classes[i] for i in np.unique(each.truth) if i not in (0, 255)
        }
        assert np.asarray(each.overlay(legend=False)).shape == each.image.shape
    assert run.contact_sheet().size[0] > 100
    found = run.model(device="cpu").predict(pictures[0].path)
    np.testing.assert_array_equal(found.mask, pictures[0].mask)
    assert run.report() == tmp_path / "run" / "report.html"
    with pytest.raises(ValueError, match=r"training must be one of graph_cut in .* got 'static'"):
        run.model("static")


def test_settings_of_the_folder_are_taken(tmp_path: Path) -> None:
    for name in ("disc", "star"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for index in range(3):
            pixels = draw_scene(0, index, 48)[0]
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{name}{index}.png")
    assert main(["init", str(tmp_path / "set")]) == 0
    with pytest.raises(OptionError, match=r"train\.epochs: expected a whole number, got many"):
        dgcn.train(tmp_path / "set", train={"epochs": "many"})
    with pytest.raises(FileNotFoundError, match=r"config: no such file: nowhere\.yaml"):
        dgcn.train(tmp_path / "set", config="nowhere.yaml")
    with pytest.raises(FileNotFoundError, match="no such run folder"):
        dgcn.Run.open(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="JPEGImages"):
        dgcn.train(tmp_path / "set", out=tmp_path / "voc", data={"kind": "voc"})
    small = {"data.size": 41, "model": {"backbone": "small"}, "classify.epochs": 1}
    small |= {"train.epochs": 1, "evaluate": {"crf": False, "scales": [1], "pictures": 0}}
    small["runtime.device"] = "cpu"
    run = dgcn.train(tmp_path / "set", out=tmp_path / "run", quiet=True, **small)
    assert run.settings.supervision.method.unary == "crf"  # of the folder's config.yaml
    assert run.scores == {}  # no masks
    assert len(run.pictures()) == 2
    (tmp_path / "set").rename(tmp_path / "moved")
    moved = dgcn.Run.open(tmp_path / "run", root=tmp_path / "moved")
    assert moved.pictures()[0].path.parent == tmp_path / "moved" / "images"
