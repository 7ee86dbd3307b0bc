"""Whether there are pictures to tell what is new in the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dgcn.config import Config
from dgcn.cues import FEWEST, NOVELTY
from dgcn.data import Record
from dgcn.doctor.finding import Finding


def check_novelty(train: Sequence[Record], config: Config) -> Iterator[Finding]:
    """What the labels say about ``cues.saliency novelty``; nothing where it is not set.

    Parameters
    ----------
    train : sequence of Record
        Training images.
    config : Config
    """
    unused = config.cues.path is not None or config.data.saliency is not None
    if unused or config.cues.saliency != NOVELTY:
        return
    flawless = sum(not record.labels for record in train)
    what = f"cues.saliency {NOVELTY}: {flawless} training images have no class"
    if flawless < FEWEST:
        yield Finding(
            "warning",
            f"{what}, it takes {FEWEST}: the cues go by the activation alone",
            "add pictures of the thing without any of the classes, in a folder 'good', say",
        )
    else:
        yield Finding("ok", f"{what}, the others are compared with these")
