"""Lists of classes that come with masks: which colour, or which number, is which class."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dgcn.data.errors import DataError
from dgcn.data.lists import BACKGROUND, require_name
from dgcn.data.mask_colours import MASK_COLOURS, MaskColours, read_mask_colours

if TYPE_CHECKING:
    from dgcn.class_folders import Survey

__all__ = ["list_of_colours", "list_of_values", "settle_colours"]

_COLOURS = frozenset(
    {"classdict", "labelmap", "labelcolors", "labelcolours", "classcolors", "classcolours"}
    | {"colors", "colours", "colormap", "colourmap", "palette", "maskcolors", "maskcolours"}
)
_VALUES = "_classes.csv"  # Roboflow's, one beside the pictures of each split


def list_of_colours(found: Survey) -> MaskColours | None:
    """The list of colours of a folder's masks: its own, or one that came with the pictures.

    Parameters
    ----------
    found : Survey

    Raises
    ------
    DataError
        The folder's ``mask_colours.csv`` is malformed. Other lists are named and passed over then.
    """
    own = found.root / MASK_COLOURS
    if own.is_file():
        return read_mask_colours(own)
    for path in _aside(found):
        if re.sub(r"[\W_]+", "", path.stem).lower() not in _COLOURS:
            continue
        try:
            colours = read_mask_colours(path)
        except DataError as error:
            found.remarks.append(f"no list of colours: {error}")
            continue
        return colours
    return None


def settle_colours(found: Survey) -> None:
    """Keep a list of colours that came with the pictures where one of 20 masks has its colours."""
    colours = found.colours
    if colours is None or colours.source == found.root / MASK_COLOURS:
        return
    masks = [each.mask for each in (*found.sources, *found.placed) if each.mask is not None]
    masks += sorted((found.root / "masks").glob("*.png"))
    if any(_has_colours(path, colours) for path in masks[:: -(-len(masks) // 20) or 1]):
        found.use(colours.source)
        found.remarks.append(
            f"{colours.source.name} says what the colours of masks mean; it is kept as "
            f"{MASK_COLOURS}"
        )
    else:
        found.colours = None


def _has_colours(path: Path, colours: MaskColours) -> bool:
    try:
        return bool(colours.read(path).any())
    except DataError:
        return False


def list_of_values(found: Survey) -> tuple[str, ...]:
    """Foreground classes in the order of their numbers, from lists as Roboflow writes them.

    ::

        Pixel Value, Class
        0, background
        1, cat

    Parameters
    ----------
    found : Survey
        Lists that are used are no longer left aside.

    Returns
    -------
    tuple of str
        Empty where there is no such list, or where lists differ.
    """
    lists = {path: _values(path) for path in _aside(found) if path.name == _VALUES}
    names = {each for each in lists.values() if each}
    if len(names) != 1:
        return ()
    found.use(*lists)
    return names.pop()


def _values(path: Path) -> tuple[str, ...]:
    try:
        header, *lines = path.read_text(encoding="utf-8-sig").splitlines()
    except ValueError:
        return ()
    if re.sub(r"\s", "", header).lower() != "pixelvalue,class":
        return ()
    names = []
    for number, line in enumerate(filter(str.strip, lines)):
        value, _, name = line.partition(",")
        if value.strip() != str(number):
            return ()
        names.append(name.strip())
    try:
        for name in names[1:]:
            require_name(name)
    except ValueError:
        return ()
    sound = names[:1] == [BACKGROUND] and BACKGROUND not in names[1:]
    return tuple(names[1:]) if sound and len(set(names)) == len(names) else ()


def _aside(found: Survey) -> Iterator[Path]:
    for ending in (".csv", ".txt"):
        yield from sorted(found.aside.get(f"files that are no pictures ({ending})", []))
