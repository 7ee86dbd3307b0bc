"""Fuzz targets of everything that reads files: damaged, odd and hostile ones.

``python tests/fuzz_readers.py [-max_total_time=S] [-runs=N] [-seed=N] [-artifact_prefix=PATH]
[READER...]`` gives each reader of `READERS` inputs for so long. They are made of sound files, by
changed bytes and by changed content that is written anew, so that checksums are right. An input
must be refused with the reader's documented error, or be read; in `LONGEST` seconds and `MEMORY`
more bytes. Anything else is a failure, and the input stays in PATH. A number of runs and a seed
make the same inputs every time.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import pickle
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, NoReturn

import numpy as np
import torch
from PIL import Image

import graphcut_ext as gx
from dgcn.cues import load_cues
from dgcn.cues.field_pickle import read_list
from dgcn.data import DataError, read_image, read_mask
from dgcn.data.coco import COCODataset
from dgcn.data.image_labels import label_file, labels_from_xml
from dgcn.data.lists import labels_csv, quoted, read_classes, read_labels, read_names
from dgcn.models import Segmenter, build_backbone
from dgcn.models.weights import WeightsError, load_weights
from dgcn.options import config_with
from dgcn.pipeline.portable import describe, load_portable
from dgcn.training.checkpoint import Checkpoint, load_checkpoint

LONGEST = 20
MEMORY = 3 << 30
LARGEST_INPUT = 1 << 20
CLASSES = ("background", "cat", "traffic light")
ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 2, 255, 256, 2**31, 2**63, -(2**63), 2**64, 10**30, 10**400),
    *(0.5, -0.0, 1e308, math.inf, math.nan, "", "0", "\0", "../x", "=1+1", "\ud800", "a" * 300),
    *(b"", b"\xff", [], {}, [[]], [0] * 9, {"a": 1}, [[1, 2, 3, 4, 5, 6]], (), ((),)),
)
TOKENS = (
    *(b"", b"\0", b"\xff", b"\n", b"\r\n", b'"', b'""', b",", b";", b" ", b"\t", b"{", b"}", b"["),
    *(b"]", b":", b"1e999", b"-1", b"inf", b"nan", b"99999999999999999999", b"\xef\xbb\xbf"),
    *(
        b"\xff\xff\xff\x7f",
        b"\x00\x00\x00\x80",
        b"<a>",
        b"</a>",
        b"&#0;",
        b"\x80\x04",
        b"\x94",
        b".",
    ),
    *(
        b"cos\nsystem\n",
        b"(",
        b"t",
        b"R",
        b"]",
        b"a",
        b"}",
        b"s",
        b"\x85",
        b"h\x00",
        b"p c e a n s 1",
    ),
)


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


class Hang(BaseException):
    """Reading takes too long."""


def changed_bytes(data: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    """A few bytes replaced, repeated, taken out, put in, or taken from another file."""
    content = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4, 9))):
        at = draw.randrange(len(content) + 1)
        to = min(len(content), at + draw.choice((1, 1, 2, 8, 60)))
        kind = draw.randrange(6)
        if kind == 0 and at < len(content):
            content[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            content[at:to] = draw.randbytes(to - at)
        elif kind == 2:
            del content[at:to]
        elif kind == 3:
            content[at:at] = draw.choice(TOKENS)
        elif kind == 4:
            content[at:at] = content[at:to] * draw.choice((1, 3, 100))
        else:
            other = draw.choice(others)
            start = draw.randrange(len(other) + 1)
            content[at:to] = other[start : start + draw.choice((4, 40, 400))]
    return bytes(content[:LARGEST_INPUT])


def changed(value: Any, draw: random.Random) -> Any:
    """Plain content with one part replaced by something odd, left out or repeated."""
    if isinstance(value, dict) and value and draw.random() < 0.85:
        key = draw.choice(list(value))
        copy = dict(value)
        kind = draw.random()
        if kind < 0.1:
            del copy[key]
        elif kind < 0.2:
            copy[draw.choice([odd for odd in ODD if _hashable(odd)])] = copy[key]
        else:
            copy[key] = changed(copy[key], draw)
        return copy
    if isinstance(value, (list, tuple)) and value and draw.random() < 0.85:
        items = list(value)
        at = draw.randrange(len(items))
        kind = draw.random()
        if kind < 0.1:
            del items[at]
        elif kind < 0.2:
            items[at:at] = items[at : at + 1] * draw.choice((1, 50))
        else:
            items[at] = changed(items[at], draw)
        return type(value)(items)
    if isinstance(value, np.ndarray) and draw.random() < 0.8:
        kinds: list[Callable[[], Any]] = [
            lambda: value.reshape(-1),
            lambda: value[:0],
            lambda: value.astype(draw.choice(("f8", "i1", "u8", "?", "U4", "O", "c16"))),
            lambda: np.where(value == value.flat[0], draw.choice((-1, 255, 10**9)), value),
            lambda: np.asfortranarray(value[..., None]),
        ]
        return draw.choice(kinds)() if value.size else value
    if isinstance(value, torch.Tensor) and draw.random() < 0.8:
        tensors: list[Callable[[], Any]] = [
            lambda: value.double(),
            lambda: value.flatten(),
            lambda: torch.empty(0),
            lambda: torch.zeros(1).expand(1 << 20, 1 << 20),
            lambda: torch.full_like(value, math.nan) if value.is_floating_point() else value,
            lambda: value.to_sparse(),
            lambda: value[None].expand(3, *value.shape),
        ]
        return draw.choice(tensors)()
    if isinstance(value, str) and value and draw.random() < 0.5:
        at = draw.randrange(len(value))
        return value[:at] + draw.choice(("\0", "\n", "é", '"', ",", "0", "\u202e")) + value[at:]
    return draw.choice(ODD)


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


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


def checkpoint_content() -> dict[str, Any]:
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


def torch_file(content: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
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
        lambda _: [torch_file(torch.nn.Linear(3, 2).state_dict())],
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


def void(_: object) -> None:
    """Drop a result."""


def hang(_: int, __: FrameType | None) -> NoReturn:
    raise Hang(f"it takes more than {LONGEST} s")


def fuzz(name: str, seed: int, runs: float, seconds: float, prefix: str) -> bool:
    """Give a reader inputs; whether all went well."""
    reader, draw = READERS[name], random.Random(f"{seed} {name}")
    count = refused = 0
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"input{reader.suffix}")
        seeds = reader.seeds(Path(folder))
        for sound in seeds:
            path.write_bytes(sound)
            try:
                reader.read(path)
            except reader.refused as error:
                if name not in ("class_list", "mask"):  # one of these seeds is refused
                    raise AssertionError(f"a sound file is refused: {error}") from error
        kept = list(seeds)
        while count < runs and time.monotonic() - begin < seconds:
            if reader.remade is not None and draw.random() < 0.5:
                try:
                    data = reader.remade(draw)
                except Exception:
                    continue  # such content cannot be written
                if draw.random() < 0.2:
                    data = changed_bytes(data, draw, kept)
            else:
                data = changed_bytes(draw.choice(kept), draw, kept)
            path.write_bytes(data)
            count += 1
            signal.alarm(LONGEST)
            try:
                reader.read(path)
            except reader.refused:
                refused += 1
            except BaseException as error:
                signal.alarm(0)
                kept_at = Path(f"{prefix}{name}{reader.suffix}")
                kept_at.parent.mkdir(parents=True, exist_ok=True)
                kept_at.write_bytes(data)
                traceback.print_exception(error)
                print(f"{name}: {error!r:.200} after {count} inputs from seed {seed}: {kept_at}")
                return False
            finally:
                signal.alarm(0)
            if draw.random() < 0.05 and len(data) < 1 << 14:
                kept[draw.randrange(len(seeds), len(seeds) + 50) :] = [data]
    print(
        f"{name}: {count} inputs from seed {seed} in {time.monotonic() - begin:.0f} s, "
        f"{refused} refused, no failure",
        flush=True,
    )
    return True


def limit_memory() -> None:
    """Let allocations beyond `MEMORY` more than now fail."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def main() -> int:
    """Fuzz the readers that are named, or all."""
    options: dict[str, str] = {}
    names = []
    for argument in sys.argv[1:]:
        if argument.startswith("-"):
            key, _, value = argument.partition("=")
            options[key] = value
        else:
            names.append(argument)
    seed = int(options.get("-seed", random.SystemRandom().randrange(1 << 32)))
    runs = float(options.get("-runs", math.inf))
    seconds = float(options.get("-max_total_time", 60 if runs == math.inf else math.inf))
    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, hang)
    network()  # what is loaded once does not count
    limit_memory()
    prefix = options.get("-artifact_prefix", "failed-")
    results = [fuzz(name, seed, runs, seconds, prefix) for name in names or READERS]
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main())
