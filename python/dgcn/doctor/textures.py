"""Whether the saliency suits the pictures: textures with objects on them, or scenes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from dgcn.config import Config
from dgcn.doctor.finding import Finding
from dgcn.textures import TEXTURE_SETTINGS, TEXTURE_SPREAD, spread_of


def check_textures(pictures: Sequence[Path], config: Config) -> Iterator[Finding]:
    """What the colours of the pictures say about ``cues.saliency``.

    Parameters
    ----------
    pictures : sequence of Path
        That can be read; at most 40 are looked at.
    config : Config
        Whose cues are made from a saliency of dgcn's own; else nothing is found.
    """
    cues = config.cues
    own = cues.saliency in ("border_geodesic", "local_contrast")
    if cues.path is not None or config.data.saliency is not None or not own:
        return
    spread = spread_of(pictures)
    if spread is None:
        return
    what = f"colours of the pictures spread by {spread:.1f} in CIE Lab"
    texture, by_contrast = spread < TEXTURE_SPREAD, cues.saliency == "local_contrast"
    if texture and not by_contrast:
        yield Finding(
            "warning",
            f"{what}, as those of textures with objects on them: cues.saliency {cues.saliency} "
            f"suits scenes (from {TEXTURE_SPREAD:g} on)",
            " ".join(f"--{name} {json.dumps(value)}" for name, value in TEXTURE_SETTINGS.items())
            + ", as 'dgcn init' sets",
        )
    elif by_contrast and not texture:
        yield Finding(
            "warning",
            f"{what}, as those of scenes: cues.saliency local_contrast suits textures (below "
            f"{TEXTURE_SPREAD:g})",
            "--cues.saliency border_geodesic --cues.saliency_weight 1 --evaluate.contrast false "
            "--evaluate.scales [0.75,1,1.25]",
        )
    else:
        yield Finding("ok", f"{what}: cues.saliency {cues.saliency} suits them")
