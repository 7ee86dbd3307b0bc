"""Pickles that mean harm: refused before anything of them is built."""

from __future__ import annotations

import contextlib
import gzip
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgcn.cues import read_field_cues
from dgcn.data.array_unpickler import DAMAGE, load_arrays, load_object
from dgcn.data.errors import DataError
from dgcn.data.pickle_scan import check_pickle


def short(data: bytes) -> bytes:
    return b"\x80\x02" + data + b"."


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        # A tuple of a tuple of ... as a key: hashing it would overflow the C stack.
        (short(b"}K\x01" + b"\x85" * 200_000 + b"K\x01s"), "nests more than 16"),
        (short(b"}(K\x01" + b"\x85" * 200_000 + b"K\x01u"), "nests more than 16"),
        (short(b"]" * 100_000 + b"a" * 99_999), "nests more than 16"),
        # A few bytes that make the unpickler allocate gigabytes for its memo.
        (short(b"K\x01r\xff\xff\xff\x7f"), "memo beyond its length"),
        (short(b"X\xff\xff\xff\x7fabc"), "expected 2147483647 bytes"),
        (b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\x00\x00K\x01.", "frame that is longer"),
        # State set on a class and on a stand-in of the reader.
        (short(b"cnumpy\ndtype\n}(X\x04\x00\x00\x00codeK\x01ub"), "has not made"),
        (short(b"cnumpy\nndarray\n}b"), "has not made"),
        (short(b"cnumpy\nndarray\n)\x81"), "opcode NEWOBJ"),
        (short(b"P0\n"), "opcode PERSID"),
        (short(b"e"), "mark that is not there"),
        (short(b"a"), "more from the stack"),
        (short(b"h\x05"), "not in its memo: 5"),
    ],
)
def test_is_refused_before_it_is_built(
    tmp_path: Path, stream: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*arguments: object, **options: object) -> None:
        raise AssertionError("it was unpickled")

    monkeypatch.setattr("dgcn.data.array_unpickler._ArrayUnpickler", never)
    (tmp_path / "c.pickle").write_bytes(stream)
    with pytest.raises(DataError, match=reason):
        read_field_cues(tmp_path / "c.pickle")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_bytes_of_any_kind_are_read_or_refused(stream: bytes) -> None:
    with contextlib.suppress(*DAMAGE):
        check_pickle(stream)
        load_arrays(stream)


def test_packed_file_that_grows_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dgcn.cues.field_pickle.LARGEST", 3 << 20)
    (tmp_path / "c.pickle.gz").write_bytes(gzip.compress(bytes(4 << 20)))
    with pytest.raises(DataError, match="larger than 3 MB when it is unpacked"):
        read_field_cues(tmp_path / "c.pickle.gz")


def test_broken_header_of_an_npy_file_is_damage() -> None:
    whole = io.BytesIO()
    np.save(whole, np.array({"a": 1}, dtype=object), allow_pickle=True)
    assert load_object(whole.getvalue()) == {"a": 1}
    header = b"{'descr': '|O', 'shape': (), ('''"
    header += b" " * (117 - len(header)) + b"\n"
    with pytest.raises(DAMAGE):
        load_object(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
