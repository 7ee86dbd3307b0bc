"""Stage 4: masks of images, from several scales and optionally refined by the CRF."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from dgcn.crf import CRFParams, dense_crf
from dgcn.data.images import read_image, to_tensor, write_mask
from dgcn.engine.checkpoint import load_network
from dgcn.engine.portable import build_segmenter
from dgcn.engine.run import Run
from dgcn.engine.settings import prediction_settings
from dgcn.engine.stages import mark_finished, unmark
from dgcn.models import Segmenter
from dgcn.options import write_text


def scaled_size(size: int, scale: float) -> int:
    """Side near ``size * scale`` that is 8 n + 1, so that the grid's corners stay the image's."""
    return max(5, round((size - 1) * scale / 8)) * 8 + 1


@torch.no_grad()
def image_logits(
    model: Segmenter, image: NDArray[np.uint8], size: int, scales: Sequence[float]
) -> Tensor:
    """Logits at image size, summed over scales.

    Parameters
    ----------
    model : Segmenter
        In evaluation mode.
    image : numpy.ndarray, shape (H, W, 3), uint8
    size : int
        Side in pixels that the network was trained at; the image is warped to `scaled_size`.
    scales : sequence of float

    Returns
    -------
    Tensor, shape (L, H, W), float32
        On the CPU.
    """
    device = next(model.parameters()).device
    total: Tensor | None = None
    for scale in scales:
        warped = to_tensor(image, scaled_size(size, scale))
        logits = model(warped[None].to(device)).logits.float()
        full = functional.interpolate(logits, image.shape[:2], mode="bilinear", align_corners=True)[
            0
        ]
        total = full if total is None else total + full
    if total is None:
        raise ValueError("scales must hold at least one factor")
    return total.cpu()


def predict_image(
    model: Segmenter,
    image: NDArray[np.uint8],
    size: int,
    *,
    scales: Sequence[float] = (0.75, 1.0, 1.25),
    crf: CRFParams | None = None,
    labels: Sequence[int] | None = None,
) -> NDArray[np.uint8]:
    """Mask of one image: logits summed over scales, softmax, CRF, argmax.

    Parameters
    ----------
    model : Segmenter
        In evaluation mode.
    image : numpy.ndarray, shape (H, W, 3), uint8
    size : int
        Side in pixels that the network was trained at.
    scales : sequence of float, default (0.75, 1, 1.25)
        Factors on `size`.
    crf : CRFParams or None, default None
        None: no refinement.
    labels : sequence of int or None, default None
        Foreground classes that the mask may have besides the background. None: every one.

    Returns
    -------
    numpy.ndarray, shape (H, W), uint8
        Class ids.
    """
    logits = image_logits(model, image, size, scales)
    if labels is not None:
        allowed = torch.zeros(len(logits), dtype=torch.bool)
        allowed[[0, *labels]] = True
        logits = logits.masked_fill(~allowed[:, None, None], -math.inf)
    probabilities = logits.softmax(0).numpy()
    if crf is not None:
        probabilities = dense_crf(probabilities, image, crf)
    return np.asarray(probabilities.argmax(0), dtype=np.uint8)


def predict(run: Run, split: str) -> Path:
    """Write a mask of every image of a split into the run's folder.

    Parameters
    ----------
    run : Run
        With a trained segmentation network.
    split : {"train", "val"}

    Returns
    -------
    Path
        The folder of the masks, one palette PNG an image.
    """
    folder = run.network / "predictions" / split
    settings = prediction_settings(run.config, run.dataset, split)
    if run.leads:
        forget_predictions(run.network, split)
    pictures = [Picture(record.name, record.image) for record in run.records(split)]
    write_masks(run, pictures, folder, f"predicting {split}")
    if run.leads:
        mark_finished(folder, settings)
    run.fabric.barrier()
    return folder


def forget_predictions(network: Path, *splits: str) -> None:
    """Let a network's masks of some splits, and their scores, count as not made.

    Parameters
    ----------
    network : Path
        Folder of the network.
    *splits : str
    """
    for split in splits:
        unmark(network / "predictions" / split)
    path = network / "metrics.json"
    if path.is_file():
        scores = json.loads(path.read_text(encoding="utf-8"))
        kept = {split: values for split, values in scores.items() if split not in splits}
        if kept:
            write_text(path, json.dumps(kept, indent=2) + "\n")
        else:
            path.unlink()


def load_segmenter(run: Run, which: str) -> Segmenter:
    """A trained segmentation network of a run, on its device, in evaluation mode.

    Parameters
    ----------
    run : Run
    which : {"last", "best"}

    Raises
    ------
    FileNotFoundError
        The run has no network trained with this kind of supervision yet.
    """
    model = build_segmenter(run.config.model, run.classes)
    load_network(run.network / f"{which}.pt", model)
    return model.to(run.fabric.device).eval()


class Picture(NamedTuple):
    """What a mask is to be predicted of."""

    name: str
    path: Path
    labels: tuple[int, ...] | None = None
    """Foreground classes that the mask may have; None: every one."""


def write_masks(run: Run, pictures: list[Picture], folder: Path, title: str) -> None:
    """Predict pictures into ``folder/<name>.png``, shared among the processes."""
    options = run.config.evaluate
    model = load_segmenter(run, options.checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    mine = run.mine(pictures)
    with run.screen.bar(title, len(mine)) as advance:
        for picture in mine:
            mask = predict_image(
                model,
                read_image(picture.path),
                run.config.data.size,
                scales=options.scales,
                crf=run.config.crf.params() if options.crf else None,
                labels=picture.labels,
            )
            write_mask(folder / f"{picture.name}.png", mask)
            advance(picture.name)
    run.fabric.barrier()
