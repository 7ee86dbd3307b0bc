"""ImageNet weights that other programs have put into the caches of torch and Hugging Face."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import torch

__all__ = ["WHERE_TO_GET", "cached_weights"]

WHERE_TO_GET = (
    "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth (5 MB, its SHA-256 begins with "
    "b8a52dc0)"
)
"""The smallest published file that fits, torchvision's; its digest is in its name."""

# As torchvision, the port of EfficientNet-Lite and timm's repositories call them; first to last.
_CALLED = ("squeezenet1_1", "efficientnet[-_]lite0", "resnet18", "resnet50", "vgg16", "resnet101")


def cached_weights() -> Iterator[Path]:
    """Files that by their names hold weights of a backbone, the first choice first.

    They lie in ``checkpoints`` of `torch.hub.get_dir`, where torchvision downloads to, and in
    Hugging Face's cache, where timm does. What they hold is for the caller to see (`recognise`).
    """
    named = [*_of_torch(), *_of_hugging_face()]
    for pattern in _CALLED:
        for name, path in named:
            if re.match(rf"{pattern}([-.]|$)", name):
                yield path


def _of_torch() -> Iterator[tuple[str, Path]]:
    folder = Path(torch.hub.get_dir(), "checkpoints")
    for path in sorted(folder.glob("*.pth")) if folder.is_dir() else ():
        yield path.name.lower(), path


def _of_hugging_face() -> Iterator[tuple[str, Path]]:
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    folder = Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()
    for path in sorted(folder.glob("models--timm--*/snapshots/*/model.safetensors")):
        yield path.parents[2].name.removeprefix("models--timm--").lower(), path
