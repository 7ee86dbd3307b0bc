"""DIMACS files: what they mean, what is written, and which line of a broken one is named."""

from __future__ import annotations

import codecs
import gzip
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import graphcut_ext as gx
from graphcut_ext._dimacs.arcs import parse_arcs

TOP = 2**63 - 1
INF = float("inf")

HEADER = "p max 6 {}\nn 2 s\nn 5 t\n"
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


def text(*arcs: str, header: str = HEADER) -> bytes:
    return (header.format(len(arcs)) + "".join(f"{arc}\n" for arc in arcs)).encode()


def read(content: bytes) -> gx.FlowProblem:
    return gx.read_dimacs(io.BytesIO(content))


def written(problem: gx.FlowProblem) -> bytes:
    file = io.BytesIO()
    gx.write_dimacs(file, problem)
    return file.getvalue()


def assert_same(a: gx.FlowProblem, b: gx.FlowProblem) -> None:
    for name, x, y in zip(a._fields, a, b, strict=True):
        if isinstance(x, torch.Tensor):
            assert x.dtype == y.dtype, name
            assert torch.equal(x, y), name
        else:
            assert (type(x), x) == (type(y), y), name


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


HEAD = b"p max 4 2\nn 1 s\nn 4 t\n"
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


def problem(**changes: object) -> gx.FlowProblem:
    return gx.FlowProblem(
        edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 2]]),
        capacity=torch.tensor([3, 1, 0, 5]),
        reverse_capacity=torch.tensor([0, 2, 7, 0]),
        source=torch.tensor([5, 0, 1]),
        sink=torch.tensor([0, 0, 4]),
        direct=6,
    )._replace(**changes)


def test_written_text():
    lines = written(problem()).decode().splitlines()
    assert lines[:3] == ["p max 5 9", "n 1 s", "n 5 t"]
    assert lines[3:7] == ["a 1 5 6", "a 1 2 5", "a 1 4 1", "a 4 5 4"]
    assert sorted(lines[7:]) == [
        *("a 2 3 2", "a 2 3 3", "a 3 2 1"),
        *("a 4 3 7", "a 4 4 5"),
    ]


def test_written_and_read_again():
    again = read(written(problem()))
    assert again.edge_index.tolist() == [[0, 1], [1, 2]]
    assert again.capacity.tolist() == [5, 0]
    assert again.reverse_capacity.tolist() == [1, 7]
    assert again.terminals == (1, 5)
    assert_same(read(written(again)), again)
    moved = again._replace(terminals=(4, 2))
    assert_same(read(written(moved)), moved)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int32, torch.int64])
def test_dtypes_are_widened_without_loss(dtype):
    values = torch.tensor([1 / 3, 1e-30, 1e30 if dtype.is_floating_point else 7, 4.0]).to(dtype)
    given = gx.FlowProblem(
        torch.tensor([[0, 1], [1, 2]]), values[:2] + 1, values[2:], values[:3], values[1:]
    )
    again = read(written(given))
    wide = torch.float64 if dtype.is_floating_point else torch.int64
    for name in ("capacity", "reverse_capacity", "source", "sink"):
        assert torch.equal(getattr(again, name), getattr(given, name).to(wide)), name


def test_compressed_by_the_suffix_and_always_the_same_bytes(tmp_path):
    plain, packed = tmp_path / "a.max", tmp_path / "a.max.gz"
    for path in (plain, str(packed)):
        gx.write_dimacs(path, problem())
    assert plain.read_bytes() == gzip.decompress(packed.read_bytes()) == written(problem())
    first = packed.read_bytes()
    gx.write_dimacs(packed, problem())
    assert packed.read_bytes() == first
    assert_same(gx.read_dimacs(packed), gx.read_dimacs(plain))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"source": [1, 2, 3]}, TypeError, "source must be a torch.Tensor, not list"),
        ({"sink": torch.zeros(3)}, TypeError, "sink is float32 but capacity is int64"),
        ({"edge_index": torch.zeros(2, 4)}, TypeError, "edge_index must be int64"),
        ({"capacity": torch.zeros(3, dtype=torch.int64)}, ValueError, r"capacity .* \(4,\)"),
        (
            {"source": torch.zeros(2, 3, dtype=torch.int64)},
            ValueError,
            r"source must have shape \(3,\), not \(2, 3\)",
        ),
        ({"edge_index": torch.tensor([[0] * 4, [3] * 4])}, IndexError, r"edge_index\[1, 0\] = 3"),
        ({"sink": torch.tensor([0, -1, 0])}, ValueError, "sink is -1 at 1; it must be >= 0"),
        ({"direct": -1}, ValueError, "direct is -1"),
        ({"direct": float("nan")}, ValueError, "direct is nan"),
        ({"direct": 2**63}, ValueError, "direct overflows int64"),
        ({"direct": 0.5}, TypeError, "integer"),
        ({"terminals": (1, 6)}, ValueError, r"terminals are 1 and 6; they must differ, in 1\.\.5"),
        ({"terminals": (2, 2)}, ValueError, "terminals are 2 and 2"),
    ],
)
def test_bad_problems_are_not_written(changes, error, message, tmp_path):
    path: Path = tmp_path / "bad.max"
    with pytest.raises(error, match=message):
        gx.write_dimacs(path, problem(**changes))
    assert not path.exists()


def test_text_files_are_not_written():
    with pytest.raises(TypeError, match="binary mode, not StringIO"):
        gx.write_dimacs(io.StringIO(), problem())
