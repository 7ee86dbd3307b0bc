"""The text of a DIMACS maximum-flow file.

Blocks of plain arc lines are parsed at once. A block that holds anything else is read line by line,
which either understands it or names its first broken line.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from graphcut_ext import _core
from graphcut_ext._dimacs.arcs import INT64_MAX, Arcs, parse_arcs

BLOCK = 1 << 18  # bytes parsed at once; its arrays stay in the cache
LONGEST_LINE = 1 << 20
MAX_NODES: int = _core.MAX_NODES
SPACE = np.isin(np.arange(256), list(b" \t\n\r\x0b\x0c"))
"""Whether a byte is one of those at which bytes are split."""
BEYOND = 10**30  # stands for integers of more than 30 digits, above every limit

WHOLE = re.compile(rb"[+-]?[0-9]+")
# No run of digits can be split in two ways, so that matching takes linear time.
DECIMAL = re.compile(rb"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?|\+?inf(inity)?", re.I)


@dataclass(frozen=True)
class Network:
    """What a file says, unchanged."""

    name: str  # of the file
    nodes: int
    source: int  # 1 .. nodes
    sink: int
    arcs: Arcs
    p_line: int

    def fail(self, message: str, line: int) -> NoReturn:
        """Refuse a line of the file."""
        raise ValueError(f"{self.name}, line {line}: {message}")


def read_network(name: str, stream: io.BufferedReader) -> Network:
    """Read the rest of ``stream``, which may be compressed by gzip; ``name`` is for errors.

    Raises
    ------
    ValueError
        The file is broken; the message names it, the line and the reason.
    """
    reader = _Reader(name)
    packed = stream.peek(2)[:2] == b"\x1f\x8b"
    text = gzip.GzipFile(fileobj=stream, mode="rb") if packed else stream
    for block in reader.blocks(text):
        reader.read(block)
    return reader.network()


@dataclass
class _Reader:
    name: str
    lines: int = 0  # read so far, the present one included
    nodes: int = 0
    promised: int = 0
    count: int = 0
    p_line: int = 0
    terminals: dict[bytes, int] = field(default_factory=dict)
    parts: list[Arcs] = field(default_factory=list)

    def fail(self, message: str) -> NoReturn:
        raise ValueError(f"{self.name}, line {max(self.lines, 1)}: {message}") from None

    def blocks(self, text: io.BufferedReader | gzip.GzipFile) -> Iterator[bytes]:
        """Yield whole lines, about ``BLOCK`` bytes at a time, each with its newline."""
        held = bytearray()
        try:
            while piece := text.read1(BLOCK):
                held += piece
                end = held.rfind(b"\n") + 1
                if end and len(held) >= BLOCK:
                    yield bytes(held[:end])
                    del held[:end]
                elif not end and len(held) > LONGEST_LINE:
                    self.lines += 1
                    self.fail(f"longer than {LONGEST_LINE} bytes")
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            if end := held.rfind(b"\n") + 1:
                yield bytes(held[:end])
            self.lines += 1
            self.fail(f"damaged gzip data: {error}")
        if held:
            yield bytes(held) + (b"" if held.endswith(b"\n") else b"\n")

    def read(self, block: bytes) -> None:
        """Take in whole lines."""
        if not self.p_line:
            start = block.find(b"\na ") + 1
            self._read_lines(block[:start])
            block = block[start:]
        arcs = parse_arcs(block, self.nodes) if self.p_line else None
        if arcs is not None and self.count + len(arcs.tail) <= self.promised:
            self.parts.append(arcs._replace(line=arcs.line + self.lines))
            self.count += len(arcs.tail)
            self.lines += block.count(b"\n")
        else:
            self._read_lines(block)

    def _read_lines(self, block: bytes) -> None:
        rows: list[tuple[int, int, int | float, int]] = []
        before = self.lines
        for index, line in _lines_that_count(block):
            self.lines = before + index + 1
            # Editors put a byte-order mark before the first line.
            self._line(line.removeprefix(codecs.BOM_UTF8) if self.lines == 1 else line, rows)
        self.lines = before + block.count(b"\n")
        if rows:
            tail, head, capacity, number = zip(*rows, strict=True)
            real = any(isinstance(c, float) for c in capacity)
            self.parts.append(
                Arcs(
                    np.array(tail, dtype=np.int64),
                    np.array(head, dtype=np.int64),
                    np.array(capacity, dtype=np.float64 if real else np.int64),
                    np.array(number, dtype=np.int64),
                )
            )

    def _line(self, line: bytes, rows: list[tuple[int, int, int | float, int]]) -> None:
        fields = line.split()
        if not fields or fields[0].startswith(b"c"):
            return
        if fields[0] == b"a":
            rows.append(self._arc(fields))
        elif fields[0] == b"n":
            self._terminal(fields)
        elif fields[0] == b"p":
            self._problem(fields)
        else:
            self.fail(f"unknown line type {_shown(fields[0])}; there are c, p, n and a")

    def _problem(self, fields: list[bytes]) -> None:
        if self.p_line:
            self.fail(f"a second p line; the first is line {self.p_line}")
        if len(fields) > 1 and fields[1] != b"max":
            self.fail(f"problem kind {_shown(fields[1])}; only 'max' is read")
        self._expect(fields, "p max NODES ARCS")
        self.nodes = self._integer("the number of nodes", fields[2])
        self.promised = self._integer("the number of arcs", fields[3])
        if not 0 <= self.nodes <= MAX_NODES:
            self.fail(f"{_shown(fields[2])} nodes; there may be 0 to {MAX_NODES}")
        if self.promised < 0:
            self.fail(f"{_shown(fields[3])} arcs")
        self.p_line = self.lines

    def _terminal(self, fields: list[bytes]) -> None:
        self._expect(fields, "n NODE s|t")
        node, kind = self._node(fields[1]), fields[2]
        if kind not in (b"s", b"t"):
            self.fail(f"terminal {_shown(kind)}; it must be 's' or 't'")
        if kind in self.terminals:
            self.fail(f"a second {'source' if kind == b's' else 'sink'}")
        if node in self.terminals.values():
            self.fail(f"node {node} is source and sink")
        self.terminals[kind] = node

    def _arc(self, fields: list[bytes]) -> tuple[int, int, int | float, int]:
        self._expect(fields, "a TAIL HEAD CAPACITY")
        if self.count == self.promised:
            self.fail(f"more arcs than the {self.promised} that line {self.p_line} promises")
        self.count += 1
        ends = self._node(fields[1]), self._node(fields[2])
        return *ends, self._capacity(fields[3]), self.lines

    def _expect(self, fields: list[bytes], form: str) -> None:
        kind = form[0]
        if kind != "p" and not self.p_line:
            self.fail(f"{kind} line before the p line")
        if len(fields) != len(form.split()):
            self.fail(f"{len(fields)} fields; a line of type {kind} reads '{form}'")

    def _integer(self, what: str, token: bytes) -> int:
        if not WHOLE.fullmatch(token):
            self.fail(f"{what} is {_shown(token)}, not a whole number")
        return _whole(token)

    def _node(self, token: bytes) -> int:
        node = self._integer("the node", token)
        if not 1 <= node <= self.nodes:
            self.fail(f"node {_shown(token)} is out of range for {self.nodes} nodes")
        return node

    def _capacity(self, token: bytes) -> int | float:
        if not WHOLE.fullmatch(token):
            return self._real_capacity(token)
        capacity = _whole(token)
        if capacity < 0:
            self.fail(f"capacity {_shown(token)} is negative")
        if capacity > INT64_MAX:
            self.fail(f"capacity {_shown(token)} overflows int64; inf means never cut")
        return capacity

    def _real_capacity(self, token: bytes) -> float:
        if not DECIMAL.fullmatch(token):
            if token.lower() in (b"nan", b"+nan", b"-nan", b"-inf", b"-infinity"):
                self.fail(f"capacity {_shown(token)}; it must be a number >= 0 or inf")
            self.fail(f"capacity {_shown(token)} is not a number")
        capacity = float(token)
        if capacity < 0:
            self.fail(f"capacity {_shown(token)} is negative")
        if capacity == np.inf and b"n" not in token.lower():
            self.fail(f"capacity {_shown(token)} overflows float64; inf means never cut")
        return abs(capacity)

    def network(self) -> Network:
        if not self.lines:
            self.fail("the file is empty")
        if not self.p_line:
            self.fail("the file ends without a p line")
        for kind, what in ((b"s", "source (n NODE s)"), (b"t", "sink (n NODE t)")):
            if kind not in self.terminals:
                self.fail(f"the file ends without a {what}")
        if self.count < self.promised:
            self.fail(
                f"the file ends after {self.count} of the {self.promised} arcs "
                f"that line {self.p_line} promises"
            )
        none = np.zeros(0, dtype=np.int64)
        columns = zip(*self.parts, strict=True) if self.parts else [(none,)] * 4
        arcs = Arcs(*(np.concatenate(column) for column in columns))
        source, sink = self.terminals[b"s"], self.terminals[b"t"]
        return Network(self.name, self.nodes, source, sink, arcs, self.p_line)


def _lines_that_count(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and text of the lines that are neither empty nor comments.

    A small compressed file may hold many millions of the others.
    """
    text = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(text == ord("\n"))
    if not len(ends):
        return
    starts = np.concatenate([[0], ends[:-1] + 1])
    printed = ~SPACE[text]
    places = np.flatnonzero(printed)
    # How many printed characters stand before each line: the number of its first one.
    order = np.cumsum(printed)[starts] - printed[starts]
    first = np.append(places, len(text))[order]
    counts = first < ends
    counts[counts] = text[first[counts]] != ord("c")
    for index in np.flatnonzero(counts).tolist():
        yield index, block[starts[index] : ends[index]]


def _shown(token: bytes) -> str:
    text = token.decode("latin-1")
    return ascii(text if len(text) <= 40 else text[:37] + "...")


def _whole(token: bytes) -> int:
    digits = token.lstrip(b"+-0")
    size = int(digits or b"0") if len(digits) <= 30 else BEYOND
    return -size if token.startswith(b"-") else size
