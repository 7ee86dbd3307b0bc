"""DIMACS files: what they mean, however they are laid out."""

from __future__ import annotations

import codecs
import gzip
import re

import numpy as np
import pytest
import torch
from dimacs_texts import HEAD, HEADER, INF, TOP, assert_same, read, text

import graphcut_ext as gx
from graphcut_ext._dimacs.arcs import parse_arcs

ARCS = [
    "a 2 1 5",  # out of the source
    "a 2 1 2",
    "a 3 5 4",  # into the sink
    "a 2 5 9",  # straight
    "a 2 5 1",
    "a 1 3 3",  # pair of opposite and parallel arcs
    "a 3 1 1",
    "a 1 3 1",
    "a 6 4 8",
    "a 4 2 7",  # useless: into the source, out of the sink, a self-loop, nothing
    "a 5 6 7",
    "a 5 2 7",
    "a 6 6 7",
    "a 4 6 0",
    "a 1 4 0",
]


def test_meaning():
    problem = read(text(*ARCS))
    # Nodes 1, 3, 4, 6 of the file are 0, 1, 2, 3.
    assert problem.edge_index.tolist() == [[0, 2], [1, 3]]
    assert problem.capacity.tolist() == [4, 0]
    assert problem.reverse_capacity.tolist() == [1, 8]
    assert problem.source.tolist() == [7, 0, 0, 0]
    assert problem.sink.tolist() == [0, 4, 0, 0]
    assert (problem.direct, problem.terminals) == (10, (2, 5))
    assert {t.dtype for t in problem[:5]} == {torch.int64}
    assert problem.numbers().tolist() == [1, 3, 4, 6]
    cut = problem.cut()
    assert cut.value.item() == 4 + 10
    assert cut.source_side.tolist() == [True, False, False, False]


def test_one_decimal_makes_all_capacities_float64():
    problem = read(text("a 2 1 5", "a 1 5 2.5e-1", "a 2 5 1"))
    assert {t.dtype for t in problem[1:5]} == {torch.float64}
    assert type(problem.direct) is float
    assert problem.cut().value.item() == 1.25


def test_infinite_capacities():
    problem = read(text("a 2 1 Infinity", "a 1 3 +inf", "a 3 5 2", "a 4 1 inf"))
    assert problem.source.tolist() == [INF, 0, 0, 0]
    assert problem.capacity.tolist() == [INF, 0]
    assert problem.cut().value.item() == 2
    with pytest.raises(ValueError, match="infinite capacity joins source and sink"):
        read(text("a 2 5 inf")).cut()
    with pytest.raises(ValueError, match="infinite capacity joins source and sink"):
        read(text("a 2 3 inf", "a 3 5 inf")).cut()


def test_value_with_direct_must_not_overflow():
    with pytest.raises(ValueError, match="value of the minimum cut overflows int64"):
        read(text("a 2 1 1", "a 1 5 1", f"a 2 5 {TOP}")).cut()
    with pytest.raises(ValueError, match="value of the minimum cut overflows float64"):
        read(text("a 2 1 1e308", "a 1 5 1e308", "a 2 5 1e308")).cut()


def test_no_arcs_and_no_inner_nodes():
    problem = read(b"p max 2 0\nn 1 t\nn 2 s\n")
    assert [tuple(t.shape) for t in problem[:5]] == [(2, 0), (0,), (0,), (0,), (0,)]
    assert problem.cut().value.item() == 0
    assert problem.terminals == (2, 1)


@pytest.mark.parametrize("start", ["p max", "c of an editor\np max"])
def test_byte_order_mark(start):
    plain = text(*ARCS, header=HEADER.replace("p max", start))
    assert_same(read(codecs.BOM_UTF8 + plain), read(plain))
    assert_same(read(gzip.compress(codecs.BOM_UTF8 + plain)), read(plain))
    with pytest.raises(ValueError, match="line 2: unknown line type"):
        read(plain.replace(b"\n", b"\n" + codecs.BOM_UTF8, 1))


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace(b"\n", b"\r\n"),
        lambda t: t.replace(b" ", b"\t  "),
        lambda t: t.replace(b"\n", b" \n"),
        lambda t: b"  " + t.replace(b"\n", b"\n  "),
        lambda t: t.replace(b"\n", b"\n\n"),
        lambda t: t.replace(b"\na", b"\n \t\na"),
        lambda t: t.replace(b"\n", b"\nc \xff\x00 a 1 2 3\n"),
        lambda t: t.replace(b"\n", b"\ncomment\n"),
        lambda t: b"c\nc first\n" + t,
        lambda t: t.replace(b"n 2 s\n", b"") + b"n 2 s",
        lambda t: t[:-1],
        lambda t: re.sub(rb"(\d+)\n", rb"+000\1\n", t),
        gzip.compress,
        lambda t: gzip.compress(t[:30], mtime=0) + gzip.compress(t[30:]),
    ],
)
@pytest.mark.parametrize("block", [64, 1 << 18])
def test_layout_does_not_matter(change, block, monkeypatch):
    monkeypatch.setattr("graphcut_ext._dimacs.text.BLOCK", block)
    assert_same(read(change(text(*ARCS))), read(text(*ARCS)))


@pytest.mark.parametrize(
    "capacities",
    [
        ["0", "7", "1234567", str(TOP), "00012"],
        ["0.5", "1e3", ".25", "5.", "inf", "123456789.123456789", "1E-7", "4", "0.0", "INF"],
    ],
)
def test_blocks_are_parsed_as_single_lines_are(capacities):
    block = "".join(f"a {i + 1} 10 {c}\nc\n\n" for i, c in enumerate(capacities)).encode()
    arcs = parse_arcs(block, 10)
    assert arcs is not None
    convert = int if arcs.capacity.dtype == np.int64 else float
    assert arcs.capacity.tolist() == [convert(c) for c in capacities]
    assert arcs.tail.tolist() == [i + 1 for i in range(len(capacities))]
    assert arcs.head.tolist() == [10] * len(capacities)
    assert arcs.line.tolist() == [3 * i + 1 for i in range(len(capacities))]


@pytest.mark.parametrize(
    "block",
    [
        b"a 1 2\n3\n",
        b"a 1 2 3 a 1 2 3\n\n",
        b"a 1 2\na 3 a 1 2 3\n",
        b"a 1 2 3 4\n",
        b"b 1 2 3\n",
        b"a 0 2 3\n",
        b"a 1 11 3\n",
        b"a 1 2 -3\n",
        b"a 1 2 nan\n",
        b"a 1 2 1e999\n",
        b"a 1 2 9223372036854775808\n",
        b"a 1 2 99999999999999999999\n",
        b"a 1 2 0.5\na 1 2 99999999999999999999\n",
        b"a 1 2 1_0\n",
        b"a 1 2 +5\na 1 2 5\n",
        b"a 1 2 -0\n",
        b"a 1 2 00000000000000000005\n",
        b"a 1 2 0x1\n",
        b"a 1 2\0003\n",
        b"a 1. 2 3\n",
    ],
)
def test_blocks_with_anything_else_are_left_to_the_line_parser(block):
    assert parse_arcs(block, 10) is None


def test_many_comments_are_passed_over():
    """Lines of comments and blanks count, whatever stands before the c."""
    spaces = b" \t\x0b\x0c\r"
    comments = b"c\n" * 2_000_000 + b"\n" * 2_000_000 + (b"c a 1 2\n" + spaces + b"c\n") * 10**5
    packed = gzip.compress(HEAD + comments + b"a 1 2 3\n" + comments + b"a 1 2 x\n", 1, mtime=0)
    line = HEAD.count(b"\n") + 2 * comments.count(b"\n") + 2
    with pytest.raises(ValueError, match=f"line {line}: capacity 'x' is not a number"):
        read(packed)


def test_paths_and_files(tmp_path):
    content = text(*ARCS)
    expected = read(content)
    for name, data in {"plain.max": content, "odd.txt": gzip.compress(content, mtime=0)}.items():
        path = tmp_path / name
        path.write_bytes(data)
        assert_same(gx.read_dimacs(path), expected)
        assert_same(gx.read_dimacs(str(path)), expected)
        with path.open("rb") as file:
            assert_same(gx.read_dimacs(file), expected)
            assert not file.closed
    with (tmp_path / "plain.max").open() as file, pytest.raises(TypeError, match="binary mode"):
        gx.read_dimacs(file)
    with pytest.raises(TypeError, match="not int"):
        gx.read_dimacs(3)
    with pytest.raises(FileNotFoundError):
        gx.read_dimacs(tmp_path / "nowhere.max")
