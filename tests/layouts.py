"""Small data sets in the layouts of PASCAL VOC and COCO, made from the synthetic shapes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dgcn.data import FolderDataset, Record, read_image, read_mask, write_mask, write_synthetic

VOC_IDS = np.array([0, 3, 8, 12, 15, 20], dtype=np.uint8)
"""VOC's ids that stand for the synthetic set's background and five shapes."""
COCO_CATEGORIES = {1: "person", 3: "car", 10: "traffic light", 44: "bottle", 90: "toothbrush"}
"""Categories that stand for the five shapes, with gaps in the ids as COCO has them."""


def drawn(folder: Path, images: int, val_images: int) -> FolderDataset:
    """The pictures that the miniatures are made of."""
    return write_synthetic(folder, images=images, val_images=val_images, size=72)


def draw(path: Path, shade: int) -> None:
    """A picture in one grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 9, 3), shade, dtype=np.uint8)).save(path)


def write_voc(root: Path, source: FolderDataset) -> dict[str, str]:
    """PASCAL VOC's layout; returns the id of every image of the source."""
    from dgcn.data import VOC_CLASSES

    for name in ("JPEGImages", "Annotations", "SegmentationClass", "ImageSets/Segmentation"):
        (root / name).mkdir(parents=True)
    ids: dict[str, str] = {}
    for split in ("train", "val"):
        for record in source.split(split):
            name = ids[record.name] = f"2007_{len(ids):06}"
            Image.fromarray(read_image(record.image)).save(root / "JPEGImages" / f"{name}.jpg")
            write_mask(root / "SegmentationClass" / f"{name}.png", VOC_IDS[_mask(record)])
            labels = [VOC_CLASSES[VOC_IDS[label]] for label in record.labels]
            write_annotation(root / "Annotations" / f"{name}.xml", labels)
        lines = "".join(f"{ids[record.name]}\n" for record in source.split(split))
        (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text(lines)
    return ids


def write_annotation(path: Path, labels: list[str]) -> None:
    """One object of every class, with a part that is no object."""
    objects = "".join(
        f"<object><name>{label}</name><difficult>0</difficult><bndbox><xmin>1</xmin></bndbox>"
        f"<part><name>head</name></part></object>"
        for label in labels
    )
    path.write_text(f"<annotation><filename>{path.stem}.jpg</filename>{objects}</annotation>")


def write_coco(root: Path, source: FolderDataset) -> None:
    """COCO 2014's layout; an instance of every class of an image, as run lengths."""
    (root / "annotations").mkdir(parents=True)
    number = 0
    for split in ("train", "val"):
        (root / f"{split}2014").mkdir()
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for record in source.split(split):
            number += 1
            mask = _mask(record)
            file_name = f"COCO_{split}2014_{number:012}.jpg"
            Image.fromarray(read_image(record.image)).save(root / f"{split}2014" / file_name)
            height, width = mask.shape
            image = {"id": number, "file_name": file_name, "height": height, "width": width}
            images.append(image)
            annotations += [
                {
                    "id": 10 * number + label,
                    "image_id": number,
                    "category_id": sorted(COCO_CATEGORIES)[label - 1],
                    "iscrowd": int(label == 1),
                    "segmentation": run_lengths(mask == label),
                }
                for label in record.labels
            ]
        categories = [{"id": key, "name": name} for key, name in COCO_CATEGORIES.items()]
        content = {"images": images, "annotations": annotations, "categories": categories}
        path = root / "annotations" / f"instances_{split}2014.json"
        path.write_text(json.dumps(content))


def run_lengths(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Down the columns, alternately out and in, the first of them out."""
    counts, inside, run = [], False, 0
    for value in mask.T.ravel().tolist():
        if value != inside:
            counts.append(run)
            inside, run = value, 0
        run += 1
    return {"size": list(mask.shape), "counts": [*counts, run]}


def _mask(record: Record) -> NDArray[np.uint8]:
    assert record.mask is not None
    return read_mask(record.mask)
