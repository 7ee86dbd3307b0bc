"""The error of a data set that cannot be used as it is, and what is wrong with a list."""

from __future__ import annotations

from pathlib import Path

__all__ = ["DataError", "Faults"]

_SHOWN = 10


class DataError(ValueError):
    """A file of the data set is missing, malformed or contradicts another one.

    The message names the file, and the line where the file is a list.
    """


class Faults:
    """What is wrong with the lines of a list, to be said at once.

    Parameters
    ----------
    path : Path
        The list.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: list[tuple[int, str]] = []
        self._hints: dict[str, None] = {}

    def add(self, line: int, message: str, hint: str = "") -> None:
        """Note a fault, and what helps with all of its kind."""
        self._found.append((line, message))
        if hint:
            self._hints[hint] = None

    def raise_any(self) -> None:
        """Raise `DataError` where there are faults: the first ten by line, and their number."""
        found = sorted(self._found, key=lambda fault: fault[0])
        if not found:
            return
        if len(found) == 1:
            line, message = found[0]
            raise DataError("; ".join([f"{self._path}:{line}: {message}", *self._hints]))
        listed = "; ".join(f"line {line}: {message}" for line, message in found[:_SHOWN])
        more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        faults = f"{self._path}: {len(found)} faults: {listed}"
        raise DataError("; ".join([faults, *more, *self._hints]))
