"""Cues made elsewhere: pickles of the field, files of another run, folders of images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dgcn.cues import FieldCues, external_cues, save_cues, write_cue_images, write_field_cues
from dgcn.data import DataError, Record, read_mask, write_mask

CLASSES, GRID = 4, 5
RECORDS = [Record(name, Path(name), (1, 3), None) for name in ("a", "b")]


def cue_maps() -> dict[str, NDArray[np.uint8]]:
    """Class ids on the grid, 255 where there is no cue."""
    generator = np.random.default_rng(0)
    values = np.array([0, 1, 3, 255], dtype=np.uint8)
    return {name: values[generator.integers(0, 4, (GRID, GRID))] for name in ("a", "b", "other")}


def one_hot(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.stack([labels == c for c in range(CLASSES)])


@pytest.mark.parametrize("kind", ["cues.pickle", "cues.pkl.gz", "cues.npz", "folder"])
def test_every_form_gives_the_same_cues(tmp_path: Path, kind: str) -> None:
    maps = cue_maps()
    path = tmp_path / kind
    cues = {name: one_hot(labels) for name, labels in maps.items()}
    if kind == "folder":
        write_cue_images(path, cues)
        assert all(np.array_equal(read_mask(path / f"{name}.png"), maps[name]) for name in maps)
    else:
        save_cues(path, cues, listing=None if "npz" in kind else tmp_path / "input_list.txt")
    found = external_cues(path, RECORDS, CLASSES, GRID)
    assert list(found) == ["a", "b"]
    for name, array in found.items():
        assert array.dtype == np.bool_
        assert np.array_equal(array, one_hot(maps[name]))


def test_pictures_of_image_size_are_sampled_at_the_cells(tmp_path: Path) -> None:
    labels = cue_maps()["a"]
    wide = np.full((17, 33), 255, dtype=np.uint8)
    wide[::4, ::8] = labels
    write_mask(tmp_path / "a.png", wide)
    found = external_cues(tmp_path, RECORDS[:1], CLASSES, GRID)
    assert np.array_equal(found["a"], one_hot(labels))


def test_pictures_hold_one_class_a_cell(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cues of 'a' have several classes at one cell"):
        write_cue_images(tmp_path, {"a": np.ones((2, 3, 3), dtype=bool)})
    with pytest.raises(ValueError, match=r"must have shape \(L <= 255, h, w\): \(3, 3\)"):
        write_cue_images(tmp_path, {"a": np.ones((3, 3), dtype=bool)})


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    labels = cue_maps()["a"]
    write_mask(tmp_path / "a.png", labels)
    with pytest.raises(DataError, match=r"no cues for image 'b' \(1 of 2 have none\)"):
        external_cues(tmp_path, RECORDS, CLASSES, GRID)
    save_cues(tmp_path / "c.npz", {"a": one_hot(labels)})
    with pytest.raises(DataError, match=r"'a' have shape \(4, 5, 5\) instead of \(4, 9, 9\)"):
        external_cues(tmp_path / "c.npz", RECORDS[:1], CLASSES, 9)
    save_cues(tmp_path / "c.pickle", {"a": one_hot(labels)}, listing=tmp_path / "list.txt")
    with pytest.raises(FileNotFoundError, match=r"list of images not found: .*input_list\.txt"):
        external_cues(tmp_path / "c.pickle", RECORDS[:1], CLASSES, GRID)
    (tmp_path / "list.txt").rename(tmp_path / "input_list.txt")
    with pytest.raises(DataError, match=r"c\.pickle: row \d of image 0 is not in 0\.\.1"):
        external_cues(tmp_path / "c.pickle", RECORDS[:1], CLASSES, 2)
    with pytest.raises(FileNotFoundError, match=r"no such file or folder of cues: .*none"):
        external_cues(tmp_path / "none", RECORDS, CLASSES, GRID)
    write_mask(tmp_path / "a.png", np.full((5, 5), 9, dtype=np.uint8))
    with pytest.raises(DataError, match=r"a\.png: holds value 9, class ids are 0\.\.3"):
        external_cues(tmp_path, RECORDS[:1], CLASSES, GRID)


def test_a_cue_of_a_class_that_the_image_has_not_is_an_error(tmp_path: Path) -> None:
    labels = cue_maps()["a"]
    labels[2, 2] = 2
    write_mask(tmp_path / "a.png", labels)
    with pytest.raises(DataError, match="image 'a' has cues of class 2, with which it is not lab"):
        external_cues(tmp_path, RECORDS[:1], CLASSES, GRID)


def test_coverage_of_a_cue_file_is_what_is_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks.__main__ import main

    entries = {
        0: FieldCues(np.array([15]), np.array([[0, 15, 15], [0, 1, 2], [0, 1, 2]])),
        1: FieldCues(np.array([3, 15]), np.array([[3, 0], [7, 7], [7, 7]])),
    }
    write_field_cues(tmp_path / "c.pickle", entries)
    (tmp_path / "list.txt").write_text("a.jpg 0\nb.jpg 1\n")
    paths = ["--cues", str(tmp_path / "c.pickle"), "--list", str(tmp_path / "list.txt")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["benchmarks", "cues", *paths, "--json", str(tmp_path / "o")])
        main()
    found = json.loads((tmp_path / "o").read_text())
    assert (found["images"], found["several"]) == (2, 1)
    # The cell claimed twice counts once, for the object: both claims have one cell.
    assert found["coverage"] == pytest.approx(4 / (2 * 41 * 41))
    assert found["foreground"] == pytest.approx(3 / (2 * 41 * 41))
    person, bird = found["classes"]["person"], found["classes"]["bird"]
    assert (person["images"], person["with_cues"]) == (2, 0.5)
    assert person["covered"] == pytest.approx(2 / (2 * 41 * 41))
    assert bird["covered"] == pytest.approx(1 / (41 * 41))
    assert "person               2      50.0%     0.1%" in capsys.readouterr().out
