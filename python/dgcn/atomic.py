"""Files that are written whole or not at all: readers see the old content or the new."""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["atomic_file", "remove_partials", "write_bytes", "write_text"]

_PARTIAL = re.compile(r"\..+\.[0-9a-f]{32}\.partial")
_DAY = 24 * 60 * 60


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`; at the end of the block it takes the place of `path`.

    The content is on the disk before the name is: a crash at any moment leaves the old file or the
    new one. Where the block raises, `path` stays as it was.

    Parameters
    ----------
    path : Path
        Its folder is made where it does not exist.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        if error.filename is None and error.strerror:  # a full disk does not say which file
            raise type(error)(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def remove_partials(folder: Path, age: float = _DAY) -> None:
    """Remove what killed processes left of their files, in a folder and all below.

    Parameters
    ----------
    folder : Path
    age : float, default one day
        Seconds since a file was last written to; younger ones may still be written, by another
        host too.
    """
    for parent, _, names in os.walk(folder):
        for name in filter(_PARTIAL.fullmatch, names):
            path = Path(parent, name)
            try:
                if time.time() - path.stat().st_mtime > age:
                    path.unlink()
            except FileNotFoundError:
                continue  # its writer, or another cleaner, was faster


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with atomic_file(path) as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all."""
    write_bytes(path, text.encode())
