"""DIMACS files that are written."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest
import torch
from dimacs_texts import assert_same, read, written

import graphcut_ext as gx


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
