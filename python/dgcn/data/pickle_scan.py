"""A look at a pickle before anything of it is built: what it would do, how deep, how large.

The C unpickler believes what a stream claims: memory for a huge memo, nested tuples that overflow
the stack when they are hashed, attributes set on whatever lies on its stack. Here the stream is
read opcode by opcode, and only what arrays of numbers need is let through.
"""

from __future__ import annotations

import pickle
import pickletools
from typing import NamedTuple

__all__ = ["check_pickle"]

DEEPEST = 16
"""Containers in containers; a dictionary of arrays has about six."""

_PUSHED = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("NONE", "NEWTRUE", "NEWFALSE", "EMPTY_LIST", "EMPTY_DICT", "EMPTY_TUPLE"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
        *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    )
)
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MARKED = frozenset(("TUPLE", "LIST", "DICT"))
_ADDED = {"APPEND": 1, "SETITEM": 2}
_ADDED_MARKED = frozenset(("APPENDS", "SETITEMS"))
_PUTS = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
_GETS = frozenset(("GET", "BINGET", "LONG_BINGET"))


class _Item(NamedTuple):
    """What is known of an object on the stack."""

    depth: int = 0
    made: bool = False
    """Whether a call has made it, so that its state may be set."""


class _Stack:
    """The unpickler's stack and memo, without the objects."""

    def __init__(self) -> None:
        self.items: list[_Item] = []
        self.below: list[list[_Item]] = []
        self.memo: dict[int, _Item] = {}

    def pop(self, count: int) -> list[_Item]:
        if len(self.items) < count:
            raise pickle.UnpicklingError("it takes more from the stack than there is")
        taken = self.items[len(self.items) - count :]
        del self.items[len(self.items) - count :]
        return taken

    def pop_mark(self) -> list[_Item]:
        if not self.below:
            raise pickle.UnpicklingError("it goes back to a mark that is not there")
        taken, self.items = self.items, self.below.pop()
        return taken

    def push(self, parts: list[_Item], made: bool = False) -> None:
        depth = 1 + max((part.depth for part in parts), default=0)
        if depth > DEEPEST:
            raise pickle.UnpicklingError(f"it nests more than {DEEPEST} containers")
        self.items.append(_Item(depth, made))

    def top(self) -> _Item:
        (item,) = self.pop(1)
        self.items.append(item)
        return item


def check_pickle(stream: bytes) -> None:
    """Refuse a pickle that does anything but build arrays, numbers, text and their containers.

    Parameters
    ----------
    stream : bytes
        What follows its end is not looked at.

    Raises
    ------
    pickle.UnpicklingError
        It has another opcode, claims more than there is, numbers its memo beyond its length, nests
        too deep, or sets the state of something that it has not made.
    ValueError
        It breaks off.
    """
    stack = _Stack()
    for count, (opcode, argument, position) in enumerate(pickletools.genops(stream), 1):
        _step(stack, opcode.name, argument, count)
        if opcode.name == "FRAME":
            assert isinstance(argument, int)
            assert position is not None
            if argument > len(stream) - position:
                raise pickle.UnpicklingError("it claims a frame that is longer than the file")


def _step(stack: _Stack, name: str, argument: object, count: int) -> None:
    """Do to the stack what one opcode does; `count` opcodes have been read."""
    if name in _PUSHED:
        stack.items.append(_Item())
    elif name in _PUTS or name == "MEMOIZE":
        number = len(stack.memo) if name == "MEMOIZE" else argument
        # The unpickler makes room for all numbers up to the largest.
        if not isinstance(number, int) or not 0 <= number <= count:
            raise pickle.UnpicklingError(f"it numbers its memo beyond its length: {number}")
        stack.memo[number] = stack.top()
    elif name in _GETS:
        if argument not in stack.memo:
            raise pickle.UnpicklingError(f"it takes what is not in its memo: {argument}")
        assert isinstance(argument, int)
        stack.items.append(stack.memo[argument])
    elif name in _TUPLES:
        stack.push(stack.pop(_TUPLES[name]))
    elif name in _MARKED:
        stack.push(stack.pop_mark())
    elif name in _ADDED or name in _ADDED_MARKED:
        parts = stack.pop(_ADDED[name]) if name in _ADDED else stack.pop_mark()
        (whole,) = stack.pop(1)
        # A container is one deeper than its deepest part, however many it has.
        stack.push([_Item(whole.depth - 1), *parts])
    elif name == "MARK":
        stack.below.append(stack.items)
        stack.items = []
    elif name == "GLOBAL":
        stack.items.append(_Item())
    elif name == "STACK_GLOBAL":
        stack.pop(2)
        stack.items.append(_Item())
    elif name == "REDUCE":
        stack.push(stack.pop(2), made=True)
    elif name == "BUILD":
        whole, _ = stack.pop(2)
        if not whole.made:
            raise pickle.UnpicklingError("it sets the state of something that it has not made")
        stack.items.append(whole)
    elif name in ("STOP", "POP"):
        stack.pop(1)
    elif name not in ("PROTO", "FRAME"):
        raise pickle.UnpicklingError(f"it has the opcode {name}, which arrays do not need")
