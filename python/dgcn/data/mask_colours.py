"""Masks that show a class by its colour, and the lists that say which colour is which."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dgcn.data.errors import DataError, Faults
from dgcn.data.lists import BACKGROUND, require_name
from dgcn.data.masks import VOID, read_coloured_mask

__all__ = ["MASK_COLOURS", "MaskColours", "read_mask_colours"]

MASK_COLOURS = "mask_colours.csv"
"""The list of a plain folder."""

_VOID_NAMES = frozenset({"void", "ignore", "ignored", "unlabelled", "unlabeled", "dontcare"})
_BACKGROUND_NAMES = frozenset({BACKGROUND, "bg"})
_NUMBER = r"([0-9]{1,3})"
_BETWEEN = r"\s*[,;\t ]\s*"
_LINES = (
    re.compile(_BETWEEN.join((_NUMBER, _NUMBER, _NUMBER, "(.+)"))),
    re.compile(rf"([^:]+):{_NUMBER},{_NUMBER},{_NUMBER}(?::.*)?"),
    re.compile(_BETWEEN.join(("(.+?)", _NUMBER, _NUMBER, _NUMBER))),
)
_Colour = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class MaskColours:
    """The class of every colour.

    Attributes
    ----------
    classes : tuple of str
        Names by id; 0 is ``background``.
    ids : dict from (red, green, blue) to int
        Class ids, 255 for void. Black is the background unless it is listed.
    source : Path
        The list, for messages.
    """

    classes: tuple[str, ...]
    ids: dict[_Colour, int]
    source: Path

    def read(self, path: Path) -> NDArray[np.uint8]:
        """Read a mask of these colours: class ids (H, W), 255 where void.

        Parameters
        ----------
        path : Path
            PNG of colours, or indexed, whose palette counts.

        Raises
        ------
        FileNotFoundError
            No such file.
        DataError
            The file is damaged, not PNG, transparent, or holds a colour that the list does not
            have; the message names the first one.
        """
        pixels = read_coloured_mask(path).astype(np.int32)
        codes = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
        known = np.array([r << 16 | g << 8 | b for r, g, b in self.ids], np.int32)
        labels = np.array([*self.ids.values()], np.uint8)
        order = np.argsort(known)
        place = order[np.searchsorted(known, codes, sorter=order).clip(max=len(known) - 1)]
        strange = known[place] != codes
        if strange.any():
            colour = pixels[strange][0].tolist()
            raise DataError(
                f"{path}: colour {colour} ({np.count_nonzero(strange)} pixels are of colours "
                f"that {self.source.name} does not list)"
            )
        found: NDArray[np.uint8] = labels[place]
        return found

    def renumbered(self, classes: Sequence[str]) -> MaskColours:
        """The same with the ids of other names.

        Raises
        ------
        DataError
            These lack a class of the list.
        """
        for name in self.classes:
            if name not in classes:
                raise DataError(f"{self.source}: class {name!r} is not in classes.txt")
        new = {VOID: VOID, **{k: classes.index(name) for k, name in enumerate(self.classes)}}
        ids = {colour: new[label] for colour, label in self.ids.items()}
        return MaskColours(tuple(classes), ids, self.source)

    def csv(self) -> str:
        """The text of a ``mask_colours.csv``."""
        names = {**dict(enumerate(self.classes)), VOID: "void"}
        rows = []
        for (red, green, blue), label in self.ids.items():
            name = names[label].replace('"', '""')
            rows.append(f'{red},{green},{blue},"{name}"')  # in this order no name can mislead
        return "\n".join(["red,green,blue,class", *rows]) + "\n"


def read_mask_colours(path: Path) -> MaskColours:
    """Read a list of colours: a line for each, with the class and three numbers 0..255.

    ::

        name,r,g,b            64 128 64  Animal          # label:color_rgb:parts:actions
        Animal,64,128,64      192 0 128  Archway         cat:128,0,0::

    A class may have several colours. ``background`` is class 0, whatever its colour; ``void``,
    ``ignore``, ``unlabelled`` and the like are void. Other classes have ids in the list's order.

    Parameters
    ----------
    path : Path
        UTF-8 text. Blank lines, those that begin with #, and a first line without numbers are
        passed over.

    Raises
    ------
    DataError
        A line is malformed, a colour occurs twice, a name is none (`require_name`), there is no
        class, or there are more than 254. The message names the first ten lines that are wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error})") from error
    faults = Faults(path)
    classes = {BACKGROUND: 0}
    ids: dict[_Colour, int] = {}
    for line, text in _content(lines):
        try:
            name, colour = _entry(text)
            if colour in ids:
                raise ValueError(f"colour {list(colour)} occurs twice")
            ids[colour] = _id_of(name, classes)
        except ValueError as error:
            faults.add(line, str(error))
    faults.raise_any()
    if len(classes) < 2:
        raise DataError(f"{path}: names no foreground class")
    if len(classes) > VOID:
        raise DataError(f"{path}: at most {VOID - 1} classes are possible, got {len(classes) - 1}")
    ids.setdefault((0, 0, 0), 0)
    return MaskColours(tuple(classes), ids, path)


def _content(lines: Iterable[str]) -> Iterable[tuple[int, str]]:
    """Lines that list something, with their numbers."""
    first = True
    for line, text in enumerate(lines, start=1):
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        if not first or re.search(r"\d", text):
            yield line, text.strip()
        first = False


def _entry(text: str) -> tuple[str, _Colour]:
    for pattern in _LINES:
        match = pattern.fullmatch(text)
        if match:
            groups = list(match.groups())
            name = groups.pop(3 if groups[0].isdecimal() and not groups[3].isdecimal() else 0)
            red, green, blue = (int(number) for number in groups)
            if max(red, green, blue) > 255:
                raise ValueError(f"a colour has numbers 0..255, got {text!r}")
            name = name.strip()
            if len(name) > 1 and name[0] == name[-1] == '"':
                name = name[1:-1].replace('""', '"')
            return name, (red, green, blue)
    raise ValueError(f"expected a class and three numbers 0..255, got {text!r}")


def _id_of(name: str, classes: dict[str, int]) -> int:
    plain = re.sub(r"[\W_]+", "", name).lower()
    if plain in _BACKGROUND_NAMES:
        return 0
    if plain in _VOID_NAMES:
        return VOID
    require_name(name)
    return classes.setdefault(name, len(classes))
