"""The cues of a run that has some: what they cover, and what to turn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from dgcn.doctor.finding import Finding
from dgcn.pipeline.cues import VERDICT, read_remarks


def check_cues(folder: Path) -> Iterator[Finding]:
    """What the stage of the cues has found wrong with them; nothing where it has not run.

    Parameters
    ----------
    folder : Path
        Run folder.
    """
    path = folder / "cues" / VERDICT
    if not path.is_file():
        return
    content = json.loads(path.read_text(encoding="utf-8"))
    background, *objects = content["classes"].values()
    shares = [each["covered"] for each in objects if each["covered"] is not None]
    covered = 100 * sum(shares) / max(len(shares), 1)
    yield Finding(
        "ok",
        f"{path.parent}: object cues cover {covered:.1f} % of the images of their class (mean of "
        f"the classes), background cues {100 * (background['covered'] or 0):.1f} % of all images",
    )
    for what, fix in read_remarks(path.parent):
        yield Finding("warning", what, fix)
