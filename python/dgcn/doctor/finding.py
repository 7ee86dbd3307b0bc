"""What a check has found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Attributes
    ----------
    level : {"ok", "warning", "error"}
        "error": a run would fail or mean nothing. "warning": it would run, with a drawback.
    what : str
        The fact.
    fix : str, default ""
        What to do; never empty beside a warning or an error.
    """

    level: Level
    what: str
    fix: str = ""

    def __post_init__(self) -> None:
        if self.level != "ok" and not self.fix:
            raise ValueError(f"fix must say what to do about {self.what!r}")
