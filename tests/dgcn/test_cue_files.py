"""Cue files of both formats: round trips, foreign pickles, damaged and malicious ones."""

from __future__ import annotations

import contextlib
import gzip
import os
import pickle
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dgcn.cues import (
    FieldCues,
    load_cues,
    read_field_cues,
    save_cues,
    write_field_cues,
)
from dgcn.data.array_unpickler import _ALLOWED
from dgcn.data.errors import DataError

Cues = dict[str, NDArray[np.bool_]]


def label_map(cues: NDArray[np.bool_]) -> NDArray[np.int64]:
    assert cues.sum(0).max() <= 1
    return np.where(cues.any(0), cues.argmax(0), -1)


def random_cues(seed: int = 0, classes: int = 4, height: int = 5, width: int = 7) -> Cues:
    rng = np.random.default_rng(seed)
    label = rng.integers(-2, classes, (3, height, width))
    return {f"2008_{i:06}": np.arange(classes)[:, None, None] == label[i] for i in range(3)}


def same(found: Cues, wanted: Cues) -> None:
    assert list(found) == list(wanted)
    for name, cues in wanted.items():
        assert found[name].dtype == np.bool_
        np.testing.assert_array_equal(found[name], cues)


def test_npz_round_trip(tmp_path: Path) -> None:
    wanted = random_cues()
    save_cues(tmp_path / "cues.npz", wanted)
    same(load_cues(tmp_path / "cues.npz"), wanted)
    assert os.listdir(tmp_path) == ["cues.npz"]


@pytest.mark.parametrize("name", ["cues.pickle", "cues.pkl", "cues.pickle.gz"])
def test_pickle_round_trip(tmp_path: Path, name: str) -> None:
    wanted = random_cues()
    save_cues(tmp_path / name, wanted, listing=tmp_path / "list.txt")
    assert (tmp_path / "list.txt").read_text().splitlines()[1] == "2008_000001.jpg 1"
    options: dict[str, Any] = {"classes": 4, "grid": (5, 7)}
    same(load_cues(tmp_path / name, listing=tmp_path / "list.txt", **options), wanted)
    assert list(load_cues(tmp_path / name, **options)) == ["0", "1", "2"]


def test_pickle_is_what_the_fields_programs_expect(tmp_path: Path) -> None:
    wanted = random_cues()
    labels = {name: [3, 1] for name in wanted}
    save_cues(tmp_path / "c.pickle", wanted, listing=tmp_path / "list.txt", labels=labels)
    stream = (tmp_path / "c.pickle").read_bytes()
    assert stream[:2] == b"\x80\x02"
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in stream
    assert b"_core" not in stream.replace(b"numpy.core", b"")
    content = pickle.loads(stream)
    for index, cues in enumerate(wanted.values()):
        assert content[f"{index}_labels"].tolist() == [1, 3]
        found = np.zeros_like(cues)
        classes, rows, columns = content[f"{index}_cues"]
        found[classes, rows, columns] = True
        np.testing.assert_array_equal(found, cues)


def test_labels_default_to_the_foreground_classes_with_a_cue(tmp_path: Path) -> None:
    cues = np.zeros((4, 2, 2), dtype=bool)
    cues[0, 0, 0] = cues[2, 1, 1] = True
    save_cues(tmp_path / "c.pkl", {"a": cues}, listing=tmp_path / "l.txt")
    assert read_field_cues(tmp_path / "c.pkl")[0].labels.tolist() == [2]


def python_2_pickle() -> bytes:
    """Two arrays as Python 2.7 with NumPy 1 pickled them: byte strings, the old module names."""

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def array(values: NDArray[np.int64], first: bool) -> bytes:
        raw = values.tobytes()
        shape = b"".join(b"K" + bytes([side]) for side in values.shape)
        build = (
            b"cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03"
            if first
            else b"h\x02h\x03"
        )
        dtype = (
            b"cnumpy\ndtype\nq\x05U\x02i8K\x00K\x01\x87Rq\x06(K\x03U\x01<NNN"
            b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
            if first
            else b"h\x06"
        )
        tuples = {1: b"\x85", 2: b"\x86"}[values.ndim]
        data = b"U" + bytes([len(raw)]) + raw
        return (
            build + b"K\x00\x85U\x01b\x87R(K\x01" + shape + tuples + dtype + b"\x89" + data + b"tb"
        )

    cues = np.array([[0, 3], [1, 40], [2, 39]])
    return (
        b"\x80\x02}q\x01("
        + (text("10_labels") + array(np.array([3]), True))
        + (text("10_cues") + array(cues, False))
        + b"u."
    )


def test_python_2_pickles_are_read(tmp_path: Path) -> None:
    stream = python_2_pickle()
    for name, content in (("c.pickle", stream), ("c.pickle.gz", gzip.compress(stream))):
        (tmp_path / name).write_bytes(content)
        (entry,) = read_field_cues(tmp_path / name).values()
        assert entry.labels.tolist() == [3]
        assert entry.cues.tolist() == [[0, 3], [1, 40], [2, 39]]
        cues = load_cues(tmp_path / name, classes=4)["10"]
        assert np.argwhere(cues).tolist() == [[0, 1, 2], [3, 40, 39]]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["i8", ">i4", "u1", "<i2"])
def test_every_protocol_type_and_layout_is_read(tmp_path: Path, protocol: int, dtype: str) -> None:
    wanted = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 200]]).astype(dtype)
    content = {
        "5_cues": np.asfortranarray(wanted),
        "5_labels": wanted[0, 1:],
        "6_cues": wanted[:, ::2],
        "6_labels": np.zeros(0, dtype),
    }
    (tmp_path / "c.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
    found = read_field_cues(tmp_path / "c.pkl")
    assert found[5].cues.dtype == np.int64
    np.testing.assert_array_equal(found[5].cues, wanted)
    np.testing.assert_array_equal(found[5].labels, [1, 2])
    np.testing.assert_array_equal(found[6].cues, wanted[:, ::2])
    assert found[6].labels.shape == (0,)


def test_a_cell_under_two_classes_goes_to_the_smaller(tmp_path: Path) -> None:
    cells = np.array([[0, 0, 1, 2, 2], [0, 0, 0, 0, 1], [0, 1, 0, 1, 1]])
    write_field_cues(tmp_path / "c.pkl", {7: FieldCues(np.array([1, 2]), cells)})
    found = load_cues(tmp_path / "c.pkl", classes=3, grid=(2, 2))["7"]
    np.testing.assert_array_equal(label_map(found), [[1, 2], [-1, 2]])


class Attack:
    """Pickles as a call of anything."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (Attack(os.system, "touch owned"), "posix.system"),
        (Attack(eval, "open('owned', 'w')"), r"builtins.eval|__builtin__.eval"),
        (Attack(np.load, "x"), "numpy.load"),
        ({"1_cues": Attack(getattr, "text", "upper")}, "getattr"),
        ({"1_cues": np.array([print], dtype=object)}, "of objects|not allowed"),
        ({"1_cues": np.zeros((3, 1))}, "must be an integer array, got float64"),
        ({"1_cues": np.zeros(1, dtype="i4,i4")}, "not of numbers"),
        ({"1_cues": np.ma.zeros(3)}, "not allowed"),
        (Attack(np.ndarray, (10**15,)), "cannot be read as cues"),
        ({"1_cues": "text"}, "'1_cues' must be an integer array, got str"),
        ([1, 2], "holds a list instead of a dictionary"),
        ({"1_masks": [1]}, "unknown key '1_masks'"),
        ({1: [1]}, "unknown key 1"),
        ({"1_cues": np.zeros((3, 1), int)}, "no key '1_labels'"),
        ({"1_cues": np.zeros((2, 4), int), "1_labels": [1]}, r"'1_cues' must have shape \(3, n\)"),
        (
            {"1_cues": np.zeros((3, 4), int), "1_labels": np.zeros((1, 1), int)},
            r"'1_labels' must have shape \(m,\)",
        ),
    ],
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_pickles_of_anything_else_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: object,
    message: str,
    protocol: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.pickle").write_bytes(pickle.dumps(content, protocol=protocol))
    with pytest.raises(DataError, match=message) as caught:
        read_field_cues("c.pickle")
    assert "c.pickle" in str(caught.value)
    assert not Path("owned").exists()


def test_damaged_files_are_named(tmp_path: Path) -> None:
    save_cues(tmp_path / "c.npz", random_cues())
    save_cues(tmp_path / "c.pickle", random_cues(), listing=tmp_path / "l.txt")
    save_cues(tmp_path / "c.pickle.gz", random_cues(), listing=tmp_path / "l.txt")
    for name in ("c.npz", "c.pickle", "c.pickle.gz"):
        content = (tmp_path / name).read_bytes()
        for damaged in (b"", content[:30], content[: len(content) // 2], b"garbage" * 9):
            (tmp_path / name).write_bytes(damaged)
            with pytest.raises(DataError, match=rf"{name} cannot be read as cues"):
                load_cues(tmp_path / name, classes=4, grid=(5, 7))


def test_every_cut_and_flipped_byte_of_a_pickle_is_an_error_or_a_reading(tmp_path: Path) -> None:
    stream = python_2_pickle()
    rng = np.random.default_rng(0)
    for position in range(len(stream)):
        for damaged in (
            stream[:position],
            stream[:position] + bytes([rng.integers(256)]) + stream[position + 1 :],
        ):
            (tmp_path / "c.pickle").write_bytes(damaged)
            with contextlib.suppress(DataError):
                (entry,) = read_field_cues(tmp_path / "c.pickle").values()
                assert entry.cues.shape[0] == 3


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ((4, 0, 0), r"class 4 of image 3 is not in 0\.\.3"),
        ((1, -1, 0), r"row -1 of image 3 is not in 0\.\.40"),
        ((1, 0, 41), r"column 41 of image 3 is not in 0\.\.40"),
    ],
)
def test_cells_outside_the_grid(tmp_path: Path, cell: tuple[int, int, int], message: str) -> None:
    entry = FieldCues(np.array([1]), np.array(cell)[:, None])
    write_field_cues(tmp_path / "c.pkl", {3: entry})
    with pytest.raises(DataError, match=message):
        load_cues(tmp_path / "c.pkl", classes=4)


def test_lists_that_do_not_fit(tmp_path: Path) -> None:
    save_cues(tmp_path / "c.pkl", random_cues(), listing=tmp_path / "l.txt")
    options: dict[str, Any] = {"listing": tmp_path / "l.txt", "classes": 4, "grid": (5, 7)}
    for text, message in (
        ("a.jpg 0\nb.jpg 1\n", r"c\.pkl: image 2 is not in the list"),
        ("a.jpg 0\nb.jpg\n", r"l\.txt, line 2: expected '<file name> <i>'"),
        ("a.jpg 0\n\nb.jpg 0\n", r"l\.txt, line 3: 'b\.jpg 0' occurs twice"),
        ("a.jpg 0\nx/a.png 1\n", r"l\.txt, line 2: .* occurs twice"),
    ):
        (tmp_path / "l.txt").write_text(text)
        with pytest.raises(DataError, match=message):
            load_cues(tmp_path / "c.pkl", **options)
    (tmp_path / "l.txt").write_text("a b.jpg 0\nx/c.png 1\nd 2\n")
    assert list(load_cues(tmp_path / "c.pkl", **options)) == ["a b", "c", "d"]


def test_files_are_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = random_cues(0), random_cues(1)
    path = tmp_path / "cues.npz"
    save_cues(path, first)

    def full_disk(source: object, target: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full_disk)
        with pytest.raises(OSError, match="no space left"):
            save_cues(path, second)
    same(load_cues(path), first)
    assert os.listdir(tmp_path) == ["cues.npz"]
    save_cues(path, second)
    same(load_cues(path), second)


def test_npz_with_pickled_objects_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evil = np.array([Attack(os.system, "touch owned")], dtype=object)
    np.savez("c.npz", names=evil, shape=np.array([1, 1, 1]), cues=np.zeros((1, 1), np.uint8))
    with pytest.raises(DataError, match=r"c\.npz cannot be read as cues"):
        load_cues("c.npz")
    assert not Path("owned").exists()
    np.savez("d.npz", names=["a"], shape=np.array([9, 9, 9]), cues=np.zeros((1, 1), np.uint8))
    with pytest.raises(DataError, match=r"d\.npz cannot be read as cues: .* packed bytes"):
        load_cues("d.npz")


@pytest.mark.parametrize("fault", ["compressed by an unknown method", "encrypted"])
def test_npz_that_python_cannot_unpack_is_refused(fault: str, tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    save_cues(path, random_cues())
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for match in re.finditer(signature, content):
            at = match.start() + flags  # the method stands behind the flags
            content[at : at + 4] = b"\0\0\x61\0" if "method" in fault else b"\1\0\x08\0"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"c\.npz cannot be read as cues"):
        load_cues(path)


def test_saving_errors_name_the_argument(tmp_path: Path) -> None:
    cues = random_cues()
    with pytest.raises(ValueError, match=r"path must end in \.npz or one of"):
        save_cues(tmp_path / "c.txt", cues)
    with pytest.raises(ValueError, match="cues must hold at least one image"):
        save_cues(tmp_path / "c.npz", {})
    with pytest.raises(ValueError, match="listing must name the list file"):
        save_cues(tmp_path / "c.pkl", cues)
    with pytest.raises(ValueError, match="listing and labels belong to pickles"):
        save_cues(tmp_path / "c.npz", cues, listing=tmp_path / "l.txt")
    with pytest.raises(ValueError, match=r"cues of 'x' must have shape \(4, 5, 7\)"):
        save_cues(tmp_path / "c.npz", {**cues, "x": np.zeros((4, 5, 6), dtype=bool)})
    with pytest.raises(TypeError, match="cues of 'x' must be bool, got float64"):
        save_cues(tmp_path / "c.npz", {"x": np.zeros((4, 5, 6))})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="labels: none for '2008_000001'"):
        save_cues(tmp_path / "c.pkl", cues, listing=tmp_path / "l.txt", labels={"2008_000000": [1]})
    with pytest.raises(FileNotFoundError, match="no such cue file"):
        load_cues(tmp_path / "none.npz")
    with pytest.raises(FileNotFoundError, match="no such cue file"):
        load_cues(tmp_path / "none.pkl", classes=3)
    with pytest.raises(ValueError, match="classes must be given"):
        load_cues(tmp_path / "none.pkl")
    with pytest.raises(TypeError, match="labels of image 0 must be integers, got float64"):
        write_field_cues(
            tmp_path / "c.pkl",
            {0: FieldCues(np.zeros(1), np.zeros((3, 0), int))},  # type: ignore[arg-type]
        )
    with pytest.raises(ValueError, match="cues: image number -1 is negative"):
        write_field_cues(
            tmp_path / "c.pkl", {-1: FieldCues(np.zeros(1, int), np.zeros((3, 0), int))}
        )
    assert os.listdir(tmp_path) == []


def test_pickles_get_stand_ins_only() -> None:
    """The names a pickle may hold are stand-ins; NumPy's own functions are not handed out."""
    for stand_in in _ALLOWED.values():
        owner = getattr(stand_in, "__module__", type(stand_in).__module__)
        assert owner == "dgcn.data.array_unpickler"
