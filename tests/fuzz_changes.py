"""Changes of sound files and of their content, for fuzz_readers.py."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

LARGEST_INPUT = 1 << 20
ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 2, 255, 256, 2**31, 2**63, -(2**63), 2**64, 10**30, 10**400),
    *(0.5, -0.0, 1e308, math.inf, math.nan, "", "0", "\0", "../x", "=1+1", "\ud800", "a" * 300),
    *(b"", b"\xff", [], {}, [[]], [0] * 9, {"a": 1}, [[1, 2, 3, 4, 5, 6]], (), ((),)),
)
TOKENS = (
    *(b"", b"\0", b"\xff", b"\n", b"\r\n", b'"', b'""', b",", b";", b" ", b"\t", b"{", b"}", b"["),
    *(b"]", b":", b"1e999", b"-1", b"inf", b"nan", b"99999999999999999999", b"\xef\xbb\xbf"),
    *(
        b"\xff\xff\xff\x7f",
        b"\x00\x00\x00\x80",
        b"<a>",
        b"</a>",
        b"&#0;",
        b"\x80\x04",
        b"\x94",
        b".",
    ),
    *(
        b"cos\nsystem\n",
        b"(",
        b"t",
        b"R",
        b"]",
        b"a",
        b"}",
        b"s",
        b"\x85",
        b"h\x00",
        b"p c e a n s 1",
    ),
)


def changed_bytes(data: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    """A few bytes replaced, repeated, taken out, put in, or taken from another file."""
    content = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4, 9))):
        at = draw.randrange(len(content) + 1)
        to = min(len(content), at + draw.choice((1, 1, 2, 8, 60)))
        kind = draw.randrange(6)
        if kind == 0 and at < len(content):
            content[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            content[at:to] = draw.randbytes(to - at)
        elif kind == 2:
            del content[at:to]
        elif kind == 3:
            content[at:at] = draw.choice(TOKENS)
        elif kind == 4:
            content[at:at] = content[at:to] * draw.choice((1, 3, 100))
        else:
            other = draw.choice(others)
            start = draw.randrange(len(other) + 1)
            content[at:to] = other[start : start + draw.choice((4, 40, 400))]
    return bytes(content[:LARGEST_INPUT])


def changed(value: Any, draw: random.Random) -> Any:
    """Plain content with one part replaced by something odd, left out or repeated."""
    if isinstance(value, dict) and value and draw.random() < 0.85:
        key = draw.choice(list(value))
        copy = dict(value)
        kind = draw.random()
        if kind < 0.1:
            del copy[key]
        elif kind < 0.2:
            copy[draw.choice([odd for odd in ODD if _hashable(odd)])] = copy[key]
        else:
            copy[key] = changed(copy[key], draw)
        return copy
    if isinstance(value, (list, tuple)) and value and draw.random() < 0.85:
        items = list(value)
        at = draw.randrange(len(items))
        kind = draw.random()
        if kind < 0.1:
            del items[at]
        elif kind < 0.2:
            items[at:at] = items[at : at + 1] * draw.choice((1, 50))
        else:
            items[at] = changed(items[at], draw)
        return type(value)(items)
    if isinstance(value, np.ndarray) and draw.random() < 0.8:
        kinds: list[Callable[[], Any]] = [
            lambda: value.reshape(-1),
            lambda: value[:0],
            lambda: value.astype(draw.choice(("f8", "i1", "u8", "?", "U4", "O", "c16"))),
            lambda: np.where(value == value.flat[0], draw.choice((-1, 255, 10**9)), value),
            lambda: np.asfortranarray(value[..., None]),
        ]
        return draw.choice(kinds)() if value.size else value
    if isinstance(value, torch.Tensor) and draw.random() < 0.8:
        tensors: list[Callable[[], Any]] = [
            lambda: value.double(),
            lambda: value.flatten(),
            lambda: torch.empty(0),
            lambda: torch.zeros(1).expand(1 << 20, 1 << 20),
            lambda: torch.full_like(value, math.nan) if value.is_floating_point() else value,
            lambda: value.to_sparse(),
            lambda: value[None].expand(3, *value.shape),
        ]
        return draw.choice(tensors)()
    if isinstance(value, str) and value and draw.random() < 0.5:
        at = draw.randrange(len(value))
        return value[:at] + draw.choice(("\0", "\n", "é", '"', ",", "0", "\u202e")) + value[at:]
    return draw.choice(ODD)


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
