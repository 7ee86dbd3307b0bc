"""How a setting out of range is refused."""

from __future__ import annotations


def require(section: str, instance: object, name: str, valid: bool, rule: str) -> None:
    """Raise `ValueError` naming ``section.name`` and its value unless `valid`."""
    if not valid:
        raise ValueError(f"{section}.{name} must be {rule}, got {getattr(instance, name)!r}")
