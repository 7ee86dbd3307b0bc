"""Cues that people draw: strokes, points, boxes, areas; label images, LabelMe's files, CVAT's."""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from dgcn.annotations.cvat import read_cvat
from dgcn.annotations.drawing import Drawing
from dgcn.annotations.read_labelme import read_labelme
from dgcn.cli import main
from dgcn.cues import drawn_cues, find_drawings, load_cues, strokes_to_grid
from dgcn.data import DataError, Record, read_mask, write_mask, write_synthetic

NAMES = ("background", "cat", "traffic light")
GRID = 11
SIZE = (81, 101)  # a cell is 8 pixels high and 10 wide


def labels_of(cues: np.ndarray) -> np.ndarray:
    """Class ids on the grid, 255 where there is none."""
    assert cues.dtype == np.bool_
    assert cues.sum(0).max() <= 1
    return np.where(cues.any(0), cues.argmax(0), 255)


def scene() -> np.ndarray:
    """A red disc of radius 20 around (40, 50) on noisy green."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 50, (*SIZE, 3), dtype=np.uint8)
    rows, columns = np.indices(SIZE)
    disc = (rows - 40) ** 2 + (columns - 50) ** 2 <= 20**2
    image[..., 1] += 120
    image[disc] = rng.integers(0, 50, (disc.sum(), 3), dtype=np.uint8) + np.uint8([190, 0, 0])
    return image


def labelme(path: Path, *shapes: dict[str, Any], size: tuple[int, int] | None = SIZE) -> Drawing:
    height, width = size or (None, None)
    content = {"shapes": shapes, "imageHeight": height, "imageWidth": width, "flags": {}}
    path.write_text(json.dumps(content))
    return read_labelme(path)


def shape(label: str, kind: str, *points: tuple[float, float], **more: Any) -> dict[str, Any]:
    return {"label": label, "shape_type": kind, "points": points, **more}


# Strokes


@given(
    arrays(
        np.uint8,
        st.tuples(st.integers(5, 14), st.integers(5, 14)),
        elements=st.sampled_from([0, 1, 2, 255]),
    ),
    st.integers(2, 5),
)
def test_every_drawn_pixel_votes_in_its_nearest_cell(drawn: np.ndarray, grid: int) -> None:
    votes: dict[tuple[int, int], list[int]] = {}
    height, width = drawn.shape
    for (y, x), label in np.ndenumerate(drawn):
        cell = (
            round(float(np.linspace(0, grid - 1, height)[y])),
            round(float(np.linspace(0, grid - 1, width)[x])),
        )
        if label != 255:
            votes.setdefault(cell, []).append(int(label))
    found = strokes_to_grid(drawn, grid)
    for (y, x), label in np.ndenumerate(found):
        cast = votes.get((y, x), [])
        best = max(sorted(set(cast), reverse=True), key=cast.count) if cast else 255
        assert label == best


def test_drawings_of_the_grids_size_or_smaller_fit_as_they_are() -> None:
    drawn = np.array([[0, 255, 1], [255, 255, 255], [2, 255, 255]], dtype=np.uint8)
    np.testing.assert_array_equal(strokes_to_grid(drawn, 3), drawn)
    np.testing.assert_array_equal(strokes_to_grid(drawn, 6), drawn.repeat(2, 0).repeat(2, 1))


def test_thin_strokes_of_a_label_image_stay(tmp_path: Path) -> None:
    drawn = np.full(SIZE, 255, dtype=np.uint8)
    drawn[13, 20:61] = 1  # between two rows of cells, nearer to the second
    drawn[:, 93] = 0
    write_mask(tmp_path / "a.png", drawn)
    found = labels_of(drawn_cues(tmp_path / "a.png", scene(), NAMES, GRID, labels=(1,)))
    expected = np.full((GRID, GRID), 255)
    expected[2, 2:7] = 1
    expected[:, 9] = 0
    np.testing.assert_array_equal(found, expected)
    # Another value for "not drawn": now the background cannot be drawn.
    write_mask(tmp_path / "b.png", np.where(drawn == 1, 1, 0).astype(np.uint8))
    found = labels_of(
        drawn_cues(tmp_path / "b.png", scene(), NAMES, GRID, not_drawn=0, labels=(1,))
    )
    np.testing.assert_array_equal(found, np.where(expected == 1, 1, 255))


# Shapes


def test_points_lines_and_areas_of_labelme(tmp_path: Path) -> None:
    pixels = io.BytesIO()
    Image.fromarray(np.full((16, 18), 1, dtype=np.uint8)).save(pixels, format="PNG")
    drawing = labelme(
        tmp_path / "a.json",
        shape("cat", "point", (100.5, 80.5)),
        shape("cat", "linestrip", (0.5, 0.5), (40.5, 0.5), (40.5, 16.5)),
        shape("traffic light", "polygon", (57, 43), (94, 43), (94, 69), (57, 69)),
        shape("traffic light", "circle", (20.5, 64.5), (20.5, 66.5)),
        shape("_background_", "line", (70.5, 56.5), (80.5, 56.5)),  # over the polygon
        shape("__ignore__", "polygon", (0, 0), (101, 0), (101, 81)),
        shape("cat", "mask", (76, 4), (93, 19), mask=base64.b64encode(pixels.getvalue()).decode()),
    )
    found = labels_of(drawn_cues(drawing, scene(), NAMES, GRID, labels=(1, 2)))
    expected = np.full((GRID, GRID), 255)
    expected[10, 10] = 1
    expected[0, :5] = expected[:3, 4] = 1
    expected[5:9, 6:10] = 2
    expected[8, 2] = 2
    expected[7, 7:9] = 0
    expected[0:3, 8:10] = 1  # rows 4 to 19: nearest to rows 0, 8 and 16
    np.testing.assert_array_equal(found, expected)
    assert drawing.labels == ("cat", "traffic light")


def test_shapes_are_scaled_to_the_picture(tmp_path: Path) -> None:
    half = labelme(tmp_path / "a.json", shape("cat", "point", (25, 20)), size=(40, 50))
    whole = labelme(tmp_path / "b.json", shape("cat", "point", (50.5, 40.5)), size=None)
    results = [drawn_cues(each, scene(), NAMES, GRID, labels=(1,)) for each in (half, whole)]
    np.testing.assert_array_equal(*results)


# Boxes


def box_of_the_disc(path: Path, *more: dict[str, Any]) -> Drawing:
    return labelme(path, shape("cat", "rectangle", (72, 62), (28, 18)), *more)


def test_box_gives_its_object_and_the_background_outside(tmp_path: Path) -> None:
    drawing = box_of_the_disc(tmp_path / "a.json")
    found = labels_of(drawn_cues(drawing, scene(), NAMES, GRID, labels=(1,)))
    rows, columns = np.indices((GRID, GRID))
    y, x = 8 * rows, 10 * columns
    inside = (y >= 18) & (y < 62) & (x >= 28) & (x < 72)
    assert (found[~inside] == 0).all()
    disc = (y - 40) ** 2 + (x - 50) ** 2 <= 20**2
    np.testing.assert_array_equal(found[inside] == 1, disc[inside])
    assert (found[inside & ~disc] == 255).all()  # a candidate, not the background


def test_outside_is_background_only_where_every_class_has_a_box(tmp_path: Path) -> None:
    drawing = box_of_the_disc(tmp_path / "a.json")
    found = labels_of(drawn_cues(drawing, scene(), NAMES, GRID, labels=(1, 2)))
    assert set(found.ravel().tolist()) == {1, 255}
    both = box_of_the_disc(
        tmp_path / "b.json", shape("traffic light", "rectangle", (91, 1), (100, 12))
    )
    found = labels_of(drawn_cues(both, scene(), NAMES, GRID, labels=(1, 2)))
    assert set(found.ravel().tolist()) == {0, 1, 2, 255}


@pytest.mark.parametrize("flat", [True, False])
def test_box_without_contrast_or_surroundings_gives_its_middle_fifth(
    tmp_path: Path, flat: bool
) -> None:
    image = np.full((*SIZE, 3), 90, dtype=np.uint8) if flat else scene()
    corners = ((10, 8), (91, 73)) if flat else ((0, 0), (101, 81))
    drawing = labelme(tmp_path / "a.json", shape("cat", "rectangle", *corners))
    found = labels_of(drawn_cues(drawing, image, NAMES, GRID, labels=(1,)))
    (left, top), (right, bottom) = corners
    half = np.sqrt(0.2) / 2
    middle = [
        (abs(np.arange(GRID) * step - (low + high - 1) / 2) < half * (high - low))
        for step, low, high in ((8, top, bottom), (10, left, right))
    ]
    np.testing.assert_array_equal(found == 1, np.outer(*middle))
    assert flat == bool((found == 0).any())  # no background where the box is all


def test_small_box_lies_above_and_is_not_lost_between_cells(tmp_path: Path) -> None:
    small = shape("traffic light", "rectangle", (44, 35), (47, 38))
    drawing = box_of_the_disc(tmp_path / "a.json", small)
    found = labels_of(drawn_cues(drawing, scene(), NAMES, GRID, labels=(1, 2)))
    ((y, x),) = np.argwhere(found == 2).tolist()
    assert (y in (4, 5), x in (4, 5)) == (True, True)
    assert (found == 1).sum() > 5


def test_strokes_correct_a_box(tmp_path: Path) -> None:
    stroke = shape("background", "line", (45.5, 40.5), (55.5, 40.5))
    drawing = box_of_the_disc(tmp_path / "a.json", stroke)
    found = labels_of(drawn_cues(drawing, scene(), NAMES, GRID, labels=(1,)))
    assert found[5, 5] == 0


# What is wrong


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    def refused(drawing: Path | Drawing, message: str, labels: tuple[int, ...] = (1,)) -> None:
        with pytest.raises(DataError, match=message):
            drawn_cues(drawing, scene(), NAMES, GRID, labels=labels)

    at = tmp_path / "a.json"
    refused(labelme(at, shape("dog", "point", (1, 1))), r"a\.json: unknown class 'dog'")
    refused(labelme(at, shape("cat", "point", (1, 1))), "'cat' is drawn, with which", (2,))
    refused(labelme(at, shape("cat", "point", (300, 1))), "outside of the image")
    refused(labelme(at, shape("cat", "point", (1, 1)), size=(101, 81)), "drawn on 81 x 101 pix")
    drawn = np.full(SIZE, 255, dtype=np.uint8)
    write_mask(tmp_path / "a.png", drawn)
    refused(tmp_path / "a.png", "nothing is drawn, every value is 255")
    drawn[0, 0] = 7
    write_mask(tmp_path / "a.png", drawn)
    refused(tmp_path / "a.png", r"holds value 7, class ids are 0\.\.2")
    write_mask(tmp_path / "a.png", drawn.T.copy())
    refused(tmp_path / "a.png", "is drawn on 81 x 101 pixels, its image .* has 101 x 81")
    for content, message in (
        ("{", "cannot be read as LabelMe"),
        ('{"shapes": 1}', "cannot be read as LabelMe"),
        ('{"shapes": [{"label": "cat"}]}', "shape 0: has no label, or no points"),
        ('{"shapes": [{"label": "cat", "shape_type": "line", "points": [[1, 1]]}]}', "a line has"),
        ('{"shapes": [{"label": "cat", "points": [[1, 1], [2, NaN], [3, 3]]}]}', "not finite"),
        (
            '{"shapes": [{"label": "cat", "shape_type": "mask", "points": [[1, 1]], "mask": "x"}]}',
            "its mask cannot be read",
        ),
    ):
        at.write_text(content)
        with pytest.raises(DataError, match=message):
            read_labelme(at)


def test_drawings_are_found_at_any_depth_beside_the_pictures(tmp_path: Path) -> None:
    deep = tmp_path / "images" / "deep"
    deep.mkdir(parents=True)
    pictures = {name: tmp_path / "images" / f"{name}.png" for name in "abc"}
    for path in pictures.values():
        Image.fromarray(scene()).save(path)
    records = [Record(name, path, (1,), None) for name, path in pictures.items()]
    with pytest.raises(DataError, match="no drawing of an image of this data set"):
        find_drawings(tmp_path, records)
    drawing = labelme(deep / "a.json", shape("cat", "point", (1, 1)))
    labelme(deep / "b.json")  # nothing is drawn
    labelme(deep / "other.json", shape("cat", "point", (1, 1)))
    (deep / "annotations.json").write_text('{"images": []}')
    found = find_drawings(tmp_path, records)
    assert found.found == {"a": drawing}
    assert found.strangers == ("other",)
    before = found.digest
    labelme(deep / "a.json", shape("cat", "point", (2, 1)))
    assert find_drawings(tmp_path, records).digest != before
    write_mask(tmp_path / "a.png", np.zeros(SIZE, dtype=np.uint8))
    with pytest.raises(DataError, match=r"image 'a' has another drawing"):
        find_drawings(tmp_path, records)
    with pytest.raises(FileNotFoundError, match="no such file or folder of drawings"):
        find_drawings(tmp_path / "none", records)


# The chain

OPTIONS = ("--data.size=81", "--model.backbone=small", "--classify.epochs=1", "--train.epochs=1")


def settings(root: Path, out: Path, *more: str) -> list[str]:
    fixed = ["--evaluate.scales=[1]", "--evaluate.crf=false", "--evaluate.pictures=1"]
    return [*OPTIONS, *fixed, "--runtime.device=cpu", f"--data.root={root}", f"--out={out}", *more]


@pytest.fixture(scope="module")
def drawn_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six training images with a stroke on each object, drawn by its mask, three to score."""
    root = tmp_path_factory.mktemp("drawn") / "set"
    dataset = write_synthetic(root, images=6, val_images=3, size=72)
    (root / "strokes").mkdir()
    for record in dataset.split("train"):
        assert record.mask is not None
        mask = read_mask(record.mask)
        drawn = np.full_like(mask, 255)
        drawn[::24, ::3] = mask[::24, ::3]
        for label in record.labels:  # at least one pixel each
            drawn[tuple(np.argwhere(mask == label)[0])] = label
        write_mask(root / "strokes" / f"{record.name}.png", drawn)
    return root


def test_run_on_strokes_needs_no_classifier(
    drawn_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = settings(drawn_set, tmp_path / "run", f"--cues.drawn={drawn_set / 'strokes'}")
    assert main(["run", *given]) == 0
    said = capsys.readouterr().out
    assert f"cues: drawn on 6 images ({drawn_set / 'strokes'})" in said
    assert "the cues alone are not scored: 3 of the 3 scored images have no drawing" in said
    assert not (tmp_path / "run" / "classifier").exists()
    assert (tmp_path / "run" / "graph_cut" / "last.pt").is_file()
    cues = load_cues(tmp_path / "run" / "cues" / "cues.npz")
    for name, array in cues.items():
        drawn = read_mask(drawn_set / "strokes" / f"{name}.png")
        np.testing.assert_array_equal(labels_of(array), strokes_to_grid(drawn, 11))
    verdict = json.loads((tmp_path / "run" / "cues" / "verdict.json").read_text())
    assert not any("too little" in each["what"] for each in verdict["remarks"])
    assert main(["report", str(tmp_path / "run")]) == 0


@pytest.mark.parametrize("kind", ["min_cut", "random_walker"])
def test_drawings_are_spread_by_a_classifier_and_stay(
    drawn_set: Path, tmp_path: Path, kind: str
) -> None:
    strokes = f"--cues.drawn={drawn_set / 'strokes'}"
    given = settings(drawn_set, tmp_path / "run", strokes, f"--cues.refine={kind}")
    assert main(["run", *given]) == 0
    assert (tmp_path / "run" / "classifier" / "last.pt").is_file()
    covered = []
    for name, array in load_cues(tmp_path / "run" / "cues" / "cues.npz").items():
        drawn = strokes_to_grid(read_mask(drawn_set / "strokes" / f"{name}.png"), 11)
        np.testing.assert_array_equal(labels_of(array)[drawn != 255], drawn[drawn != 255])
        assert set(np.unique(labels_of(array))) <= set(np.unique(drawn))
        covered.append(array.any(0).mean() - (drawn != 255).mean())
    assert np.mean(covered) > 0.2


def test_a_drawing_without_background_shows_none_where_most_have_some(
    drawn_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strokes = Path(shutil.copytree(drawn_set / "strokes", tmp_path / "strokes"))
    first = min(strokes.iterdir())
    drawn = read_mask(first)
    write_mask(first, np.where(drawn == 0, 255, drawn).astype(np.uint8))
    given = settings(drawn_set, tmp_path / "run", f"--cues.drawn={strokes}")
    assert main(["cues", *given]) == 0
    said = capsys.readouterr().out
    assert f"cues: drawings without background: 1, e.g. {first.stem}; they are taken to" in said
    assert not load_cues(tmp_path / "run" / "cues" / "cues.npz")[first.stem][0].any()


def test_images_without_a_drawing_have_made_cues_and_changes_are_seen(
    drawn_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strokes = tmp_path / "strokes"
    shutil.copytree(drawn_set / "strokes", strokes)
    first, second, *_ = sorted(strokes.iterdir())
    first.unlink()
    # Objects alone are drawn: the background comes from the saliency.
    for path in sorted(strokes.iterdir())[:3]:
        drawn = read_mask(path)
        write_mask(path, np.where(drawn == 0, 255, drawn).astype(np.uint8))
    drawn = read_mask(second)
    given = settings(drawn_set, tmp_path / "run", f"--cues.drawn={strokes}")
    assert main(["classify", *given]) == 0
    assert main(["cues", *given]) == 0
    assert "cues: drawn on 5 images" in capsys.readouterr().out
    cues = load_cues(tmp_path / "run" / "cues" / "cues.npz")
    own = settings(drawn_set, tmp_path / "own")
    assert main(["classify", *own]) == 0
    assert main(["cues", *own]) == 0
    made = load_cues(tmp_path / "own" / "cues" / "cues.npz")
    assert list(cues) == list(made)
    assert cues[second.stem][0].any()
    objects = strokes_to_grid(read_mask(second), 11)
    np.testing.assert_array_equal(cues[second.stem][1:].any(0), objects != 255)
    assert not (cues[second.stem][0] & ~made[second.stem][0] & (objects == 255)).any()
    drawn[0, 0] = 0
    write_mask(second, drawn)
    capsys.readouterr()
    assert main(["cues", *given]) == 2
    assert "cues.drawn: other content" in capsys.readouterr().err


def test_cues_from_a_file_of_cvat(drawn_set: Path, tmp_path: Path) -> None:
    images = []
    for path in sorted((drawn_set / "strokes").iterdir()):
        drawn = read_mask(path)
        names = ("background", "disc", "square", "triangle", "star", "ring")
        points = "".join(
            f'<points label="{names[label]}" points="'
            + ";".join(f"{x + 0.5},{y + 0.5}" for y, x in np.argwhere(drawn == label))
            + '"/>'
            for label in np.unique(drawn[drawn != 255])
        )
        size = f'width="{drawn.shape[1]}" height="{drawn.shape[0]}"'
        images.append(f'<image id="0" name="sub/{path.stem}.jpg" {size}>{points}</image>')
    file = tmp_path / "annotations.xml"
    file.write_text(f"<annotations><version>1.1</version>{''.join(images)}</annotations>")
    assert len(read_cvat(file)) == 6
    assert main(["cues", *settings(drawn_set, tmp_path / "run", f"--cues.drawn={file}")]) == 0
    for name, array in load_cues(tmp_path / "run" / "cues" / "cues.npz").items():
        drawn = read_mask(drawn_set / "strokes" / f"{name}.png")
        np.testing.assert_array_equal(labels_of(array), strokes_to_grid(drawn, 11))


def test_cues_are_drawn_or_given_not_both(
    drawn_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = (f"--cues.drawn={drawn_set / 'strokes'}", f"--cues.path={drawn_set / 'strokes'}")
    assert main(["cues", *settings(drawn_set, tmp_path / "run", *both)]) == 2
    assert "cues.drawn must be unset beside cues.path" in capsys.readouterr().err
    assert main(["cues", *settings(drawn_set, tmp_path / "run", "--cues.drawn=nowhere")]) == 2
    assert "cues.drawn: no such file or folder: nowhere" in capsys.readouterr().err
