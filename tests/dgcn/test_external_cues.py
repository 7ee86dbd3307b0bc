"""Cues made elsewhere: pickles of the field, files of another run, folders of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dgcn.data import DataError, Record, write_mask
from dgcn.seeds import external_cues, save_cues

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
    if kind == "folder":
        path.mkdir()
        for name, labels in maps.items():
            write_mask(path / f"{name}.png", labels)
    else:
        cues = {name: one_hot(labels) for name, labels in maps.items()}
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
