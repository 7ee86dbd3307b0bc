"""Broken DIMACS files: which line is named, and why."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from dimacs_texts import HEAD, HEADER, TOP, read

import graphcut_ext as gx

BROKEN = [
    (b"", 1, "the file is empty"),
    (b"c only\n\n", 2, "the file ends without a p line"),
    (b"p max 4 0\nn 4 t\n", 2, r"the file ends without a source \(n NODE s\)"),
    (b"p max 4 0\nn 1 s\n", 2, r"the file ends without a sink \(n NODE t\)"),
    (HEAD + b"x 1 2 3\n", 4, "unknown line type 'x'; there are c, p, n and a"),
    (HEAD + b"a1 2 3 4\n", 4, "unknown line type 'a1'"),
    (b"p max 4 2\np max 4 2\n", 2, "a second p line; the first is line 1"),
    (b"c\np min 4 2\n", 2, "problem kind 'min'; only 'max' is read"),
    (b"p max 4\n", 1, "3 fields; a line of type p reads 'p max NODES ARCS'"),
    (b"p max four 2\n", 1, "the number of nodes is 'four', not a whole number"),
    (b"p max 4 2.0\n", 1, "the number of arcs is '2.0', not a whole number"),
    (b"p max -4 2\n", 1, "'-4' nodes; there may be 0 to 1073741823"),
    (b"p max 1073741824 2\n", 1, "'1073741824' nodes; there may be 0 to 1073741823"),
    (b"p max 4 -2\n", 1, "'-2' arcs"),
    (b"p max 4 2\nn 1 s\nn 2 s\n", 3, "a second source"),
    (b"p max 4 2\nn 1 t\nn 2 t\n", 3, "a second sink"),
    (b"p max 4 2\nn 1 s\nn 1 t\n", 3, "node 1 is source and sink"),
    (b"p max 4 2\nn 1 q\n", 2, "terminal 'q'; it must be 's' or 't'"),
    (b"p max 4 2\nn 5 s\n", 2, "node '5' is out of range for 4 nodes"),
    (b"p max 4 2\nn 1\n", 2, r"2 fields; a line of type n reads 'n NODE s\|t'"),
    (b"n 1 s\np max 4 2\n", 1, "n line before the p line"),
    (b"c\na 1 2 3\np max 4 2\n", 2, "a line before the p line"),
    (HEAD + b"a 1 2 3\na 0 2 3\n", 5, "node '0' is out of range for 4 nodes"),
    (HEAD + b"a 1 5 3\n", 4, "node '5' is out of range for 4 nodes"),
    (HEAD + b"a 1 -2 3\n", 4, "node '-2' is out of range for 4 nodes"),
    (HEAD + b"a 1 1.5 3\n", 4, "the node is '1.5', not a whole number"),
    (HEAD + b"a 1 2 -3\n", 4, "capacity '-3' is negative"),
    (HEAD + b"a 1 2 -0.5\n", 4, "capacity '-0.5' is negative"),
    (HEAD + b"a 1 2 -inf\n", 4, "capacity '-inf'; it must be a number >= 0 or inf"),
    (HEAD + b"a 1 2 NaN\n", 4, "capacity 'NaN'; it must be a number >= 0 or inf"),
    (HEAD + b"a 1 2 ten\n", 4, "capacity 'ten' is not a number"),
    (HEAD + b"a 1 2 1_000\n", 4, "capacity '1_000' is not a number"),
    (HEAD + b"a 1 2 1e999\n", 4, "capacity '1e999' overflows float64; inf means never cut"),
    (HEAD + b"a 1 2 0.5\na 1 2 1e999\n", 5, "capacity '1e999' overflows float64"),
    (HEAD + b"a 1 2 9223372036854775808\n", 4, "capacity '9223372036854775808' overflows int64"),
    (HEAD + b"a 1 2 .5\na 1 2 1" + b"0" * 9999, 5, r"capacity '1000*\.\.\.' overflows int64"),
    (HEAD + b"a 1 2\n", 4, "3 fields; a line of type a reads 'a TAIL HEAD CAPACITY'"),
    (HEAD + b"a 1 2 3 4\n", 4, "5 fields"),
    (HEAD + b"a 1 2 3\nc\n\n", 6, "the file ends after 1 of the 2 arcs that line 1 promises"),
    (HEAD + b"a 1 2 3\n" * 3, 6, "more arcs than the 2 that line 1 promises"),
    (b"p max 4 1000000000000000000\nn 1 s\nn 4 t\na 1 2 3", 4, "ends after 1 of the 10{18} arcs"),
    (HEAD + f"a 1 2 {TOP}\na 1 2 1\n".encode(), 5, "parallel arcs add up beyond int64"),
    (HEAD + f"a 2 3 {TOP}\na 2 3 {TOP}\n".encode(), 5, "parallel arcs add up beyond int64"),
    (HEAD + f"a 1 4 1\na 1 4 {TOP}\n".encode(), 5, "parallel arcs add up beyond int64"),
    (HEAD + b"a 3 4 1e308\na 3 4 1e308\n", 5, "parallel arcs add up beyond float64"),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 1, r"unknown line type '\\x89PNG'"),
    (b"\0" * 3_000_000, 1, "longer than 1048576 bytes"),
    (HEAD + b"c" * 3_000_000, 4, "longer than 1048576 bytes"),
    (
        gzip.compress(HEAD + b"a 1 2 3\n" * 2, mtime=0)[:-9],
        6,
        "damaged gzip data: Compressed file ended",
    ),
    (
        gzip.compress(HEAD + b"a 1 2 3\n" * 2, mtime=0) + b"junk",
        6,
        "damaged gzip data: Not a gzipped file",
    ),
    (gzip.compress(HEAD, mtime=0)[:14], 1, "damaged gzip data"),
    (b"\x1f\x8bjunk", 1, "damaged gzip data"),
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("content", "line", "message"), BROKEN)
def test_broken_files(content, line, message, tmp_path):
    path = tmp_path / "broken.max"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        gx.read_dimacs(path)
    assert str(error.value).startswith(f"{path}, line {line}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("block", [1, 40, 1 << 18])
@pytest.mark.parametrize("at", [0, 1, 500, 999])
def test_line_number_far_into_a_file(at, block, monkeypatch):
    monkeypatch.setattr("graphcut_ext._dimacs.text.BLOCK", block)
    arcs = ["a 1 3 2.5", "c", "a 3 4 1", ""] * 500
    arcs[2 * at] = "a 1 7 1"
    content = (HEADER.format(1000) + "\n".join(arcs)).encode()
    with pytest.raises(ValueError, match=f"line {4 + 2 * at}: node '7' is out of range"):
        read(content)


def test_more_nodes_than_memory(monkeypatch):
    class Numpy:
        def __getattr__(self, name: str) -> object:
            return getattr(np, name)

        def zeros(self, shape: object, **options: object) -> np.ndarray:
            if shape == 1_000_000_000 - 2:
                raise MemoryError
            return np.zeros(shape, **options)

    monkeypatch.setattr("graphcut_ext._dimacs.problem.np", Numpy())
    with pytest.raises(ValueError, match="line 2: no memory for 1000000000 nodes"):
        read(b"c\np max 1000000000 1\nn 1 s\nn 2 t\na 1 3 5\n")
