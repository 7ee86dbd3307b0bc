import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from dgcn.data import FolderDataset, TrainingSet, normalise, read_image, resize_image

SIZE = 33
COUNT = 12


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("batches")
    (root / "images").mkdir()
    rng = np.random.default_rng(0)
    lines = ["image,labels"]
    for index in range(COUNT):
        shape = (3, 5, 3) if index == 1 else (20 + index, 30, 3)
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(root / "images" / f"{index:02d}.png")
        lines.append(f"{index:02d}.png,{['', 'cat', 'dog cat'][index % 3]}")
    (root / "labels.csv").write_text("\n".join(lines))
    return FolderDataset(root)


@pytest.fixture(scope="module")
def cues(dataset):
    rng = np.random.default_rng(1)
    classes = np.arange(3)[:, None, None]
    return {
        record.name: (rng.integers(3, size=(5, 5)) == classes) & (rng.random((5, 5)) < 0.6)
        for record in dataset.split("train")
    }


def training_set(dataset, **options):
    return TrainingSet(dataset.split("train"), len(dataset.classes), SIZE, **options)


def mirrored(training):
    """Which samples come mirrored, told from their pixels."""
    flags = []
    for index, record in enumerate(training.records):
        straight = resize_image(read_image(record.image), SIZE)
        rgb = training[index]["rgb"].numpy()
        assert np.array_equal(rgb, straight) != np.array_equal(rgb, straight[:, ::-1])
        flags.append(np.array_equal(rgb, straight[:, ::-1]))
    return flags


def test_sample_without_mirror(dataset, cues):
    training = training_set(dataset, cues=cues, mirror=False)
    assert len(training) == COUNT
    for index, record in enumerate(dataset.split("train")):
        sample = training[index]
        straight = resize_image(read_image(record.image), SIZE)
        np.testing.assert_array_equal(sample["rgb"].numpy(), straight)
        torch.testing.assert_close(sample["image"], normalise(straight), rtol=0, atol=0)
        np.testing.assert_array_equal(sample["cues"].numpy(), cues[record.name])
        expected = [[True, False, False], [True, True, False], [True, True, True]][index % 3]
        assert sample["present"].tolist() == expected
        assert sample["index"] == index


def test_picture_and_cues_are_mirrored_alike(dataset, cues):
    training = training_set(dataset, cues=cues, seed=1)
    flags = mirrored(training)
    assert 0 < sum(flags) < COUNT
    for index, flag in enumerate(flags):
        sample = training[index]
        grid = cues[training.records[index].name]
        np.testing.assert_array_equal(sample["cues"].numpy(), grid[:, :, ::-1] if flag else grid)
        torch.testing.assert_close(sample["image"], normalise(sample["rgb"].numpy()))


def test_mirror_changes_with_epoch_and_seed_only(dataset):
    training = training_set(dataset, seed=5)
    first = mirrored(training)
    assert mirrored(training) == first
    training.set_epoch(1)
    assert training.epoch == 1
    second = mirrored(training)
    training.set_epoch(0)
    assert mirrored(training) == first
    assert second != first
    assert mirrored(training_set(dataset, seed=6)) != first


def test_half_of_the_samples_are_mirrored(dataset):
    training = training_set(dataset, cache_bytes=10**7)
    total = 0
    for epoch in range(20):
        training.set_epoch(epoch)
        total += sum(mirrored(training))
    assert 80 < total < 160  # 120 expected of 240; five standard deviations are 39.


def test_workers_that_outlive_an_epoch_draw_the_same(dataset, cues):
    alone = training_set(dataset, cues=cues, seed=2)
    shared = training_set(dataset, cues=cues, seed=2)
    here = DataLoader(alone, batch_size=5)
    there = DataLoader(shared, batch_size=5, num_workers=2, persistent_workers=True)
    pictures = []
    for epoch in (0, 3):
        alone.set_epoch(epoch)
        shared.set_epoch(epoch)
        for one, other in zip(here, there, strict=True):
            named = {"image", "rgb", "present", "cues", "index", "mirrored"}
            assert one.keys() == other.keys() == named
            for key in one:
                assert torch.equal(one[key], other[key])
        pictures.append(torch.cat([batch["rgb"] for batch in here]))
    assert not torch.equal(*pictures)


def test_batches_have_the_documented_shapes(dataset):
    batch = next(iter(DataLoader(training_set(dataset), batch_size=4)))
    assert batch["image"].shape == (4, 3, SIZE, SIZE)
    assert batch["image"].dtype == torch.float32
    assert batch["rgb"].shape == (4, SIZE, SIZE, 3)
    assert batch["rgb"].dtype == torch.uint8
    assert batch["present"].shape == (4, 3)
    assert batch["present"].dtype == torch.bool
    assert batch["index"].tolist() == [0, 1, 2, 3]
    assert "cues" not in batch


def test_cache_serves_the_same_pixels_and_keeps_its_bound(dataset, tmp_path):
    root = tmp_path / "copy"
    (root / "images").mkdir(parents=True)
    for record in dataset.split("train"):
        Image.fromarray(read_image(record.image)).save(root / "images" / record.image.name)
    (root / "labels.csv").write_text((dataset.root / "labels.csv").read_text())
    copy = FolderDataset(root)
    limit = 4 * 3 * SIZE * SIZE + 100
    cached = training_set(copy, cache_bytes=limit)
    before = [cached[index]["rgb"].clone() for index in range(COUNT)]
    for index in range(COUNT):
        cached[index]["rgb"].zero_()  # A sample belongs to its reader.
    for record in copy.split("train"):
        record.image.unlink()
    for index in range(4):
        assert torch.equal(cached[index]["rgb"], before[index])
    for index in range(4, COUNT):
        with pytest.raises(FileNotFoundError, match=copy.split("train")[index].image.name):
            cached[index]


def test_index_out_of_range(dataset):
    training = training_set(dataset)
    for index in (-1, COUNT):
        with pytest.raises(IndexError, match=rf"index must be in 0\.\.{COUNT - 1}, got {index}"):
            training[index]


def test_bad_arguments_are_named(dataset, cues):
    records = dataset.split("train")
    with pytest.raises(ValueError, match="records must hold at least one record"):
        TrainingSet([], 3, SIZE)
    with pytest.raises(ValueError, match=r"records: label 2 of '02' is not in 1\.\.1"):
        TrainingSet(records, 2, SIZE)
    with pytest.raises(ValueError, match="size must be at least 1, got 0"):
        TrainingSet(records, 3, 0)
    with pytest.raises(ValueError, match="cache_bytes must be at least 0, got -1"):
        TrainingSet(records, 3, SIZE, cache_bytes=-1)
    with pytest.raises(ValueError, match="epoch must be at least 0, got -1"):
        TrainingSet(records, 3, SIZE).set_epoch(-1)
    missing = {name: grid for name, grid in cues.items() if name != "07"}
    with pytest.raises(ValueError, match="cues: none for image '07'"):
        TrainingSet(records, 3, SIZE, cues=missing)
    with pytest.raises(ValueError, match=r"'03' have shape \(3, 4, 5\), others \(3, 5, 5\)"):
        TrainingSet(records, 3, SIZE, cues={**cues, "03": np.zeros((3, 4, 5), bool)})
    with pytest.raises(ValueError, match=r"'00' must have shape \(3, h, w\), got \(2, 5, 5\)"):
        TrainingSet(records, 3, SIZE, cues={**cues, "00": np.zeros((2, 5, 5), bool)})
    with pytest.raises(TypeError, match="'00' must be bool, got int64"):
        TrainingSet(records, 3, SIZE, cues={**cues, "00": np.zeros((3, 5, 5), np.int64)})
    double = np.zeros((3, 5, 5), bool)
    double[[0, 2], 3, 1] = True
    with pytest.raises(ValueError, match="cues: those of '00' have two classes at row 3, column 1"):
        TrainingSet(records, 3, SIZE, cues={**cues, "00": double})


def test_random_windows_and_colours_depend_on_seed_epoch_and_index_alone(dataset, cues):
    changed = {"scale": (0.5, 2.0), "colour": 0.3, "cues": cues, "seed": 4, "cache_bytes": 10**7}
    first, second = training_set(dataset, **changed), training_set(dataset, **changed)
    for epoch in (0, 1):
        for each in (first, second):
            each.set_epoch(epoch)
        there = {index: first[index] for index in range(COUNT)}
        for index in reversed(range(COUNT)):
            for key, value in second[index].items():
                assert torch.equal(torch.as_tensor(there[index][key]), torch.as_tensor(value))
    assert not torch.equal(first[0]["rgb"], first[2]["rgb"])
    later = first[0]["rgb"]
    first.set_epoch(0)
    assert not torch.equal(first[0]["rgb"], later)


def test_colours_change_for_the_network_alone_and_mirrors_stay(dataset, cues):
    plain = training_set(dataset, cues=cues, seed=4)
    changed = training_set(dataset, cues=cues, seed=4, colour=0.5)
    for index in range(COUNT):
        before, after = plain[index], changed[index]
        assert torch.equal(before["rgb"], after["rgb"])
        assert torch.equal(before["cues"], after["cues"])
        assert before["mirrored"] == after["mirrored"]
        assert not torch.equal(before["image"], after["image"])


def test_mirrored_windows_keep_cues_and_image_together(dataset, cues):
    """The sample that is mirrored shows the window of the one that is not, turned round."""
    straight = training_set(dataset, cues=cues, seed=4, scale=(0.6, 1.7), mirror=False)
    turned = training_set(dataset, cues=cues, seed=4, scale=(0.6, 1.7))
    flags = [turned[index]["mirrored"] for index in range(COUNT)]
    assert len(set(flags)) == 2
    for index, flipped in enumerate(flags):
        before, after = straight[index], turned[index]
        for key, side in (("image", 2), ("rgb", 1), ("cues", 2)):
            expected = before[key].flip(side) if flipped else before[key]
            assert torch.equal(after[key], expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"scale": (0.0, 1.0)},
            r"scale must be two ascending positive factors, got \(0\.0, 1\.0\)",
        ),
        ({"scale": (1.5, 1.0)}, r"scale must be two ascending"),
        ({"colour": 1.5}, r"colour must be in \[0, 1\], got 1\.5"),
    ],
)
def test_changes_out_of_range(dataset, options, message):
    with pytest.raises(ValueError, match=message):
        training_set(dataset, **options)


def test_cues_go_with_the_window_of_the_image(tmp_path):
    """Red is class 1, blue class 2: whatever part is shown, cells have their colour's cue."""
    (tmp_path / "images").mkdir()
    pixels = np.zeros((66, 66, 3), np.uint8)
    pixels[:, :24, 0] = pixels[:, 24:, 2] = 255
    Image.fromarray(pixels).save(tmp_path / "images" / "a.png")
    (tmp_path / "labels.csv").write_text("image,labels\na.png,cat dog\n")
    cues = np.zeros((3, 5, 5), bool)
    cues[1, :, :2] = cues[2, :, 2:] = True
    training = training_set(FolderDataset(tmp_path), cues={"a": cues}, scale=(0.5, 3.0), seed=1)
    moved = 0
    for epoch in range(30):
        training.set_epoch(epoch)
        sample = training[0]
        found = sample["cues"].numpy()
        moved += not np.array_equal(found, cues)
        colours = sample["rgb"].numpy()[::8, ::8].astype(int)
        sure = np.abs(colours[..., 0] - colours[..., 2]) > 240  # not on the border of the two
        red = colours[..., 0] > 128
        assert (found[1] & sure & ~red).sum() + (found[2] & sure & red).sum() <= 5
        beyond = np.abs(colours - [124, 116, 104]).max(2) <= 1
        assert not found[:, beyond].any()
    assert moved > 20
