import numpy as np
import pytest
from PIL import Image

from dgcn.pipeline.panels import from_the_median
from dgcn.report import Row, class_colours, contact_sheet, heat, overlay
from dgcn.report.legend import font_of

CLASSES = ["background", "cat", "dog"]
GREY = np.full((41, 41, 3), 120, np.uint8)


def test_colours_are_distinct_and_do_not_depend_on_the_number():
    colours = class_colours(255)
    assert len({tuple(colour) for colour in colours}) == 255
    np.testing.assert_array_equal(class_colours(7), colours[:7])
    first = colours[:14].astype(int)
    gaps = np.abs(first[:, None] - first[None]).sum(-1) + 999 * np.eye(14, dtype=int)
    assert gaps.min() > 60
    with pytest.raises(ValueError, match=r"count must be in 1\.\.255, got 0"):
        class_colours(0)


def test_overlay_mixes_photograph_and_class_colour():
    labels = np.zeros((41, 41), np.uint8)
    labels[10:30, 10:30] = 2
    labels[35:, :] = 255
    laid = overlay(GREY, labels, CLASSES, alpha=0.5).astype(int)
    colour = class_colours(3).astype(int)
    np.testing.assert_allclose(laid[20, 20], (120 + colour[2]) / 2, atol=1)
    np.testing.assert_allclose(laid[2, 2], 0.4 * 120 + 0.6 * colour[0], atol=1)
    assert laid[38, 20].min() > 170  # Unlabelled is faded to white,
    assert laid[2, 2].max() < 120  # background is darkened,
    outline = laid[10, 20]
    assert np.abs(outline - colour[2]).sum() < np.abs(laid[20, 20] - colour[2]).sum()


def test_overlay_enlarges_a_grid_corner_to_corner():
    rng = np.random.default_rng(0)
    grid = rng.integers(0, 3, (6, 5))
    image = np.zeros((41, 33, 3), np.uint8)
    laid = overlay(image, grid, 3, alpha=1.0)
    colours = [
        tuple(colour) for colour in overlay(image[:1, :3], np.array([[0, 1, 2]]), 3, alpha=1)[0]
    ]
    for i in range(6):
        for j in range(5):
            assert tuple(laid[8 * i, 8 * j]) == colours[grid[i, j]]


def test_overlay_names_bad_input():
    with pytest.raises(ValueError, match=r"label_map must hold class ids 0\.\.2 or 255, got 3"):
        overlay(GREY, np.full((2, 2), 3), CLASSES)
    with pytest.raises(TypeError, match="label_map must hold integers, got float64"):
        overlay(GREY, np.zeros((2, 2)), CLASSES)
    with pytest.raises(ValueError, match=r"label_map must have shape \(h, w\)"):
        overlay(GREY, np.zeros((1, 2, 2), int), CLASSES)
    with pytest.raises(ValueError, match=r"alpha must be in 0\.\.1, got 2"):
        overlay(GREY, np.zeros((2, 2), int), CLASSES, alpha=2)
    with pytest.raises(TypeError, match="image must be uint8, got float64"):
        overlay(GREY / 255, np.zeros((2, 2), int), CLASSES)


def brightness(picture):
    return picture.astype(float) @ [0.299, 0.587, 0.114]


def test_heat_rises_in_brightness_with_the_activation():
    cam = np.linspace(-1, 4, 6)[None].repeat(6, 0)
    rows = brightness(heat(GREY, cam))
    np.testing.assert_allclose(rows, rows[:1].repeat(41, 0))
    assert (np.diff(rows[0]) >= -1.0).all()
    assert rows[0, -1] - rows[0, 0] > 100
    # Everything below zero is as cold as zero.
    assert rows[0, 0] == pytest.approx(rows[0, 8])


def test_heat_is_bilinear_between_the_cells_and_ignores_the_scale():
    cam = np.random.default_rng(0).random((6, 6))
    np.testing.assert_array_equal(heat(GREY, cam), heat(GREY, 40 * cam))
    middle = np.zeros((41, 41))
    for i in range(41):
        for j in range(41):
            y, x = i / 8, j / 8
            for a in range(6):
                for b in range(6):
                    middle[i, j] += cam[a, b] * max(0, 1 - abs(y - a)) * max(0, 1 - abs(x - b))
    np.testing.assert_array_equal(heat(GREY, cam), heat(GREY, middle))


def test_heat_of_nothing_is_cold_and_bad_maps_are_named():
    assert len(np.unique(heat(GREY, np.zeros((1, 1))).reshape(-1, 3), axis=0)) == 1
    with pytest.raises(ValueError, match=r"cam must be finite, got nan at \(1, 0\)"):
        heat(GREY, np.array([[0.0], [np.nan]]))
    with pytest.raises(ValueError, match=r"cam must have shape \(h, w\)"):
        heat(GREY, np.zeros(3))


def rows_of_the_sheet():
    red = np.zeros((50, 100, 3), np.uint8)
    red[..., 0] = 255
    blue = red[..., ::-1].copy()
    return [
        Row("one", {"photograph": red, "prediction": blue}, note="IoU 0.71", labels=(1, 2)),
        Row("two", {"photograph": red[:, :50]}),
    ]


def test_sheet_holds_every_panel_at_its_place(tmp_path):
    path = contact_sheet(
        rows_of_the_sheet(), tmp_path / "deep" / "sheet.png", CLASSES, panel=200, title="Chain"
    )
    assert [entry.name for entry in path.parent.iterdir()] == ["sheet.png"]
    with Image.open(path) as image:
        sheet = np.asarray(image).astype(int)
    reds = (sheet == [255, 0, 0]).all(-1)
    blues = (sheet == [0, 0, 255]).all(-1)
    # The first row is 200 x 100, the second as high as wide: 200 x 200.
    assert reds.sum() == 200 * 100 + 200 * 200
    assert blues.sum() == 200 * 100
    assert np.nonzero(reds.any(0))[0].max() < np.nonzero(blues.any(0))[0].min()
    both = reds.any(1) & blues.any(1)
    assert both.sum() == 100
    assert np.nonzero(both)[0].max() < np.nonzero(reds.any(1))[0].max() - 199


def test_legend_shows_the_colour_of_every_class(tmp_path):
    names = ["background", *(f"class{index}" for index in range(1, 41))]
    rows = [Row("a", {"photograph": GREY})]
    path = contact_sheet(rows, tmp_path / "sheet.png", names, panel=300)
    with Image.open(path) as image:
        pixels = {tuple(colour) for colour in np.asarray(image).reshape(-1, 3).tolist()}
    for colour in class_colours(41).tolist():
        assert tuple(colour) in pixels


def test_columns_choose_the_order(tmp_path):
    columns = ["prediction", "photograph"]
    path = contact_sheet(rows_of_the_sheet(), tmp_path / "s.png", CLASSES, columns=columns)
    with Image.open(path) as image:
        sheet = np.asarray(image)
    reds, blues = (sheet == [255, 0, 0]).all(-1), (sheet == [0, 0, 255]).all(-1)
    assert np.nonzero(blues.any(0))[0].max() < np.nonzero(reds.any(0))[0].min()


def test_long_names_do_not_widen_the_sheet(tmp_path):
    row = Row("x" * 500, {"t" * 300: GREY}, note="n" * 300, labels=(1,))
    path = contact_sheet([row], tmp_path / "s.png", ["background", "c" * 400], title="y" * 400)
    with Image.open(path) as image:
        assert image.width == 420


def test_sheet_names_bad_input(tmp_path):
    path = tmp_path / "s.png"
    with pytest.raises(ValueError, match="rows must hold at least one row"):
        contact_sheet([], path, CLASSES)
    with pytest.raises(ValueError, match="columns must hold at least one title"):
        contact_sheet([Row("a", {})], path, CLASSES)
    with pytest.raises(ValueError, match="panel 'prediction' of 'one' is in no column"):
        contact_sheet(rows_of_the_sheet(), path, CLASSES, columns=["photograph"])
    with pytest.raises(TypeError, match="panel 'p' of 'a' must be uint8, got float64"):
        contact_sheet([Row("a", {"p": GREY / 2})], path, CLASSES)
    with pytest.raises(ValueError, match=r"panel 'p' of 'a' must have shape \(H, W, 3\)"):
        contact_sheet([Row("a", {"p": GREY[..., 0]})], path, CLASSES)
    with pytest.raises(ValueError, match="label 3 of 'a' is not a class id"):
        contact_sheet([Row("a", {"p": GREY}, labels=(3,))], path, CLASSES)
    with pytest.raises(ValueError, match="panel must be at least 80 pixels, got 10"):
        contact_sheet([Row("a", {"p": GREY})], path, CLASSES, panel=10)
    with pytest.raises(ValueError, match=r"path must end in \.png, got 's\.jpg'"):
        contact_sheet([Row("a", {"p": GREY})], tmp_path / "s.jpg", CLASSES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["Kuh, Bär, žirafa", "корова", "cow…"])
def test_letters_beyond_english_are_no_boxes(text):
    def drawn(letter):
        return font_of(17, text).getmask(letter).getbbox(), bytes(font_of(17, text).getmask(letter))

    box = drawn("\U0010ffff")  # what a font has in place of a letter it lacks
    assert box not in [drawn(letter) for letter in text if letter != " "]


def test_rows_go_from_the_median_outwards():
    assert from_the_median([0.9, 0.1, 0.5, 0.7, 0.3]) == [2, 4, 3, 1, 0]
    assert from_the_median([0.2, 0.8]) == [0, 1]
    assert from_the_median([0.5, 0.5, 0.5]) == [1, 0, 2]
    assert from_the_median([]) == []
