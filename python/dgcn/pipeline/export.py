"""A trained network as a file for other programs: ONNX, or torch.export's .pt2."""

from __future__ import annotations

import importlib
import io
import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from dgcn.atomic import write_bytes
from dgcn.data.images import IMAGENET_MEAN, IMAGENET_STD
from dgcn.models import Segmenter
from dgcn.pipeline.portable import Portable, load_portable
from graphcut_ext import __version__

Format = Literal["onnx", "torch"]

SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "torch": ".pt2"}
TOLERANCE = 1e-4
"""Largest difference of the exported network's logits, as a fraction of the largest logit."""

_NEEDED = ("onnx", "onnxscript", "onnxruntime")


class ExportError(ValueError):
    """The exported network cannot be made here, or does not compute what the trained one does."""


class Exported(NamedTuple):
    """A file that has been written and checked."""

    path: Path
    difference: float
    """Largest difference from the trained network's logits, on batches of 1 and 3."""
    then: list[str]
    """What `dgcn predict` does with the softmax of the logits and the file does not, in this order:
    of "classifier", "contrast" and "crf"."""


class _Logits(nn.Module):
    """The segmentation network without its features, its logits adjusted."""

    def __init__(self, model: Segmenter, adjustment: Sequence[float]) -> None:
        super().__init__()
        self.model = model
        self.lowered = torch.tensor(adjustment)[:, None, None] if adjustment else None

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.model(image).logits
        return logits if self.lowered is None else logits - self.lowered


def export(
    network: Path, format: Format, path: Path | None = None, *, backbone: str | None = None
) -> Exported:
    """Write a trained network for other programs, and check what has been written.

    Input "image": float32 (B, 3, S, S), RGB / 255, standardised by the mean and standard deviation
    in the metadata, warped to the side S. Output "logits": float32 (B, L, h, w), whose corner cells
    lie on the corner pixels: enlarge bilinearly with corners aligned, then argmax. B is free.

    Metadata: "classes", "mean", "std", "size", "epoch" and "program", and of the protocol "scales"
    and "then", as `Exported.then`; each as JSON: ONNX ``metadata_props``, or the extra file
    "metadata.json" of the .pt2.

    Parameters
    ----------
    network : Path
        As `dgcn.pipeline.portable.find_checkpoint` takes it.
    format : {"onnx", "torch"}
    path : Path or None, default None
        File to write; None: beside the checkpoint, with the suffix .onnx or .pt2.
    backbone : str or None, default None
        As `dgcn.pipeline.portable.load_portable`.

    Returns
    -------
    Exported

    Raises
    ------
    FileNotFoundError, ValueError
        As `dgcn.pipeline.portable.load_portable`.
    ExportError
        A package is missing, or the logits differ by more than `TOLERANCE`; nothing is written.
    """
    portable = load_portable(network, backbone=backbone)
    path = path or portable.path.with_suffix(SUFFIXES[format])
    size = portable.settings["data"]["size"]
    adjustment = portable.settings.get("evaluate", {}).get("logit_adjustment", [])
    model = _Logits(portable.model, adjustment).eval()
    content = (_onnx if format == "onnx" else _pt2)(model, size, metadata(portable))
    difference = _difference(content, format, model, size)
    if not difference <= TOLERANCE:
        raise ExportError(
            f"the exported network's logits differ by {difference:.2g} of the largest (allowed "
            f"{TOLERANCE:g}); nothing is written"
        )
    write_bytes(path, content)
    return Exported(path, difference, _then(portable))


def _then(portable: Portable) -> list[str]:
    evaluate = portable.settings.get("evaluate", {})
    return [step for step in ("classifier", "contrast", "crf") if evaluate.get(step)]


def metadata(portable: Portable) -> dict[str, Any]:
    """What a program needs to know to use the network."""
    return {
        "program": f"dgcn {__version__}",
        "classes": list(portable.classes),
        "size": portable.settings["data"]["size"],
        "mean": list(IMAGENET_MEAN),
        "std": list(IMAGENET_STD),
        "scales": portable.settings.get("evaluate", {}).get("scales", [1.0]),
        "then": _then(portable),
        "epoch": portable.epoch,
    }


def _onnx(model: nn.Module, size: int, about: dict[str, Any]) -> bytes:
    for name in _NEEDED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ExportError(
                f"ONNX needs {name}, which is not installed: pip install 'graphcut-ext[export]'"
            ) from error
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own parts
        program = torch.onnx.export(
            model,
            (torch.zeros(2, 3, size, size),),
            input_names=["image"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    for key, value in about.items():
        proto.metadata_props.add(key=key, value=json.dumps(value))
    result: bytes = proto.SerializeToString()
    return result


def _pt2(model: nn.Module, size: int, about: dict[str, Any]) -> bytes:
    program = torch.export.export(
        model,
        (torch.zeros(2, 3, size, size),),
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    stream = io.BytesIO()
    torch.export.save(program, stream, extra_files={"metadata.json": json.dumps(about)})
    return stream.getvalue()


@torch.no_grad()
def _difference(content: bytes, format: Format, model: nn.Module, size: int) -> float:
    """Largest difference from the model's logits, as a fraction of the largest of these."""
    if format == "onnx":
        runtime = importlib.import_module("onnxruntime")
        session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    else:
        program = torch.export.load(io.BytesIO(content)).module()
    worst = 0.0
    for batch in (1, 3):
        generator = torch.Generator().manual_seed(batch)
        x = torch.randn(batch, 3, size, size, generator=generator)
        expected = model(x).numpy()
        if format == "onnx":
            (found,) = session.run(["logits"], {"image": x.numpy()})
        else:
            found = program(x).numpy()
        scale = max(float(np.abs(expected).max()), 1e-12)
        worst = max(worst, float(np.abs(found - expected).max()) / scale)
    return worst
