"""The images of a folder: where they lie, what their folders say is in them, and their masks."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from dgcn.class_lists import list_of_colours, settle_colours
from dgcn.data.dataset import IMAGE_SUFFIXES, OTHER_SUFFIXES
from dgcn.data.lists import BACKGROUND, require_name
from dgcn.data.mask_colours import MaskColours
from dgcn.data.masks import is_black_and_white
from dgcn.text import printable

__all__ = ["Source", "Survey", "survey"]

_OWN = re.compile(
    r"(config\.yaml|labels\.csv|classes\.txt|train\.txt|val\.txt|mask_colours\.csv)(\.bak\d*)?$"
)
_SKIPPED = ("runs",)
_CONTAINERS = frozenset(
    {"images", "image", "imgs", "img", "jpegimages", "jpgs", "photos", "pictures", "pics", "rgb"}
)
_MASKS = frozenset(
    {"masks", "mask", "labels", "label", "groundtruth", "groundtruths", "gt", "gts"}
    | {"annotations", "annotation", "annots", "segmentation", "segmentations", "seg", "segs"}
    | {"segmentationclass", "segmentationmasks", "annot", "labelmaps"}
)
_TRAIN = frozenset({"train", "training"})
_VAL = frozenset({"val", "valid", "validation", "dev"})
_TEST = frozenset({"test", "testing"})
_NOTHING = frozenset({BACKGROUND, "negative", "negatives", "none", "nothing"})
_FLAWLESS = frozenset({"intact", "undamaged", "healthy", "defectfree", "nondefective"})
_WITHOUT = re.compile(  # no_tumor, NoCrack, without defects; but not "no entry"
    r"(no|not|non|without)(anomal(y|ies)|cracks?|damages?|defects?|diseases?|faults?|findings?"
    r"|flaws?|lesions?|objects?|potholes?|tumou?rs?)$"
)
_FLAWLESS_AT_END = frozenset({"free", "good", "normal", "ok"})  # as in MT_Free
_MASK_ENDING = re.compile(r"[_\-. ](mask|masks|label|labels|gt|seg|segmentation|l)$", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """One picture of a folder.

    Attributes
    ----------
    path : Path
    place : tuple of str
        The folders that it lies in, but for those that are no class, as ``images``.
    split : {"", "train", "val", "test"}
    mask : Path or None
        The mask that lies beside it or in a folder of masks.
    """

    path: Path
    place: tuple[str, ...]
    split: str = ""
    mask: Path | None = None

    @property
    def label(self) -> str:
        """The class that its folder names; "" for none, and for pictures without objects."""
        name = self.place[0] if self.place else ""
        return "" if _names_nothing(name) else name


@dataclass
class Survey:
    """What a folder holds.

    Attributes
    ----------
    root : Path
    sources : list of Source
        The pictures to use.
    placed : list of Source
        Pictures directly in ``images/``, which may be links that were made before.
    aside : dict
        Why files are left aside, and which.
    remarks : list of str
    files : int
        All files, but for hidden ones and those that `dgcn init` writes.
    colours : MaskColours or None
        What the colours of masks mean, where a list came with them.
    flawless : list of str
        Folders whose names say that their pictures show the thing that the classes are flaws of:
        ``good``, ``healthy``.
    """

    root: Path
    sources: list[Source] = field(default_factory=list)
    placed: list[Source] = field(default_factory=list)
    aside: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    remarks: list[str] = field(default_factory=list)
    files: int = 0
    colours: MaskColours | None = None
    flawless: list[str] = field(default_factory=list)

    def use(self, *paths: Path) -> None:
        """Take files off the list of those left aside."""
        used = set(paths)
        for why in list(self.aside):
            self.aside[why] = [path for path in self.aside[why] if path not in used]
            if not self.aside[why]:
                del self.aside[why]

    def left_aside(self) -> list[str]:
        """A line for every reason, with the number of files and one of them."""
        lines = []
        for why, paths in self.aside.items():
            example = printable(os.path.relpath(min(paths), self.root))
            lines.append(f"left aside, {why}: {len(paths)}, e.g. {example}")
        return lines


def survey(root: Path) -> Survey:
    """Look at every file of a folder, and tell pictures from masks and from what is neither.

    The class of a picture is the topmost folder that it lies in. Folders that hold everything are
    passed over, and so are ``images`` and the like; ``train`` beside ``val`` or ``test`` are
    splits; ``masks``, ``labels``, ``GT`` and the like hold masks. A grey or indexed PNG beside a
    picture of the same name, or of that name and ``_mask``, is its mask. Where a list of colours
    lies somewhere (`read_mask_colours`), so is a PNG of these.

    Raises
    ------
    ValueError
        A folder's name cannot be that of a class.
    """
    found = Survey(root)
    pictures = list(_pictures(found))
    found.colours = list_of_colours(found)
    splits = _has_splits(root, pictures)
    images: list[Source] = []
    masks: list[Source] = []
    for path in pictures:
        parts = path.relative_to(root).parent.parts
        if parts == ("masks",):
            if path.suffix.lower() != ".png":
                masks.append(Source(path, ()))
        elif parts == ("images",):
            found.placed.append(Source(path, ()))
        else:
            source = _source(path, parts, splits)
            (masks if _in_masks(parts, splits) else images).append(source)
    wrapper = _wrapper(images)
    images, masks = _unwrapped(images, wrapper), _unwrapped(masks, wrapper)
    images, beside = _masks_beside(images, found.colours)
    found.placed, more = _masks_beside(found.placed, found.colours)
    found.sources = _with_masks(images, masks, beside)
    found.placed = _with_masks(found.placed, masks, more)
    used = {source.mask for source in (*found.sources, *found.placed)}
    lonely = [source.path for source in masks if source.path not in used]
    if lonely:
        found.aside["masks that belong to no picture"] += lonely
    _choose(found)
    settle_colours(found)
    for name in sorted({source.label for source in found.sources} - {""}):
        try:
            require_name(name)
        except ValueError as error:
            raise ValueError(f"folder {printable(name)!r}: {error}: rename the folder") from None
    nothing = {source.place[0] for source in found.sources if source.place and not source.label}
    found.flawless = sorted(filter(_names_flawless, nothing))
    if told := sorted(nothing - {BACKGROUND}):
        found.remarks.append(
            f"{', '.join(map(printable, told))}: taken as pictures without objects; if that is a "
            f"class, write it into labels.csv"
        )
    deeper = [source for source in found.sources if len(source.place) > 1]
    if deeper:
        where = os.path.relpath(deeper[0].path.parent, root)
        found.remarks.append(
            f"{len(deeper)} pictures lie deeper than their class, e.g. in {printable(where)}: "
            f"taken as {deeper[0].label or BACKGROUND!r}"
        )
    return found


def _pictures(found: Survey) -> Iterator[Path]:
    """Files that are pictures by their ending; the others are noted as left aside."""
    seen: set[str] = set()
    for parent, folders, names in os.walk(found.root, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(real)
        top = Path(parent) == found.root
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and not (top and name in _SKIPPED)
        )
        for name in sorted(names):
            if name.startswith(".") or (top and _OWN.match(name)):
                continue
            path = Path(parent, name)
            ending = path.suffix.lower()
            found.files += 1
            if not path.is_file():
                found.aside["links that lead nowhere"].append(path)
            elif ending in OTHER_SUFFIXES:
                why = f"pictures of a kind that is not read ({ending}; save them as jpg or png)"
                found.aside[why].append(path)
            elif ending not in IMAGE_SUFFIXES:
                found.aside[f"files that are no pictures ({ending or 'no ending'})"].append(path)
            elif not name.isprintable() or path.stem != path.stem.strip():
                why = "pictures with control characters in their names, or spaces at the ends"
                found.aside[why].append(path)
            else:
                yield path


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _names_nothing(name: str) -> bool:
    """Whether a folder's name says that its pictures show no object."""
    return _plain(name) in _NOTHING or _names_flawless(name)


def _names_flawless(name: str) -> bool:
    """Whether it says that they show a thing without the flaws that others have."""
    last = re.split(r"[\W_]+", name.lower())[-1]
    plain = _plain(name)
    return plain in _FLAWLESS or last in _FLAWLESS_AT_END or bool(_WITHOUT.match(plain))


def _role(part: str) -> tuple[str, str]:
    """What a folder's name says: a split, and whether it holds images or masks; "" for neither.

    Both may stand in one name, as in train_masks or valannot.
    """
    plain = _plain(part)
    for split, names in (("train", _TRAIN), ("val", _VAL), ("test", _TEST)):
        for name in sorted(names, key=len, reverse=True):
            for rest in (plain.removeprefix(name), plain.removesuffix(name)):
                if rest != plain and (not rest or rest in _CONTAINERS | _MASKS):
                    return split, _holds(rest)
    return "", _holds(plain)


def _holds(plain: str) -> str:
    return "masks" if plain in _MASKS else "images" if plain in _CONTAINERS else ""


def _has_splits(root: Path, pictures: Sequence[Path]) -> bool:
    """Whether train lies beside val or test somewhere: then they are no classes."""
    children = defaultdict(set)
    for path in pictures:
        parts = path.relative_to(root).parent.parts
        for depth, part in enumerate(parts):
            children[parts[:depth]].add(_role(part)[0])
    return any("train" in splits and len(splits - {""}) > 1 for splits in children.values())


def _in_masks(parts: Sequence[str], splits: bool) -> bool:
    return any(_plain(part) in _MASKS or (splits and _role(part)[1] == "masks") for part in parts)


def _source(path: Path, parts: Sequence[str], splits: bool) -> Source:
    place, split = [], ""
    for part in parts:
        of, holds = _role(part)
        if of and splits:
            split = of
        elif of or not holds:
            place.append(part)
    return Source(path, tuple(place), split)


def _wrapper(images: Sequence[Source]) -> int:
    """Folders at the top that hold every picture that lies in a folder, and are no class."""
    places = [source.place for source in images if source.place]
    depth = 0
    while places and all(
        len(place) > depth + 1 and place[depth] == places[0][depth] for place in places
    ):
        depth += 1
    return depth


def _unwrapped(sources: Sequence[Source], depth: int) -> list[Source]:
    return [replace(source, place=source.place[depth:]) for source in sources]


def _masks_beside(
    images: Sequence[Source], colours: MaskColours | None
) -> tuple[list[Source], dict[Path, Path]]:
    """The pictures that are no masks of others in their folder, and those masks by picture."""
    by_stem: dict[tuple[Path, str], list[Source]] = defaultdict(list)
    for source in images:
        by_stem[source.path.parent, source.path.stem].append(source)
    masks: dict[Path, Path] = {}
    for source in images:
        path = source.path
        if path.suffix.lower() != ".png":
            continue
        twins = [each for each in by_stem[path.parent, path.stem] if each.path != path]
        ending = _MASK_ENDING.search(path.stem)
        if ending:
            twins += by_stem.get((path.parent, path.stem[: ending.start()]), [])
        if len(twins) == 1 and _may_be_mask(path, colours):
            masks.setdefault(twins[0].path, path)
    used = set(masks.values())
    return [source for source in images if source.path not in used], masks


def _may_be_mask(path: Path, colours: MaskColours | None) -> bool:
    """Whether a PNG is indexed or grey, black and white, or of the colours of classes."""
    try:
        with Image.open(path) as opened:
            if opened.mode in ("1", "L", "P", "I", "I;16"):
                return True
            if opened.mode not in ("RGB", "RGBA", "LA"):
                return False
            pixels = np.asarray(opened)
            if pixels[..., 0].max() >= 128 and is_black_and_white(pixels):
                return True
        if colours is not None:
            colours.read(path)
            return True
    except (OSError, SyntaxError, ValueError):
        pass
    return False


def _with_masks(
    images: Sequence[Source], masks: Sequence[Source], beside: Mapping[Path, Path]
) -> list[Source]:
    """The pictures with their masks: of the same place and name, or of a name that is alone."""
    by_key = {(each.split, each.place, _bare(each)): each.path for each in masks}
    stems = Counter(source.path.stem for source in images)
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for each in masks:
        by_stem[_bare(each)].append(each.path)
    result = []
    for source in images:
        stem = source.path.stem
        mask = beside.get(source.path) or by_key.get((source.split, source.place, stem))
        if mask is None and stems[stem] == 1 and len(by_stem[stem]) == 1:
            mask = by_stem[stem][0]
        result.append(replace(source, mask=mask))
    return result


def _bare(mask: Source) -> str:
    """Name of the picture that a mask is of."""
    return _MASK_ENDING.sub("", mask.path.stem)


def _choose(found: Survey) -> None:
    """Leave aside pictures without a class beside those with one, and tests beside validation."""
    classed = [source for source in found.sources if source.place]
    if classed:
        flat = [source.path for source in found.sources if not source.place]
        if flat:
            found.aside["pictures that lie in no class folder"] += flat
        found.sources = classed
    if any(source.split == "val" for source in found.sources):
        tests = [source.path for source in found.sources if source.split == "test"]
        if tests:
            found.aside["pictures of the split test (val is there)"] += tests
        found.sources = [source for source in found.sources if source.split != "test"]
