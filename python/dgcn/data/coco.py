"""The folder layout of COCO 2014 (and 2017)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dgcn.data.coco_masks import class_mask
from dgcn.data.dataset import SPLITS, ImageDataset, Record, existing_folder
from dgcn.data.errors import DataError
from dgcn.data.image_labels import label_file
from dgcn.data.images import image_size
from dgcn.data.lists import BACKGROUND, read_names, require_name
from dgcn.data.masks import write_mask

__all__ = ["COCODataset", "find_year"]

_YEARS = ("2014", "2017")


class COCODataset(ImageDataset):
    """COCO as it unpacks: 80 object classes and the background.

    ::

        root/
          train2014/*.jpg, val2014/*.jpg        also below images/
          annotations/instances_train2014.json  labels; masks for evaluation only
          annotations/instances_val2014.json    optional

    Classes are those of the training annotations, in the order of their category ids, spaces in
    names replaced by underscores. Image-level labels are the classes of an image's instances,
    crowds included; an image without instances is labelled as background. Masks are painted from
    the instances (`dgcn.data.coco_masks.class_mask`) into a folder when the data set is checked.

    Parameters
    ----------
    root : path
    masks : path
        Folder that takes the masks, ``<image>.png`` each; those in it are kept.
    train_list, val_list : path, optional
        Lists of the images to take, a file name or stem a line. By default all.
    labels : Path, optional
        File of image-level labels as `dgcn.data.image_labels.label_file` reads. By default they
        are those of the annotations.
    saliency : path, optional
        Folder of saliency maps, one ``<stem>.png`` (or jpg) for each image.

    Raises
    ------
    FileNotFoundError
        A folder or file is not there.
    DataError
        The annotations are malformed or contradict one another or the folder of images. The
        message names the file.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        masks: str | os.PathLike[str],
        *,
        train_list: str | os.PathLike[str] | None = None,
        val_list: str | os.PathLike[str] | None = None,
        labels: Path | None = None,
        saliency: str | os.PathLike[str] | None = None,
    ) -> None:
        root = existing_folder(Path(root), "data set folder")
        year = find_year(root)
        if year is None:
            raise FileNotFoundError(
                f"annotations not found: {root / 'annotations' / 'instances_train2014.json'}"
            )
        self.masks = Path(masks)
        self._files: dict[str, Path] = {}
        splits: dict[str, list[Record]] = {"train": [], "val": []}
        categories: dict[int, str] = {}
        for split, listing in zip(SPLITS, (train_list, val_list), strict=True):
            file = root / "annotations" / f"instances_{split}{year}.json"
            if split == "val" and not file.is_file():
                continue
            content = _read(file)
            if split == "val" and content.categories != categories:
                raise DataError(f"{file}: its categories are not those of the training annotations")
            categories = content.categories
            self._files[split] = file
            splits[split] = self._split(root, f"{split}{year}", content, listing, labels)
        super().__init__(
            root,
            _names(categories, self._files["train"]),
            [*splits["train"], *splits["val"]],
            splits,
            saliency=saliency,
        )

    def prepare(self, records: Sequence[Record]) -> None:
        """Paint the masks that are not there yet.

        Raises
        ------
        DataError
            A segmentation is malformed.
        """
        wanted = {r.name: r.mask for r in records if r.mask is not None and not r.mask.is_file()}
        if wanted:
            self.masks.mkdir(parents=True, exist_ok=True)
            images = {r.name: r.image for r in records}
            for file in self._files.values():
                _paint(file, wanted, images)

    def _split(
        self,
        root: Path,
        folder: str,
        content: _Annotations,
        listing: str | os.PathLike[str] | None,
        labels: Path | None,
    ) -> list[Record]:
        pictures = root / "images" / folder
        if not pictures.is_dir():
            pictures = existing_folder(root / folder, "folder of images")
        there: set[str] = {entry.name for entry in os.scandir(pictures)}
        ids = _class_ids(content.categories)
        names = _names(content.categories, content.path)
        listed = label_file(labels, names, _number) if labels is not None else None
        records: dict[str, Record] = {}
        for image, file_name in content.files.items():
            if file_name not in there:
                raise DataError(f"{content.path}: image not found: {pictures / file_name}")
            name = Path(file_name).stem
            mask = self.masks / f"{name}.png"
            if listed is not None:
                found = listed(name)
            else:
                found = tuple(sorted(ids[c] for c in content.labels.get(image, ())))
            records[name] = Record(name, pictures / file_name, found, mask)
        if listing is None:
            return list(records.values())
        return _listed(Path(listing), records, content.path)


def find_year(root: Path) -> str | None:
    """The year of the training annotations in a folder of COCO's layout; None: there are none."""
    for year in _YEARS:
        if (root / "annotations" / f"instances_train{year}.json").is_file():
            return year
    return None


@dataclass
class _Annotations:
    """What is kept of a file: instances are many, and needed for the masks only."""

    path: Path
    categories: dict[int, str]
    files: dict[int, str]
    labels: dict[int, set[int]]


def _read(path: Path) -> _Annotations:
    content = _load(path)
    categories = {entry["id"]: str(entry["name"]) for entry in content["categories"]}
    if not 1 <= len(categories) <= 254:
        raise DataError(f"{path}: {len(categories)} categories, 1 to 254 are possible")
    files = {entry["id"]: str(entry["file_name"]) for entry in content["images"]}
    stems = {Path(name).stem for name in files.values()}
    if len(files) != len(content["images"]) or len(stems) != len(files):
        raise DataError(f"{path}: two images have the same id or file name")
    labels: dict[int, set[int]] = {}
    for entry in content["annotations"]:
        if entry["image_id"] not in files or entry["category_id"] not in categories:
            raise DataError(
                f"{path}: annotation {entry.get('id')} is of image {entry['image_id']} and "
                f"category {entry['category_id']}, one of which is not in the file"
            )
        labels.setdefault(entry["image_id"], set()).add(entry["category_id"])
    return _Annotations(path, dict(sorted(categories.items())), files, labels)


def _load(path: Path) -> dict[str, Any]:
    """The file's lists, each entry with the keys that are read from it."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: malformed JSON ({error})") from error
    keys: dict[str, dict[str, type | tuple[type, ...]]] = {
        "categories": {"id": int, "name": str},
        "images": {"id": int, "file_name": str, "height": int, "width": int},
        "annotations": {"image_id": int, "category_id": int, "segmentation": (list, dict)},
    }
    for part, types in keys.items():
        entries = content.get(part) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise DataError(f"{path}: has no list {part!r}; is it instances_*.json?")
        for index, entry in enumerate(entries):
            for key, kind in types.items():
                if not isinstance(entry, dict) or not isinstance(entry.get(key), kind):
                    raise DataError(f"{path}: {part}[{index}] has no valid {key!r}")
    result: dict[str, Any] = content
    return result


def _paint(file: Path, wanted: Mapping[str, Path], images: Mapping[str, Path]) -> None:
    """Write the masks of those images of an annotation file that are wanted."""
    content = _load(file)
    ids = _class_ids({entry["id"]: entry["name"] for entry in content["categories"]})
    instances: dict[int, list[dict[str, Any]]] = {}
    for entry in content["annotations"]:
        instances.setdefault(entry["image_id"], []).append(entry)
    for image in content["images"]:
        name = Path(image["file_name"]).stem
        path = wanted.get(name)
        if path is None:
            continue
        height, width = image["height"], image["width"]
        found = image_size(images[name])
        if found != (height, width):
            raise DataError(
                f"{file}: image {image['id']} has the size {height} x {width}, "
                f"{images[name]} has {found[0]} x {found[1]}"
            )
        try:
            mask = class_mask(instances.get(image["id"], []), ids, height, width)
        except DataError as error:
            raise DataError(f"{file}: image {image['id']}: {error}") from error
        write_mask(path, mask)


def _listed(path: Path, records: Mapping[str, Record], annotations: Path) -> list[Record]:
    if not path.is_file():
        raise FileNotFoundError(f"no such list of images: {path}")
    chosen = {}
    for line, written in read_names(path):
        name = Path(written).stem
        if name not in records:
            raise DataError(f"{path}:{line}: {written!r} is not in {annotations}")
        if name in chosen:
            raise DataError(f"{path}:{line}: {written!r} occurs twice")
        chosen[name] = records[name]
    return list(chosen.values())


def _names(categories: Mapping[int, str], file: Path) -> tuple[str, ...]:
    """Class names by id; two categories that would have the same one are refused."""
    names: dict[str, int] = {BACKGROUND: -1}
    for key, written in sorted(categories.items()):
        name = "_".join(written.split())
        try:
            require_name(name)
        except ValueError as error:
            raise DataError(f"{file}: category {key}: {error}") from None
        if name in names:
            other = names[name]
            same = "the background" if other < 0 else f"category {other} ({categories[other]!r})"
            raise DataError(
                f"{file}: category {key} ({written!r}) becomes the class {name!r}, and so does "
                f"{same}: give them different names, or one id"
            )
        names[name] = key
    return tuple(names)


def _class_ids(categories: Mapping[int, str]) -> dict[int, int]:
    return {category: index for index, category in enumerate(sorted(categories), start=1)}


def _number(name: str) -> int:
    """COCO_train2014_000000000009 -> 9, the image's id; -1: no number."""
    digits = name.rpartition("_")[2]
    return int(digits) if digits.isascii() and digits.isdigit() else -1
