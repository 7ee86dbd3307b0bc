"""Files that are complete or not there."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that readers see the old content or the new, never half of it.

    The folder must exist.
    """
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
