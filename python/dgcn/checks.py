"""How a setting out of range is refused."""

from __future__ import annotations

from pathlib import Path


def require(instance: object, name: str, valid: bool, rule: str) -> None:
    """Raise `ValueError` naming the field and its value unless `valid`.

    The command line puts the section before the name: ``train.epochs``.
    """
    if not valid:
        raise ValueError(f"{name} must be {rule}, got {getattr(instance, name)!r}")


def require_positive(instance: object, *names: str) -> None:
    """Raise `ValueError` for the first field that is not a positive finite number."""
    for name in names:
        require(instance, name, 0 < getattr(instance, name) < float("inf"), "> 0 and finite")


def require_at_least(instance: object, least: float, *names: str) -> None:
    """Raise `ValueError` for the first field below `least` or not finite."""
    for name in names:
        valid = least <= getattr(instance, name) < float("inf")
        require(instance, name, valid, f">= {least}")


def require_folder(instance: object, *names: str) -> None:
    """Raise `FileNotFoundError` for the first field that is a path and not a folder."""
    for name in names:
        path: Path | None = getattr(instance, name)
        if path is not None and not path.is_dir():
            raise FileNotFoundError(f"{name}: no such folder: {path}")


def require_file(instance: object, *names: str) -> None:
    """Raise `FileNotFoundError` for the first field that is a path and not a file."""
    for name in names:
        path = getattr(instance, name)
        if isinstance(path, Path) and not path.is_file():
            raise FileNotFoundError(f"{name}: no such file: {path}")


def require_scales(instance: object, name: str) -> None:
    """Raise `ValueError` unless the field holds factors on the side of an image."""
    scales: tuple[float, ...] = getattr(instance, name)
    valid = len(scales) > 0 and all(0.1 <= scale <= 10 for scale in scales)
    require(instance, name, valid, "one or more factors in [0.1, 10]")
