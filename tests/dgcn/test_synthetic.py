import numpy as np
import pytest

from dgcn.data import FolderDataset, read_image, read_mask, write_synthetic
from dgcn.data.shapes import SHAPES
from dgcn.data.synthetic import SYNTHETIC_CLASSES, draw_scene


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("synthetic") / "set"
    return write_synthetic(root, images=25, val_images=5, size=80, seed=3)


def test_folder_is_complete_and_sound(dataset):
    assert dataset.classes == ("background", "disc", "square", "triangle", "star", "ring")
    assert len(dataset.split("train")) == 25
    assert len(dataset.split("val")) == 5
    assert dataset.unlabelled == ()
    dataset.check(dataset.split("all"))
    assert [path.name for path in dataset.root.parent.iterdir()] == ["set"]
    again = FolderDataset(dataset.root)
    assert again.split("all") == dataset.split("all")


def test_labels_are_the_classes_of_the_mask(dataset):
    for record in dataset.split("all"):
        mask = read_mask(record.mask)
        assert read_image(record.image).shape == (80, 80, 3)
        assert tuple(int(label) for label in np.unique(mask) if label) == record.labels
        assert 1 <= len(record.labels) <= 3
        assert 0.2 < (mask == 0).mean() < 0.98


def test_same_arguments_same_pixels_and_other_seed_others(dataset, tmp_path):
    again = write_synthetic(tmp_path / "again", images=7, val_images=0, size=80, seed=3)
    other = write_synthetic(tmp_path / "other", images=7, val_images=0, size=80, seed=4)
    assert again.split("val") == []
    for first, same, different in zip(
        dataset.split("train"), again.split("train"), other.split("train"), strict=False
    ):
        np.testing.assert_array_equal(read_image(first.image), read_image(same.image))
        np.testing.assert_array_equal(read_mask(first.mask), read_mask(same.mask))
        assert (read_image(first.image) != read_image(different.image)).any()


def test_train_and_val_share_no_picture(dataset):
    train = {read_image(record.image).tobytes() for record in dataset.split("train")}
    val = {read_image(record.image).tobytes() for record in dataset.split("val")}
    assert len(train) == 25
    assert not train & val


def test_classes_are_balanced_and_objects_touch():
    seen = np.zeros(len(SYNTHETIC_CLASSES), int)
    touching = several = 0
    for index in range(60):
        _, mask = draw_scene(0, index, 64)
        labels = [label for label in np.unique(mask) if label]
        seen[labels] += 1
        if len(labels) > 1:
            several += 1
            foreign = (mask[1:] != mask[:-1]) & (mask[1:] > 0) & (mask[:-1] > 0)
            touching += bool(foreign.any())
    assert seen[1:].min() >= 12
    assert several >= 20
    assert touching >= several / 3


def test_first_class_follows_the_index():
    for index in range(10):
        _, mask = draw_scene(1, index, 64)
        assert index % 5 + 1 in mask


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_are_signed_distances(name):
    """Compared with the distance to densely sampled points of the outline, found by the sign."""
    axis = np.linspace(-1.4, 1.4, 281)
    x, y = np.meshgrid(axis, axis)
    field = SHAPES[name](x, y)
    inside = field < 0
    change = inside[:, 1:] != inside[:, :-1]
    rows, columns = np.nonzero(change)
    outline = np.stack([(axis[columns] + axis[columns + 1]) / 2, axis[rows]], 1)
    change = inside[1:] != inside[:-1]
    rows, columns = np.nonzero(change)
    outline = np.vstack([outline, np.stack([axis[columns], (axis[rows] + axis[rows + 1]) / 2], 1)])
    for row, column in np.random.default_rng(0).integers(0, 281, (200, 2)):
        gap = np.hypot(*(outline - [axis[column], axis[row]]).T).min()
        assert abs(field[row, column]) == pytest.approx(gap, abs=0.012)
    assert not inside[0].any()
    assert not inside[:, 0].any()


def test_areas_of_the_shapes():
    axis = np.linspace(-1.4, 1.4, 701)
    x, y = np.meshgrid(axis, axis)
    cell = (axis[1] - axis[0]) ** 2
    expected = {
        "disc": np.pi * 0.9**2,
        "ring": np.pi * (1 - 0.4**2),
        "square": 2 * 1.08**2,
        "triangle": 3 * np.sqrt(3) / 4 * 1.15**2,
        "star": 5 * 1.15 * 0.58 * np.sin(np.pi / 5),
    }
    for name, shape in SHAPES.items():
        assert (shape(x, y) < 0).sum() * cell == pytest.approx(expected[name], rel=0.01)


def test_arguments_are_checked_before_anything_is_written(tmp_path):
    for arguments, message in (
        ({"images": 0}, "images must be at least 1, got 0"),
        ({"val_images": -1}, "val_images must be at least 0, got -1"),
        ({"size": 31}, "size must be at least 32, got 31"),
        ({"seed": -2}, "seed must be at least 0, got -2"),
    ):
        with pytest.raises(ValueError, match=message):
            write_synthetic(tmp_path / "set", **arguments)
    with pytest.raises(ValueError, match="index must be at least 0, got -1"):
        draw_scene(0, -1, 64)
    assert list(tmp_path.iterdir()) == []


def test_existing_data_is_not_touched(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="root is not empty"):
        write_synthetic(tmp_path, images=1, val_images=0, size=32)
    with pytest.raises(FileExistsError, match="root is a file"):
        write_synthetic(tmp_path / "mine.txt", images=1, val_images=0, size=32)
    (tmp_path / "empty").mkdir()
    made = write_synthetic(tmp_path / "deep" / "down", images=1, val_images=0, size=32)
    assert len(made) == 1
    assert len(write_synthetic(tmp_path / "empty", images=2, val_images=1, size=32)) == 3
