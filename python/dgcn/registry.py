"""What people extend, by name: backbones, kinds of supervision, saliency priors."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

__all__ = ["find"]


def find(entries: Mapping[str, Any], name: str, argument: str, base: type | None = None) -> Any:
    """An entry of a registry, or an object of the user's own as ``package.module:Name``.

    Modules are looked for on Python's path and in the working directory.

    Parameters
    ----------
    entries : mapping
        The registry.
    name : str
        One of its keys, or ``package.module:Name``.
    argument : str
        What the name is given as, for the message.
    base : type or None, default None
        Class that an object of the user's own must be derived from; None: it must be callable.

    Raises
    ------
    ValueError
        There is no such entry, module or object, or it is not of the right kind.
    """
    if name in entries:
        return entries[name]
    module, colon, attribute = name.partition(":")
    if not (colon and module and attribute):
        known = ", ".join(entries)
        raise ValueError(f"{argument} must be one of {known}, or package.module:Name, got {name!r}")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        found = getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise ValueError(f"{argument} {name!r} cannot be imported: {error}") from error
    except AttributeError as error:
        raise ValueError(f"{argument} {name!r}: {module} has no {attribute}") from error
    if base is None:
        if not callable(found):
            raise ValueError(f"{argument} {name!r} cannot be called")
    elif not (isinstance(found, type) and issubclass(found, base)):
        raise ValueError(
            f"{argument} {name!r} is not derived from {base.__module__}.{base.__name__}"
        )
    return found
