"""Sound files of every kind that is read, and what reads them, for fuzz_readers.py."""

from __future__ import annotations

import functools
import gzip
import io
import json
import pickle
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from fuzz_changes import changed
from PIL import Image

import graphcut_ext as gx
from dgcn.cues import load_cues
from dgcn.cues.field_pickle import read_list
from dgcn.data import DataError, read_image, read_mask
from dgcn.data.coco import COCODataset
from dgcn.data.image_labels import label_file, labels_from_xml
from dgcn.data.lists import labels_csv, quoted, read_classes, read_labels, read_names
from dgcn.data.mask_colours import MaskColours, read_mask_colours
from dgcn.models import Segmenter, build_backbone
from dgcn.models.weights import WeightsError, load_weights
from dgcn.options import config_with
from dgcn.pipeline.portable import describe, load_portable
from dgcn.training.checkpoint import Checkpoint, load_checkpoint

CLASSES = ("background", "cat", "traffic light")


class Reader(NamedTuple):
    """What is fuzzed.

    Attributes
    ----------
    suffix : str
        Of the file.
    read : callable
        Reads a file; raises `refused`, or is content.
    refused : tuple of exception types
        What its documentation says.
    seeds : callable
        Sound files, given a folder to work in.
    remade : callable or None
        Another file made of changed content.
    """

    suffix: str
    read: Callable[[Path], None]
    refused: tuple[type[Exception], ...]
    seeds: Callable[[Path], list[bytes]]
    remade: Callable[[random.Random], bytes] | None = None


# Cues and labels.
CUES = {
    f"{i}_{name}": array
    for i in range(2)
    for name, array in (
        ("labels", np.array([1, 2])),
        ("cues", np.array([[0, 1, 2], [0, 1, 4], [3, 6, 0]])),
    )
}
NPY = {"a": np.array([1, 0], np.uint8), 7: np.array([0.0, 1.0])}


def pickles(content: Any, draw: random.Random) -> bytes:
    """One of the protocols, with gzip or without."""
    stream = pickle.dumps(content, protocol=draw.randrange(6))
    return gzip.compress(stream, 1) if draw.random() < 0.2 else stream


def npy(content: Any) -> bytes:
    """A file of one object."""
    file = io.BytesIO()
    np.save(file, np.array(content, dtype=object), allow_pickle=True)
    return file.getvalue()


def npz(content: dict[str, Any]) -> bytes:
    """A file of arrays; names that are none are left out."""
    file = io.BytesIO()
    np.savez_compressed(file, **{k: v for k, v in content.items() if isinstance(k, str)})
    return file.getvalue()


def npz_content() -> dict[str, Any]:
    """What `save_cues` writes."""
    cues = np.zeros((2, 3 * 5 * 7), np.bool_)
    cues[:, 4::9] = True
    return {
        "names": np.array(["a", "b"]),
        "shape": np.array((3, 5, 7)),
        "cues": np.packbits(cues, axis=1),
    }


def read_pickled_cues(path: Path) -> None:
    for cues in load_cues(path, classes=3, grid=(5, 7)).values():
        assert cues.shape == (3, 5, 7)
        assert cues.sum(0).max() <= 1


def read_packed_cues(path: Path) -> None:
    for name, cues in load_cues(path).items():
        assert isinstance(name, str)
        assert cues.ndim == 3
        assert cues.dtype == np.bool_


def read_npy(path: Path) -> None:
    label_file(path, CLASSES, lambda name: int(name) if name.isdigit() else -1)("a")


def read_csv(path: Path) -> None:
    """What is read, and written again, reads the same."""
    rows = {row.image: row.labels for row in read_labels(path)}
    path.write_text(labels_csv(rows), encoding="utf-8")
    assert {row.image: row.labels for row in read_labels(path)} == rows


def read_colours(path: Path) -> None:
    colours = read_mask_colours(path)
    assert 2 <= len(colours.classes) <= 255
    assert set(colours.ids.values()) <= {*range(len(colours.classes)), 255}
    again = path.with_name("again.csv")
    again.write_text(colours.csv(), encoding="utf-8")
    assert read_mask_colours(again).ids == colours.ids


def read_coloured(path: Path) -> None:
    ids = {(0, 0, 0): 0, (1, 1, 1): 1, (2, 2, 2): 2, (255, 255, 255): 3}
    colours = MaskColours(("background", "cat", "dog", "cow"), ids, path)
    assert colours.read(path).max(initial=0) <= 3


def read_lists(path: Path) -> None:
    read_names(path)
    names = read_classes(path)
    path.write_text(
        "image,labels\na.jpg,"
        + '"'
        + " ".join(quoted(name).replace('"', '""') for name in names)
        + '"\n',
        encoding="utf-8",
    )
    assert read_labels(path)[0].labels == names


def read_listing(path: Path) -> None:
    read_list(path)


def read_annotation(path: Path) -> None:
    assert all(0 < label < len(CLASSES) for label in labels_from_xml(path, CLASSES))


# COCO.
COCO = {
    "categories": [{"id": 1, "name": "cat"}, {"id": 7, "name": "traffic light"}],
    "images": [{"id": 4, "file_name": "a_4.png", "height": 6, "width": 8}],
    "annotations": [
        {"id": 1, "image_id": 4, "category_id": 1, "segmentation": [[0, 0, 5, 0, 5, 5, 0, 5.5]]},
        {
            **{"id": 2, "image_id": 4, "category_id": 7, "iscrowd": 1},
            "segmentation": {"size": [6, 8], "counts": [3, 40, 5]},
        },
        {
            **{"id": 3, "image_id": 4, "category_id": 7},
            "segmentation": {"size": [6, 8], "counts": "3X15"},
        },
    ],
}


def read_coco(path: Path) -> None:
    root = path.parent / "coco"
    file = root / "annotations" / "instances_train2014.json"
    if not file.parent.is_dir():
        file.parent.mkdir(parents=True)
        (root / "train2014").mkdir()
        Image.new("RGB", (8, 6)).save(root / "train2014" / "a_4.png")
    file.write_bytes(path.read_bytes())
    masks = root / "masks"
    for old in masks.glob("*"):
        old.unlink()
    dataset = COCODataset(root, masks)
    records = dataset.split("all")
    dataset.prepare(records)
    for record in records:
        assert record.mask is not None
        mask = read_mask(record.mask)
        assert mask.shape == (6, 8)
        assert mask.max() < len(dataset.classes)


# Checkpoints and weights.
def network() -> Segmenter:
    return Segmenter(build_backbone("small"), len(CLASSES)).eval()


@functools.cache
def checkpoint_content() -> dict[str, Any]:
    """What `save_checkpoint` writes; not to be changed."""
    config = config_with({"model.backbone": "small"})
    checkpoint = Checkpoint(
        model=network().state_dict(),
        optimizer={"state": {}, "param_groups": [{"lr": 0.1, "params": [0]}]},
        epoch=3,
        fingerprint={"seed": 0},
        network=describe(config, CLASSES),
        history=[{"epoch": 1, "loss": 0.5}],
    )
    return {"format": 1, **vars(checkpoint)}


def torch_file(content: Any, zipped: bool = True) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def read_checkpoint(path: Path) -> None:
    checkpoint = load_checkpoint(path)
    assert isinstance(checkpoint.epoch, int)
    load_portable(path)


def read_weights(path: Path) -> None:
    load_weights(torch.nn.Linear(3, 2), path)


def safetensors(header: Any, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


LINEAR = {
    "weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
    "bias": {"dtype": "F32", "shape": [2], "data_offsets": [24, 32]},
}


# Pictures.
def pictures(kind: str) -> list[bytes]:
    values = (np.arange(64).reshape(8, 8) % 3).astype(np.uint8)
    made = []
    for mode in ("L", "P", "RGB", "1", "I;16") if kind == "PNG" else ("L", "RGB"):
        file = io.BytesIO()
        picture = Image.fromarray(values)
        (picture if mode == "I;16" else picture.convert(mode)).save(file, kind)
        made.append(file.getvalue())
    return made


def read_picture(path: Path) -> None:
    image = read_image(path)
    assert image.dtype == np.uint8
    assert image.ndim == 3


def read_graph(path: Path) -> None:
    problem = gx.read_dimacs(path)
    assert len(problem.source) == len(problem.sink) <= 1 << 20
    assert (problem.edge_index >= 0).all()


def _json(value: Any) -> bytes:
    return json.dumps(value, default=str).encode("utf-8", "surrogatepass")


def void(_: object) -> None:
    """Drop a result."""


READERS: dict[str, Reader] = {
    "cue_pickle": Reader(
        ".pickle",
        read_pickled_cues,
        (DataError,),
        lambda _: (
            [pickle.dumps(CUES, protocol=p) for p in range(6)]
            + [gzip.compress(pickle.dumps(CUES, protocol=2))]
        ),
        lambda draw: pickles(changed(CUES, draw), draw),
    ),
    "cue_npz": Reader(
        ".npz",
        read_packed_cues,
        (DataError,),
        lambda _: [npz(npz_content())],
        lambda draw: npz(dict(changed(npz_content(), draw) or {})),
    ),
    "label_npy": Reader(
        ".npy",
        read_npy,
        (DataError,),
        lambda _: [npy(NPY)],
        lambda draw: npy(changed(NPY, draw)),
    ),
    "label_csv": Reader(
        ".csv",
        read_csv,
        (DataError,),
        lambda _: [
            b'image,labels\na.jpg,cat\nb.jpg,"cat ""traffic light"" "\nc.jpg,\n',
            b'image;cat;"traffic light"\r\na.jpg;1;0\r\nb.jpg;x;yes\r\n',
        ],
    ),
    "class_list": Reader(
        ".txt",
        read_lists,
        (DataError,),
        lambda _: [b"background\ncat\ntraffic light\n", 'background\nété\n""\n'.encode()],
    ),
    "mask_colours": Reader(
        ".csv",
        read_colours,
        (DataError,),
        lambda _: [
            b"name,r,g,b\ncat,200,30,40\ntraffic light,0,128,255\nVoid,128,128,128\n",
            b"# label:color_rgb:parts:actions\ncat:200,30,40::\nbackground:0,0,0::\n",
            b"200 30 40\tcat\n0 128 255\tdog\n",
        ],
    ),
    "coloured_mask": Reader(".png", read_coloured, (DataError,), lambda _: pictures("PNG")[:4]),
    "cue_list": Reader(".txt", read_listing, (DataError,), lambda _: [b"a.jpg 0\nb/c.png 1\n"]),
    "annotation": Reader(
        ".xml",
        read_annotation,
        (DataError,),
        lambda _: [b"<annotation><object><name>cat</name><part/></object></annotation>"],
    ),
    "coco": Reader(
        ".json",
        read_coco,
        (DataError,),
        lambda _: [_json(COCO)],
        lambda draw: _json(changed(changed(COCO, draw), draw)),
    ),
    "checkpoint": Reader(
        ".pt",
        read_checkpoint,
        (ValueError,),
        lambda _: [torch_file(checkpoint_content())],
        lambda draw: torch_file(changed(checkpoint_content(), draw)),
    ),
    "weights": Reader(
        ".pth",
        read_weights,
        (WeightsError,),
        lambda _: [
            torch_file(torch.nn.Linear(3, 2).state_dict()),
            torch_file(torch.nn.Linear(3, 2).state_dict(), zipped=False),
        ],
        lambda draw: torch_file(changed(dict(torch.nn.Linear(3, 2).state_dict()), draw)),
    ),
    "safetensors": Reader(
        ".safetensors",
        read_weights,
        (WeightsError,),
        lambda _: [safetensors(LINEAR, bytes(32))],
        lambda draw: safetensors(changed(LINEAR, draw), bytes(32)),
    ),
    "mask": Reader(
        ".png", lambda path: void(read_mask(path)), (DataError,), lambda _: pictures("PNG")
    ),
    "image": Reader(
        ".jpg",
        read_picture,
        (DataError,),
        lambda _: pictures("JPEG") + pictures("PNG") + pictures("TIFF") + pictures("GIF"),
    ),
    "dimacs": Reader(
        ".max",
        read_graph,
        (ValueError,),
        lambda _: [
            b"p max 4 5\nn 1 s\nn 4 t\na 1 2 5\na 2 3 3\na 3 2 1\na 3 4 4\na 1 4 2\n",
            gzip.compress(b"c comment\n\np max 3 2\nn 3 s\nn 1 t\na 3 2 inf\na 2 1 0.5e1\n"),
        ],
    ),
}
