"""The arcs of a DIMACS file, parsed by array operations."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

INT64_MAX = 2**63 - 1
LONGEST_INTEGER = 19  # digits: all such integers fit uint64
LONGEST_DECIMAL = 32
DECIMAL_BYTES = np.zeros(256, dtype=np.bool_)
DECIMAL_BYTES[list(b"\0+-.0123456789eEinfINF")] = True
NO_INTEGER = b".eEnN"  # one of these is in every other number
NEWLINE = ord("\n")
BLANK = ord(" ")


class Arcs(NamedTuple):
    """Arcs in the order of the file."""

    tail: Ints  # (A,) numbers of the file, 1 ..
    head: Ints  # (A,)
    capacity: NDArray[Any]  # (A,) >= 0
    line: Ints  # (A,) 1-based


def parse_arcs(block: bytes, nodes: int) -> Arcs | None:
    """Parse arc lines, with comments and empty lines between them; lines count from 1.

    ``block`` ends with a newline. Return None unless all lines are in the plainest form. The
    parser of single lines takes the others, valid or not.
    """
    data = np.frombuffer(bytearray(b"\n" + block + b" " * LONGEST_DECIMAL), dtype=np.uint8)
    newline = np.flatnonzero(data == NEWLINE)
    comment = data[newline[:-1] + 1] == ord("c")
    if comment.any():
        of_comment = np.append(comment, False)[np.cumsum(data == NEWLINE) - 1]
        data[of_comment & (data != NEWLINE)] = BLANK
    line = np.flatnonzero(~comment & (np.diff(newline) > 1))
    blank = data <= BLANK
    spaces = sum(np.count_nonzero(data == space) for space in b" \t\r\n")
    edge = np.flatnonzero(blank[1:] != blank[:-1]) + 1
    if len(edge) != 8 * len(line) or spaces != np.count_nonzero(blank):
        return None
    start, end = (np.ascontiguousarray(e.reshape(-1, 4).T) for e in (edge[::2], edge[1::2]))
    own_lines = (start[0] > newline[line]) & (end[3] <= newline[line + 1])
    if not (own_lines & (data[start[0]] == ord("a")) & (end[0] == start[0] + 1)).all():
        return None
    tail, head = (_integers(data, start[i], end[i]) for i in (1, 2))
    if tail is None or head is None:
        return None
    if any(((e < 1) | (e > nodes)).any() for e in (tail, head)):
        return None
    capacity: NDArray[Any] | None = _integers(data, start[3], end[3])
    if capacity is None:
        capacity = _decimals(data, start[3], end[3])
    if capacity is None:
        return None
    return Arcs(tail, head, capacity, line + 1)


def _integers(data: NDArray[np.uint8], start: Ints, end: Ints) -> Ints | None:
    """Values of the tokens ``data[start:end]``, None unless all are digits and fit int64."""
    width = end - start
    longest = int(width.max(initial=0))
    if longest > LONGEST_INTEGER:
        return None
    value = np.zeros(len(start), dtype=np.uint64)
    for place in range(longest):
        inside = width > place
        digit = (data[end - 1 - place] - ord("0")) * inside
        if (digit > 9).any():
            return None
        value += np.multiply(digit, np.uint64(10**place), dtype=np.uint64)
    return None if (value > INT64_MAX).any() else value.view(np.int64)


def _decimals(data: NDArray[np.uint8], start: Ints, end: Ints) -> NDArray[np.float64] | None:
    """Values of the tokens ``data[start:end]``, None unless all are numbers >= 0 or inf.

    Also None where all are integers, and where an integer may overflow int64: the parser of single
    lines says so. ``LONGEST_DECIMAL`` bytes follow the last token.
    """
    width = end - start
    longest = int(width.max(initial=1))
    if longest > LONGEST_DECIMAL:
        return None
    text = np.lib.stride_tricks.sliding_window_view(data, longest)[start]
    text *= np.arange(longest) < width[:, None]
    if not any((data == byte).any() for byte in NO_INTEGER) or not DECIMAL_BYTES[text].all():
        return None
    try:
        with np.errstate(over="ignore"):
            value = text.view(f"S{longest}")[:, 0].astype(np.float64)
    except ValueError:
        return None
    named = (text[:, 0] == ord("i")) | (text[:, 0] == ord("I"))
    return np.abs(value) if ((value >= 0) & ((value < 2**63) | named)).all() else None
