"""Which stages of a run are finished, and with what settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dgcn.config import SECTIONS
from dgcn.options import as_plain, write_text

MARK = "finished.json"


def is_finished(folder: Path, settings: dict[str, Any]) -> bool:
    """Whether the stage that writes into `folder` has ended with these settings."""
    known = recorded(folder)
    return known is not None and not differences(known, as_plain(settings))


def recorded(folder: Path) -> dict[str, Any] | None:
    """Settings with which the stage has ended; None where it has not."""
    path = folder / MARK
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def mark_finished(folder: Path, settings: dict[str, Any]) -> None:
    """Record that the stage has ended."""
    write_text(folder / MARK, json.dumps(as_plain(settings), indent=2) + "\n")


def unmark(folder: Path) -> None:
    """Forget that the stage has ended, because it begins anew."""
    (folder / MARK).unlink(missing_ok=True)


def made_with(folder: Path, settings: dict[str, Any], verb: str) -> dict[str, Any]:
    """Settings that the stage in `folder` has ended with, for the record of what is built on it.

    Parameters
    ----------
    folder : Path
    settings : dict
        Those that the stage would be run with now; returned where they mean the same.
    verb : str
        Verb of the command line that runs the stage.

    Raises
    ------
    ValueError
        The stage has not ended.
    """
    known = recorded(folder)
    if known is None:
        raise ValueError(f"{folder} is not finished: run 'dgcn {verb}' first")
    return known if differences(known, as_plain(settings)) else settings


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """Names and values of the settings that differ, as ``train.lr: 0.001 -> 0.01``.

    An option that `old` does not know was not there yet when it was written: its default, which
    leaves everything as it was before, is no difference.
    """
    found: list[str] = []
    section = SECTIONS.get(prefix.rstrip(".").rpartition(".")[2])
    defaults = {} if section is None else as_plain(section())
    for key in [*old, *(key for key in new if key not in old)]:
        name = f"{prefix}{key}"
        before, after = old.get(key, defaults.get(key)), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found += differences(before, after, f"{name}.")
        elif before != after:
            found.append(f"{name}: {before} -> {after}")
    return found
